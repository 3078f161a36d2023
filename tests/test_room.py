"""leadml.monitoring.room: proposals against capacity."""

from datetime import UTC, datetime, timedelta

import numpy as np
from scipy.stats import poisson

from leadml.monitoring.room import monday, poisson_tail, room_for_proposals

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)  # a Wednesday
LAST = monday(NOW) - timedelta(days=7)
LONG_AGO = NOW - timedelta(days=200)


def weeks(*counts: int) -> list[datetime]:
    """So many proposals in each of the last whole weeks, the oldest first."""
    found = []
    for back, count in enumerate(reversed(counts)):
        begin = LAST - back * timedelta(days=7)
        found += [begin + timedelta(minutes=k % 10_000) for k in range(count)]
    return found


def test_tail_is_that_of_a_poisson():
    """To twelve digits the chance of a count or more."""
    for count, mean in ((1, 0.3), (50, 40.0), (700, 600.0), (3000, 2950.0)):
        assert abs(poisson_tail(count, mean) - poisson.sf(count - 1, mean)) < 1e-9


def test_a_usual_week_is_no_alarm():
    """Luck of a week at capacity raises no alarm; a false one comes in few of 1,000 weeks."""
    rng = np.random.default_rng(4)
    alarms = sum(
        room_for_proposals(weeks(*rng.poisson(40, 4)), 40, since=LONG_AGO, now=NOW).exceeded
        for _ in range(1000)
    )
    assert alarms <= 25
    found = room_for_proposals(weeks(40, 41, 38, 48), 40, since=LONG_AGO, now=NOW)
    assert not found.exceeded
    assert (found.weeks, found.proposals, found.week) == ((40, 41, 38, 48), 48, "2026-11-16")
    assert found.sentence == "48 leads were proposed last week; sales can work 40."


def test_one_flooded_week_is_an_alarm():
    """Far more than luck gives in one week."""
    found = room_for_proposals(weeks(30, 30, 30, 70), 40, since=LONG_AGO, now=NOW)
    assert found.exceeded
    assert found.chance < 1e-4
    assert found.sentence == "70 leads were proposed last week, more than the 40 sales can work."


def test_a_small_but_lasting_excess_is_an_alarm():
    """A week of 49 may be luck, four of them are not."""
    assert not room_for_proposals(weeks(30, 40, 40, 49), 40, since=LONG_AGO, now=NOW).exceeded
    found = room_for_proposals(weeks(49, 49, 49, 49), 40, since=LONG_AGO, now=NOW)
    assert found.exceeded
    assert "in the last 4 weeks" in found.sentence


def test_weeks_before_the_policy_do_not_count():
    """A new policy is judged by whole weeks of its own."""
    flood = weeks(200, 200, 200, 200)
    young = room_for_proposals(flood, 40, since=LAST + timedelta(days=1), now=NOW)
    assert (young.exceeded, young.weeks) == (False, ())
    assert young.sentence == "Too early to tell: no whole week has passed under this policy."
    one = room_for_proposals(flood, 40, since=LAST - timedelta(days=3), now=NOW)
    assert one.weeks == (200,)


def test_without_capacity_nothing_is_judged():
    """Proposals are counted all the same."""
    found = room_for_proposals(weeks(5, 9), None, since=None, now=NOW)
    assert (found.exceeded, found.proposals, found.capacity_per_week) == (False, 9, None)
    assert "capacity_per_week" not in found.as_dict()
    assert room_for_proposals([], None, since=None, now=NOW).weeks == ()
