"""leadml.thresholds.cohort: counts that lines are drawn on, and what a plan makes of them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.errors import ConfigError, DataError
from leadml.leads import Stage
from leadml.thresholds import Cohort, ThresholdPlan, at_rank_of, choose_policy, policy_of

WEEKS = 26


def history(n: int = 6_500, seed: int = 3, digits: int | None = None) -> tuple[np.ndarray, ...]:
    """Probabilities, outcomes drawn from them, and the week each lead came in."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-2.5, 1.2, n)))
    if digits is not None:
        p = np.round(p, digits)
    return p, (rng.random(n) < p).astype(float), rng.integers(0, WEEKS, n)


P, Y, WEEK = history()
COHORT = Cohort.of(P, Y, P.size / WEEKS)
COARSE = Cohort.of(*history(digits=2)[:2], leads_per_week=250.0).compact()


def mql(cohort: Cohort, **plan: object) -> float:
    """The MQL line of a plan."""
    return policy_of(cohort, ThresholdPlan(**plan)).mql  # type: ignore[arg-type]


@settings(max_examples=1000, deadline=None)
@given(st.floats(0.05, 400, allow_nan=False), st.booleans())
def test_capacity_holds_on_the_calibration_weeks(capacity, coarse):
    """Whatever the capacity, the mean week stays within it and no more leads pass than stated."""
    cohort = COARSE if coarse else COHORT
    policy = policy_of(cohort, ThresholdPlan(capacity_per_week=capacity))
    expected = policy.expected[0].volume_per_week
    assert expected.value <= capacity * (1 + 1e-12) + 1e-9
    if coarse:
        return
    proposed = np.array([policy.stage_of(p) in (Stage.MQL, Stage.SQL) for p in P[:200]])
    assert (proposed == (np.array([float(f"{p:.4g}") for p in P[:200]]) >= policy.mql)).all()
    by_week = np.bincount(WEEK[policy.mql <= SHOWN], minlength=WEEKS)
    assert by_week.mean() <= capacity + 1e-9
    # the interval is that of a usual week: of 26 weeks hardly five fall outside
    assert (by_week > expected.high + 1).sum() <= 5


SHOWN = np.array([float(f"{p:.4g}") for p in P])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["capacity", "precision", "value"]), st.tuples(*[st.floats(0.01, 1)] * 2))
def test_lines_are_monotone_in_what_is_asked(basis, two):
    """More capacity or worth never raises the line, more precision never lowers it."""
    small, large = sorted(two)
    if basis == "capacity":
        pair = [mql(COHORT, capacity_per_week=300 * x) for x in (large, small)]
    elif basis == "precision":
        pair = [mql(COHORT, basis="precision", mql_precision=0.99 * x) for x in (small, large)]
    else:
        pair = [mql(COHORT, basis="value", value=9000 * x, cost_mql=80) for x in (large, small)]
    assert pair[0] <= pair[1]


def test_a_compact_cohort_keeps_exact_counts():
    """Fewer steps, each with the counts of the whole; what is written reads back the same."""
    p, y, _ = history(60_000)
    whole = Cohort.of(p, y, 500.0)
    small = whole.compact()
    assert whole.steps.size > small.steps.size > 1_500
    assert (small.n, small.conversions, small.base_rate) == (
        whole.n,
        whole.conversions,
        whole.base_rate,
    )
    for step in small.steps[::37]:
        assert small.above(step) == whole.above(step)
    read = Cohort.from_dict(json.loads(json.dumps(small.as_dict())))
    plan = ThresholdPlan(capacity_per_week=3)
    assert policy_of(read, plan) == policy_of(small, plan)
    for capacity in (1, 7, 60, 400):
        exact, near = (
            policy_of(c, ThresholdPlan(capacity_per_week=capacity)) for c in (whole, small)
        )
        volume = near.expected[0].volume_per_week.value
        assert 0.9 * exact.expected[0].volume_per_week.value <= volume <= capacity + 1e-9


def test_a_policy_of_a_cohort_is_that_of_its_leads():
    """Counting first changes nothing about the lines."""
    plan = ThresholdPlan(basis="precision", mql_precision=0.3)
    assert policy_of(COHORT, plan) == choose_policy(P, Y, P.size / WEEKS, plan)


def test_another_week_changes_the_share():
    """With twice as many leads a week the same capacity takes half the share."""
    few = policy_of(COHORT, ThresholdPlan(capacity_per_week=50))
    many = policy_of(COHORT, ThresholdPlan(capacity_per_week=50, leads_per_week=500))
    assert many.mql > few.mql
    assert many.expected[0].volume_per_week.value == pytest.approx(50, rel=0.01)


def test_value_is_told_less_the_cost():
    """Worth of the conversions less the cost of working the leads, within its interval."""
    plan = ThresholdPlan(basis="value", value=1_000, cost_mql=50)
    first, second = policy_of(COHORT, plan).expected
    for found, cost in ((first, 50), (second, 200)):
        worth = found.value_per_week
        net = 1_000 * found.conversions_per_week.value - cost * found.volume_per_week.value
        assert worth.value == pytest.approx(net)
        assert worth.low < worth.value < worth.high
    assert policy_of(COHORT).expected[0].value_per_week is None


def test_the_range_of_a_usual_week_holds_what_weeks_bring():
    """Of many simulated weeks about 95 in 100 fall into the stated range, for each figure."""
    rng = np.random.default_rng(8)
    found = COHORT.expectation(Stage.MQL, 0.2, value=500.0, cost=60.0)
    above = SHOWN >= 0.2
    inside = np.zeros(3)
    for _ in range(2_000):
        drawn = rng.integers(0, P.size, rng.poisson(COHORT.leads_per_week))
        leads, won = above[drawn].sum(), Y[drawn][above[drawn]].sum()
        figures = (leads, won, 500.0 * won - 60.0 * leads)
        ranges = (found.volume_per_week, found.conversions_per_week, found.value_per_week)
        inside += [e.low - 0.5 <= x <= e.high + 0.5 for x, e in zip(figures, ranges, strict=True)]
    assert (inside / 2_000 > 0.93).all()
    assert (inside / 2_000 < 0.985).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=80),
    st.lists(st.floats(0, 1), min_size=1, max_size=80),
    st.floats(0, 1),
)
def test_ranks_among_other_leads_keep_order_and_capacity(chances, others, share):
    """Higher stays higher, and no more of the other leads pass a line than was asked."""
    moved = at_rank_of(chances, others)
    assert set(moved) <= set(others)
    ranked = np.argsort(chances, kind="stable")
    apart = np.diff(np.array(chances)[ranked]) > 0
    assert (np.diff(moved[ranked])[apart] >= 0).all()
    cohort = Cohort.of(moved, np.zeros(len(moved)), 10.0, newest=len(others))
    line = cohort.line_for(share)
    passing = np.mean([float(f"{p:.4g}") >= line for p in others])
    assert passing <= share + 1e-9
    assert (at_rank_of(chances, others) == moved).all()


def test_few_newest_leads_widen_the_week():
    """Volumes known from few leads have wider ranges; the count reads back."""
    few = Cohort.of(P, Y, 250.0, newest=100)
    assert Cohort.from_dict(few.as_dict()).newest == 100
    line = few.line_for(0.2)
    own = COHORT.with_week(250.0).expectation(Stage.MQL, line).volume_per_week
    widened = few.expectation(Stage.MQL, line).volume_per_week
    assert widened.value == pytest.approx(own.value)
    assert widened.high - widened.value == pytest.approx(
        np.sqrt((own.high - own.value) ** 2 + 1.96**2 * 250**2 * 0.2 * 0.8 / 100), rel=1e-3
    )


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [0.1, 0.2]},
        {"leads": [3]},
        {"won": [3, 1]},
        {"won": ["x", 1]},
        {"leads": [0, 4]},
        {"steps": [1.2, 0.1]},
    ],
)
def test_foreign_counts_are_refused(change):
    """What cannot be the counts of a cohort is refused, not served."""
    sound = {
        "steps": [0.2, 0.1],
        "leads": [2, 4],
        "won": [1, 0],
        "leads_per_week": 10.0,
        "leads_per_week_known": True,
    }
    assert Cohort.from_dict(sound).above(0.1) == (6, 1)
    with pytest.raises(DataError):
        Cohort.from_dict(sound | change)
    with pytest.raises(ConfigError):
        Cohort.from_dict(sound | {"leads_per_week": 0})


def test_plans_read_back():
    """A plan and its plain data are one; strange figures are refused by name."""
    plan = ThresholdPlan(basis="value", value=10, cost_mql=2, capacity_per_week=5)
    assert ThresholdPlan.from_dict(plan.as_dict()) == plan
    for wrong in ({"speed": 3}, {"capacity_per_week": "5"}, {"value": True}, {"basis": 3}):
        with pytest.raises(ConfigError):
            ThresholdPlan.from_dict(wrong)
