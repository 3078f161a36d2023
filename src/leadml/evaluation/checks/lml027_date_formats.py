"""LML027: dates that cannot be read as such."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML027",
    "Dates in doubtful formats",
    "warns",
    "Export dates as 2026-11-22 or 2026-11-22T14:05:00Z, all in one form. With slashes it is"
    " not known which number is the day; months in letters and years of two digits are not read.",
)

_FORMS: Final = (
    ("year-month-day", re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?")),
    ("with slashes", re.compile(r"\d{1,4}/\d{1,2}/\d{1,4}(?: .*)?")),
    ("with dots", re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}(?: .*)?")),
    ("with a month in letters", re.compile(r"\d{1,2}[ -][A-Za-z]{3,9}\.?[ -]\d{2,4}(?: .*)?")),
    ("with a month in letters", re.compile(r"[A-Za-z]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}.*")),
)
_MOSTLY: Final = 0.8


def run(data: CheckInput) -> Finding:
    """Find columns of text whose values look like dates in foreign or several forms."""
    figures: list[dict[str, Any]] = []
    rows: np.ndarray[Any, Any] | None = None
    for name in data.candidates:
        reading = data.reading(name)
        if reading.kind != "category" or len(reading.levels) < 3:
            continue
        forms = [_form(level) for level in reading.levels]
        filled = reading.numbers[~reading.missing].astype(np.int64)
        dated = np.array([form != "" for form in forms])
        share = float(dated[filled].mean())
        if share < _MOSTLY:
            continue
        kinds = sorted({form for form in forms if form})
        strange = [i for i, form in enumerate(forms) if form != "year-month-day"]
        rows = np.flatnonzero(np.isin(reading.numbers, strange)) if rows is None else rows
        figures.append({"column": name, "forms": kinds, "share_of_dates": round(share, 4)})
    if rows is None:
        return CHECK.passed("No column holds dates that cannot be read as such.")
    names = [figure["column"] for figure in figures]
    first = figures[0]
    return CHECK.found(
        f"{listed(names)} hold{'s' if len(names) == 1 else ''} dates"
        f" {' and '.join(first['forms'])} ({percent(first['share_of_dates'])} of the values of"
        f" '{names[0]}'), read as text.",
        columns=names,
        rows=rows,
        evidence={"figures": figures},
    )


def _form(text: str) -> str:
    return next((word for word, pattern in _FORMS if pattern.fullmatch(text)), "")
