"""One reading of a raw value."""

import math
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.leads.values import BAD, LARGEST, MISSING_WORDS, number_of, text_of

texts = st.text(max_size=20)


@given(texts)
def test_text_is_read_the_same_in_every_unicode_form_and_surrounding_space(text):
    """Composed, decomposed and padded text is one category."""
    read = text_of(text)
    assert text_of(unicodedata.normalize("NFD", text)) == read
    assert text_of(f"  {text}\t\n") == read


@given(texts)
def test_reading_text_twice_changes_nothing(text):
    """What was read reads as itself, so exports and re-imports agree."""
    read = text_of(text)
    assert text_of(read) == read


@given(st.integers(-(10**12), 10**12))
def test_a_whole_number_is_one_category_in_every_form(number):
    """1, 1.0, "1" and "1.0" are the same category."""
    forms = [
        number,
        float(number),
        str(number),
        f"{number}.0",
        np.int64(number),
        np.float64(number),
    ]
    assert {text_of(form) for form in forms} == {str(number)}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_the_same_from_text(number):
    """JSON numbers and CSV cells of the same number agree to the bit."""
    assert number_of(repr(number)) == number == number_of(number)


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.nan, pd.NA, pd.NaT, *sorted(MISSING_WORDS)]
)
def test_every_kind_of_nothing_is_missing(missing):
    """None, NaN, NA, NaT and the missing words are no value in both kinds."""
    assert number_of(missing) is None
    assert text_of(missing) is None


@pytest.mark.parametrize("text", ["many", "1,5", "1 000", "12a", "0x10", "--1", "١٢", [1], {}])
def test_what_is_no_number_is_marked_and_never_guessed(text):
    """Decimal commas, thousands, other digits and words are not numbers."""
    assert number_of(text) is BAD


def test_booleans_are_words_whatever_their_capitals():
    """True, "TRUE" and numpy's true are one category."""
    assert {text_of(v) for v in (True, np.True_, "True", "TRUE", "true")} == {"true"}


def test_infinities_are_the_largest_numbers():
    """A file may hold them; they fall into the outer bins."""
    assert number_of("inf") == number_of(math.inf) == number_of("1e999") == LARGEST
    assert number_of("-inf") == -LARGEST
