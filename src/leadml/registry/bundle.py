"""A model as a folder of data: written whole, verified before it is parsed.

The folder holds plain JSON (and one Markdown file), never code. Bytes are canonical:
keys sorted, shortest floats, one final newline. The *digest* of a bundle is the SHA-256
of its manifest without what differs between two trainings on the same data with the
same seed (times, run, paths, library versions, and the card that repeats them).
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

import leadml
from leadml.errors import BundleError, BundleRejected, ConfigError, LeadmlError
from leadml.features.moments import DERIVED_PARTS
from leadml.leads.vocabulary import Kind
from leadml.registry.signing import SIGNATURE, SIGNATURE_BYTES, PublicKeys, sign
from leadml.scorecard import Scorecard, Scorer, digits4
from leadml.thresholds.policy import Policy

__all__ = [
    "FORMAT",
    "LIMITS",
    "Bundle",
    "canonical",
    "copy_bundle",
    "golden_rows",
    "prove_golden",
    "read_bundle",
    "read_facts",
    "verify_bundle",
    "write_bundle",
]

FORMAT: Final = 1
"""Version of the layout; a reader refuses any other."""

MANIFEST: Final = "manifest.json"
CARD: Final = "card.md"
_MB = 1_000_000
LIMITS: Final[Mapping[str, int]] = {
    MANIFEST: 1 * _MB,
    "schema.json": 16 * _MB,
    "scorecard.json": 64 * _MB,
    "policy.json": 1 * _MB,
    "metrics.json": 32 * _MB,
    "golden.json": 16 * _MB,
    CARD: 4 * _MB,
}
"""Every name a bundle has, with its largest size in bytes; beside them only a signature."""

GOLDEN_LIMIT: Final = 100
"""Most golden rows that are tried: a bundle cannot keep its reader busy."""

GOLDEN_TOLERANCE: Final = 1e-9
LIBRARIES: Final = ("numpy", "pandas", "scikit-learn", "lightgbm", "scipy", "mlflow")
_TEMPORARY: Final = ".writing-"
_DISCARDED: Final = ".discarded-"
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
_MANIFEST_KEYS: Final = frozenset(
    {"format", "name", "data_digest", "windows", "files", "made", "seal"}
)
_PASSING: Final = {
    "model": frozenset(
        {"version", "run_id", "created_at", "seconds", "leadml_version", "python_version"}
    ),
    "data": frozenset({"source"}),
}
_PASSING_OF_ANSWERS: Final = frozenset({"model_version", "decision_id", "request_id"})

_FOREIGN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LEFT_BEHIND_S: Final = 3600.0

Prove = Callable[[Scorecard, Policy, Sequence[Mapping[str, Any]]], None]


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


# --- writing ---------------------------------------------------------------------


def canonical(data: Any) -> bytes:
    r"""The one spelling of plain data: JSON, sorted keys, shortest floats, one newline.

    Raises
    ------
    BundleError
        A float is not finite (JSON has no word for it), a key is no text, an integer has
        more than 64 bits, or an object is no plain data; the detail says where.

    Examples
    --------
    >>> canonical({"b": (1, 2.0), "a": 0.1})
    b'{"a":0.1,"b":[1,2.0]}\n'
    >>> canonical({"auc": {"value": float("nan")}})
    Traceback (most recent call last):
        ...
    leadml.errors.BundleError: /auc/value is nan, which JSON cannot say
    """
    try:
        return orjson.dumps(_plain(data, ""), option=orjson.OPT_SORT_KEYS) + b"\n"
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise BundleError(f"not plain data: {error}") from error


def _plain(data: Any, where: str) -> Any:
    """The same with tuples as lists and numpy scalars as numbers; refuses what JSON lacks."""
    if data is None or type(data) in (str, bool, int):
        return data
    if isinstance(data, float):  # numpy.float64 is one
        if not math.isfinite(data):
            raise BundleError(f"{where or '/'} is {float(data)}, which JSON cannot say")
        return float(data)
    if isinstance(data, Mapping):
        found = {}
        for key, value in data.items():
            if not isinstance(key, str):
                raise BundleError(f"{where or '/'} has a key that is no text: {key!r}")
            found[str(key)] = _plain(value, f"{where}/{key}")
        return found
    if isinstance(data, list | tuple):
        return [_plain(value, f"{where}/{i}") for i, value in enumerate(data)]
    if isinstance(data, np.ndarray | np.generic):
        return _plain(data.tolist(), where)
    if isinstance(data, str):  # an enum of texts
        return str(data)
    raise BundleError(f"{where or '/'} is no plain data: {type(data).__name__}")


def write_bundle(
    folder: Path | str,
    *,
    scorecard: Scorecard,
    policy: Policy,
    metrics: Mapping[str, Any],
    golden: Sequence[Mapping[str, Any]],
    card: str,
    meta: Mapping[str, Any] | None = None,
    signing_key: Path | str | None = None,
) -> str:
    """Write a bundle in one step: whole, or not at all.

    Parameters
    ----------
    folder
        Becomes the bundle; its parent is made if needed. A bundle that is there already
        is replaced.
    scorecard, policy
        What is served.
    metrics
        The facts of the training; version, run, times and paths are moved out of
        ``metrics.json`` into the manifest's ``made``.
    golden
        Rows of :func:`golden_rows`; they are proven before anything is written.
    card
        The model card, Markdown.
    meta
        More for ``made``, such as the command.
    signing_key
        File of the private key to sign with; None leaves the bundle unsigned. The digest
        is the same either way.

    Returns
    -------
    str
        The digest, 64 hexadecimal digits.

    Raises
    ------
    BundleError
        Something is no plain data, or too large.
    BundleRejected
        The golden rows do not fit the scorecard, or there are none.
    ConfigError, ExtraMissing
        The key cannot be used, or what signs is not installed.
    """
    target = Path(folder)
    prove_golden(scorecard, policy, golden)
    lasting, passing = _split(metrics)
    whole = scorecard.as_dict()
    schema = whole.pop("schema")
    files = {
        "schema.json": canonical(schema),
        "scorecard.json": canonical(whole),
        "policy.json": canonical(policy.as_dict()),
        "metrics.json": canonical(lasting),
        "golden.json": canonical(list(golden)),
        CARD: (card.rstrip("\n") + "\n").encode(),
    }
    manifest = {
        "format": FORMAT,
        "name": str(metrics.get("model", {}).get("name", "leads")),
        "data_digest": str(metrics.get("data", {}).get("digest", "")),
        "windows": _windows(metrics),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
        "made": {**passing, **(meta or {}), "libraries": _libraries()},
    }
    manifest["seal"] = _seal(manifest)
    files[MANIFEST] = canonical(manifest)
    for name, data in files.items():
        if len(data) > LIMITS[name]:
            raise BundleError(
                f"{name} would have {len(data):,} bytes; {LIMITS[name]:,} are allowed",
                fix="pool rare levels or take fewer columns",
            )
    if signing_key is not None:
        files[SIGNATURE] = sign(files, signing_key)
    _publish(target, files)
    return _digest(orjson.loads(files[MANIFEST]))


def golden_rows(
    scorecard: Scorecard, policy: Policy, leads: Sequence[Mapping[str, Any]], limit: int = 32
) -> list[dict[str, Any]]:
    """Leads with their expected answers, for ``golden.json``.

    Each field of a row is taken from another lead, so that no person stands in a bundle;
    fields the model does not read are left out, and two rows are made up (an empty lead,
    and one whose categories were never seen).

    Parameters
    ----------
    scorecard, policy
        What answers.
    leads
        Rows of the training table; values as they were read.
    limit
        At most this many of them.
    """
    sources = sorted(scorecard.schema.sources)
    chosen = [leads[i * len(leads) // limit] for i in range(limit)] if len(leads) > limit else leads
    mixed: list[dict[str, Any]] = [{}]
    mixed.append(
        {
            column.source: "a level that training never saw"
            for column in scorecard.schema.columns
            if column.kind is Kind.CATEGORY and not column.derive
        }
    )
    for i in range(len(chosen)):
        row = {}
        for j, source in enumerate(sources):
            value = _sendable(chosen[(i + j) % len(chosen)].get(source))
            if value is not None:
                row[source] = value
        mixed.append(row)
    scorer = Scorer(scorecard)
    found = []
    for row in mixed:
        lead = orjson.loads(canonical(row))  # as a reader will see it
        found.append({"lead": lead, "expected": _expected(scorer, policy, lead)})
    return found


def _sendable(value: Any) -> Any:
    """A value as a caller would send it in JSON; None for a missing one."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, int) or abs(value) < 2**53 else float(value)
    spelled = getattr(value, "isoformat", None)
    text = spelled() if spelled is not None else str(value)
    return None if text in ("NaT", "<NA>") else text


def _expected(scorer: Scorer, policy: Policy, lead: Mapping[str, Any]) -> dict[str, Any]:
    scored = scorer.one(lead)
    fit, engagement = scorer.fit_engagement(scored.contributions)
    return {
        "log_odds": scored.log_odds,
        "probability": digits4(scored.probability),
        "score": scorer.score_of(scored.log_odds),
        "fit_score": fit,
        "engagement_score": engagement,
        "grade": policy.grade_of(scored.probability),
        "stage": str(policy.stage_of(scored.probability)),
    }


def _split(facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts that last, and those that differ between two trainings of the same."""
    lasting = dict(facts)
    passing: dict[str, Any] = {}
    for part, keys in _PASSING.items():
        if isinstance(facts.get(part), Mapping):
            lasting[part] = {k: v for k, v in facts[part].items() if k not in keys}
            passing.update((k, v) for k, v in facts[part].items() if k in keys and v is not None)
    passing.pop("version", None)  # given by the registry, afterwards
    passing.setdefault("leadml_version", leadml.__version__)
    if isinstance(facts.get("examples"), list | tuple):
        lasting["examples"] = [
            {k: v for k, v in answer.items() if k not in _PASSING_OF_ANSWERS}
            for answer in facts["examples"]
        ]
    return lasting, passing


def _windows(facts: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if facts.get("data", {}).get("period"):
        found["period"] = facts["data"]["period"]
    for key in ("horizon_days", "as_of"):
        if facts.get("labels", {}).get(key) is not None:
            found[key] = facts["labels"][key]
    return found


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a scorer has no learners, and says so by leaving them out
    return found


def _publish(target: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder in place by one rename, so that no reader sees half of it.

    Where a folder is replaced there is nothing for an instant, never a mixture.
    """
    parent = target.parent
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ConfigError(f"{target} is in the way", fix="name a folder for the bundle")
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    fresh = parent / f"{_TEMPORARY}{target.name}-{mark}"
    fresh.mkdir()
    try:
        for name, data in files.items():
            with (fresh / name).open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
        _sync(fresh)
        if target.exists():
            old = parent / f"{_DISCARDED}{target.name}-{mark}"
            target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old)
        else:
            fresh.rename(target)
        _sync(parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _sweep(parent: Path) -> None:
    """Remove what writers killed long ago have left behind."""
    for prefix in (_TEMPORARY, _DISCARDED):
        for old in parent.glob(f"{prefix}*"):
            try:
                if time.time() - old.stat().st_mtime > _LEFT_BEHIND_S:
                    shutil.rmtree(old)
            except FileNotFoundError:
                continue  # another writer swept it


def _sync(folder: Path) -> None:
    """Make a folder's entries last; where folders cannot be opened (Windows) they do anyway."""
    if os.name == "nt":  # pragma: no cover
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading ---------------------------------------------------------------------


def prove_golden(scorecard: Scorecard, policy: Policy, golden: Sequence[Mapping[str, Any]]) -> None:
    """Score the golden rows again and compare with the expected answers.

    Raises
    ------
    BundleRejected
        There is no row, or too many, or an answer differs: log-odds by more than 1e-9, or any
        score, grade or stage at all; ``rows`` (from 1) says which.
    """
    if not golden:
        raise BundleRejected("the bundle has no golden rows, so nothing proves its answers")
    if len(golden) > GOLDEN_LIMIT:
        raise BundleRejected(f"the bundle has more than {GOLDEN_LIMIT:,} golden rows")
    scorer = Scorer(scorecard)
    wrong: list[int] = []
    first = ""
    for row, item in enumerate(golden, start=1):
        found = _expected(scorer, policy, item["lead"])
        expected = item["expected"]
        if found.keys() != expected.keys():
            raise BundleRejected("the golden rows expect answers of another kind", rows=[row])
        differing = [key for key in found if not _same(found[key], expected[key])]
        if differing:
            wrong.append(row)
            key = differing[0]
            first = first or f"{key} is {found[key]} instead of {expected[key]}"
    if wrong:
        raise BundleRejected(
            f"{len(wrong)} of {len(golden)} golden rows get another answer than in training: "
            f"{first}",
            rows=wrong,
            fix="train again with this version of leadml",
        )


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, float):
        number = type(expected) in (int, float)
        return number and abs(found - expected) <= GOLDEN_TOLERANCE * max(1.0, abs(found))
    return bool(found == expected)


def read_bundle(
    folder: Path | str,
    *,
    digest: str | None = None,
    keys: PublicKeys | None = None,
    prove: Prove = prove_golden,
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
    prove
        Tries the golden rows; raises BundleRejected. A caller may try them in another
        process.

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
    data, manifest = _verified(path, digest, keys)
    try:
        tables = {
            **_loads(data["scorecard.json"], "scorecard.json"),
            "schema": _loads(data["schema.json"], "schema.json"),
        }
        scorecard = Scorecard.from_dict(tables)
        for fault in _unsound(scorecard):
            raise BundleError(f"the tables of {path.name} do not fit together: {fault}")
        cuts = _loads(data["policy.json"], "policy.json")
        policy = Policy.from_dict(cuts)
        for where in (*_ignored(tables, scorecard.as_dict()), *_ignored(cuts, policy.as_dict())):
            raise BundleError(f"{path.name} says what nobody reads: {where[:80]}")
        metrics = _loads(data["metrics.json"], "metrics.json")
        golden = orjson.loads(data["golden.json"])
        card = data[CARD].decode()
        prove(scorecard, policy, golden)
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
        digest=_digest(manifest),
        golden=tuple(golden),
        card=card,
        folder=path,
    )


def verify_bundle(
    folder: Path | str, *, digest: str | None = None, keys: PublicKeys | None = None
) -> None:
    """Check names, sizes, signature and digests of a bundle; only its manifest is parsed.

    Raises
    ------
    BundleError, BundleRejected, BundleUnsigned
        As :func:`read_bundle`, but for what stands inside the files.
    """
    _verified(Path(folder), digest, keys)


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
    data, manifest = _verified(Path(folder), digest, keys)
    return {
        "manifest": manifest,
        "metrics": _loads(data["metrics.json"], "metrics.json"),
        "policy": _loads(data["policy.json"], "policy.json"),
    }


def copy_bundle(
    source: Path | str,
    target: Path | str,
    *,
    digest: str | None = None,
    keys: PublicKeys | None = None,
) -> Bundle:
    """Verify a bundle, copy exactly the verified bytes in one step, and read the copy.

    A damaged bundle at ``target`` is replaced; a source that fails leaves it alone.

    Raises
    ------
    BundleError, BundleRejected, BundleUnsigned
        As :func:`read_bundle`.
    """
    read_bundle(source, digest=digest, keys=keys)
    data, _ = _verified(Path(source), digest, keys)
    _publish(Path(target), data)
    return read_bundle(target, digest=digest, keys=keys)


def _verified(
    folder: Path, digest: str | None, keys: PublicKeys | None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Bytes of all files, hashed and but for the manifest not yet parsed; and the manifest."""
    names = [*LIMITS, SIGNATURE] if _check_entries(folder) else [*LIMITS]
    data = {name: _read(folder, name) for name in names}
    if keys is not None:
        signed = {name: spelled for name, spelled in data.items() if name != SIGNATURE}
        keys.check(signed, data.get(SIGNATURE))
    manifest = _manifest(data[MANIFEST], folder)
    found = _digest(manifest)
    if digest is not None and found != digest:
        raise BundleRejected(
            f"{folder.name} has digest {found[:12]}… where {digest[:12]}… was promised",
            fix="fetch the version again, or train again",
        )
    for name, promised in manifest["files"].items():
        if (len(data[name]), hashlib.sha256(data[name]).hexdigest()) != (
            promised["bytes"],
            promised["sha256"],
        ):
            raise BundleRejected(
                f"{folder.name}/{name} is not the file that the manifest names",
                fix="fetch the version again, or train again",
            )
    return data, manifest


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
    if manifest["seal"] != _seal(manifest):
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


def _digest(manifest: Mapping[str, Any]) -> str:
    lasting = {key: value for key, value in manifest.items() if key not in ("made", "seal")}
    lasting["files"] = {name: f for name, f in manifest["files"].items() if name != CARD}
    return hashlib.sha256(canonical(lasting)).hexdigest()


def _seal(manifest: Mapping[str, Any]) -> str:
    """Hash of all else in the manifest: finds accidents, not forgers (those need the digest)."""
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(canonical(rest)).hexdigest()


def _ignored(said: Any, read: Any, where: str = "") -> Iterator[str]:
    """Where plain data says more than, or something else than, what was read from it.

    What was read may say more: fields that a later leadml has added, by default.
    """
    if said == read:
        return
    if isinstance(said, dict) and isinstance(read, dict):
        for key, value in said.items():
            if key not in read:
                yield f"{where}/{key}"
            else:
                yield from _ignored(value, read[key], f"{where}/{key}")
    elif isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        for i, (value, other) in enumerate(zip(said, read, strict=True)):
            yield from _ignored(value, other, f"{where}/{i}")
    else:
        yield where or "/"


def _unsound(scorecard: Scorecard) -> Iterator[str]:
    """What would make a scorer index wrongly or answer without meaning."""
    if not all(isinstance(column.name, str) for column in scorecard.schema.columns):
        yield "names of columns"
        return
    if not math.isfinite(scorecard.base):
        yield "the base is not finite"
    for column, table in zip(scorecard.schema.columns, scorecard.columns, strict=True):
        n, name = table.n_bins, column.name[:80]
        if {table.level.shape, table.slope.shape, table.share.shape} != {(n,)} or n == 0:
            yield f"bins of {name}"
        if not all(np.isfinite(a).all() for a in (table.level, table.slope, table.thresholds)):
            yield f"points of {name}"
        if table.thresholds.ndim != 1 or (np.diff(table.thresholds) <= 0).any():
            yield f"thresholds of {name}"
        used = (*table.level_bins, table.pooled_bin, table.unseen_bin, table.missing_bin)
        if not all(0 <= at < n for at in used):
            yield f"bins of {name}"
        if column.kind is Kind.NUMBER and len(table.thresholds) + 1 > n:
            yield f"thresholds of {name}"
        if not all(isinstance(v, float | int) for v in (column.low or 0.0, column.high or 0.0)):
            yield f"range of {name}"
        texts = (column.source, column.phrase, *column.levels, *column.pooled)
        if not all(isinstance(text, str) for text in texts):
            yield f"texts of {name}"
        if column.derive and (column.derive not in DERIVED_PARTS or column.kind is not Kind.NUMBER):
            yield f"what is derived as {name}"
    for pair in scorecard.pairs:
        if not 0 <= pair.first < len(scorecard.columns) > pair.second >= 0:
            yield "columns of a pair"
        if not np.isfinite(pair.cells).all():
            yield "cells of a pair"
    for cuts in (
        scorecard.reference.score,
        scorecard.reference.fit,
        scorecard.reference.engagement,
    ):
        array = np.array(cuts, dtype=np.float64)
        if array.ndim != 1 or len(array) not in (0, 100) or (np.diff(array) < 0).any():
            yield "percentiles"
