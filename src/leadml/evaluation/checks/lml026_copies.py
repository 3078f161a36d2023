"""LML026: columns that say the same."""

from __future__ import annotations

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.lml010_ids import kind_of_id
from leadml.evaluation.checks.table import CheckInput, listed

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
        numbers = reading.numbers
        # number the values by first appearance, so that names and scales do not matter
        _, first, inverse = np.unique(
            numbers, return_index=True, return_inverse=True, equal_nan=True
        )
        rank = np.empty(first.size, dtype=np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(first.size)
        key = rank[inverse].tobytes()
        if key in seen:
            figures.append({"column": name, "copy_of": seen[key]})
        else:
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
