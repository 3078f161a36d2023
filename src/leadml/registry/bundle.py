"""A model as a folder of data, verified before it is parsed."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from leadml.errors import BundleError, BundleRejected, LeadmlError
from leadml.registry.golden import prove_golden
from leadml.registry.layout import CARD, FORMAT, LIMITS, MANIFEST, canonical, digest_of, seal_of
from leadml.registry.signing import SIGNATURE, SIGNATURE_BYTES, PublicKeys
from leadml.registry.soundness import ignored, unsound
from leadml.scorecard import Scorecard
from leadml.thresholds.policy import Policy

__all__ = ["Bundle", "read_bundle", "read_facts", "verify_bundle"]

_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
_MANIFEST_KEYS: Final = frozenset(
    {"format", "name", "data_digest", "windows", "files", "made", "seal"}
)
_FOREIGN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle, in memory.

    Parameters
    ----------
    scorecard, policy
        What scores and what cuts.
    metrics
        Facts of the training (plain JSON), without version, run, times and paths.
    manifest
        Format, name, digests of the files, data digest, windows, under ``made`` when,
        from what and with which libraries, and ``seal``, the hash of all that.
    digest
        64 hexadecimal digits; the same for the same data and seed.
    golden
        Leads with their expected answers.
    card
        The model card, Markdown.
    folder
        Where it was read from.
    """

    scorecard: Scorecard
    policy: Policy
    metrics: dict[str, Any]
    manifest: dict[str, Any]
    digest: str
    golden: tuple[dict[str, Any], ...] = ()
    card: str = ""
    folder: Path = field(default_factory=Path)

    @property
    def name(self) -> str:
        """Name of the model it was trained as."""
        return str(self.manifest["name"])

    @property
    def made(self) -> dict[str, Any]:
        """When, from what and with which libraries."""
        found: dict[str, Any] = self.manifest["made"]
        return found


def read_bundle(
    folder: Path | str, *, digest: str | None = None, keys: PublicKeys | None = None
) -> Bundle:
    """Read a bundle that may have been tampered with.

    Names, kinds and sizes of the entries are checked first, then the signature, then
    every file's SHA-256, and only then is a file parsed, from the same bytes that were
    hashed.

    Parameters
    ----------
    folder
        The bundle.
    digest
        The digest that the bundle must have, from somewhere it could not change itself
        (a registry tag, a pointer). None takes any.
    keys
        One of them must have signed the bundle. None takes unsigned ones, and looks at no
        signature.

    Raises
    ------
    BundleError
        Not a bundle, damaged, of another format, or its tables do not fit together.
    BundleRejected
        A digest or a golden answer differs.
    BundleUnsigned
        No trusted key has signed exactly these files.
    """
    path = Path(folder)
    data, manifest = verify_bundle(path, digest=digest, keys=keys)
    try:
        tables = {
            **_loads(data["scorecard.json"], "scorecard.json"),
            "schema": _loads(data["schema.json"], "schema.json"),
        }
        scorecard = Scorecard.from_dict(tables)
        for fault in unsound(scorecard):
            raise BundleError(f"the tables of {path.name} do not fit together: {fault}")
        cuts = _loads(data["policy.json"], "policy.json")
        policy = Policy.from_dict(cuts)
        for where in (*ignored(tables, scorecard.as_dict()), *ignored(cuts, policy.as_dict())):
            raise BundleError(f"{path.name} says what nobody reads: {where[:80]}")
        metrics = _loads(data["metrics.json"], "metrics.json")
        golden = orjson.loads(data["golden.json"])
        card = data[CARD].decode()
        prove_golden(scorecard, policy, golden)
    except BundleError:
        raise
    except (*_FOREIGN, LeadmlError) as error:
        raise BundleError(
            f"{path.name} is no bundle of format {FORMAT}: "
            f"{type(error).__name__} {str(error)[:200]}"
        ) from error
    return Bundle(
        scorecard=scorecard,
        policy=policy,
        metrics=metrics,
        manifest=manifest,
        digest=digest_of(manifest),
        golden=tuple(golden),
        card=card,
        folder=path,
    )


def verify_bundle(
    folder: Path | str, *, digest: str | None = None, keys: PublicKeys | None = None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Check names, sizes, signature and digests of a bundle; only its manifest is parsed.

    Returns
    -------
    files
        Bytes by name, exactly those that were checked.
    manifest
        The manifest, parsed.

    Raises
    ------
    BundleError, BundleRejected, BundleUnsigned
        As :func:`read_bundle`, but for what stands inside the files.
    """
    path = Path(folder)
    names = [*LIMITS, SIGNATURE] if _check_entries(path) else [*LIMITS]
    data = {name: _read(path, name) for name in names}
    if keys is not None:
        signed = {name: spelled for name, spelled in data.items() if name != SIGNATURE}
        keys.check(signed, data.get(SIGNATURE))
    manifest = _manifest(data[MANIFEST], path)
    found = digest_of(manifest)
    if digest is not None and found != digest:
        raise BundleRejected(
            f"{path.name} has digest {found[:12]}… where {digest[:12]}… was promised",
            fix="fetch the version again, or train again",
        )
    for name, promised in manifest["files"].items():
        if (len(data[name]), hashlib.sha256(data[name]).hexdigest()) != (
            promised["bytes"],
            promised["sha256"],
        ):
            raise BundleRejected(
                f"{path.name}/{name} is not the file that the manifest names",
                fix="fetch the version again, or train again",
            )
    return data, manifest


def read_facts(
    folder: Path | str, *, digest: str | None = None, keys: PublicKeys | None = None
) -> dict[str, Any]:
    """What a bundle says of itself, for people who compare versions; nothing is scored.

    Returns
    -------
    dict
        ``manifest``, ``metrics`` and ``policy``, plain data.

    Raises
    ------
    BundleError, BundleRejected, BundleUnsigned
        As :func:`read_bundle`, but for what stands inside the other files.
    """
    data, manifest = verify_bundle(folder, digest=digest, keys=keys)
    return {
        "manifest": manifest,
        "metrics": _loads(data["metrics.json"], "metrics.json"),
        "policy": _loads(data["policy.json"], "policy.json"),
    }


def _check_entries(folder: Path) -> bool:
    """Refuse any other name or kind of entry; True where a signature lies there."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise BundleError(f"{folder.name} is no folder")
        with os.scandir(folder) as entries:
            found = {
                entry.name: entry.is_file(follow_symlinks=False)
                for entry in islice(entries, 2 * len(LIMITS))
            }
    except OSError as error:
        raise BundleError(f"{folder.name} cannot be opened: {error.strerror}") from error
    allowed = {*LIMITS, SIGNATURE}
    strange = sorted(name for name, plain in found.items() if name not in allowed or not plain)
    if strange:
        shown = ", ".join(name[:80] for name in strange[:5])
        raise BundleError(f"{folder.name} holds what no bundle holds: {shown!r}")
    absent = [name for name in LIMITS if name not in found]
    if absent:
        raise BundleError(f"{folder.name} lacks {', '.join(absent)}")
    return SIGNATURE in found


def _read(folder: Path, name: str) -> bytes:
    limit = LIMITS.get(name, SIGNATURE_BYTES)
    try:
        handle = os.open(folder / name, os.O_RDONLY | _NO_LINKS | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BundleError(f"{folder.name}/{name} is no plain file")
            data = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"{folder.name}/{name} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise BundleError(f"{folder.name}/{name} is larger than {limit:,} bytes")
    return data


def _manifest(spelled: bytes, folder: Path) -> dict[str, Any]:
    """The manifest, parsed strictly: right shape, and spelled in the one way."""
    manifest = _loads(spelled, MANIFEST)
    if canonical(manifest) != spelled:
        raise BundleError(f"{folder.name}/{MANIFEST} is not spelled canonically")
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"{folder.name} has format {str(manifest.get('format'))[:20]}; "
            f"this leadml reads {FORMAT}",
            fix="use the leadml that made it, or train again",
        )
    files = manifest.get("files")
    shaped = (
        manifest.keys() == _MANIFEST_KEYS
        and isinstance(manifest["made"], dict)
        and isinstance(files, dict)
        and files.keys() == LIMITS.keys() - {MANIFEST}
        and all(isinstance(f, dict) and f.keys() == {"bytes", "sha256"} for f in files.values())
    )
    if not shaped:
        raise BundleError(f"{folder.name}/{MANIFEST} does not name what a bundle has")
    if manifest["seal"] != seal_of(manifest):
        raise BundleRejected(f"{folder.name}/{MANIFEST} was changed after it was sealed")
    return manifest


def _loads(spelled: bytes, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(spelled)
    except orjson.JSONDecodeError as error:
        raise BundleError(f"{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BundleError(f"{name} is no JSON object")
    return found
