"""Timestamps as aware UTC moments, or as the calendar parts a model may use."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from leadml.leads.values import BAD, MISSING_WORDS, Bad

__all__ = ["DERIVED_PARTS", "moment_of", "part_of"]

DERIVED_PARTS: Final = ("weekday", "day", "month", "hour")

_FRACTION = re.compile(r"(\.\d{6})\d+")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,? +(\d{1,2}:\d{2}(?::\d{2})?))?")


def moment_of(value: Any) -> datetime | None | Bad:
    """Read a timestamp; naive ones are taken as UTC, None is missing, BAD is no timestamp.

    Text is ISO 8601 (a date alone is its midnight), or a date with dots, which has the day
    first wherever it is written; objects with ``isoformat`` (datetime, date, pandas and
    numpy timestamps) are read through it.

    >>> moment_of("2018-03-02").isoformat()
    '2018-03-02T00:00:00+00:00'
    >>> moment_of("2018-03-02T01:00:00+02:00").isoformat()
    '2018-03-01T23:00:00+00:00'
    >>> moment_of("31.3.2018 09:05").isoformat()
    '2018-03-31T09:05:00+00:00'
    >>> moment_of("soon") is BAD
    True
    """
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING_WORDS:
            return None
        try:
            moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        except ValueError:
            return _dotted(text)
    elif isinstance(value, datetime):
        if value != value:  # NaT is a datetime that differs from itself
            return None
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif type(value).__name__ == "NAType" or value is None or value != value:
        return None
    elif hasattr(value, "astype"):  # numpy.datetime64
        return moment_of(str(value))
    else:
        return BAD
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999 once its offset is taken off
        return BAD


def _dotted(text: str) -> datetime | Bad:
    """A date with dots, its day first, with or without a time of day."""
    found = _DOTTED.fullmatch(text)
    if found is None:
        return BAD
    day, month, year, clock = found.groups()
    hour, minute, second = (*map(int, (clock or "0:0").split(":")), 0)[:3]
    try:
        return datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return BAD


def part_of(value: Any, derive: str) -> float | None | Bad:
    """One calendar part of a timestamp as a number (see ``leads.schema.Column.derive``)."""
    moment = moment_of(value)
    if moment is None or isinstance(moment, Bad):
        return moment
    if derive == "weekday":
        return float(moment.weekday())
    return float(getattr(moment, derive))
