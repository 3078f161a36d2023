"""LML009: columns that never vary or are never filled."""

from __future__ import annotations

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML009",
    "Constant or empty columns",
    "tip",
    "Drop the columns, or ask why they are not filled; leadml leaves them out by itself.",
)


def run(data: CheckInput) -> Finding:
    """Find columns with at most one value and no gap, or no value at all."""
    figures = []
    for name in data.candidates:
        reading = data.reading(name)
        missing = reading.missing
        if missing.all():
            figures.append({"column": name, "state": "empty"})
        elif reading.distinct == 1 and not missing.any():
            figures.append({"column": name, "state": "constant"})
    if not figures:
        return CHECK.passed("Every column varies.")
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} the same, or empty, in every row.",
        columns=names,
        evidence={"figures": figures},
    )
