"""LML013: a period in which no outcome was recorded."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import course_of
from leadml.evaluation.checks.table import CheckInput, counted
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML013",
    "Period without outcomes",
    "warns",
    "Leave the period out: conversions were probably not recorded yet (or no longer), and its"
    " leads would be learned as lost.",
)

_SLICES: Final = 20
_UNLIKELY: Final = 1e-6


def run(data: CheckInput) -> Finding:
    """Find a start or an end of the history with hardly a conversion."""
    when = data.when
    if when is None:
        return CHECK.not_applicable("No order in time is known.")
    usable = data.known & ~np.isnan(when)
    y = data.y[usable][np.argsort(when[usable], kind="stable")]
    if y.size < 10 * _SLICES or y.sum() < _SLICES:
        return CHECK.not_applicable("There are too few conversions to look at periods.")
    edges = np.rint(np.arange(_SLICES + 1) * y.size / _SLICES).astype(int)
    won = np.add.reduceat(y, edges[:-1])
    size = np.diff(edges)
    usual = float(np.median(won / size))
    if usual == 0:
        return CHECK.not_applicable("Most periods hold no conversion.")
    for word, order in (("oldest", range(_SLICES)), ("newest", range(_SLICES - 1, -1, -1))):
        silent = 0
        for slice_ in order:
            # the chance of so few conversions, were the period like the usual one (Chernoff)
            rate = won[slice_] / size[slice_]
            if rate > 0.15 * usual or _chance(rate, usual, int(size[slice_])) > _UNLIKELY:
                break
            silent += 1
        if silent:
            share = silent / _SLICES
            places = range(silent) if word == "oldest" else range(_SLICES - silent, _SLICES)
            count = int(sum(won[i] for i in places))
            return CHECK.found(
                f"The {word} {percent(share)} of the leads hold {counted(count, 'conversion')},"
                f" where {usual * y.size * share:.0f} would be usual.",
                evidence={
                    "figures": [
                        {"part": i + 1, "n": int(size[i]), "n_conversions": int(won[i])}
                        for i in range(_SLICES)
                    ],
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
    return CHECK.passed("Conversions were recorded from the first lead to the last.")


def _chance(rate: float, usual: float, n: int) -> float:
    """Chernoff's bound on the chance of a share of at most ``rate`` where ``usual`` is true."""
    if rate >= usual:
        return 1.0
    divergence = (1 - rate) * math.log((1 - rate) / (1 - usual))
    if rate > 0:
        divergence += rate * math.log(rate / usual)
    return math.exp(-n * divergence)
