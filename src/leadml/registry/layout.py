"""The layout of a bundle: its files, their one spelling, its digest.

A bundle is a folder of plain JSON files and one Markdown file, never code. Bytes are
canonical: keys sorted, shortest floats, one final newline. The *digest* is the SHA-256 of
the manifest without what differs between two trainings on the same data with the same
seed (times, run, paths, library versions, and the card that repeats them).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from leadml.errors import BundleError

__all__ = [
    "CARD",
    "FORMAT",
    "LIMITS",
    "MANIFEST",
    "canonical",
    "digest_of",
    "seal_of",
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


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Digest of a bundle from its manifest, 64 hexadecimal digits."""
    lasting = {key: value for key, value in manifest.items() if key not in ("made", "seal")}
    lasting["files"] = {name: f for name, f in manifest["files"].items() if name != CARD}
    return hashlib.sha256(canonical(lasting)).hexdigest()


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Hash of all else in the manifest: finds accidents, not forgers (those need the digest)."""
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(canonical(rest)).hexdigest()
