"""Evidence for small charts: how often something is so, by value of a column."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.evaluation.checks.table import CheckInput, Reading
from leadml.evaluation.metrics import Floats
from leadml.leads.estimate import wilson

__all__ = ["LEVEL_FROM", "NOT_GIVEN", "course_of", "shares_by", "shares_of"]

NOT_GIVEN: Final = "not given"
_LEVELS: Final = 7
_RANGES: Final = 5
LEVEL_FROM: Final = 20
"""Fewest leads for which a level is told by its name."""

_LONGEST: Final = 40
_PARTS: Final = 10
_MONTHS: Final = 24


def shares_of(
    names: list[str], inside: list[NDArray[np.bool_]], so: Floats, fewest: int = 1
) -> list[dict[str, Any]]:
    """Points of a chart: ``name``, ``n``, ``rate``, ``low``, ``high`` (95 %, Wilson).

    Parameters
    ----------
    names
        One for each group of rows.
    inside
        Masks of shape (n,), one for each name; groups of fewer rows than ``fewest`` are left out.
    so
        Shape (n,): 1 where it is so, 0 where not.
    """
    points = []
    for name, rows in zip(names, inside, strict=True):
        n = int(rows.sum())
        if n >= fewest:
            hits = float(so[rows].sum())
            low, high = wilson(hits, n)
            rate = round(hits / n, 4)
            points.append(
                {"name": name, "n": n, "rate": rate, "low": round(low, 4), "high": round(high, 4)}
            )
    return points


def shares_by(reading: Reading, so: Floats, what: str, column: str) -> dict[str, Any]:
    """How often it is so, for every frequent level or every fifth of a number.

    Parameters
    ----------
    reading
        A column, n rows.
    so
        Shape (n,): 1 where it is so, 0 where not, NaN where unknown.
    what
        Of what the shares are, in a word or two.
    column
        Its name.

    Returns
    -------
    dict
        ``what``, ``column``, ``base`` (share over all known rows; 0 without one), ``points``
        as :func:`shares_of` tells them. Levels of fewer than 20 leads stand together, so
        that no point is a single lead.
    """
    known = ~np.isnan(so)
    names, codes = _levels(reading) if reading.levels else _ranges(reading)
    masks = [(codes == code) & known for code in range(len(names))]
    missing = reading.missing & known
    return {
        "what": what,
        "column": column,
        "base": round(float(so[known].mean()), 4) if known.any() else 0.0,
        "points": shares_of([*names, NOT_GIVEN], [*masks, missing], so),
    }


def course_of(data: CheckInput) -> list[dict[str, Any]]:
    """Conversion in the course of time: by month where creation is known, else by tenth."""
    when = data.when
    if when is None:
        return []
    usable = np.flatnonzero(data.known & ~np.isnan(when))
    y, moments = data.y[usable], when[usable]
    if data.order is None or data.order is data.created_at:
        month = np.array([_month(moment) for moment in moments])
        names = sorted(set(month.tolist()))
        if 3 <= len(names) <= _MONTHS:
            return shares_of(names, [month == name for name in names], y)
    ranked = np.argsort(moments, kind="stable")
    tenth = np.empty(len(y), dtype=np.int64)
    for i, part in enumerate(np.array_split(ranked, _PARTS)):
        tenth[part] = i
    words = ["oldest tenth", *(f"tenth {i}" for i in range(2, _PARTS)), "newest tenth"]
    return shares_of(words, [tenth == i for i in range(_PARTS)], y)


def _month(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), tz=UTC).strftime("%Y-%m")


def _levels(reading: Reading) -> tuple[list[str], NDArray[np.int64]]:
    filled = reading.numbers[~reading.missing].astype(np.int64)
    counts = np.bincount(filled, minlength=len(reading.levels))
    kept = [i for i in np.argsort(-counts, kind="stable")[:_LEVELS] if counts[i] >= LEVEL_FROM]
    place = np.full(len(reading.levels) + 1, len(kept))
    place[kept] = np.arange(len(kept))
    place[-1] = -1
    codes = place[np.where(reading.missing, len(reading.levels), reading.numbers).astype(np.int64)]
    left = len(reading.levels) - len(kept)
    others = f"{left} others" if left > 1 else "1 other"
    return [*(reading.levels[i][:_LONGEST] for i in kept), others], codes


def _ranges(reading: Reading) -> tuple[list[str], NDArray[np.int64]]:
    seen = reading.numbers[~reading.missing]
    if not seen.size:
        return [], np.full(reading.numbers.size, -1)
    cuts = np.unique(np.quantile(seen, np.arange(1, _RANGES) / _RANGES, method="lower"))
    codes = np.where(reading.missing, -1, np.searchsorted(cuts, reading.numbers)).astype(np.int64)
    told = [_told(reading, cut) for cut in cuts]
    middle = [f"{low} to {high}" for low, high in pairwise(told)]
    return [f"up to {told[0]}", *middle, f"over {told[-1]}"], codes


def _told(reading: Reading, value: float) -> str:
    if reading.kind == "moment":
        return datetime.fromtimestamp(float(value), tz=UTC).date().isoformat()
    return f"{value:.4g}"
