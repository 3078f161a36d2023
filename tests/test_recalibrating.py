"""The intercept follows the newest outcomes and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import DataError
from leadml.training.recalibrating import intercept_shift


def drawn(n: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes whose true log-odds are ``shift`` above the predicted ones."""
    random = np.random.default_rng(seed)
    log_odds = random.normal(-2.0, 1.0, n)
    y = random.random(n) < 1 / (1 + np.exp(-(log_odds + shift)))
    return y.astype(float), log_odds


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.5])
def test_it_finds_the_shift(shift: float) -> None:
    """With many outcomes it is the true shift within its noise."""
    y, log_odds = drawn(20_000, shift)
    assert intercept_shift(y, log_odds) == pytest.approx(shift, abs=0.1)


def test_afterwards_the_mean_is_right() -> None:
    """With a prior that says nothing the mean prediction equals the share that converted."""
    y, log_odds = drawn(3_000, 0.7)
    shift = intercept_shift(y, log_odds, prior_sd=1e6)
    assert np.mean(1 / (1 + np.exp(-(log_odds + shift)))) == pytest.approx(y.mean(), abs=1e-9)


def test_few_rows_move_nothing() -> None:
    """Below 50 rows the shift is exactly 0, from 50 on it is not."""
    y, log_odds = np.ones(50), np.full(50, -3.0)
    assert intercept_shift(y[:49], log_odds[:49]) == 0.0
    assert intercept_shift(y, log_odds) > 1.0
    assert intercept_shift([], []) == 0.0
    assert intercept_shift([], [], fewest=0) == 0.0


def test_one_class_cannot_run_away() -> None:
    """Where every outcome is the same the prior keeps the shift finite."""
    for outcome, predicted in ((1.0, -8.0), (0.0, 8.0)):
        shift = intercept_shift(np.full(500, outcome), np.full(500, predicted))
        assert 3.0 < abs(shift) < 15.0
        assert (shift > 0) == (outcome == 1.0)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(-700, 700)), min_size=1, max_size=80),
    st.floats(0.01, 10),
)
def test_it_is_the_best_shift(rows: list[tuple[int, float]], prior_sd: float) -> None:
    """No shift beside it has a better penalised likelihood, whatever the log-odds."""
    y, log_odds = np.array(rows, dtype=float).T
    found = intercept_shift(y, log_odds, prior_sd, fewest=1)

    def loss(shift: float) -> float:
        z = log_odds + shift
        penalty = (shift / prior_sd) ** 2 / 2
        return float(np.logaddexp(0.0, np.where(y > 0, -z, z)).sum() + penalty)

    assert np.isfinite(found)
    best = loss(found)
    assert all(best <= loss(found + step) + 1e-9 * (1 + best) for step in (-1, -1e-3, 1e-3, 1))


def test_order_does_not_matter() -> None:
    """Rows may come in any order."""
    y, log_odds = drawn(400, 1.0)
    assert intercept_shift(y[::-1], log_odds[::-1]) == pytest.approx(intercept_shift(y, log_odds))


@pytest.mark.parametrize(
    ("y", "log_odds"),
    [([0.0, 1.0], [0.0]), ([0.5] * 60, [0.0] * 60), ([np.nan] * 60, [0.0] * 60), ([1.0], [np.inf])],
)
def test_nonsense_is_refused(y: list[float], log_odds: list[float]) -> None:
    """Lengths that differ, outcomes beside 0 and 1, infinite log-odds: a data error."""
    with pytest.raises(DataError):
        intercept_shift(y, log_odds, fewest=1)


def test_a_prior_needs_a_width() -> None:
    """A standard deviation of 0 or less is a misuse."""
    with pytest.raises(ValueError, match="prior_sd"):
        intercept_shift([1.0], [0.0], prior_sd=0.0)
