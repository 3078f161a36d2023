"""LML002: a column that knows the outcome by being filled at all."""

from __future__ import annotations

import math
from typing import Any, Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import shares_of
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML002",
    "Leak by emptiness",
    "blocks",
    "Ask who fills the column, and when. If sales fill it while working a lead, drop it; if it"
    " is asked before scoring, overrule this check with the reason.",
)

LIMIT: Final = 0.62
"""AUC of "is empty" that no honest column reached on eight real data sets."""

_SURE_Z: Final = 4.0
_DRAWN: Final = 3


def run(data: CheckInput) -> Finding:
    """Find columns whose emptiness (placeholders included) goes with the outcome."""
    outcome = data.outcome
    won = float(outcome.sum())
    lost = outcome.size - won
    if won == 0 or lost == 0:
        return CHECK.not_applicable("Only one outcome is known, so nothing can be told apart.")
    known = data.known
    figures: list[dict[str, Any]] = []
    for name in data.names:
        empty = data.reading(name).empty[known]
        share = float(empty.mean())
        if share in (0.0, 1.0):
            continue
        empty_won = float(empty[outcome == 1].mean())
        empty_lost = float(empty[outcome == 0].mean())
        # for a yes-or-no column the AUC is half the distance of the shares above one half
        auc = 0.5 + abs(empty_won - empty_lost) / 2
        z = abs(empty_won - empty_lost) / math.sqrt(share * (1 - share) * (1 / won + 1 / lost))
        if auc < LIMIT or z < _SURE_Z:
            continue
        figures.append(
            {
                "column": name,
                "auc_of_empty": round(auc, 4),
                "share_empty": round(share, 4),
                "rate_where_empty": round(float(outcome[empty].mean()), 4),
                "rate_where_filled": round(float(outcome[~empty].mean()), 4),
            }
        )
    if not figures:
        return CHECK.passed("Whether a column is filled tells little about the outcome.")
    figures.sort(key=lambda figure: -figure["auc_of_empty"])
    names = [figure["column"] for figure in figures]
    first = figures[0]
    filled, empty_rate = first["rate_where_filled"], first["rate_where_empty"]
    detail = (
        f"Whether '{names[0]}' is filled tells the outcome: where it is,"
        f" {percent(filled)} convert, where not, {percent(empty_rate)}."
    )
    if len(names) > 1:
        detail += f" The same holds for {listed(names[1:])}."
    return CHECK.found(
        detail,
        columns=names,
        evidence={
            "figures": figures,
            "limit": {"auc_of_empty": LIMIT},
            "shares": [_drawn(data, name) for name in names[:_DRAWN]],
        },
    )


def _drawn(data: CheckInput, name: str) -> dict[str, Any]:
    empty = data.reading(name).empty[data.known]
    return {
        "what": "converted",
        "column": name,
        "base": round(float(data.outcome.mean()), 4),
        "points": shares_of(["filled", "empty"], [~empty, empty], data.outcome),
    }
