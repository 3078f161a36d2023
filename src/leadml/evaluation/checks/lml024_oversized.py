"""LML024: texts too long for an attribute of a lead."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML024",
    "Oversized texts",
    "warns",
    "Look for an unclosed quote or a pasted document in those rows; drop the column if it is"
    " free text.",
)

_LONGEST: Final = 1000


def run(data: CheckInput) -> Finding:
    """Find texts of more than 1,000 characters."""
    figures: list[dict[str, Any]] = []
    rows: np.ndarray[Any, Any] | None = None
    for name in data.candidates:
        reading = data.reading(name)
        codes = [i for i, level in enumerate(reading.levels) if len(level) > _LONGEST]
        if not codes:
            continue
        where = np.flatnonzero(np.isin(reading.numbers, codes))
        rows = where if rows is None else rows
        longest = max(len(reading.levels[i]) for i in codes)
        figures.append({"column": name, "n": int(where.size), "longest": longest})
    if rows is None:
        return CHECK.passed(f"No text is longer than {_LONGEST:,} characters.")
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} texts of up to"
        f" {max(figure['longest'] for figure in figures):,} characters.",
        columns=names,
        rows=rows,
        evidence={"figures": figures, "limit": {"characters": _LONGEST}},
    )
