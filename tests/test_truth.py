"""Learned chances against true ones."""

import numpy as np
import pytest

from benchmarks.learning.truth import against_truth, error_against


def test_the_error_is_zero_for_the_truth_and_grows_with_the_distance():
    """The measure itself."""
    truth = np.random.default_rng(0).random(5000)
    assert error_against(truth, truth) == 0
    assert error_against(truth, truth * 0.5) == pytest.approx(0.25, abs=0.02)


@pytest.mark.slow
def test_fifty_thousand_leads_teach_the_true_chances():
    """Within .01 of the truth; counting immature leads as lost at least doubles the error."""
    honest, naive = against_truth(50_000)
    assert honest.calibration_error <= 0.01
    assert naive.calibration_error >= 2 * honest.calibration_error
    assert naive.mean_chance < naive.true_mean
