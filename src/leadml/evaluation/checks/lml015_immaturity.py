"""LML015: young leads counted as lost."""

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
    "LML015",
    "Unripe leads",
    "warns",
    "Say within how many days a conversion counts (--horizon-days); younger leads are then"
    " unknown, not lost.",
)

_NEWEST: Final = 0.1
_DROP: Final = 0.6
_SURE_Z: Final = 4.0
_MOST_UNKNOWN: Final = 0.5


def run(data: CheckInput) -> Finding:
    """See whether the newest leads convert so little that they cannot be ripe."""
    created = data.created_at
    if created is None:
        return CHECK.not_applicable("It is not known when each lead was created.")
    if data.horizon_days is not None:
        young = data.n_immature or 0
        share = young / max(1, data.y.size)
        figures = {"horizon_days": data.horizon_days, "n_immature": young, "share": round(share, 4)}
        if share > _MOST_UNKNOWN:
            return CHECK.found(
                f"{percent(share)} of the leads are younger than {data.horizon_days} days, so"
                " most of the history cannot be learned from.",
                evidence={"figures": [figures]},
                fix="Choose a shorter horizon, or bring a longer history.",
            )
        return CHECK.passed(
            f"{young:,} leads younger than {data.horizon_days} days count as unknown, not as lost.",
            {"figures": [figures]},
        )
    usable = data.known & ~np.isnan(created)
    y = data.y[usable][np.argsort(created[usable], kind="stable")]
    edge = round(y.size * (1 - _NEWEST))
    old, new = y[:edge], y[edge:]
    if new.size < 30 or old.sum() < 20:
        return CHECK.not_applicable("There are too few leads to compare young and old ones.")
    p_old, p_new = float(old.mean()), float(new.mean())
    pooled = float(y.mean())
    spread = math.sqrt(pooled * (1 - pooled) * (1 / old.size + 1 / new.size))
    figures = {"rate_newest": round(p_new, 4), "rate_before": round(p_old, 4)}
    if p_new < _DROP * p_old and (p_old - p_new) / spread > _SURE_Z:
        return CHECK.found(
            f"The newest tenth of the leads converts at {percent(p_new)}, the others at"
            f" {percent(p_old)}: many of the young ones may still convert, but count as lost.",
            evidence={
                "figures": [figures],
                "shares": [
                    {
                        "what": "converted",
                        "column": "",
                        "base": round(float(y.mean()), 4),
                        "points": course_of(data),
                    }
                ],
            },
        )
    return CHECK.passed("The newest leads convert about as often as older ones.", figures)
