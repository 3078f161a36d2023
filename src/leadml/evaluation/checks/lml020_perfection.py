"""LML020: a model that is too good to be true."""

from __future__ import annotations

from typing import Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import shares_by
from leadml.evaluation.checks.signal import auc_alone, auc_error
from leadml.evaluation.checks.table import CheckInput
from leadml.evaluation.metrics import roc_auc_of
from leadml.leads.estimate import Z95

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML020",
    "Suspicious perfection",
    "warns",
    "Ask of every strong column when it is filled; one that knows the outcome is likely among"
    " them.",
)

WARNS: Final = 0.95
"""AUC of the whole model, lower end of its interval, that real leads hardly allow."""

BLOCKS: Final = 0.99


def run(data: CheckInput) -> Finding:
    """Doubt an AUC of the tested predictions that real leads hardly allow."""
    if data.tested_rows is None or data.tested_probability is None:
        return CHECK.not_applicable("No predictions have been tested yet.")
    known = data.known[data.tested_rows]
    y = data.y[data.tested_rows][known]
    won = float(y.sum())
    lost = y.size - won
    if min(won, lost) < 5:
        return CHECK.not_applicable("Too few conversions were tested on.")
    auc = roc_auc_of(y, data.tested_probability[known])
    low = auc - Z95 * auc_error(auc, won, lost)
    figure = {"roc_auc": round(auc, 4), "low": round(low, 4)}
    if low < WARNS:
        return CHECK.passed(f"The model is good within reason (AUC {auc:.3f}).", figure)
    strong = sorted(data.names, key=lambda name: -auc_alone(data, name))[:5]
    return CHECK.found(
        f"The model is nearly perfect (AUC {auc:.3f}), which real leads hardly allow: a column"
        " probably knows the outcome.",
        columns=strong,
        evidence={
            "figures": [
                figure,
                *({"column": n, "auc_alone": round(auc_alone(data, n), 4)} for n in strong),
            ],
            "limit": {"warns": WARNS, "blocks": BLOCKS},
            "shares": [
                shares_by(data.reading(name), data.y, "converted", name) for name in strong[:1]
            ],
        },
        severity="blocks" if low >= BLOCKS else "warns",
    )
