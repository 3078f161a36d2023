"""Bundles written from what a training found, and copied once verified."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import leadml
from leadml.errors import BundleError
from leadml.registry.bundle import Bundle, read_bundle, verify_bundle
from leadml.registry.golden import prove_golden
from leadml.registry.layout import CARD, FORMAT, LIMITS, MANIFEST, canonical, digest_of, seal_of
from leadml.registry.publishing import publish_folder
from leadml.registry.signing import SIGNATURE, PublicKeys, sign
from leadml.scorecard import Scorecard
from leadml.thresholds.policy import Policy

__all__ = ["copy_bundle", "write_bundle"]

_LIBRARIES: Final = ("numpy", "pandas", "scikit-learn", "lightgbm", "scipy", "mlflow")
_PASSING: Final = {
    "model": frozenset(
        {"version", "run_id", "created_at", "seconds", "leadml_version", "python_version"}
    ),
    "data": frozenset({"source"}),
}
_PASSING_OF_ANSWERS: Final = frozenset({"model_version", "decision_id", "request_id"})


def write_bundle(
    folder: Path | str,
    *,
    scorecard: Scorecard,
    policy: Policy,
    metrics: Mapping[str, Any],
    golden: Sequence[Mapping[str, Any]],
    card: str,
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
    FileUnwritable
        There is no room, or no right to write there.
    """
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
        "made": {**passing, "libraries": _libraries()},
    }
    manifest["seal"] = seal_of(manifest)
    files[MANIFEST] = canonical(manifest)
    for name, data in files.items():
        if len(data) > LIMITS[name]:
            raise BundleError(
                f"{name} would have {len(data):,} bytes; {LIMITS[name]:,} are allowed",
                fix="pool rare levels or take fewer columns",
            )
    if signing_key is not None:
        files[SIGNATURE] = sign(files, signing_key)
    publish_folder(Path(folder), files)
    return digest_of(manifest)


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
    FileUnwritable
        There is no room, or no right to write there.
    """
    made = read_bundle(source, digest=digest, keys=keys)
    files, _ = verify_bundle(source, digest=made.digest, keys=keys)
    publish_folder(Path(target), files)
    return read_bundle(target, digest=made.digest, keys=keys)


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
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a scorer has no learners, and says so by leaving them out
    return found
