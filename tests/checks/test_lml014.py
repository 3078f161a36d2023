"""leadml.evaluation.checks.lml014_few_conversions."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml014_few_conversions import run
from tests.checks.planted import history


@pytest.mark.parametrize(("won", "word"), [(14, "base rate"), (15, "provisional"), (99, "provis")])
def test_few_conversions_warn(won, word):
    """Below 15 and below 100 conversions what follows is said."""
    y = np.zeros(3000)
    y[:won] = 1
    found = run(history(y=y))
    assert (found.status, found.severity) == ("found", "warns")
    assert word in found.detail
    assert f"{won} conversions" in found.detail


def test_the_rarer_outcome_counts():
    """Few leads that did not convert are as bad."""
    y = np.ones(3000)
    y[:20] = 0
    assert "20 leads that did not convert" in run(history(y=y)).detail


def test_a_hundred_are_enough():
    """100 conversions pass."""
    y = np.zeros(3000)
    y[:100] = 1
    assert run(history(y=y)).status == "passed"
