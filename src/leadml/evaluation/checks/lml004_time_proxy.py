"""LML004: a column that tells when a lead came rather than who it is."""

from __future__ import annotations

from typing import Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import shares_by
from leadml.evaluation.checks.signal import cells_of, encoded
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.evaluation.metrics import roc_auc_of

__all__ = ["CHECK", "LIMIT", "newest", "run", "tells_time"]

CHECK = Check(
    "LML004",
    "Time proxy",
    "warns",
    "The column will hold values that the model has never seen. Prefer something about the"
    " lead itself; keep it only if the forward test is good, and retrain often.",
)

LIMIT: Final = 0.75
"""AUC with which a column tells the newest fifth of the leads from the rest."""

_NEWEST: Final = 0.2
_FEWEST: Final = 100


def newest(data: CheckInput) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """The newest fifth of the rows, shape (n,), or None where no order is known."""
    when = data.when
    if when is None or np.isnan(when).all():
        return None
    edge = float(np.nanquantile(when, 1 - _NEWEST))
    late: np.ndarray[tuple[int], np.dtype[np.bool_]] = when > edge
    return late if 0 < late.sum() < late.size else None


def tells_time(data: CheckInput, name: str) -> float:
    """Out-of-fold AUC with which a column tells the newest fifth of the rows."""
    late = newest(data)
    assert late is not None

    def tell() -> float:
        cells = cells_of(data.reading(name))
        return roc_auc_of(late, encoded(cells, late.astype(np.float64), data.seed))

    return float(data.once(("time", name), tell))


def run(data: CheckInput) -> Finding:
    """Find columns that tell the newest leads from the others."""
    late = newest(data)
    if late is None or late.size < _FEWEST:
        return CHECK.not_applicable("No order in time is known, so nothing can be compared.")
    found = [(tells_time(data, name), name) for name in data.names]
    proxies = sorted(((auc, name) for auc, name in found if auc >= LIMIT), reverse=True)
    if not proxies:
        return CHECK.passed("No column tells the newest fifth of the leads from the others.")
    names = [name for _, name in proxies]
    detail = (
        f"{'The columns' if len(names) > 1 else 'The column'} {listed(names)}"
        f" tell{'' if len(names) > 1 else 's'} when a lead came rather than who it is (the newest"
        f" fifth stands out with AUC {proxies[0][0]:.2f})."
    )
    figures = [{"column": name, "auc_of_newest": round(auc, 4)} for auc, name in proxies]
    return CHECK.found(
        detail,
        columns=names,
        evidence={
            "figures": figures,
            "limit": {"auc_of_newest": LIMIT},
            "shares": [
                shares_by(
                    data.reading(names[0]), late.astype(float), "of the newest fifth", names[0]
                )
            ],
        },
    )
