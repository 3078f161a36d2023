"""Signatures: made by model-signing, checked on exact bytes before anything is parsed."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.errors import BundleError, BundleUnsigned, ConfigError
from leadml.registry import bundle as reading
from leadml.registry.bundle import read_bundle
from leadml.registry.layout import LIMITS, canonical, seal_of
from leadml.registry.signing import (
    SIGNATURE,
    PublicKeys,
    check_pair,
    create_keys,
    public_keys_of,
    sign,
)
from leadml.registry.writing import copy_bundle
from tests import hand_made

FILES = {"a.json": b"{}\n", "b.md": b"text\n"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private and a public key."""
    return create_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def made(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle that no test changes."""
    folder = tmp_path_factory.mktemp("signed") / "bundle"
    hand_made.bundle(folder, signing_key=pair[0])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The signed bundle, to be changed."""
    shutil.copytree(made, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def keys(pair: tuple[Path, Path]) -> PublicKeys:
    """What trusts the signed bundle."""
    return PublicKeys.of(pair[1])


def other_keys(folder: Path) -> tuple[Path, PublicKeys]:
    """A private key of somebody else, and what would trust it."""
    private, public = create_keys(folder)
    return private, PublicKeys.of(public)


# --- keys ------------------------------------------------------------------------


def test_keys_are_the_owners_alone(tmp_path: Path) -> None:
    """Both files are readable by their owner only, and are a pair."""
    private, public = create_keys(tmp_path / "new" / "folder")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (private, public)} == {0o600}
    assert public_keys_of(private).fingerprints == PublicKeys.of(public).fingerprints


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """A second call, or a link in the way, is refused and changes nothing."""
    private, public = create_keys(tmp_path)
    before = private.read_bytes()
    with pytest.raises(ConfigError, match="is there already"):
        create_keys(tmp_path)
    assert private.read_bytes() == before
    public.unlink()
    private.unlink()
    private.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is there already"):
        create_keys(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_no_two_pairs_are_alike(tmp_path: Path) -> None:
    """Every pair has its own fingerprint."""
    first, second = (other_keys(tmp_path / name)[1] for name in "ab")
    assert first.fingerprints != second.fingerprints


def test_a_server_does_not_take_a_private_key(pair: tuple[Path, Path]) -> None:
    """The private key is refused where the public one belongs, without being shown."""
    with pytest.raises(ConfigError, match="private key") as refused:
        PublicKeys.of(pair[0])
    assert "BEGIN" not in refused.value.sentence()


def _ed25519() -> bytes:
    return (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _secp256k1() -> bytes:
    return (
        ec.generate_private_key(ec.SECP256K1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.parametrize(
    "content",
    [
        lambda: b"",
        lambda: b"\x00" * 100,
        lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        _ed25519,
        _secp256k1,
    ],
)
def test_other_files_are_no_keys(tmp_path: Path, content: Callable[[], bytes]) -> None:
    """What is no key, or one of another kind, is refused when the server starts."""
    path = tmp_path / "key"
    path.write_bytes(content())
    with pytest.raises(ConfigError, match="LEADML_VERIFY_KEY"):
        PublicKeys.of(path)
    with pytest.raises(ConfigError, match="LEADML_SIGNING_KEY"):
        sign(FILES, path)
    with pytest.raises(ConfigError, match="cannot be read"):
        PublicKeys.of(tmp_path / "absent")


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    """A private key that needs a password stops the training with a sentence."""
    (tmp_path / "key").write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    with pytest.raises(ConfigError, match="no key that can be used"):
        public_keys_of(tmp_path / "key")


def test_a_training_that_could_not_be_registered_does_not_begin(
    pair: tuple[Path, Path], keys: PublicKeys, tmp_path: Path
) -> None:
    """Where signatures count, a missing or a foreign private key is found at once."""
    check_pair(None, None)
    check_pair(pair[0], None)
    check_pair(pair[0], keys)
    with pytest.raises(ConfigError, match="names no key to sign with"):
        check_pair(None, keys)
    with pytest.raises(ConfigError, match="is not the private key"):
        check_pair(other_keys(tmp_path)[0], keys)


def test_the_command_makes_a_pair_once(tmp_path: Path) -> None:
    """``leadml signing-key create`` names two files and their settings, and repeats nothing."""
    call = ["signing-key", "create", "--output", str(tmp_path / "keys")]
    first = CliRunner().invoke(app, [*call, "--json"])
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert PublicKeys.of(found["public"]).fingerprints == (found["fingerprint"],)
    assert public_keys_of(found["private"]).fingerprints == (found["fingerprint"],)
    second = CliRunner().invoke(app, call)
    assert second.exit_code == ConfigError.exit_code
    assert "is there already" in second.output
    other = CliRunner().invoke(app, ["signing-key", "create", "--output", str(tmp_path / "b")])
    assert "LEADML_SIGNING_KEY=" in other.output
    assert "LEADML_VERIFY_KEY=" in other.output


# --- what is signed ----------------------------------------------------------------


def test_a_signature_leaves_the_digest_alone(made: Path, tmp_path: Path, keys: PublicKeys) -> None:
    """Signed or not, the same model has the same digest; the signature is one more file."""
    digest = hand_made.bundle(tmp_path / "unsigned")
    assert read_bundle(made, keys=keys).digest == read_bundle(made).digest == digest
    assert {path.name for path in made.iterdir()} == {*LIMITS, SIGNATURE}


def test_the_library_verifies_what_is_signed(folder: Path, pair: tuple[Path, Path]) -> None:
    """model-signing itself accepts the bundle as it lies there, and finds a change."""
    from model_signing import verifying

    def verify() -> None:
        config = verifying.Config().use_elliptic_key_verifier(public_key=pair[1])
        config.verify(folder, folder / SIGNATURE)

    verify()
    (folder / "card.md").write_text("# changed\n")
    with pytest.raises(ValueError, match=r"Hash mismatch for 'card\.md'"):
        verify()


def test_what_the_library_signs_is_accepted(
    pair: tuple[Path, Path], keys: PublicKeys, tmp_path: Path
) -> None:
    """A signature made by model-signing's own calls holds once it is spelled our way."""
    from model_signing import signing

    from leadml.registry.signing import _spelled

    folder, written = tmp_path / "bundle", tmp_path / "theirs"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    signing.Config().use_elliptic_key_signer(private_key=pair[0]).sign(folder, written)
    theirs = orjson.loads(written.read_bytes())
    assert theirs["verificationMaterial"]["publicKey"]["hint"] == keys.fingerprints[0]
    envelope = theirs["dsseEnvelope"]
    payload, signed = envelope["payload"], envelope["signatures"][0]["sig"]
    keys.check(
        FILES, _spelled(keys.fingerprints[0], base64.b64decode(payload), base64.b64decode(signed))
    )


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_larger_curves_work_too(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    """Keys that a company makes with its own tools sign and verify."""
    key = ec.generate_private_key(curve)
    (tmp_path / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    PublicKeys.of(tmp_path / "pub").check(FILES, sign(FILES, tmp_path / "key"))


# --- whose signature ---------------------------------------------------------------


def test_unsigned_is_refused(tmp_path: Path, keys: PublicKeys) -> None:
    """With a key to verify with, a bundle without a signature is not read."""
    hand_made.bundle(tmp_path / "unsigned")
    with pytest.raises(BundleUnsigned, match="not signed"):
        read_bundle(tmp_path / "unsigned", keys=keys)


def test_another_key_is_refused(made: Path, tmp_path: Path) -> None:
    """A sound signature of somebody else counts for nothing."""
    with pytest.raises(BundleUnsigned, match="not trusted here"):
        read_bundle(made, keys=other_keys(tmp_path)[1])


def test_two_keys_while_one_is_replaced(
    made: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """A file of two public keys trusts bundles of both."""
    private, public = create_keys(tmp_path / "new")
    both = tmp_path / "both.pub"
    both.write_bytes(pair[1].read_bytes() + b"\n" + public.read_bytes())
    hand_made.bundle(tmp_path / "newer", signing_key=private)
    keys = PublicKeys.of(both)
    assert len(keys.fingerprints) == 2
    assert read_bundle(made, keys=keys).digest == read_bundle(tmp_path / "newer", keys=keys).digest


def test_a_name_of_a_trusted_key_is_no_signature(
    pair: tuple[Path, Path], tmp_path: Path, keys: PublicKeys
) -> None:
    """Naming the trusted key over a signature of another one is found out."""
    private, others = other_keys(tmp_path)
    spelled = sign(FILES, private).replace(
        others.fingerprints[0].encode(), keys.fingerprints[0].encode()
    )
    with pytest.raises(BundleUnsigned, match="does not hold"):
        keys.check(FILES, spelled)


def test_a_signature_of_another_bundle_is_refused(
    folder: Path, pair: tuple[Path, Path], keys: PublicKeys, tmp_path: Path
) -> None:
    """A genuine signature moved to another bundle does not fit its files."""
    hand_made.bundle(tmp_path / "second", base=-1.0, signing_key=pair[0])
    shutil.copy(tmp_path / "second" / SIGNATURE, folder / SIGNATURE)
    with pytest.raises(BundleUnsigned, match="not the file that was signed"):
        read_bundle(folder, keys=keys)


def _statement(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A payload of model-signing over FILES, changed before it is signed."""
    resources = [
        {"name": name, "algorithm": "sha256", "digest": hashlib.sha256(data).hexdigest()}
        for name, data in FILES.items()
    ]
    statement: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "bundle", "digest": {"sha256": "0" * 64}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256"},
            "resources": resources,
        },
    }
    change(statement)
    return orjson.dumps(statement)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda s: s.update(_type="other"),
        lambda s: s["predicate"]["serialization"].update(method="shards"),
        lambda s: s["predicate"]["serialization"].update(hash_type="blake2"),
        lambda s: s["predicate"]["resources"][0].update(algorithm="md5"),
        lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
        lambda s: s["predicate"].pop("resources"),
        lambda s: s.update(predicate=[]),
        lambda s: s.clear(),
    ],
)
def test_other_statements_of_the_same_key_count_for_nothing(
    pair: tuple[Path, Path], keys: PublicKeys, change: Callable[[dict[str, Any]], None]
) -> None:
    """A key used for other things too: only a statement about exactly this model counts."""
    from cryptography.hazmat.primitives import hashes

    from leadml.registry import signing

    private = serialization.load_pem_private_key(pair[0].read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)

    def signed(payload: bytes) -> bytes:
        kind = "application/vnd.in-toto+json"
        head = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode()
        made = private.sign(head + payload, ec.ECDSA(hashes.SHA256()))
        return signing._spelled(keys.fingerprints[0], payload, made)

    keys.check(FILES, signed(_statement(lambda _: None)))
    with pytest.raises(BundleUnsigned):
        keys.check(FILES, signed(_statement(change)))


# --- changed after signing: S2 -----------------------------------------------------


def _no_parsing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every attempt to parse a file of a bundle."""
    parsed: list[str] = []

    def loads(spelled: bytes, name: str) -> dict[str, Any]:
        parsed.append(name)
        raise AssertionError(name)

    monkeypatch.setattr(reading, "_loads", loads)
    return parsed


def test_a_thousand_flips_are_refused_before_parsing(
    folder: Path, keys: PublicKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: any flipped bit of any file, the signature included, is refused unparsed."""
    rng = np.random.default_rng(11)
    names = [*LIMITS, SIGNATURE]
    parsed = _no_parsing(monkeypatch)
    refused = 0
    for i in range(1000):
        path = folder / names[i % len(names)]
        data = path.read_bytes()
        at = int(rng.integers(len(data)))
        path.write_bytes(
            data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
        )
        with pytest.raises(BundleUnsigned):
            read_bundle(folder, keys=keys)
        refused += 1
        path.write_bytes(data)
    assert refused == 1000
    assert parsed == []


def test_every_bit_of_a_signature_counts(made: Path, keys: PublicKeys) -> None:
    """No bit of the signature file can be flipped, so nothing hides in it."""
    files = {name: (made / name).read_bytes() for name in LIMITS}
    spelled = (made / SIGNATURE).read_bytes()
    for at in range(len(spelled)):
        bit = 1 << (at % 8)
        with pytest.raises(BundleUnsigned):
            keys.check(files, spelled[:at] + bytes([spelled[at] ^ bit]) + spelled[at + 1 :])


@pytest.mark.parametrize("name", [*LIMITS, SIGNATURE])
def test_removed_renamed_and_swapped_files_are_refused(
    folder: Path, keys: PublicKeys, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: a file removed, renamed, emptied or put in another's place is refused unparsed."""
    parsed = _no_parsing(monkeypatch)
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(BundleError):
        read_bundle(folder, keys=keys)
    (folder / f"{name}.bak").write_bytes(data)
    with pytest.raises(BundleError, match="no bundle holds"):
        read_bundle(folder, keys=keys)
    (folder / f"{name}.bak").unlink()
    for other in ("policy.json", "schema.json"):
        path.write_bytes(b"" if other == name else (folder / other).read_bytes())
        with pytest.raises(BundleUnsigned):
            read_bundle(folder, keys=keys)
    assert parsed == []


@pytest.mark.parametrize("name", ["model.pkl", ".git", "code.py", "signature.json.1", "x"])
def test_added_files_are_refused(
    folder: Path, keys: PublicKeys, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: one more file, even one that git or the library leaves out, is refused unparsed."""
    parsed = _no_parsing(monkeypatch)
    (folder / name).write_bytes(b"x")
    with pytest.raises(BundleError, match="no bundle holds"):
        read_bundle(folder, keys=keys)
    assert parsed == []


def test_a_forger_who_seals_again_is_refused(folder: Path, keys: PublicKeys) -> None:
    """All digests made to fit a changed policy: without the key nothing helps."""
    policy = json.loads((folder / "policy.json").read_bytes())
    policy["mql"] = 0.01
    data = canonical(policy)
    (folder / "policy.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["policy.json"] = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    manifest["seal"] = seal_of(manifest)
    (folder / "manifest.json").write_bytes(canonical(manifest))
    payload = json.loads((folder / SIGNATURE).read_bytes())["dsseEnvelope"]["payload"]
    forged = base64.b64encode(
        base64.b64decode(payload).replace(
            hashlib.sha256((folder / "policy.json").read_bytes()).hexdigest().encode(),
            b"0" * 64,
        )
    )
    (folder / SIGNATURE).write_bytes(
        (folder / SIGNATURE).read_bytes().replace(payload.encode(), forged)
    )
    with pytest.raises(BundleUnsigned):
        read_bundle(folder, keys=keys)


def test_too_large_a_signature_is_not_read(folder: Path, keys: PublicKeys) -> None:
    """A signature file beyond its limit is refused, whether it is looked at or not."""
    with (folder / SIGNATURE).open("wb") as file:
        file.truncate(5 * 10**9)  # sparse
    for given in (keys, None):
        with pytest.raises(BundleError, match="larger than"):
            read_bundle(folder, keys=given)


def test_a_copy_keeps_the_signature(made: Path, keys: PublicKeys, tmp_path: Path) -> None:
    """Copies are signed as their source is, byte by byte; an unsigned source is not copied."""
    copy_bundle(made, tmp_path / "copy", keys=keys)
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == {
        path.name: path.read_bytes() for path in made.iterdir()
    }
    (tmp_path / "copy" / SIGNATURE).unlink()
    with pytest.raises(BundleUnsigned):
        copy_bundle(tmp_path / "copy", tmp_path / "again", keys=keys)
    assert not (tmp_path / "again").exists()


def test_checking_needs_no_library_of_training(made: Path, pair: tuple[Path, Path]) -> None:
    """A server checks signatures without model-signing, sigstore or any network library."""
    program = (
        "import sys\n"
        "from leadml.registry.bundle import read_bundle\n"
        "from leadml.registry.signing import PublicKeys\n"
        "read_bundle(sys.argv[1], keys=PublicKeys.of(sys.argv[2]))\n"
        "print(sorted({'model_signing', 'sigstore', 'requests', 'tuf', 'pandas'} & {*sys.modules}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(made), str(pair[1])], capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]", said.stderr
