"""leadml.leads.trend."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from leadml.leads.trend import TREND_DAYS, TREND_FACTOR, trend_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINE = math.log(TREND_FACTOR)
SCORES = st.lists(
    st.tuples(st.integers(0, 100), st.floats(-9, 9, allow_nan=False)),
    min_size=2,
    max_size=12,
    unique_by=lambda score: score[0],
)


def at(days: float) -> datetime:
    """A moment some days after the start."""
    return START + timedelta(days=days)


def test_one_score_has_no_trend() -> None:
    """Nothing can be compared with a first score."""
    assert trend_of([]) is None
    assert trend_of([(START, -2.0)]) is None


def test_compared_is_the_newest_old_enough() -> None:
    """Of several older scores the newest that is a week old counts, not the highest."""
    found = trend_of([(at(0), -1.0), (at(10), -3.0), (at(20), 0.0), (at(17.5), 3.0)])
    assert found is not None
    assert (found.direction, found.since, found.change) == ("rising", at(10), 3.0)


def test_young_lead_is_compared_with_its_first_score() -> None:
    """Within its first week a lead's trend runs from its first score."""
    found = trend_of([(at(2), -2.0), (at(0), -1.0), (at(1), 5.0)])
    assert found is not None
    assert (found.direction, found.since) == ("falling", at(0))


def test_line_belongs_to_rising_and_falling() -> None:
    """Exactly the factor counts as a movement, just below does not."""
    for change, direction in ((LINE, "rising"), (-LINE, "falling"), (LINE - 1e-9, "steady")):
        found = trend_of([(at(0), 0.0), (at(TREND_DAYS), change)])
        assert found is not None
        assert found.direction == direction


@given(SCORES)
def test_mirrored_scores_have_the_mirrored_trend(scores: list[tuple[float, float]]) -> None:
    """With all log-odds negated rising becomes falling; the order given changes nothing."""
    told = [(at(days), log_odds) for days, log_odds in scores]
    found = trend_of(told)
    mirrored = trend_of([(moment, -log_odds) for moment, log_odds in reversed(told)])
    assert found is not None
    assert mirrored is not None
    turned = {"rising": "falling", "falling": "rising", "steady": "steady"}
    assert mirrored.direction == turned[found.direction]
    assert mirrored.since == found.since
