"""LML026: columns that say the same."""

from __future__ import annotations

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.lml010_ids import kind_of_id
from leadml.evaluation.checks.table import CheckInput, Reading, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML026",
    "Copied columns",
    "tip",
    "Keep one of them: copies share their effect, so each looks weaker than it is.",
)


def run(data: CheckInput) -> Finding:
    """Find columns whose values map one to one onto those of an earlier column."""
    seen: dict[bytes, str] = {}
    figures: list[dict[str, str]] = []
    for name in data.names:
        reading = data.reading(name)
        if reading.distinct < 2 or kind_of_id(reading, name):
            continue
        key = _pattern(reading)
        if key in seen:
            figures.append({"column": name, "copy_of": seen[key]})
        elif key:
            seen[key] = name
    if not figures:
        return CHECK.passed("No two columns say the same.")
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} say{'s' if len(names) == 1 else ''} the same as"
        f" {listed(list(dict.fromkeys(figure['copy_of'] for figure in figures)))}.",
        columns=names,
        evidence={"figures": figures},
    )


def _pattern(reading: Reading) -> bytes:
    """The same bytes for columns that differ only in what their values are called."""
    _, first, inverse = np.unique(
        reading.numbers, return_index=True, return_inverse=True, equal_nan=True
    )
    if reading.distinct > reading.numbers.size / 2:
        # values that hardly repeat map onto any others: only their order can tell
        return b"" if reading.kind == "category" else inverse.astype(np.int64).tobytes()
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(first.size)
    return rank[inverse].tobytes()
