"""Reasons of a score in words, with the digits people see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from leadml.leads.schema import Schema
from leadml.leads.values import text_of

__all__ = ["AS_TYPICAL", "TIMES", "digits4", "odds_words", "reasons_of"]

AS_TYPICAL: Final = "odds as a typical lead's"
TIMES: Final = "odds %s times a typical lead's"


def digits4(probability: float) -> float:
    """A probability as every surface shows it: four significant digits.

    >>> digits4(0.312449), digits4(0.0000312449)
    (0.3124, 3.124e-05)
    """
    return float(f"{probability:.4g}")


def odds_words(log_odds: float) -> str:
    """An odds factor in words.

    >>> odds_words(0.6931), odds_words(-0.1054)
    ("odds 2.0 times a typical lead's", "odds 0.9 times a typical lead's")
    >>> odds_words(0.0)
    "odds as a typical lead's"
    """
    ratio = math.exp(log_odds)
    shown = f"{ratio:.1f}" if 0.095 <= ratio < 99.95 else f"{ratio:.2g}"
    if shown == "1.0":
        shown = f"{ratio:.2f}"
        if shown == "1.00":
            return AS_TYPICAL
    return TIMES % shown


def reasons_of(
    schema: Schema,
    contributions: Sequence[float],
    values: Sequence[float | str | None],
    limit: int | None = 5,
) -> tuple[list[dict[str, Any]], float]:
    """The strongest contributions as reasons, and the log-odds of all others.

    Parameters
    ----------
    schema
        Columns, in the order of the other arguments.
    contributions
        Log-odds per column.
    values
        What the lead had, as read; None is missing.
    limit
        How many reasons; None for all.

    Returns
    -------
    tuple
        Reasons as in the API, strongest first (ties by column order), rounded for
        reading; and the unrounded sum of what they leave out.
    """
    weakest_last = [-abs(points) for points in contributions]
    order = sorted(range(len(contributions)), key=weakest_last.__getitem__)  # ties in order
    kept = order if limit is None else order[:limit]
    reasons = []
    for i in kept:
        column = schema.columns[i]
        reason: dict[str, Any] = {"field": column.name}
        value = text_of(values[i])
        if value is not None:
            reason["value"] = value
        points = contributions[i]
        reason["log_odds"] = round(points, 4) + 0.0  # never -0.0
        reason["odds_ratio"] = round(math.exp(points), 2)
        reason["role"] = column.role.value
        reason["text"] = f"{column.say(value)}: {odds_words(points)}"
        reasons.append(reason)
    other = 0.0
    for i in order[len(kept) :]:
        other += contributions[i]
    return reasons, other
