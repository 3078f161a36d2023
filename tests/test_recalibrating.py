"""How far the base rate has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.training.recalibrating import intercept_shift


@given(st.floats(-3, 3), st.integers(0, 1000))
def test_a_known_shift_is_found(shift, seed):
    """Outcomes drawn from shifted chances give the shift back, within its error."""
    random = np.random.default_rng(seed)
    z = random.normal(-1, 1, 4000)
    y = (random.random(4000) < 1 / (1 + np.exp(-(z + shift)))).astype(float)
    assert intercept_shift(y, z) == pytest.approx(shift, abs=0.3)


def test_predicted_and_observed_share_agree_afterwards():
    """With a wide prior the mean chance equals the conversion rate."""
    random = np.random.default_rng(0)
    z = random.normal(-2, 1, 2000)
    y = (random.random(2000) < 0.3).astype(float)
    shift = intercept_shift(y, z, prior_sd=1e6)
    assert (1 / (1 + np.exp(-(z + shift)))).mean() == pytest.approx(y.mean(), abs=1e-9)


def test_below_fifty_leads_nothing_moves():
    """Forty-nine outcomes decide nothing."""
    assert intercept_shift(np.ones(49), np.full(49, -2.0)) == 0.0
    assert intercept_shift(np.ones(50), np.full(50, -2.0)) > 1.0


def test_one_sided_outcomes_stay_finite():
    """All converted, or none: the prior holds the shift."""
    assert 2 < intercept_shift(np.ones(200), np.zeros(200)) < 20
    assert -20 < intercept_shift(np.zeros(200), np.zeros(200)) < -2
