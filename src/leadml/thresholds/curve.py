"""Every line that could be drawn, with what each would mean."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.leads.estimate import Z95
from leadml.thresholds.cohort import Cohort, worth_of

__all__ = ["POINTS", "threshold_curve"]

POINTS: Final = 200
"""Most points of a curve."""

Floats = NDArray[np.float64]


def threshold_curve(
    cohort: Cohort,
    points: int = POINTS,
    *,
    value: float | None = None,
    cost: float = 0.0,
) -> dict[str, Any]:
    """What each possible MQL line means for a week, as columns a page can read off at once.

    Each point is exact for its cut-off and equals :meth:`Cohort.expectation` there; the
    leads of a cut-off between two points are those of the higher one, or more.

    Parameters
    ----------
    points
        Most points, from the strictest line to the one that lets everybody through.
    value, cost
        Worth of a conversion and cost of working a lead; without a value none is told.

    Returns
    -------
    dict
        ``cutoff`` falling; ``leads`` and ``conversions`` counted at or above it;
        ``share_of_leads``; ``volume_per_week``, ``precision``, ``conversions_per_week``,
        ``recall`` and, with a value, ``value_per_week``, each as ``value``, ``low`` and
        ``high``. All lists have one length. ``n``, ``n_conversions`` and
        ``leads_per_week`` say what was counted.

    Examples
    --------
    >>> cohort = Cohort.of([0.9, 0.5, 0.5, 0.2], [1, 1, 0, 0], leads_per_week=8)
    >>> curve = threshold_curve(cohort, value=100.0, cost=10.0)
    >>> curve["cutoff"], curve["volume_per_week"]["value"], curve["value_per_week"]["value"]
    ([0.9, 0.5, 0.2], [2.0, 6.0, 8.0], [180.0, 340.0, 320.0])
    """
    chosen = cohort.compact(points)
    n, total = cohort.n, cohort.conversions
    leads = chosen.leads.astype(np.float64)
    won = chosen.won.astype(np.float64)
    found: dict[str, Any] = {
        "n": n,
        "n_conversions": total,
        "leads_per_week": cohort.leads_per_week,
        "leads_per_week_known": cohort.leads_per_week_known,
        "cutoff": chosen.steps.tolist(),
        "leads": chosen.leads.tolist(),
        "conversions": chosen.won.tolist(),
        "share_of_leads": (leads / n).tolist(),
        "volume_per_week": _weeks(cohort, leads, leads),
        "precision": _shares(won, leads),
        "conversions_per_week": _weeks(cohort, won, won),
        "recall": _shares(won, np.full(won.size, float(total))),
    }
    if value is not None:
        worth, squares = worth_of(leads, won, value, cost)
        found["value_per_week"] = _weeks(cohort, worth, squares, floor=-np.inf)
    return found


def _weeks(
    cohort: Cohort, total: Floats, squares: Floats, floor: float = 0.0
) -> dict[str, list[float]]:
    """Weekly figures with the range of a usual week."""
    weekly = total * cohort.leads_per_week / cohort.n
    spread = cohort.weekly_spread(total, squares)
    return {
        "value": weekly.tolist(),
        "low": np.maximum(floor, weekly - spread).tolist(),
        "high": (weekly + spread).tolist(),
    }


def _shares(successes: Floats, n: Floats) -> dict[str, list[float]]:
    """Shares with Wilson's interval; see :func:`leadml.leads.estimate.wilson`."""
    of = np.maximum(n, 1.0)
    share = successes / of
    z2 = Z95 * Z95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * np.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low = np.where(successes <= 0, 0.0, np.maximum(0.0, middle - half))
    high = np.where(successes >= n, 1.0, np.minimum(1.0, middle + half))
    return {"value": share.tolist(), "low": low.tolist(), "high": high.tolist()}
