"""LML010: an id that would be learned from."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, Reading, listed

__all__ = ["CHECK", "kind_of_id", "run"]

CHECK = Check(
    "LML010",
    "Ids as columns",
    "warns",
    "Give the column the role id, or drop it: its values never come again.",
)

_UNIQUE: Final = 0.98
_FEWEST: Final = 30


def run(data: CheckInput) -> Finding:
    """Find columns whose values differ in nearly every row and carry no measure."""
    figures: list[dict[str, Any]] = []
    for name in data.candidates:
        kind = kind_of_id(data.reading(name), name)
        if kind:
            figures.append({"column": name, "looks_like": kind, "learned": name in data.names})
    if not figures:
        return CHECK.passed("No column to learn from looks like an id.")
    learned = [figure["column"] for figure in figures if figure["learned"]]
    if learned:
        return CHECK.found(
            f"{listed(learned)} look{'s' if len(learned) == 1 else ''} like"
            f" {'an id' if len(learned) == 1 else 'ids'}: nearly every row has a value of its own.",
            columns=learned,
            evidence={"figures": figures},
        )
    names = [figure["column"] for figure in figures]
    return CHECK.found(
        f"{listed(names)} look{'s' if len(names) == 1 else ''} like"
        f" {'an id' if len(names) == 1 else 'ids'}; leadml left"
        f" {'it' if len(names) == 1 else 'them'} out.",
        columns=names,
        evidence={"figures": figures},
        severity="tip",
    )


def kind_of_id(reading: Reading, name: str) -> str:
    """``text``, ``running number``, or "" where a column does not look like an id."""
    filled = reading.numbers[~reading.missing]
    if filled.size < _FEWEST or reading.distinct < _UNIQUE * filled.size:
        return ""
    if reading.kind == "category":
        return "text"
    if reading.kind == "moment":
        return ""
    whole = bool(np.isfinite(filled).all() and (filled == np.rint(filled)).all())
    if not whole:
        return ""
    words = name.lower().replace("_", " ").replace("-", " ").split()
    named = bool(words) and (
        words[-1] in ("id", "number", "no", "nr", "key", "index", "#")
        or name.endswith(("Id", "ID"))
    )
    dense = float(filled.max() - filled.min()) < 1.5 * filled.size
    return "running number" if named or dense else ""
