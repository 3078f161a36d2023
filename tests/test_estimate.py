"""leadml.leads.estimate."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from leadml.leads.estimate import Estimate, percent, wilson


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_equals_scipy(successes, n):
    """The interval of a share equals scipy's Wilson interval and holds the share."""
    successes = min(successes, n)
    low, high = wilson(successes, n)
    reference = binomtest(successes, n).proportion_ci(method="wilson")
    assert low == pytest.approx(reference.low, abs=1e-12)
    assert high == pytest.approx(reference.high, abs=1e-12)
    assert low <= successes / n <= high


def test_plain_data_and_back():
    """An estimate survives JSON with and without its interval."""
    for estimate in (Estimate(0.5), Estimate(0.5, 0.25, 0.75)):
        assert Estimate.from_dict(json.loads(json.dumps(estimate.as_dict()))) == estimate


def test_no_estimate_without_a_number():
    """A figure that is not finite cannot be an estimate."""
    with pytest.raises(ValueError, match="finite"):
        Estimate(float("nan"))
    with pytest.raises(ValueError, match="finite"):
        Estimate(0.5, 0.1, float("inf"))


@given(st.floats(0, 1))
def test_percent_stays_short(share):
    """Every share is at most seven characters: digits, thin space, sign."""
    text = percent(share)
    assert text.endswith("\u202f%")
    assert len(text) <= 7
