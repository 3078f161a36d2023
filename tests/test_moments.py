"""Timestamps become UTC moments, or are refused; none breaks a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.features.moments import DERIVED_PARTS, moment_of, part_of
from leadml.leads.values import BAD


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("derive", DERIVED_PARTS)
def test_moment_beyond_the_calendar_is_refused(text: str, derive: str) -> None:
    """A time whose offset leads out of the years 1 to 9999 is no timestamp."""
    assert moment_of(text) is BAD
    assert part_of(text, derive) is BAD


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("31.12.2025", "2025-12-31"),
        ("1.2.2026", "2026-02-01"),
        ("01.02.2026, 9:05", "2026-02-01T09:05"),
        ("01.02.2026 23:05:59", "2026-02-01T23:05:59"),
    ],
)
def test_dates_with_dots_have_the_day_first(text: str, iso: str) -> None:
    """Wherever dates are written with dots, the day stands first: a CRM's request may too."""
    assert moment_of(text) == datetime.fromisoformat(iso).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["31.02.2026", "1.13.2026", "1.2.26", "1.2.2026 24:00", "1.2"])
def test_other_numbers_with_dots_are_no_dates(text: str) -> None:
    """Impossible days, short years, versions."""
    assert moment_of(text) is BAD


@given(
    st.datetimes(
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
    )
)
def test_every_time_is_utc_or_refused(when: datetime) -> None:
    """Any time in any offset, as text or object, is one UTC moment or refused; none raises."""
    read = moment_of(when)
    assert read is BAD or (isinstance(read, datetime) and read.tzinfo is UTC and read == when)
    assert moment_of(when.isoformat()) == read
