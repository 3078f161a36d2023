"""Whether a model holds for every kind of lead: figures per level of a column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.evaluation.curves import by_group
from leadml.evaluation.metrics import checked, roc_auc_estimate
from leadml.leads.estimate import wilson
from leadml.leads.values import text_of

__all__ = ["LEVELS", "NOT_GIVEN", "by_level", "levels_of"]

LEVELS: Final = 8
"""Levels told one by one; the rest is told together."""

NOT_GIVEN: Final = "not given"
_RANGES: Final = 4
_LEVEL_FROM: Final = 20
_FEW_NUMBERS: Final = 10


def levels_of(
    values: Sequence[Any] | NDArray[Any], most: int = LEVELS
) -> tuple[list[str], list[str]]:
    """Each lead's level of a column, by name; rare ones together, numbers as ranges.

    Parameters
    ----------
    values
        Shape (n,), raw.
    most
        Levels told one by one; of numbers with more than ten values four ranges of equal
        numbers of leads are made.

    Returns
    -------
    tuple
        Names of shape (n,); then every name once, the most frequent first, ranges ascending.
        Missing is "not given", levels beyond the most frequent or of fewer than 20 leads
        are "others".
    """
    texts = _texts(values)
    distinct = {text for text in texts if text is not None}
    if len(distinct) > _FEW_NUMBERS and (found := _ranges(texts, distinct)) is not None:
        return found
    counts: dict[str, int] = {}
    for text in texts:
        if text is not None:
            counts[text] = counts.get(text, 0) + 1
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    kept = {text for text in ranked[:most] if counts[text] >= _LEVEL_FROM}
    left = [text for text in ranked if text not in kept]
    others = f"{len(left)} others" if len(left) > 1 else "1 other"
    if len(left) == 1 and counts[left[0]] >= _LEVEL_FROM:
        others = left[0]
    names = [NOT_GIVEN if text is None else text if text in kept else others for text in texts]
    return names, _present([*(t for t in ranked if t in kept), others, NOT_GIVEN], names)


def _texts(values: Sequence[Any] | NDArray[Any]) -> list[str | None]:
    """Values as texts; equal texts are read once."""
    memory: dict[str, str | None] = {}
    texts = []
    for value in values:
        if type(value) is not str:
            texts.append(text_of(value))
            continue
        if value not in memory:
            memory[value] = text_of(value)
        texts.append(memory[value])
    return texts


def _present(order: Sequence[str], names: Sequence[str]) -> list[str]:
    seen = set(names)
    return [name for name in dict.fromkeys(order) if name in seen]


def _ranges(texts: Sequence[str | None], distinct: set[str]) -> tuple[list[str], list[str]] | None:
    try:
        numbers = {text: float(text) for text in distinct}
    except ValueError:
        return None
    seen = np.array([numbers[text] for text in texts if text is not None])
    cuts = np.unique(np.quantile(seen, np.arange(1, _RANGES) / _RANGES, method="lower"))
    place = {text: int(np.searchsorted(cuts, number)) for text, number in numbers.items()}
    ranges = [f"up to {cuts[0]:.4g}"]
    ranges += [f"over {low:.4g} to {high:.4g}" for low, high in pairwise(cuts)]
    ranges.append(f"over {cuts[-1]:.4g}")
    names = [NOT_GIVEN if text is None else ranges[place[text]] for text in texts]
    return names, _present([*ranges, NOT_GIVEN], names)


def by_level(
    y: ArrayLike,
    probability: ArrayLike,
    values: Sequence[Any] | NDArray[Any],
    chosen: ArrayLike,
    most: int = LEVELS,
) -> list[dict[str, Any]]:
    """Performance for every level of a column, on leads that were not learned from.

    Parameters
    ----------
    y, probability
        Shape (n,) each.
    values
        Shape (n,): the column, raw.
    chosen
        Shape (n,): which leads stand at or above the MQL line.
    most
        See :func:`levels_of`.

    Returns
    -------
    list of dict
        What :func:`~leadml.evaluation.curves.by_group` tells, and ``lift`` (conversion rate
        as a multiple of that of all leads), ``chosen`` (share of the leads at or above the
        line), ``found`` (share of its conversions among them, with ``found_low`` and
        ``found_high``, Wilson); ``roc_auc`` has an interval and is there from 20 conversions
        and 20 leads without one on. In the order of :func:`levels_of`.
    """
    y_, p = checked(y, probability)
    told, order = levels_of(values, most)
    names = np.array(told, dtype=object)
    above = np.asarray(chosen, dtype=bool)
    base = float(y_.mean())
    found = by_group(y_, p, names.tolist())
    for level in found:
        rows = names == level["group"]
        won = level["n_conversions"]
        level.pop("roc_auc", None)
        auc = roc_auc_estimate(y_[rows], p[rows])
        if auc is not None:
            level["roc_auc"] = auc.as_dict()
        level["lift"] = level["observed"] / base if base else 0.0
        level["chosen"] = float(above[rows].mean())
        if won:
            caught = float(y_[rows & above].sum())
            level["found"] = caught / won
            level["found_low"], level["found_high"] = wilson(caught, won)
    return sorted(found, key=lambda level: order.index(level["group"]))
