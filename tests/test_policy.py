"""leadml.thresholds.policy."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import ConfigError
from leadml.leads import Stage
from leadml.leads.estimate import Estimate
from leadml.scorecard.reasons import digits4
from leadml.thresholds.policy import NOBODY, Policy, StageExpectation

ORDER = [Stage.COLD, Stage.NURTURE, Stage.MQL, Stage.SQL]
CHANCE = st.floats(0, 1)


@given(st.tuples(CHANCE, CHANCE, CHANCE).map(sorted), CHANCE, CHANCE)
def test_a_higher_chance_never_means_a_lower_stage(lines, one, other):
    """Stage and grade rise with the probability, whatever the lines."""
    policy = Policy("1", nurture=lines[0], mql=lines[1], sql=lines[2])
    low, high = sorted((one, other))
    assert ORDER.index(policy.stage_of(low)) <= ORDER.index(policy.stage_of(high))
    assert policy.grade_of(low) >= policy.grade_of(high)


@given(st.tuples(CHANCE, CHANCE, CHANCE).map(sorted), CHANCE)
def test_shown_digits_and_full_digits_agree(lines, probability):
    """The stage of a probability is that of the four digits people see."""
    policy = Policy("1", nurture=lines[0], mql=lines[1], sql=lines[2])
    assert policy.stage_of(probability) is policy.stage_of(digits4(probability))


def test_lines_are_inclusive():
    """A lead exactly at a line has reached it."""
    policy = Policy("1", mql=0.1713, sql=0.3, nurture=0.05)
    assert policy.stage_of(0.17132) is Stage.MQL
    assert policy.stage_of(0.17124) is Stage.NURTURE
    assert [policy.grade_of(p) for p in (0.3, 0.1713, 0.05, 0.0499)] == ["A", "B", "C", "D"]


def test_nobody_reaches_a_line_above_one():
    """With both lines at NOBODY even certainty stays nurture."""
    assert Policy("1", mql=NOBODY, sql=NOBODY, nurture=0.2).stage_of(1.0) is Stage.NURTURE


@pytest.mark.parametrize(
    "lines",
    [
        {"mql": 0.4, "sql": 0.3},
        {"mql": 0.1, "sql": 0.3, "nurture": 0.2},
        {"mql": -0.1, "sql": 0.3},
        {"mql": float("nan"), "sql": 0.3},
        {"mql": 0.1, "sql": 20.0},
        {"mql": 0.1, "sql": 0.2, "basis": "magic"},
    ],
)
def test_impossible_lines_are_refused(lines):
    """Crossed, negative, infinite lines and unknown bases are configuration errors."""
    with pytest.raises(ConfigError):
        Policy("1", **lines)


def test_plain_data_and_back():
    """A policy survives JSON, expectations included."""
    part = Estimate(1.0, 0.5, 1.5)
    expected = StageExpectation(Stage.MQL, 0.1, part, Estimate(0.2, 0.1, 0.3), part, Estimate(0.5))
    policy = Policy("3", 0.1, 0.3, 0.05, "value", 12.0, "Because.", (expected,))
    assert Policy.from_dict(json.loads(json.dumps(policy.as_dict()))) == policy
    bare = Policy("1", 0.1, 0.3)
    assert "capacity_per_week" not in bare.as_dict()
    assert Policy.from_dict(bare.as_dict()) == bare


def test_serving_needs_no_learning_library():
    """Importing the thresholds loads neither pandas nor scipy nor scikit-learn."""
    code = (
        "import sys, leadml.thresholds;"
        "print([m for m in ('pandas', 'scipy', 'sklearn', 'lightgbm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
