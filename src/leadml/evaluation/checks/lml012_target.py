"""LML012: an outcome that looks wrong."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML012",
    "Outcome anomalies",
    "warns",
    "Check the outcome column and which of its values means converted (--positive).",
)

_HIGH: Final = 0.8
_LOW: Final = 0.001
_UNKNOWN: Final = 0.5


def run(data: CheckInput) -> Finding:
    """Look at the rate of conversions, unknown outcomes, and values beside yes and no."""
    known = data.outcome
    if known.size == 0:
        return CHECK.found("No lead has a known outcome.", severity="blocks")
    rate = float(known.mean())
    unknown = 1 - known.size / data.y.size
    figures: dict[str, Any] = {"rate": round(rate, 5), "share_unknown": round(unknown, 4)}
    if rate in (0.0, 1.0):
        return CHECK.found(
            f"{'Every' if rate else 'No'} lead with a known outcome converted.",
            columns=[data.target] if data.target else [],
            evidence={"figures": [figures]},
            severity="blocks",
        )
    parts = []
    severity = "warns"
    if rate > _HIGH:
        parts.append(f"{percent(rate)} of the leads converted; perhaps yes and no are swapped")
    if rate < _LOW:
        parts.append(f"only {percent(rate)} of the leads converted")
    immature = data.n_immature or 0
    if unknown - immature / data.y.size > _UNKNOWN:
        parts.append(f"{percent(unknown)} of the leads have no outcome")
    if data.target and data.target in data.columns:
        levels = data.reading(data.target).distinct
        figures["values"] = levels
        if levels > 2 and not parts:
            parts.append(
                f"'{data.target}' holds {levels} different values; all but one count as not"
                " converted"
            )
            severity = "tip"
    if not parts:
        return CHECK.passed(f"{percent(rate)} of the leads with a known outcome converted.")
    rows = np.flatnonzero(~data.known) if "no outcome" in parts[-1] else ()
    return CHECK.found(
        f"{'; '.join(parts)[0].upper()}{'; '.join(parts)[1:]}.",
        columns=[data.target] if data.target else [],
        rows=rows,
        evidence={"figures": [figures]},
        severity="tip" if severity == "tip" else "warns",
    )
