"""LML022: numbers without an end."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML022",
    "Infinite numbers",
    "warns",
    "Find the division by zero, or the overflow, that made them, and leave such cells empty.",
)


def run(data: CheckInput) -> Finding:
    """Find infinite values in columns of numbers."""
    figures: list[dict[str, Any]] = []
    rows: np.ndarray[Any, Any] | None = None
    for name in data.candidates:
        # infinities in text are read as the largest finite number (leads.values)
        endless = np.abs(data.reading(name).numbers) >= np.finfo(np.float64).max
        if not endless.any():
            continue
        rows = np.flatnonzero(endless) if rows is None else rows
        figures.append({"column": name, "n": int(endless.sum())})
    if rows is None:
        return CHECK.passed("Every number is finite.")
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} infinite numbers"
        f" ({figures[0]['n']:,} in '{names[0]}').",
        columns=names,
        rows=rows,
        evidence={"figures": figures},
    )
