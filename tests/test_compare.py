"""Two versions told apart, pairs as maps, and the layout of charts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.reports.site.plot import Plot, nice_ticks
from leadml.scorecard.maps import MOST_SIDES, pair_maps
from leadml.service.compare import compare, effect_moved
from tests import company, hand_made


def number(level: float) -> dict[str, object]:
    """The effect of a number that is the same everywhere."""
    point = {
        "from": 0.0,
        "to": 10.0,
        "log_odds_from": level,
        "log_odds_to": level,
        "share": 1.0,
    }
    return {"kind": "number", "column": "x", "points": [point]}


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_level_effect_moves_by_its_difference(a: float, b: float) -> None:
    """Two constant effects differ by the distance of their levels, whichever comes first."""
    assert effect_moved(number(a), number(b)) == pytest.approx(abs(a - b), abs=1e-12)
    assert effect_moved(number(a), number(a)) == 0.0


def test_a_level_that_is_new_counts_from_nothing() -> None:
    """A category's level that the older version did not know moved by all it has."""
    points = [
        {"level": level, "log_odds": x, "share": 0.5} for level, x in (("a", 0.6), ("b", 0.0))
    ]
    new = {"kind": "category", "points": points}
    old = {"kind": "category", "points": [{"level": "b", "log_odds": 0.0, "share": 1.0}]}
    assert effect_moved(new, old) == pytest.approx(0.6 * math.sqrt(0.5))


def test_columns_that_came_and_went() -> None:
    """Columns of one version alone are named as added or removed."""
    facts = company.facts(-2.0)
    policy = hand_made.policy().as_dict()
    other = {**facts, "effects": facts["effects"][1:]}
    gone = facts["effects"][0]["column"]
    told = compare({"metrics": facts, "policy": policy}, {"metrics": other, "policy": policy})
    back = compare({"metrics": other, "policy": policy}, {"metrics": facts, "policy": policy})
    assert told["columns"] == {"added": [gone], "removed": []}
    assert back["columns"] == {"added": [], "removed": [gone]}


def test_a_map_keeps_the_mean_of_its_pair() -> None:
    """Cells weighted by their shares give what the whole table gives, where all bins stand."""
    card = hand_made.scorecard()
    for told in pair_maps(card):
        cells, share = np.array(told["cells"]), np.array(told["share"])
        assert cells.shape == share.shape == (len(told["rows"]), len(told["cols"]))
        assert max(cells.shape) <= MOST_SIDES + 1
        first, second = (card.schema.names.index(name) for name in told["columns"])
        pair = next(p for p in card.pairs if (p.first, p.second) == (first, second))
        assert pair.cells.min() - 1e-12 <= cells.min() <= cells.max() <= pair.cells.max() + 1e-12


@given(st.floats(1e-6, 1e9), st.integers(2, 6))
def test_ticks_are_few_round_and_reach_the_top(top: float, most: int) -> None:
    """They begin at 0, reach the top, and are no more than asked."""
    ticks = nice_ticks(top, most)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-6)
    assert 2 <= len(ticks) <= most + 1
    assert ticks == sorted(set(ticks))


def test_what_is_drawn_is_escaped() -> None:
    """Labels, titles and the text alternative cannot become markup."""
    plot = Plot(100)
    plot.text(0, 0, "<b>&\"'")
    plot.rect(0, 1, 0, 1, "f-model", title="</title><script>")
    drawn = plot.svg('"><script>')
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "&lt;b&gt;" in drawn
