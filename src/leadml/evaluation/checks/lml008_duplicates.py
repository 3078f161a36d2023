"""LML008: rows that stand in the table more than once."""

from __future__ import annotations

from typing import Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML008",
    "Duplicate rows",
    "warns",
    "Look at how the table was joined or exported, and keep one row per lead.",
)

_WARNS: Final = 0.25
_TIP: Final = 0.01


def run(data: CheckInput) -> Finding:
    """Count rows equal to an earlier one in every column, the outcome included."""
    n = data.y.size
    if n == 0 or not data.columns:
        return CHECK.not_applicable("There are no rows.")
    digest = np.zeros(n, dtype=np.uint64)
    for place, name in enumerate(data.columns):
        reading = data.reading(name)
        codes = np.unique(reading.numbers, return_inverse=True, equal_nan=True)[1]
        mixed = (codes.astype(np.uint64) + np.uint64(place + 1)) * np.uint64(0x9E3779B97F4A7C15)
        digest = (digest ^ mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        digest ^= digest >> np.uint64(32)
    _, first = np.unique(digest, return_index=True)
    again = np.ones(n, dtype=bool)
    again[first] = False
    share = float(again.mean())
    count = int(again.sum())
    if share < _TIP:
        some = (
            f"{count:,} rows repeat"
            if count > 1
            else "1 row repeats"
            if count
            else "No row repeats"
        )
        return CHECK.passed(f"{some} an earlier one.", {"share": round(share, 5)})
    evidence = {"figures": [{"n": count, "share": round(share, 4)}], "limit": {"share": _WARNS}}
    return CHECK.found(
        f"{count:,} of {n:,} rows ({percent(share)}) repeat an earlier one in every column"
        + ("." if share >= _WARNS else ", which coarse columns without an id can explain."),
        rows=np.flatnonzero(again),
        evidence=evidence,
        severity="warns" if share >= _WARNS else "tip",
    )
