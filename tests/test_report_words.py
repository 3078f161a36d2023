"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.reports import words


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.614, "61\u202f%"),
        (0.0962, "9.6\u202f%"),
        (0.0996, "10\u202f%"),
        (0.002, "0.2\u202f%"),
        (0.0001, "<0.1\u202f%"),
        (0.0, "0\u202f%"),
        (1.0, "100\u202f%"),
        (0.997, "99.7\u202f%"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_chance_shows_the_digits_that_help(share: float | None, text: str) -> None:
    """Whole percents from 10 %, one decimal below, a floor for traces, a dash for nothing."""
    assert words.chance(share) == text


@given(st.floats(0.001, 0.999))
def test_chance_is_never_off_by_more_than_half_a_digit(share: float) -> None:
    """The percentage read back is within half a unit of its last digit."""
    shown = float(words.chance(share).replace("\u202f%", "")) / 100
    assert abs(shown - share) <= (0.00501 if share >= 0.0995 else 0.000501)


def test_intervals_share_one_unit() -> None:
    """A range of shares names the unit once and uses the finer of both precisions."""
    assert words.chance_range(0.58, 0.634) == "58–63\u202f%"
    assert words.chance_range(0.08, 0.12) == "8.0–12.0\u202f%"
    assert words.chance_range(None, 0.2) == ""


def test_negative_ranges_are_readable() -> None:
    """A range that starts below zero says "to", so that no dash meets a minus."""
    assert words.range_of(-0.1, 0.2, 1) == "−0.1 to 0.2"


@given(st.floats(-1e6, 1e6))
def test_odds_never_fail_nor_vanish(log_odds: float) -> None:
    """Any contribution becomes a positive factor with the times sign."""
    text = words.odds(log_odds)
    assert text.startswith("×")
    assert float(text[1:].replace(",", "")) > 0


@given(st.floats(-1e300, 1e300))
def test_plain_number_keeps_four_digits(value: float) -> None:
    """A value of a column reads back within its shown precision, whatever its size."""
    text = words.plain_number(value).replace("−", "-").replace(",", "")
    unit = {"M": 1e6, "G": 1e9}.get(text[-1], 1.0)
    back = float(text.rstrip("MG")) * unit
    assert back == pytest.approx(value, rel=0.06, abs=1e-300)


def test_days_of_any_precision() -> None:
    """Days and months are spelled out; text that is no date stays as it is."""
    assert words.day("2026-03-01") == "1 March 2026"
    assert words.day("2026-03-01T10:00:00+00:00") == "1 March 2026"
    assert words.day("2026-03") == "March 2026"
    assert words.day("row 3 %") == "row 3 %"
    assert words.day(None) == ""


def test_tiny_figures_show_their_power() -> None:
    """Differences near zero are written with a power of ten, never as 0.000."""
    assert words.tiny(3.6e-15) == "4 × 10⁻¹⁵"
    assert words.tiny(9.7e-15) == "1 × 10⁻¹⁴"
    assert words.tiny(0.0) == "0"


def test_columns_are_named_for_people() -> None:
    """A label wins over the name; underscores become blanks; nothing becomes empty."""
    assert words.name_of({"column": "a_b", "label": "a b c"}) == "A b c"
    assert words.name_of({"column": "a_b"}) == "A b"
    assert words.name_of({"column": "_"}) == "_"
