"""leadml.thresholds.choose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from leadml.errors import ConfigError, DataError
from leadml.leads import Stage
from leadml.leads.estimate import percent
from leadml.thresholds.choose import ThresholdPlan, choose_policy
from leadml.thresholds.policy import NOBODY


def simulated(n=5000, seed=0, digits=None):
    """Probabilities and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-2.5, 1.2, n))
    if digits is not None:
        p = np.round(p, digits)
    return p, (rng.random(n) < p).astype(float)


def volume(policy, p, stages=(Stage.MQL, Stage.SQL)):
    """Leads proposed by the policy itself."""
    return sum(policy.stage_of(float(x)) in stages for x in p)


def test_nothing_asked_means_a_fifth_and_a_twentieth():
    """Without any wish 20 % become MQL or better, 5 % SQL, and the reason says so."""
    p, y = simulated()
    policy = choose_policy(p, y, 100)
    assert volume(policy, p) == pytest.approx(1000, abs=5)
    assert volume(policy, p, (Stage.SQL,)) == pytest.approx(250, abs=5)
    assert policy.capacity_per_week is None
    assert "No capacity was given" in policy.reason


def test_reason_tells_the_lines_that_stand():
    """What the sentence says of the SQL line holds for the line that is served."""
    p, y = simulated()
    plan = ThresholdPlan(basis="precision", mql_precision=0.5, sql_precision=0.1)
    policy = choose_policy(p, y, 100, plan)
    assert policy.sql == policy.mql
    assert policy.reason.endswith(f"too stands at a chance of {percent(policy.mql)} or more.")
    unreachable = ThresholdPlan(basis="precision", mql_precision=0.999, sql_precision=0.1)
    policy = choose_policy(p, y, 100, unreachable)
    assert policy.sql == NOBODY
    assert policy.reason.endswith("so nobody becomes SQL either.")
    policy = choose_policy(p, y, 100, ThresholdPlan(capacity_per_week=1e9))
    assert "every lead becomes MQL and SQL" in policy.reason


def test_what_nobody_asked_for_is_called_a_default():
    """The meetings of a week are told as asked only where somebody asked for them."""
    p, y = simulated()
    for capacity in (100, 1000):
        asked = ThresholdPlan(capacity_per_week=capacity)
        assert "by default" in choose_policy(p, y, 100, asked).reason
        given = ThresholdPlan(capacity_per_week=capacity, sql_capacity_per_week=capacity / 4)
        assert "by default" not in choose_policy(p, y, 100, given).reason


LEADS = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(LEADS, st.floats(0.1, 100))
def test_capacity_is_never_exceeded(rows, capacity):
    """On the leads looked at, ties included, no more are proposed than can be worked."""
    p = np.array([row[0] for row in rows]) / 30
    y = np.array([row[1] for row in rows], dtype=float)
    policy = choose_policy(p, y, 50.0, ThresholdPlan(capacity_per_week=capacity))
    assert volume(policy, p) * 50.0 / p.size <= capacity + 1e-6
    expected = policy.expected[0]
    assert expected.volume_per_week.value <= capacity + 1e-6
    assert expected.volume_per_week.value == pytest.approx(volume(policy, p) * 50.0 / p.size)


@settings(max_examples=80, deadline=None)
@given(LEADS, st.floats(0.5, 60), st.floats(0.5, 60))
def test_more_capacity_never_raises_a_line(rows, one, other):
    """MQL and SQL lines fall, or stay, as capacity grows."""
    p = np.array([row[0] for row in rows]) / 30
    y = np.array([row[1] for row in rows], dtype=float)
    small, large = sorted((one, other))
    strict = choose_policy(p, y, 50.0, ThresholdPlan(capacity_per_week=small))
    wide = choose_policy(p, y, 50.0, ThresholdPlan(capacity_per_week=large))
    assert wide.mql <= strict.mql
    assert wide.sql <= strict.sql


@settings(max_examples=80, deadline=None)
@given(LEADS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_more_precision_never_lowers_a_line(rows, one, other):
    """The MQL line rises, or stays, with the precision asked for, and keeps its promise."""
    p = np.array([row[0] for row in rows]) / 30
    y = np.array([row[1] for row in rows], dtype=float)
    low, high = sorted((one, other))
    mild = choose_policy(p, y, 50.0, ThresholdPlan("precision", mql_precision=low))
    hard = choose_policy(p, y, 50.0, ThresholdPlan("precision", mql_precision=high))
    assert mild.mql <= hard.mql
    for policy, asked in ((mild, low), (hard, high)):
        if policy.mql <= 1:
            assert policy.expected[0].precision.value >= asked - 1e-6


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.01, 1e6))
def test_more_value_never_raises_a_line(one, other, cost):
    """Every proposed lead is worth its work, and a dearer conversion lowers the line."""
    p, y = simulated(200)
    low, high = sorted((one, other))
    cheap = choose_policy(p, y, 50.0, ThresholdPlan("value", value=low, cost_mql=cost))
    dear = choose_policy(p, y, 50.0, ThresholdPlan("value", value=high, cost_mql=cost))
    assert dear.mql <= cheap.mql
    if dear.mql <= 1:
        assert dear.mql * high >= cost * (1 - 1e-12)
        assert dear.mql * high <= cost * 1.0011
    else:
        assert high < cost


def test_a_tie_at_the_line_is_said_aloud():
    """When equal chances keep the line above the capacity, the reason says it."""
    p = np.array([0.5] * 30 + [0.1] * 70)
    y = np.array([1.0] * 15 + [0.0] * 85)
    policy = choose_policy(p, y, 100, ThresholdPlan(capacity_per_week=20))
    assert policy.mql == NOBODY
    assert "30 leads with the highest chance are equal" in policy.reason
    policy = choose_policy(p, y, 100, ThresholdPlan(capacity_per_week=60))
    assert policy.mql == 0.5
    assert "only 30\u202f% of the leads" in policy.reason


def test_precision_takes_the_lowest_line_that_keeps_it():
    """Of all lines that keep the precision the one with the most leads is taken."""
    p = np.array([0.9] * 20 + [0.5] * 20 + [0.1] * 60)
    y = np.array([1.0] * 16 + [0.0] * 4 + [1.0] * 8 + [0.0] * 12 + [0.0] * 60)
    policy = choose_policy(p, y, 100, ThresholdPlan("precision", mql_precision=0.55))
    assert policy.mql == 0.5
    assert policy.expected[0].precision.value == pytest.approx(0.6)
    assert choose_policy(p, y, 100, ThresholdPlan("precision", mql_precision=0.61)).mql == 0.9


def test_an_unreachable_precision_proposes_nobody():
    """A precision that no line reaches proposes nobody and says what is reached at best."""
    p, y = simulated()
    policy = choose_policy(p, y, 100, ThresholdPlan("precision", sql_precision=0.999))
    assert policy.sql == NOBODY
    assert "no line reaches the 99.9\u202f%" in policy.reason
    assert policy.expected[1].volume_per_week.value == 0.0


def test_capacity_limits_the_other_bases():
    """A capacity given beside value raises the MQL line, and the reason says it."""
    p, y = simulated()
    free = choose_policy(p, y, 100, ThresholdPlan("value", value=1000, cost_mql=20))
    tight = choose_policy(
        p, y, 100, ThresholdPlan("value", capacity_per_week=5, value=1000, cost_mql=20)
    )
    assert tight.mql > free.mql
    assert "raised" in tight.reason
    assert tight.expected[0].volume_per_week.value <= 5


def test_expectations_come_true_on_new_leads():
    """Volume, precision and recall expected lie within their intervals on fresh leads."""
    p, y = simulated(20_000)
    policy = choose_policy(p, y, 100, ThresholdPlan(capacity_per_week=15))
    fresh, happened = simulated(200_000, seed=1)
    above = fresh >= policy.mql
    expected = policy.expected[0]
    assert expected.precision.low < happened[above].mean() < expected.precision.high
    assert expected.recall.low < happened[above].sum() / happened.sum() < expected.recall.high
    assert expected.volume_per_week.value == pytest.approx(15, rel=0.01)
    assert expected.conversions_per_week.value == pytest.approx(
        expected.precision.value * expected.volume_per_week.value
    )


def test_meetings_set_the_sales_line():
    """A number of meetings a week sets the upper line by itself."""
    p, y = simulated()
    plan = ThresholdPlan(capacity_per_week=20, sql_capacity_per_week=2)
    policy = choose_policy(p, y, 100, plan)
    assert volume(policy, p, (Stage.SQL,)) == pytest.approx(100, abs=3)


def test_an_assumed_week_is_said_aloud():
    """Where the table has no dates the reason says that the weekly number is assumed."""
    p, y = simulated()
    plan = ThresholdPlan(capacity_per_week=20)
    assert "assumed" in choose_policy(p, y, 100, plan, leads_per_week_known=False).reason
    assert "assumed" not in choose_policy(p, y, 100, plan).reason


@pytest.mark.parametrize(
    "plan",
    [
        {"basis": "magic"},
        {"basis": "precision"},
        {"basis": "value", "value": 100.0},
        {"capacity_per_week": 0.0},
        {"capacity_per_week": float("inf")},
        {"basis": "precision", "mql_precision": 1.0},
        {"basis": "value", "value": -1.0, "cost_mql": 1.0},
    ],
)
def test_impossible_plans_are_refused(plan):
    """Figures out of range, or missing for their basis, are configuration errors."""
    with pytest.raises(ConfigError):
        ThresholdPlan(**plan)


def test_impossible_leads_are_refused():
    """No leads, unknown outcomes, chances out of range or no weekly number are named errors."""
    for p, y in (([], []), ([0.5], [np.nan]), ([1.5], [1]), ([0.5, 0.6], [1])):
        with pytest.raises(DataError):
            choose_policy(p, y, 10)
    with pytest.raises(ConfigError):
        choose_policy([0.5], [1], 0)
