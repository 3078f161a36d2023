"""LML023: cells that a spreadsheet would run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML023",
    "Formulas in cells",
    "warns",
    "Look where the cells come from (often an open web form); clean them at the source. leadml"
    " itself never runs them and neutralises them in its exports.",
)

_FORMULA = re.compile(r"\s*(?:=\s*[A-Za-z@(+-]|[@+-]\s*[A-Za-z]{2,}\w*\s*[(|!])")


def run(data: CheckInput) -> Finding:
    """Find texts that begin like a spreadsheet formula."""
    figures: list[dict[str, Any]] = []
    rows: np.ndarray[Any, Any] | None = None
    for name in data.candidates:
        reading = data.reading(name)
        if reading.kind != "category":
            continue
        codes = [i for i, level in enumerate(reading.levels) if _FORMULA.match(level)]
        if not codes:
            continue
        where = np.flatnonzero(np.isin(reading.numbers, codes))
        rows = where if rows is None else rows
        figures.append({"column": name, "n": int(where.size)})
    if rows is None:
        return CHECK.passed("No text begins like a spreadsheet formula.")
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} texts that a spreadsheet would run"
        f" as a formula ({figures[0]['n']:,} in '{names[0]}').",
        columns=names,
        rows=rows,
        evidence={"figures": figures},
    )
