"""leadml.thresholds.curve: every line at once."""

import json
import time

import numpy as np
import pytest

from leadml.leads import Stage
from leadml.thresholds import Cohort, ThresholdPlan, policy_of, threshold_curve
from leadml.thresholds.curve import POINTS
from tests.test_cohort import COHORT, history


def test_each_point_is_the_expectation_of_its_line():
    """A page that reads the curve says to the digit what a policy would say."""
    curve = threshold_curve(COHORT, value=700.0, cost=40.0)
    assert len(curve["cutoff"]) <= POINTS
    for place in range(0, len(curve["cutoff"]), 13):
        found = COHORT.expectation(Stage.MQL, curve["cutoff"][place], value=700.0, cost=40.0)
        for name in ("volume_per_week", "precision", "conversions_per_week", "recall"):
            expected = getattr(found, name).as_dict()
            told = {part: curve[name][part][place] for part in ("value", "low", "high")}
            assert told == pytest.approx(expected)
        worth = found.value_per_week.as_dict()
        told = {part: curve["value_per_week"][part][place] for part in ("value", "low", "high")}
        assert told == pytest.approx(worth)


def test_curve_is_small_and_sorted():
    """Cut-offs fall, counts grow, all lists are as long, and the whole is small."""
    curve = threshold_curve(Cohort.of(*history(50_000)[:2], leads_per_week=900.0))
    assert (np.diff(curve["cutoff"]) < 0).all()
    assert (np.diff(curve["leads"]) > 0).all()
    assert (np.diff(curve["conversions"]) >= 0).all()
    assert curve["leads"][-1] == curve["n"] == 50_000
    assert curve["leads"][0] < 5
    assert "value_per_week" not in curve
    assert len(json.dumps(curve)) < 60_000


def test_a_hundred_thousand_leads_are_previewed_at_once():
    """Lines, expectations and curve of 100,000 leads take a moment once they are counted."""
    p, y, _ = history(100_000)
    cohort = Cohort.of(p, y, 1_000.0)
    plans = [ThresholdPlan(capacity_per_week=c) for c in (5, 50, 500)]
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        for plan in plans:
            policy_of(cohort, plan)
        threshold_curve(cohort)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05
