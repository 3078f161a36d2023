"""The query of a request: read strictly, whatever it holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.api.query import choice_in, number_in, parameters_of, whole_in
from leadml.errors import InvalidParameter


@given(st.binary() | st.text("limit=&%+;0123456789abcdef\x00", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(query: bytes) -> None:
    """A query is parameters that are known, or one error; nothing else is raised."""
    with contextlib.suppress(InvalidParameter):
        assert parameters_of(query, ("limit",)).keys() <= {"limit"}


@pytest.mark.parametrize("given_", ["", "-1", "201", "1e1", "1_0", "²", "٣", " 1", "9" * 400])
def test_odd_whole_numbers_are_refused(given_: str) -> None:
    """Only digits within the bounds are a whole number."""
    with pytest.raises(InvalidParameter, match="whole number from 0 to 200"):
        whole_in({"limit": given_}, "limit", 50, 0, 200)


@pytest.mark.parametrize("given_", ["", "nan", "inf", "1e400", "1_0", "٣", "0x1", " 1", "9" * 400])
def test_odd_numbers_are_refused(given_: str) -> None:
    """Only plain numbers that are not beyond all bounds count."""
    with pytest.raises(InvalidParameter):
        number_in({"value": given_}, "value")


def test_other_words_are_refused() -> None:
    """A word that is none of those offered is named with those that are."""
    with pytest.raises(InvalidParameter, match="format must be json or csv"):
        choice_in({"format": "CSV"}, "format", ("json", "csv"), "json")
