"""Gains, calibration and capture as tables of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.evaluation.metrics import SHOWN_FROM, Floats, checked, roc_auc_of, share_in_top
from leadml.leads.estimate import wilson

__all__ = ["GAINS_AT", "by_group", "calibration", "gains", "score_bands"]

GAINS_AT: Final = (0.01, 0.02, 0.05, *(round(i / 20, 2) for i in range(2, 21)))
"""Shares of the leads at which gains are told."""

_JUDGED_FROM: Final = 10
"""Fewest conversions for which a group is judged."""


def gains(
    y: ArrayLike, probability: ArrayLike, at: Sequence[float] = GAINS_AT
) -> list[dict[str, float]]:
    """Share of the conversions found when the best leads are worked first.

    Parameters
    ----------
    y
        Shape (n,), 0 or 1.
    probability
        Shape (n,).
    at
        Shares of the leads, in (0, 1]; 0 is added.

    Returns
    -------
    list of dict
        ``share_of_leads``, ``share_of_conversions``, ``lift``, and ``low`` / ``high`` (95 %,
        Wilson over the conversions) from 20 conversions on. Empty if nothing converted.
    """
    y_, p = checked(y, probability)
    total = float(y_.sum())
    if total == 0:
        return []
    points: list[dict[str, float]] = []
    for share in (0.0, *at):
        found = share_in_top(y_, p, share)
        point = {
            "share_of_leads": float(share),
            "share_of_conversions": found,
            "lift": found / share if share else 1.0,
        }
        if total >= SHOWN_FROM and 0 < share < 1:
            point["low"], point["high"] = wilson(found * total, total)
        points.append(point)
    if len(points) > 1:
        points[0]["lift"] = points[1]["lift"]
    return points


def calibration(y: ArrayLike, probability: ArrayLike, bins: int = 10) -> list[dict[str, float]]:
    """What was predicted and what happened in groups of like predictions.

    Groups hold equal numbers of leads; equal probabilities are never split, so there may
    be fewer groups than asked for.

    Returns
    -------
    list of dict
        ``n``, ``n_conversions``, ``from`` and ``to`` (probabilities), ``predicted`` (mean),
        ``observed`` (share), ``low`` and ``high`` (95 %, Wilson); ascending.
    """
    y_, p = checked(y, probability)
    order = np.argsort(p, kind="stable")
    y_, p = y_[order], p[order]
    points = []
    start = 0
    for wanted in np.rint(np.arange(1, bins + 1) * p.size / bins).astype(int):
        if wanted <= start:
            continue
        end = int(np.searchsorted(p, p[wanted - 1], side="right"))
        points.append(_promise(y_[start:end], p[start:end]))
        start = end
    return points


def by_group(
    y: ArrayLike, probability: ArrayLike, groups: Sequence[Any] | NDArray[Any]
) -> list[dict[str, Any]]:
    """Prediction and outcome of every group, judged.

    Parameters
    ----------
    y, probability
        Shape (n,) each.
    groups
        Shape (n,), names; None is named "not given".

    Returns
    -------
    list of dict
        ``group``, ``n``, ``n_conversions``, ``predicted``, ``observed``, ``low``, ``high``,
        ``roc_auc`` where both outcomes are seen often enough, and ``word``: "in line", "look"
        (the interval of what happened leaves out the prediction) or "too few to judge".
        In the order of first appearance.
    """
    y_, p = checked(y, probability)
    codes: dict[str, int] = {}
    where = np.array(
        [codes.setdefault("not given" if g is None else str(g), len(codes)) for g in groups]
    )
    found = []
    for name, code in codes.items():
        rows = where == code
        point: dict[str, Any] = {"group": name, **_promise(y_[rows], p[rows])}
        won, n = point["n_conversions"], point["n"]
        if min(won, n - won) >= SHOWN_FROM:
            point["roc_auc"] = roc_auc_of(y_[rows], p[rows])
        if max(won, point["predicted"] * n) < _JUDGED_FROM:
            point["word"] = "too few to judge"
        else:
            inside = point["low"] <= point["predicted"] <= point["high"]
            point["word"] = "in line" if inside else "look"
        found.append(point)
    return found


def score_bands(y: ArrayLike, score: ArrayLike, width: int = 10) -> list[dict[str, int]]:
    """Leads and conversions by score 0-100 in bands of ``width``; the last holds 100."""
    y_ = np.asarray(y, dtype=np.float64)
    band = np.minimum(np.asarray(score, dtype=np.int64), 99) // width
    bands = []
    for start in range(0, 100, width):
        rows = band == start // width
        end = min(start + width, 100)
        bands.append(
            {
                "from": start,
                "to": end,
                "n": int(rows.sum()),
                "n_conversions": int(y_[rows].sum()),
            }
        )
    return bands


def _promise(y: Floats, p: Floats) -> dict[str, float]:
    n, won = int(y.size), int(y.sum())
    low, high = wilson(won, n)
    return {
        "n": n,
        "n_conversions": won,
        "from": float(p.min()),
        "to": float(p.max()),
        "predicted": float(p.mean()),
        "observed": won / n,
        "low": low,
        "high": high,
    }
