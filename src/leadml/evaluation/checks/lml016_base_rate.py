"""LML016: a conversion rate that moves during the history."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import course_of
from leadml.evaluation.checks.table import CheckInput
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML016",
    "Base rate shift",
    "warns",
    "Trust the ranking more than the chances, recalibrate on the newest outcomes, and retrain"
    " more often.",
)

_NEWEST: Final = 0.2
_LOG_ODDS: Final = 0.5
_SURE_Z: Final = 4.0
_FEWEST: Final = 200


def run(data: CheckInput) -> Finding:
    """Compare the conversion rate of the newest fifth with that of the rest."""
    when = data.when
    if when is None:
        return CHECK.not_applicable("No order in time is known.")
    usable = data.known & ~np.isnan(when)
    y = data.y[usable][np.argsort(when[usable], kind="stable")]
    if y.size < _FEWEST:
        return CHECK.not_applicable("There are too few leads to compare periods.")
    edge = round(y.size * (1 - _NEWEST))
    old, new = y[:edge], y[edge:]
    p_old, p_new, pooled = float(old.mean()), float(new.mean()), float(y.mean())
    spread = math.sqrt(pooled * (1 - pooled) * (1 / old.size + 1 / new.size))
    z = abs(p_new - p_old) / spread if spread else 0.0
    moved = _log_odds(new) - _log_odds(old)
    figures = {
        "rate_newest": round(p_new, 4),
        "rate_before": round(p_old, 4),
        "log_odds": round(moved, 3),
    }
    tenths = np.array_split(y, 10)
    evidence = {
        "figures": [figures],
        "course": [
            {"part": i + 1, "n": int(part.size), "rate": round(float(part.mean()), 4)}
            for i, part in enumerate(tenths)
        ],
        "limit": {"log_odds": _LOG_ODDS},
    }
    if abs(moved) >= _LOG_ODDS and z >= _SURE_Z:
        return CHECK.found(
            f"The newest fifth of the leads converts at {percent(p_new)}, the rest at"
            f" {percent(p_old)}.",
            evidence={
                **evidence,
                "shares": [
                    {
                        "what": "converted",
                        "column": "",
                        "base": round(p_old, 4),
                        "points": course_of(data),
                    }
                ],
            },
        )
    return CHECK.passed(
        f"The newest fifth of the leads converts at {percent(p_new)}, the rest at"
        f" {percent(p_old)}.",
        evidence,
    )


def _log_odds(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    won = float(y.sum()) + 0.5
    return math.log(won / (y.size - float(y.sum()) + 0.5))
