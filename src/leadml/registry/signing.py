"""Signatures of bundles, in the format of OpenSSF model signing.

A signature is a file of its own beside what it signs: an in-toto statement with the
SHA-256 of every file, in a DSSE envelope, signed with ECDSA. The library model-signing
makes it where models are trained; :class:`PublicKeys` checks it with ``cryptography``
alone, so that a scorer is slim and every start can afford a real check
(``docs/decisions/0006-signatures.md``). Keys are PEM files; nothing asks the network.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from leadml.errors import BundleUnsigned, ConfigError, ExtraMissing

__all__ = [
    "SIGNATURE",
    "SIGNATURE_BYTES",
    "PublicKeys",
    "check_pair",
    "create_keys",
    "public_keys_of",
    "sign",
]

SIGNATURE: Final = "signature.json"
"""Name of the signature inside a bundle; the digest of the bundle leaves it out."""

SIGNATURE_BYTES: Final = 100_000

PRIVATE_NAME: Final = "leadml-signing.key"
PUBLIC_NAME: Final = "leadml-signing.pub"
_KEY_BYTES: Final = 100_000
_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
_PUBLIC_BLOCK: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")


# --- keys ------------------------------------------------------------------------


def create_keys(folder: Path | str) -> tuple[Path, Path]:
    """Make a pair of keys (ECDSA on P-256); neither file may be there already.

    Returns
    -------
    tuple of Path
        The private key, readable by its owner alone, and the public key. The private one
        belongs where models are trained, the public one wherever they are served.

    Raises
    ------
    ConfigError
        A key is there already, or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    home = Path(folder)
    private, public = home / PRIVATE_NAME, home / PUBLIC_NAME
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise ConfigError(
                f"'{path}' is there already", fix="name another --output; a key is not replaced"
            )
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write_new(private, secret)
        _write_new(public, _pem(key.public_key()))
    except OSError as error:
        raise ConfigError(f"no key can be written to '{home}': {error.strerror}") from error
    return private, public


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    found: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def _fingerprint(key: Any) -> str:
    """SHA-256 of the key's PEM text, as model-signing names keys."""
    return hashlib.sha256(_pem(key)).hexdigest()


def _key_bytes(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_KEY_BYTES)
    except OSError as error:
        raise ConfigError(
            f"the key that {setting} names cannot be read: {error.strerror}",
            fix="make one: leadml signing-key create",
        ) from error


def _load(load: Any, data: bytes, setting: str, **more: Any) -> Any:
    """A key on a curve that model signing knows."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = load(data, **more)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"what {setting} names is no key that can be used: {type(error).__name__}",
            fix="make one: leadml signing-key create",
        ) from error
    if getattr(getattr(key, "curve", None), "name", "") not in _CURVES:
        raise ConfigError(
            f"the key that {setting} names is not on one of the curves {', '.join(_CURVES)}",
            fix="make one: leadml signing-key create",
        )
    return key


def public_keys_of(private: Path | str) -> PublicKeys:
    """What verifies the signatures made with a private key.

    Raises
    ------
    ConfigError
        The file cannot be read or holds no private key without a password.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path, setting = Path(private), "LEADML_SIGNING_KEY"
    key = _load(load_pem_private_key, _key_bytes(path, setting), setting, password=None)
    public = key.public_key()
    return PublicKeys(path, {_fingerprint(public): public})


def check_pair(private: Path | str | None, keys: PublicKeys | None) -> None:
    """Refuse keys with which no training could register what it made.

    Raises
    ------
    ConfigError
        Signatures count here, and there is no private key or one of another pair; or the
        private key cannot be used.
    ExtraMissing
        The library model-signing is not installed.
    """
    if private is None:
        if keys is not None:
            raise ConfigError(
                "only signed models count here, and LEADML_SIGNING_KEY names no key to sign with",
                fix="set LEADML_SIGNING_KEY, or train where LEADML_VERIFY_KEY is not set",
            )
        return
    own = public_keys_of(private)
    if keys is not None and not set(own.fingerprints) <= keys.keys.keys():
        raise ConfigError(
            "LEADML_SIGNING_KEY is not the private key of one that LEADML_VERIFY_KEY names",
            fix="name two files of one pair, or both public keys in one file",
        )
    if importlib.util.find_spec("model_signing") is None:
        raise ExtraMissing(_NO_LIBRARY, fix=_NO_LIBRARY_FIX)


# --- signing ---------------------------------------------------------------------

_NO_LIBRARY: Final = "signing needs the library model-signing, which is not installed"
_NO_LIBRARY_FIX: Final = "pip install 'leadml[train]', or unset LEADML_SIGNING_KEY"


def sign(files: Mapping[str, bytes], private: Path | str) -> bytes:
    """Sign files by name; gives the bytes of :data:`SIGNATURE`, spelled canonically.

    Raises
    ------
    ConfigError
        The key cannot be used.
    ExtraMissing
        The library model-signing is not installed.
    """
    keys = public_keys_of(private)
    try:
        from model_signing import hashing, signing
    except ImportError as error:
        raise ExtraMissing(_NO_LIBRARY, fix=_NO_LIBRARY_FIX) from error
    with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
        folder, written = Path(scratch) / "bundle", Path(scratch) / SIGNATURE
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        hashed = hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
        signing.Config().set_hashing_config(hashed).use_elliptic_key_signer(
            private_key=Path(private)
        ).sign(folder, written)
        made = orjson.loads(written.read_bytes())
    envelope = made["dsseEnvelope"]
    spelled = _spelled(
        keys.fingerprints[0],
        base64.b64decode(envelope["payload"]),
        base64.b64decode(envelope["signatures"][0]["sig"]),
    )
    keys.check(files, spelled)  # what would be refused is never written
    return spelled


def _spelled(fingerprint: str, payload: bytes, signature: bytes) -> bytes:
    """The one spelling of a signature file."""
    data = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": fingerprint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
        },
    }
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS) + b"\n"


# --- checking --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PublicKeys:
    """Keys whose signatures count.

    Parameters
    ----------
    path
        The PEM file they were read from.
    keys
        By fingerprint.
    """

    path: Path
    keys: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, path: Path | str) -> PublicKeys:
        """Read the file that ``LEADML_VERIFY_KEY`` names: one public key, or several.

        Several lie one below the other while a key is being replaced.

        Raises
        ------
        ConfigError
            The file cannot be read, or holds no public key, or a private one.
        """
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        place, setting = Path(path), "LEADML_VERIFY_KEY"
        data = _key_bytes(place, setting)
        if b"PRIVATE KEY" in data:
            raise ConfigError(
                "LEADML_VERIFY_KEY names a private key, which a server must not hold",
                fix=f"name the public one, such as {PUBLIC_NAME}",
            )
        blocks = _PUBLIC_BLOCK.findall(data)
        if not blocks:
            raise ConfigError(
                "what LEADML_VERIFY_KEY names holds no public key",
                fix="make one: leadml signing-key create",
            )
        loaded = [_load(load_pem_public_key, block + b"\n", setting) for block in blocks]
        return cls(place.absolute(), {_fingerprint(key): key for key in loaded})

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """SHA-256 of each key's PEM text, 64 hexadecimal digits."""
        return tuple(self.keys)

    def check(self, files: Mapping[str, bytes], signature: bytes | None) -> str:
        """Check that exactly these files were signed with one of the keys.

        Parameters
        ----------
        files
            Every file but the signature; none of them is parsed.
        signature
            The bytes of :data:`SIGNATURE`; None where there is none.

        Returns
        -------
        str
            Fingerprint of the key.

        Raises
        ------
        BundleUnsigned
            There is no signature, it is of another key, it was changed, or it is of
            other files.
        """
        if signature is None:
            raise BundleUnsigned("the bundle is not signed", fix=_FIX)
        fingerprint, payload, signed = _parts(signature)
        key = self.keys.get(fingerprint)
        if key is None:
            raise BundleUnsigned(
                f"the bundle is signed with a key that is not trusted here ({fingerprint[:12]}…)",
                fix=_FIX,
            )
        _verify(key, signed, payload)
        promised = _promised(payload)
        found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        if promised != found:
            names = promised.keys() | found.keys()
            name = min(n for n in names if promised.get(n) != found.get(n))
            raise BundleUnsigned(f"{name[:80]} is not the file that was signed", fix=_FIX)
        return fingerprint


_FIX: Final = "fetch the version again, or train with LEADML_SIGNING_KEY set"


def _parts(spelled: bytes) -> tuple[str, bytes, bytes]:
    """Fingerprint, payload and signature of a signature file, which has one spelling only."""
    try:
        data = orjson.loads(spelled)
        envelope = data["dsseEnvelope"]
        fingerprint = data["verificationMaterial"]["publicKey"]["hint"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        if not _SHA256.fullmatch(fingerprint) or _spelled(fingerprint, payload, signature) != (
            spelled
        ):
            raise ValueError(SIGNATURE)
    except (LookupError, TypeError, ValueError, binascii.Error) as error:
        raise BundleUnsigned(
            f"{SIGNATURE} is not spelled as leadml spells signatures", fix=_FIX
        ) from error
    return fingerprint, payload, signature


def _verify(key: Any, signature: bytes, payload: bytes) -> None:
    """ECDSA over the envelope's pre-authentication encoding (DSSE 1.0, section 2)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    kinds = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    head = f"DSSEv1 {len(_PAYLOAD_TYPE)} {_PAYLOAD_TYPE} {len(payload)} "
    try:
        key.verify(signature, head.encode() + payload, ec.ECDSA(kinds[key.curve.key_size]))
    except InvalidSignature as error:
        raise BundleUnsigned("the signature of the bundle does not hold", fix=_FIX) from error


def _promised(payload: bytes) -> dict[str, str]:
    """SHA-256 by file name, from a statement whose signature holds."""
    try:
        statement = orjson.loads(payload)
        kinds = (statement["_type"], statement["predicateType"])
        predicate = statement["predicate"]
        how = (predicate["serialization"]["method"], predicate["serialization"]["hash_type"])
        resources = predicate["resources"]
        promised = {str(each["name"]): str(each["digest"]) for each in resources}
        if (
            kinds != (_STATEMENT_TYPE, _PREDICATE_TYPE)
            or how != ("files", "sha256")
            or {each["algorithm"] for each in resources} != {"sha256"}
            or len(promised) != len(resources)
        ):
            raise ValueError(SIGNATURE)
    except (LookupError, TypeError, ValueError) as error:
        raise BundleUnsigned("what was signed is no statement about a model", fix=_FIX) from error
    return promised
