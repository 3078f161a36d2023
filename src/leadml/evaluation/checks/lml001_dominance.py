"""LML001: a column that knows the outcome by its values."""

from __future__ import annotations

from typing import Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import shares_by
from leadml.evaluation.checks.signal import auc_alone, gain_of, lower_auc
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML001",
    "Leak by dominance",
    "blocks",
    "Ask when the column is filled. If only after the outcome, drop it; if before, overrule"
    " this check with the reason.",
)

ALONE_BLOCKS: Final = 0.90
"""AUC of one column alone that no honest column reached on eight real data sets."""

ALONE_SUSPECT: Final = 0.80
"""AUC of one column alone from which its share of the gain decides."""

SHARE_OF_GAIN: Final = 0.20
"""Share of the model's gain over the base rate that dropping a leak loses."""

DRAWN: Final = 3
"""Columns whose conversion by value stands in the evidence."""

_SURE: Final = 0.70


def run(data: CheckInput) -> Finding:
    """Find columns that rank leads too well alone, and that nothing can stand in for."""
    outcome = data.outcome
    if outcome.size == 0 or outcome.sum() in (0, outcome.size):
        return CHECK.not_applicable("Only one outcome is known, so nothing can be ranked.")
    figures = []
    strongest: tuple[float, str] = (0.5, "")
    for name in data.names:
        auc = auc_alone(data, name)
        strongest = max(strongest, (auc, name))
        if auc < ALONE_SUSPECT or lower_auc(data, auc) < _SURE:
            continue
        figure: dict[str, str | float] = {"column": name, "auc_alone": round(auc, 4)}
        share = _lost(data, name)
        figure["share_of_gain"] = round(share, 4)
        if auc >= ALONE_BLOCKS or share >= SHARE_OF_GAIN:
            figures.append(figure)
    if not figures:
        if not strongest[1]:
            return CHECK.not_applicable("There is no column to look at.")
        return CHECK.passed(
            f"No column tells the outcome by itself (the strongest is '{strongest[1]}',"
            f" AUC {strongest[0]:.2f} alone)."
        )
    figures.sort(key=lambda figure: -float(figure["auc_alone"]))
    names = [str(figure["column"]) for figure in figures]
    first = figures[0]
    detail = (
        f"The column {listed(names)} alone tells who converts (AUC {first['auc_alone']:.2f}):"
        " it probably knows the outcome."
        if len(names) == 1
        else f"The columns {listed(names)} alone tell who converts (AUC up to"
        f" {first['auc_alone']:.2f}): they probably know the outcome."
    )
    evidence = {
        "figures": figures,
        "limit": {"auc_alone": ALONE_BLOCKS, "with_share_of_gain": SHARE_OF_GAIN},
        "shares": [
            shares_by(data.reading(name), data.y, "converted", name) for name in names[:DRAWN]
        ],
    }
    return CHECK.found(detail, columns=names, evidence=evidence)


def _lost(data: CheckInput, name: str) -> float:
    whole = gain_of(data, data.names)
    rest = gain_of(data, tuple(other for other in data.names if other != name))
    return (whole - rest) / whole if whole > 1e-9 else 0.0
