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
