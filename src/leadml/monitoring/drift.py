"""Whether the leads of today are like those a model learned from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.leads.schema import Column
from leadml.leads.vocabulary import Kind
from leadml.scorecard import Scorecard
from leadml.scorecard.card import ColumnTable

__all__ = [
    "FEWEST",
    "LIMITS",
    "Bin",
    "Drift",
    "chance_of",
    "drift_of",
    "input_drift",
    "psi",
    "score_drift",
]

LIMITS: Final = (0.1, 0.25)
"""A population index from which a column has moved, and from which it has shifted."""

FEWEST: Final = 100
"""Fewest leads of today for which drift is judged."""

GROUPS: Final = 10
"""Most groups that the values of a number, or the chances, are cut into."""

RARE: Final = 0.01
"""Levels below this share of the training leads are counted together."""

CALENDAR: Final = frozenset({"month", "day"})
"""Parts of a date that move by themselves; told, never judged."""

_SAME: Final = 1e-9
"""Log-odds closer than this are equal: a moved intercept rounds them anew."""

_Z999: Final = 3.090232306167813
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Share of the leads within a group, then and now, with the count of now."""

    label: str
    then: float
    now: float
    n_now: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"label": self.label, "then": self.then, "now": self.now, "n_now": self.n_now}


@dataclass(frozen=True)
class Drift:
    """How far the distribution of one column, or of the chances, has moved.

    Parameters
    ----------
    name
        The column; ``probability`` for the chances.
    psi
        Population stability index, natural logarithm, 0 for equal distributions.
    chance
        What luck alone reaches in one of 1,000 comparisons of so many leads.
    word
        ``steady``, ``moved``, ``shifted``, ``too few to judge`` or ``calendar``.
    n_then, n_now
        Leads compared.
    bins
        Shares by group.
    """

    name: str
    psi: float
    chance: float
    word: str
    n_then: int
    n_now: int
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "psi": self.psi,
            "chance": self.chance,
            "word": self.word,
            "n_then": self.n_then,
            "n_now": self.n_now,
            "bins": [part.as_dict() for part in self.bins],
        }


def psi(then: ArrayLike, now: ArrayLike) -> float:
    """Population stability index of two sets of counts, shape (k,) each.

    Sum of (now - then) * ln(now / then) over the shares; half a lead is added to every
    group of either set, so that empty groups count without being infinite.

    Examples
    --------
    >>> psi([50, 50], [500, 500]) < 1e-5, round(psi([500, 500], [800, 200]), 2)
    (True, 0.41)
    """
    a, b = (np.asarray(counts, dtype=np.float64) + 0.5 for counts in (then, now))
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum())


def chance_of(groups: int, n_then: float, n_now: float) -> float:
    """The index that luck alone exceeds once in 1,000 times.

    Of equal distributions the index is about chi-squared with ``groups - 1`` degrees,
    times ``1 / n_then + 1 / n_now``; the quantile is Wilson and Hilferty's (1931),
    Proc. Natl. Acad. Sci. 17, 684-688.
    """
    degrees = groups - 1
    if degrees < 1 or n_then <= 0 or n_now <= 0:
        return 0.0
    spread = 2.0 / (9.0 * degrees)
    quantile = degrees * (1.0 - spread + _Z999 * math.sqrt(spread)) ** 3
    return float(quantile * (1.0 / n_then + 1.0 / n_now))


def drift_of(
    name: str,
    labels: Sequence[str],
    then: ArrayLike,
    now: ArrayLike,
    *,
    judged: bool = True,
) -> Drift:
    """Compare counts by group, shape (k,) each, then and now."""
    a, b = np.asarray(then, dtype=np.float64), np.asarray(now, dtype=np.float64)
    seen = (a > 0) | (b > 0)
    n_then, n_now = float(a.sum()), float(b.sum())
    found = psi(a[seen], b[seen]) if seen.any() else 0.0
    chance = chance_of(int(seen.sum()), n_then, n_now)
    if not judged:
        word = "calendar"
    elif n_now < FEWEST:
        word = "too few to judge"
    elif found < LIMITS[0] or found <= chance:
        word = "steady"
    else:
        word = "moved" if found < LIMITS[1] else "shifted"
    bins = tuple(
        Bin(label, float(x / n_then) if n_then else 0.0, float(y / n_now) if n_now else 0.0, int(y))
        for label, x, y, kept in zip(labels, a, b, seen, strict=True)
        if kept
    )
    return Drift(name, found, chance, word, round(n_then), round(n_now), bins)


def score_drift(reference: ArrayLike, log_odds: ArrayLike, n_then: int) -> Drift:
    """Chances of today against those that the same model gives the leads it learned from.

    The leads it was *tested* on got theirs from models of fewer leads, which spread less:
    held against those, leads that did not change at all would seem to have shifted.
    Groups hold a tenth of the training leads each, as far as equal chances allow.

    Parameters
    ----------
    reference
        Log-odds of the training leads' percentiles, shape (100,), as in
        :class:`~leadml.scorecard.Reference`.
    log_odds
        Of the leads of today under the same model, shape (n,).
    n_then
        Training leads.
    """
    cuts = np.asarray(reference, dtype=np.float64)
    edges = np.unique(cuts[GROUPS - 1 : -1 : GROUPS])
    reached = np.searchsorted(cuts, edges, side="right") / cuts.size
    edges, reached = edges[reached < 1.0], reached[reached < 1.0]
    then = np.diff(np.concatenate(([0.0], reached, [1.0])))[::-1] * n_then
    group = np.searchsorted(edges + _SAME, np.asarray(log_odds, dtype=np.float64), side="left")
    now = np.bincount(group, minlength=edges.size + 1)[::-1]
    shown = [f"{1.0 / (1.0 + math.exp(-edge)):.4g}" for edge in edges[::-1]]
    labels = [f"above {shown[0]}"] if shown else ["all"]
    labels += [f"{low} to {high}" for high, low in itertools.pairwise(shown)]
    labels += [f"up to {shown[-1]}"] if shown else []
    return drift_of("probability", labels, then, now.astype(float))


def input_drift(
    scorecard: Scorecard, bins: Sequence[NDArray[np.int32]], n_then: int
) -> list[Drift]:
    """Every column of the leads of today against the training, the most moved first.

    Parameters
    ----------
    scorecard
        Holds the shares of the training leads per bin.
    bins
        Bin of each lead of today per column, as ``Scorer.bins`` gives them.
    n_then
        Leads learned from.
    """
    found = []
    for column, table, at in zip(scorecard.schema.columns, scorecard.columns, bins, strict=True):
        groups, labels = _groups(column, table)
        then = np.bincount(groups, table.share * n_then, minlength=len(labels))
        now = np.bincount(groups[at], minlength=len(labels)).astype(np.float64)
        judged = column.derive not in CALENDAR
        found.append(drift_of(column.name, labels, then, now, judged=judged))
    return sorted(found, key=lambda drift: (drift.word == "calendar", -drift.psi, drift.name))


def _groups(column: Column, table: ColumnTable) -> tuple[NDArray[np.intp], list[str]]:
    """The group of each bin of a column, shape (n_bins,), and what the groups are called."""
    if column.kind is Kind.NUMBER:
        return _ranges(table)
    names: dict[int, list[str]] = {}
    for level, at in zip(column.levels, table.level_bins, strict=True):
        names.setdefault(at, []).append(level)
    labels = ["not given", "rare values"]
    groups = np.ones(table.n_bins, dtype=np.intp)
    for at, levels in names.items():
        if table.share[at] >= RARE and at not in (table.missing_bin, table.pooled_bin):
            groups[at] = len(labels)
            more = f" and {len(levels) - 1} more" if len(levels) > 1 else ""
            labels.append(levels[0] + more)
    if table.unseen_bin not in names and table.unseen_bin not in (
        table.missing_bin,
        table.pooled_bin,
    ):
        groups[table.unseen_bin] = len(labels)
        labels.append("values that training never saw")
    groups[table.missing_bin] = 0
    return groups, labels


def _ranges(table: ColumnTable) -> tuple[NDArray[np.intp], list[str]]:
    """Neighbouring bins of a number joined to at most ten groups of like size."""
    n = len(table.thresholds) + 1
    share = table.share[:n]
    total = float(share.sum())
    middle = share.cumsum() - share / 2
    place = np.zeros(n, dtype=np.intp)
    if total > 0:
        place = np.minimum((middle / total * GROUPS).astype(np.intp), GROUPS - 1)
    _, place = np.unique(place, return_inverse=True)
    cuts = table.thresholds[np.flatnonzero(np.diff(place))]
    edges = ["", *(f"{cut:.6g}" for cut in cuts), ""]
    labels = [_range(low, high) for low, high in itertools.pairwise(edges)]
    groups = np.full(table.n_bins, len(labels), dtype=np.intp)
    groups[:n] = place
    return groups, [*labels, "not given"]


def _range(low: str, high: str) -> str:
    if not low and not high:
        return "any number"
    if not low:
        return f"up to {high}"
    return f"above {low}" if not high else f"above {low} to {high}"
