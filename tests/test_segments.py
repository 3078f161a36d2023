"""Figures of a model for every level of a column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.evaluation.segments import NOT_GIVEN, by_level, levels_of


def leads(n=3000, seed=0):
    """Right predictions but for the web, where they are twice what happens."""
    random = np.random.default_rng(seed)
    source = np.array(["web", "fair", None, "ad"], dtype=object)[random.integers(0, 4, n)]
    p = random.uniform(0.05, 0.5, n)
    truth = np.where(source == "web", p / 2, p)
    return (random.random(n) < truth).astype(float), p, source


def test_a_level_that_the_model_is_wrong_about_is_named():
    """Only the web's interval leaves out its prediction."""
    y, p, source = leads()
    found = {level["group"]: level for level in by_level(y, p, source, p > 0.3)}
    assert found["web"]["word"] == "look"
    assert found["web"]["predicted"] > found["web"]["high"]
    assert [found[name]["word"] for name in ("fair", "ad", NOT_GIVEN)] == ["in line"] * 3
    assert found["web"]["lift"] < 0.8 < found["ad"]["lift"]


def test_ranking_and_selection_are_told_per_level():
    """AUC with its interval, the share above the line, the conversions among them."""
    y, p, source = leads()
    for level in by_level(y, p, source, p > 0.3):
        auc = level["roc_auc"]
        assert auc["low"] < auc["value"] < auc["high"]
        rows = np.array([level["group"] == (s or NOT_GIVEN) for s in source])
        assert level["n"] == rows.sum()
        assert level["chosen"] == pytest.approx((p[rows] > 0.3).mean())
        assert level["found"] == pytest.approx(y[rows & (p > 0.3)].sum() / y[rows].sum())
        assert level["found_low"] < level["found"] < level["found_high"]


def test_too_few_conversions_are_not_judged():
    """A level of thirty leads without a conversion: no AUC, no judgement."""
    y, p, source = leads()
    source[:30], y[:30], p[:30] = "shop", 0.0, 0.05
    (level,) = [one for one in by_level(y, p, source, p > 0.3) if one["group"] == "shop"]
    assert level["word"] == "too few to judge"
    assert "roc_auc" not in level
    assert "found" not in level


def test_rare_levels_stand_together_behind_the_frequent_ones():
    """The most frequent first, then the rest, then what is missing."""
    values = ["a"] * 40 + ["b"] * 60 + [f"x{k}" for k in range(30)] + [None] * 25
    names, order = levels_of(values)
    assert order == ["b", "a", "30 others", NOT_GIVEN]
    assert names[0] == "a"
    assert names[-1] == NOT_GIVEN


def test_a_level_of_few_leads_is_never_named():
    """Not even where it is the only one left; a frequent one left over is."""
    assert levels_of(["a"] * 40 + ["Ada"] * 2)[1] == ["a", "1 other"]
    assert levels_of(["a"] * 40 + ["b"] * 30, most=1)[1] == ["a", "b"]


def test_numbers_become_ranges_in_their_order():
    """Ages are told as four ranges, each with about as many leads."""
    ages = [float(age) for age in range(18, 78)] * 10
    names, order = levels_of([*ages, None])
    assert order == ["up to 32", "over 32 to 47", "over 47 to 62", "over 62", NOT_GIVEN]
    assert {names.count(name) for name in order[:4]} == {150}


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-5, 40), st.floats(), st.text(max_size=3)), min_size=1
    ),
    st.integers(1, 5),
)
def test_every_lead_has_one_level_and_every_level_a_lead(values, most):
    """Whatever the values are, levels part the leads."""
    names, order = levels_of(values, most)
    assert len(names) == len(values)
    assert set(names) == set(order)
    assert len(order) == len(set(order))
