"""LML011: a category with more levels than can be learned."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.lml010_ids import kind_of_id
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML011",
    "Exploding categories",
    "warns",
    "Group the levels (the domain of an address, the region of a postcode) or drop the column;"
    " rare levels are pooled, so most of it would be lost anyway.",
)

_FEWEST: Final = 100
_MOST: Final = 1000
_RARE_SHARE: Final = 0.3


def run(data: CheckInput) -> Finding:
    """Find categories with over 1,000 levels, or with 30 % of the rows in levels seen once."""
    figures: list[dict[str, Any]] = []
    for name in data.candidates:
        reading = data.reading(name)
        if reading.kind != "category" or len(reading.levels) <= _FEWEST:
            continue
        if kind_of_id(reading, name):
            continue  # LML010 names it
        counts = np.bincount(reading.numbers[~reading.missing].astype(np.int64))
        once = float((counts == 1).sum() / counts.sum())
        if len(reading.levels) > _MOST or once >= _RARE_SHARE:
            figures.append(
                {
                    "column": name,
                    "levels": len(reading.levels),
                    "share_seen_once": round(once, 4),
                    "learned": name in data.names,
                }
            )
    if not figures:
        return CHECK.passed("No category has more levels than can be learned.")
    learned = [figure["column"] for figure in figures if figure["learned"]]
    names = learned or [figure["column"] for figure in figures]
    levels = max(figure["levels"] for figure in figures if figure["column"] in names)
    aside = (
        "" if learned else " leadml left it out." if len(names) == 1 else " leadml left them out."
    )
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} {levels:,}"
        f"{'' if len(names) == 1 else ' and fewer'} different texts, most of them rare.{aside}",
        columns=names,
        evidence={"figures": figures, "limit": {"levels": _MOST, "share_seen_once": _RARE_SHARE}},
        severity="warns" if learned else "tip",
    )
