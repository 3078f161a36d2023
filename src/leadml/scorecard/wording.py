"""Reasons of many leads at once, to the digits of one.

:func:`leadml.scorecard.reasons.reasons_of` says what a reason is. Here the same
reasons are made column-wise: ordering, rounding and factors by numpy for the whole
batch, sentences put together from parts that are kept. numpy rounds by multiplying,
Python by the exact decimal; they can only differ next to a tie, and what stands next
to a tie is rounded by Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leadml.leads.schema import Column, Schema
from leadml.leads.values import text_of
from leadml.scorecard.reasons import AS_TYPICAL, TIMES, odds_words

__all__ = ["BY_HAND", "KEPT", "WORDS", "Digits", "Wording", "digits_of"]

KEPT: Final = 512
"""Sentences kept per column; further values are put into words each time."""

_LONGEST_KEPT: Final = 200
_NEAR: Final = 1e-6  # this close to a tie, in units of the last digit, Python rounds
_LARGEST: Final = 1e4  # factors beyond are rounded by Python
_TENTHS: Final = tuple(": " + TIMES % f"{k / 10:.1f}" for k in range(1000))
_LEAST: Final = 95
_HUNDREDTHS: Final = {
    k: ": " + (AS_TYPICAL if k == 100 else TIMES % f"{k / 100:.2f}") for k in range(_LEAST, 106)
}

Floats = NDArray[np.float64]
Said = tuple[str | None, str]


class Wording:
    """The words of one schema; what it keeps is bounded, so it may live with a server.

    Safe to share between threads: an entry is only ever added, whole, and two threads
    that add the same one add the same words.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._columns = [(column.name, column.role.value) for column in schema.columns]
        self._kept: list[dict[Any, Said]] = [{} for _ in schema.columns]

    def one(
        self,
        contributions: Sequence[float],
        values: Sequence[float | str | None],
        limit: int | None = 5,
    ) -> tuple[list[dict[str, Any]], float]:
        """Reasons of one lead and the log-odds of all others, as ``reasons_of`` gives them."""
        weakest_last = [-abs(points) for points in contributions]
        order = sorted(range(len(contributions)), key=weakest_last.__getitem__)
        kept = len(order) if limit is None else min(limit, len(order))
        reasons = []
        for i in order[:kept]:
            value, said = self._kept[i].get(values[i]) or self._say(i, values[i])
            points = contributions[i]
            name, role = self._columns[i]
            reason: dict[str, Any] = {"field": name}
            if value is not None:
                reason["value"] = value
            reason["log_odds"] = round(points, 4) + 0.0  # never -0.0
            reason["odds_ratio"] = round(math.exp(points), 2)
            reason["role"] = role
            reason["text"] = f"{said}: {odds_words(points)}"
            reasons.append(reason)
        other = 0.0
        for i in order[kept:]:
            other += contributions[i]
        return reasons, other

    def many(
        self, contributions: Floats, readings: Sequence[NDArray[Any]], limit: int | None = 5
    ) -> tuple[list[list[dict[str, Any]]], list[float]]:
        """Reasons of many leads and the log-odds of all others.

        Parameters
        ----------
        contributions
            Finite log-odds, shape (n, n_columns).
        readings
            Per column what was read, each of shape (n,): floats (NaN missing) or texts
            (None missing).
        limit
            How many reasons per lead; None for all.

        Returns
        -------
        tuple
            Per lead what :func:`~leadml.scorecard.reasons.reasons_of` gives for it.
        """
        n, width = contributions.shape
        kept = width if limit is None else min(limit, width)
        order = np.argsort(-np.abs(contributions), axis=1, kind="stable")
        ordered = np.take_along_axis(contributions, order, axis=1)
        other = np.zeros(n)
        for place in range(kept, width):
            other += ordered[:, place]
        made: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        # column by column of the answer: all strongest reasons, then all second ones, …
        values = [column.tolist() for column in readings] if kept else []
        for place in range(kept):
            points = ordered[:, place]
            which = order[:, place].tolist()
            shown, ratios, words = _figures(points)
            for row, i in enumerate(which):
                raw = values[i][row]
                value, said = self._kept[i].get(raw) or self._say(i, raw)
                name, role = self._columns[i]
                if value is None:
                    reason = {
                        "field": name,
                        "log_odds": shown[row],
                        "odds_ratio": ratios[row],
                        "role": role,
                        "text": said + words[row],
                    }
                else:
                    reason = {
                        "field": name,
                        "value": value,
                        "log_odds": shown[row],
                        "odds_ratio": ratios[row],
                        "role": role,
                        "text": said + words[row],
                    }
                made[row].append(reason)
        return made, other.tolist()

    def _say(self, i: int, raw: float | str | None) -> Said:
        """The value of a column as text, and in words."""
        if raw != raw:  # NaN, the missing number of an array
            raw = None
        column: Column = self.schema.columns[i]
        value = text_of(raw)
        found = (value, column.say(value))
        kept = self._kept[i]
        if len(kept) < KEPT and (value is None or len(value) <= _LONGEST_KEPT):
            kept[raw] = found
        return found


class Digits(NamedTuple):
    """Log-odds as people see them, by their last digit; each of shape (n,)."""

    log_odds: NDArray[np.int64]
    """In ten-thousandths."""

    odds_ratio: NDArray[np.int64]
    """In hundredths; :data:`BY_HAND` for factors that Python must round."""

    words: NDArray[np.int64]
    """Place of the factor in :data:`WORDS`; :data:`BY_HAND` where it stands in none."""


BY_HAND: Final = -1
WORDS: Final = (*_TENTHS, *_HUNDREDTHS.values())
"""What follows a sentence: factors of 0.0 to 99.9, then those between 0.95 and 1.05."""


def digits_of(points: Floats) -> Digits:
    """Round log-odds and their factors as Python does; ``points`` are finite, shape (n,)."""
    scaled = points * 1e4
    whole = np.rint(scaled)
    for at in np.flatnonzero(np.abs(scaled - whole) > 0.5 - _NEAR * (1 + np.abs(points))).tolist():
        whole[at] = round(round(float(points[at]), 4) * 1e4)
    with np.errstate(over="ignore"):
        ratio = np.exp(points)
    large = ratio > _LARGEST
    ratio[large] = 1.0
    room = 0.5 - _NEAR * (1 + ratio)
    scaled = ratio * 100
    hundredths = np.rint(scaled)
    near = large | (np.abs(scaled - hundredths) > room)
    scaled = ratio * 10
    tenths = np.rint(scaled)
    odd = near | (ratio < 0.0951) | (ratio > 99.9) | (np.abs(scaled - tenths) > room)
    ratios = hundredths.astype(np.int64)
    words = tenths.astype(np.int64)
    ones = words == 10
    words[ones] = ratios[ones] + (len(_TENTHS) - _LEAST)
    ratios[near] = BY_HAND
    words[odd] = BY_HAND
    return Digits(whole.astype(np.int64), ratios, words)


def _figures(points: Floats) -> tuple[list[float], list[float], list[str]]:
    """Log-odds to 4 digits, factors to 2, and the factors in words, each of n."""
    digits = digits_of(points)
    ratios = (digits.odds_ratio / 100).tolist()
    words = [WORDS[place] for place in digits.words.tolist()]
    for at in np.flatnonzero(digits.odds_ratio == BY_HAND).tolist():
        ratios[at] = round(math.exp(float(points[at])), 2)
    for at in np.flatnonzero(digits.words == BY_HAND).tolist():
        words[at] = ": " + odds_words(float(points[at]))
    return (digits.log_odds / 1e4).tolist(), ratios, words
