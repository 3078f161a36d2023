"""LML019: a column that no longer means what it meant."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.lml004_time_proxy import LIMIT as PROXY
from leadml.evaluation.checks.lml004_time_proxy import newest, tells_time
from leadml.evaluation.checks.shares import shares_by
from leadml.evaluation.checks.signal import auc_error, cells_of, psi
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.evaluation.metrics import roc_auc_of
from leadml.leads.estimate import Z95

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML019",
    "Unstable columns",
    "warns",
    "Ask what changed (a form, a campaign, an integration). Drop the column if its meaning"
    " changed; otherwise retrain when the new meaning has enough outcomes.",
)

_PSI: Final = 0.5
_TOLD: Final = 0.56
_REVERSED: Final = 0.47
_SMOOTH: Final = 20.0
_DRAWN: Final = 2


def run(data: CheckInput) -> Finding:
    """Find columns whose values moved, or whose relation to the outcome turned round."""
    late = newest(data)
    if late is None or late.size < 200:
        return CHECK.not_applicable("No order in time is known, so nothing can be compared.")
    figures: list[dict[str, Any]] = []
    for name in data.names:
        if tells_time(data, name) >= PROXY:
            continue  # LML004 names it
        cells = cells_of(data.reading(name), bins=10)
        # rare levels come and go; they are compared as one
        counts = np.bincount(cells)
        cells = np.where(counts[cells] < 0.01 * cells.size, counts.size, cells)
        moved = psi(cells[~late], cells[late])
        before, after, sure = _relation(data, cells, late)
        turned = before >= _TOLD and after <= _REVERSED and sure
        if moved >= _PSI or turned:
            figures.append(
                {
                    "column": name,
                    "psi": round(moved, 4),
                    "auc_before": round(before, 4),
                    "auc_newest": round(after, 4),
                    "change": "reversed" if turned else "moved",
                }
            )
    if not figures:
        return CHECK.passed("No column changed its values or its meaning in the newest fifth.")
    names = [figure["column"] for figure in figures]
    reversed_ = [figure["column"] for figure in figures if figure["change"] == "reversed"]
    detail = (
        f"{listed(reversed_)} no longer mean{'s' if len(reversed_) == 1 else ''} what"
        f" {'it' if len(reversed_) == 1 else 'they'} meant: in the newest fifth of the leads"
        " the relation to the outcome has turned round."
        if reversed_
        else f"The values of {listed(names)} moved markedly in the newest fifth of the leads."
    )
    # the newest fifth may be entirely too young for outcomes: then there is nothing to draw
    ripe = bool((late & data.known).any() and (~late & data.known).any())
    drawn = (reversed_ or names)[:_DRAWN] if ripe else ()
    evidence = {
        "figures": figures,
        "limit": {"psi": _PSI},
        "shares": [_drawn(data, name, late) for name in drawn],
    }
    return CHECK.found(detail, columns=names, evidence=evidence)


def _drawn(data: CheckInput, name: str, late: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Conversion by value among the newest leads, beside that of the older ones."""
    reading = data.reading(name)
    newest = shares_by(reading, np.where(late, data.y, np.nan), "converted", name)
    older = shares_by(reading, np.where(late, np.nan, data.y), "converted", name)
    before = {point["name"]: point["rate"] for point in older["points"]}
    for point in newest["points"]:
        if point["name"] in before:
            point["before"] = before[point["name"]]
    return {**newest, "among": "the newest fifth"}


def _relation(
    data: CheckInput, cells: np.ndarray[Any, Any], late: np.ndarray[Any, Any]
) -> tuple[float, float, bool]:
    """AUC of the older leads' rates among older leads, and among the newest; whether sure."""
    old, new = ~late & data.known, late & data.known
    y_old, y_new = data.y[old], data.y[new]
    if min(y_old.sum(), y_new.sum(), (1 - y_old).sum(), (1 - y_new).sum()) < 20:
        return 0.5, 0.5, False
    size = int(cells.max()) + 1
    leads = np.bincount(cells[old], minlength=size)
    won = np.bincount(cells[old], weights=y_old, minlength=size)
    rate = (won + _SMOOTH * float(y_old.mean())) / (leads + _SMOOTH)
    before = roc_auc_of(y_old, rate[cells[old]])
    after = roc_auc_of(y_new, rate[cells[new]])
    won_new = float(y_new.sum())
    error = auc_error(after, won_new, y_new.size - won_new)
    return before, after, after + 2 * Z95 * error / 2 < 0.5
