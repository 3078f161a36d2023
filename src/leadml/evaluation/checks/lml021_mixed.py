"""LML021: a column of numbers with words in it."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent
from leadml.leads.values import BAD, number_of

__all__ = ["CHECK", "WRITTEN_NUMBER", "run"]

CHECK = Check(
    "LML021",
    "Numbers mixed with words",
    "warns",
    "Empty the cells that hold no number, or write them as numbers (a point for decimals, no"
    " thousands separators, no units).",
)

_MOSTLY: Final = 0.5
_FEWEST: Final = 10
_CURRENCY: Final = r"(?:[$£¥€]|EUR|USD|GBP|CHF)"
WRITTEN_NUMBER: Final = re.compile(
    rf"{_CURRENCY}? ?[+-]?(?:\d{{1,3}}(?:[., '’]\d{{3}})+|\d+)(?:[.,]\d+)? ?(?:%|{_CURRENCY})?"
)
"""Thousands separators, decimal commas, per cent, money: numbers to people only."""


def run(data: CheckInput) -> Finding:
    """Find columns read as text although most values are numbers."""
    figures: list[dict[str, Any]] = []
    rows: np.ndarray[Any, Any] | None = None
    for name in data.candidates:
        reading = data.reading(name)
        if reading.kind != "category":
            continue
        words = [i for i, level in enumerate(reading.levels) if number_of(level) is BAD]
        if not words or len(reading.levels) < _FEWEST:
            continue  # a handful of digits among words are codes
        filled = reading.numbers[~reading.missing]
        forms = [i for i in words if WRITTEN_NUMBER.fullmatch(reading.levels[i])]
        foreign = bool(np.isin(filled, forms).mean() > _MOSTLY)
        strange = forms if foreign else words
        share = float(np.isin(filled, strange).mean())
        if not foreign and (len(reading.levels) - len(words) < _FEWEST or 1 - share < _MOSTLY):
            continue
        if rows is None:
            rows = np.flatnonzero(np.isin(reading.numbers, strange))
        are = "foreign forms" if foreign else "words"
        figures.append({"column": name, "share_of_words": round(share, 4), "are": are})
    if not figures or rows is None:
        return CHECK.passed("No column mixes numbers and words.")
    names = [figure["column"] for figure in figures]
    what = {
        "words": "are words",
        "foreign forms": "have a separator, a sign or a unit that is not read",
    }[figures[0]["are"]]
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} numbers, but"
        f" {percent(figures[0]['share_of_words'])} of the values of '{names[0]}' {what}, so it"
        " is read as text.",
        columns=names,
        rows=rows,
        evidence={"figures": figures},
    )
