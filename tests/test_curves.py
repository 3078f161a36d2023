"""leadml.evaluation.curves."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.evaluation.curves import by_group, calibration, gains, score_bands

LEADS = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), min_size=1, max_size=80)


def table(rows):
    """Outcomes and probabilities of generated rows."""
    return (
        np.array([row[0] for row in rows], dtype=float),
        np.array([row[1] for row in rows], dtype=float) / 50,
    )


@settings(max_examples=80, deadline=None)
@given(LEADS)
def test_gains_rise_from_nothing_to_all(rows):
    """Gains start at 0, never fall, end at 1, and lift is their ratio to the share of leads."""
    y, p = table(rows)
    points = gains(y, p)
    if y.sum() == 0:
        assert points == []
        return
    found = [point["share_of_conversions"] for point in points]
    assert found[0] == 0.0
    assert found[-1] == pytest.approx(1.0)
    assert all(b >= a - 1e-12 for a, b in pairwise(found))
    for point in points[1:]:
        assert point["lift"] * point["share_of_leads"] == pytest.approx(
            point["share_of_conversions"]
        )


def test_gains_show_intervals_from_twenty_conversions():
    """Intervals hold their point and are left out below 20 conversions."""
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = (rng.random(500) < p * 0.4).astype(float)
    inner = [point for point in gains(y, p) if 0 < point["share_of_leads"] < 1]
    assert all(g["low"] <= g["share_of_conversions"] <= g["high"] for g in inner)
    few = np.zeros(500)
    few[:19] = 1
    assert all("low" not in point for point in gains(few, p))


@settings(max_examples=80, deadline=None)
@given(LEADS, st.integers(1, 15))
def test_calibration_groups_hold_every_lead_once(rows, bins):
    """Groups add up to all leads and conversions, ascend, and never split equal chances."""
    y, p = table(rows)
    points = calibration(y, p, bins)
    assert sum(point["n"] for point in points) == y.size
    assert sum(point["n_conversions"] for point in points) == y.sum()
    assert 1 <= len(points) <= bins
    for before, after in pairwise(points):
        assert before["to"] < after["from"]
    for point in points:
        assert point["low"] <= point["observed"] <= point["high"]
        assert point["from"] - 1e-12 <= point["predicted"] <= point["to"] + 1e-12


def test_groups_are_judged_only_with_enough_conversions():
    """A group predicted too high is named, a right one is in line, a tiny one is not judged."""
    y = np.array([1] * 30 + [0] * 270 + [1] * 30 + [0] * 270 + [1] * 2 + [0] * 8)
    p = np.array([0.1] * 300 + [0.2] * 300 + [0.1] * 10)
    groups = ["a"] * 300 + ["b"] * 300 + [None] * 10
    found = {g["group"]: g for g in by_group(y, p, groups)}
    assert list(found) == ["a", "b", "not given"]
    assert found["a"]["word"] == "in line"
    assert found["b"]["word"] == "look"
    assert found["not given"]["word"] == "too few to judge"
    assert found["a"]["roc_auc"] == 0.5
    assert "roc_auc" not in found["not given"]


def test_score_bands_hold_every_score():
    """Ten bands hold scores 0 to 100, the last one 100 too."""
    bands = score_bands([1, 0, 1, 1], [0, 9, 99, 100])
    assert len(bands) == 10
    assert bands[0] == {"from": 0, "to": 10, "n": 2, "n_conversions": 1}
    assert bands[-1] == {"from": 90, "to": 100, "n": 2, "n_conversions": 2}
