"""Effects of a scorecard changed by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned import learned

from leadml.errors import ColumnMissing, ConfigError
from leadml.scorecard import ColumnTable, Scorer
from leadml.scorecard.direction import worst_step
from leadml.scorecard.editing import cap, edit, flatten, monotone, refuse_unreadable
from tests import hand_made

LEADS = hand_made.leads(300, seed=4)
VIEWS = "pricing_page_views_30d"


def contributions(card, column):
    """Contribution of one column to every lead."""
    return Scorer(card).many(LEADS).contributions[:, card.schema.names.index(column)]


def test_a_flattened_column_counts_for_nothing():
    """Its contribution is 0 on every lead, and no interaction with it stays."""
    card = hand_made.scorecard()
    found = flatten(card, "industry")
    assert np.abs(contributions(found.scorecard, "industry")).max() == 0
    assert found.pairs_removed == (VIEWS,)
    assert "1 interaction of it removed" in found.sentence
    assert np.abs(contributions(card, "industry")).max() > 0.1
    changed = {**LEADS[0], "industry": "Retail"}
    scorer = Scorer(found.scorecard)
    assert scorer.one(changed).log_odds == scorer.one(LEADS[0]).log_odds


def test_other_columns_keep_their_own_effect():
    """Editing changes the column's table and its pairs, nothing else; the input stays as it was."""
    card = hand_made.scorecard()
    before = card.as_dict()
    found = flatten(card, "industry").scorecard
    assert card.as_dict() == before
    assert found.columns[1:] == card.columns[1:]
    assert [(p.first, p.second) for p in found.pairs] == [(1, 2)]
    assert found.base == card.base


tables = st.lists(st.floats(-3, 3), min_size=3, max_size=8)


@settings(max_examples=60)
@given(tables, st.lists(st.floats(-2, 2), min_size=8, max_size=8), st.sampled_from(["up", "down"]))
def test_a_monotone_column_never_moves_against_its_direction(levels, slopes, direction):
    """Whatever levels and slopes stood there; the worst step over all leads is 0."""
    n = len(levels)
    cuts = np.arange(n - 1, dtype=float)
    table = ColumnTable(
        thresholds=cuts,
        level_bins=(),
        pooled_bin=n,
        unseen_bin=n,
        missing_bin=n,
        level=np.array([*levels, 0.7]),
        slope=np.array([*slopes[:n], 0.0]),
        clip=(-1.5, n + 0.5),
        share=np.full(n + 1, 1 / (n + 1)),
    )
    card = hand_made.scorecard()
    card = replace(card, columns=(*card.columns[:3], table), pairs=card.pairs[1:])
    found = monotone(card, VIEWS, direction).scorecard
    assert worst_step(found, VIEWS, direction) > -1e-9
    assert found.columns[3].level[-1] == 0.7  # missing keeps its points
    again = monotone(found, VIEWS, direction).scorecard.columns[3]
    np.testing.assert_allclose(again.level, found.columns[3].level, atol=1e-9)


@settings(max_examples=60)
@given(st.floats(-2, 0), st.floats(0, 2))
def test_a_capped_column_contributes_no_more_than_its_bounds(low, high):
    """Numbers and categories alike; what lay inside stays where it was."""
    card = hand_made.scorecard()
    for column in ("employees", "source"):
        found = cap(card, column, low, high)
        within = contributions(found.scorecard, column)
        assert within.min() >= low - 1e-9
        assert within.max() <= high + 1e-9
    wide = cap(card, "source", -50, 50).scorecard.columns[2]
    np.testing.assert_array_equal(wide.level, card.columns[2].level)


def test_a_learned_curve_is_edited_too():
    """On a learned scorecard: employees made to rise, then held within half a log-odds."""
    frame, _, _, _, found = learned()
    card, done = edit(found.scorecard, {"employees": "monotone up, cap -0.5 0.5"})
    assert worst_step(card, "employees", "up") > -1e-9
    at = card.schema.names.index("employees")
    points = Scorer(card).frame(frame).contributions[:, at]
    assert np.abs(points).max() <= 0.5 + 1e-9
    assert [one.column for one in done] == ["employees", "employees"]
    assert done[0].moved > 0.05
    assert set(done[0].pairs_removed) <= {"visits", "source", "city"}


def test_an_edit_that_nobody_understands_is_refused():
    """Wrong words, wrong columns, wrong bounds: each names the column and the way out."""
    card = hand_made.scorecard()
    with pytest.raises(ColumnMissing, match="no column 'colour'"):
        flatten(card, "colour")
    with pytest.raises(ConfigError, match="no order"):
        monotone(card, "industry", "up")
    with pytest.raises(ConfigError, match="no direction"):
        monotone(card, VIEWS, "sideways")
    with pytest.raises(ConfigError, match="cannot be capped"):
        cap(card, VIEWS, 0.2, 0.5)
    for words in ("flat", "monotone", "cap 1", "cap a b", "", "flatten,"):
        with pytest.raises(ConfigError, match="no edit"):
            refuse_unreadable(VIEWS, words)
    refuse_unreadable(VIEWS, "monotone down, cap -1 1")
