"""leadml.evaluation.checks.signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from leadml.evaluation.checks.signal import (
    additive_gain,
    auc_alone,
    auc_error,
    cells_of,
    encoded,
    psi,
)
from leadml.evaluation.checks.table import read
from tests.checks.planted import clean_columns, history


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1, max_size=50))
def test_cells_keep_missing_apart(values):
    """Missing has a cell of its own; equal numbers share one; larger ones never stand below."""
    reading = read(np.array([np.nan if v is None else v for v in values], dtype=float))
    cells = cells_of(reading)
    gone = reading.missing
    assert not set(cells[gone]) & set(cells[~gone])
    order = np.argsort(reading.numbers[~gone], kind="stable")
    assert (np.diff(cells[~gone][order]) >= 0).all()


def test_a_unique_value_says_nothing():
    """Out-of-fold rates of a column that never repeats rank at 0.5; its copies do not help."""
    data = history(
        add={"id": [f"u{i}" for i in range(3000)], "noise": np.arange(3000) * 7919 % 3001}
    )
    assert auc_alone(data, "id") == 0.5
    assert auc_alone(data, "noise") == pytest.approx(0.5, abs=0.05)


def test_rates_come_from_other_folds_only():
    """Changing one row's outcome leaves that row's own rate as it was."""
    y = history().y
    cells = np.arange(3000) % 7
    before = encoded(cells, y)
    flipped = y.copy()
    flipped[10] = 1 - flipped[10]
    after = encoded(cells, flipped)
    # only the base rate that everybody is pulled to moves
    assert after[10] == pytest.approx(before[10], abs=1e-4)


def test_rates_by_hand():
    """A row's rate is that of its cell in the four other folds, with ten leads at the base rate."""
    y = history(n=200).y
    cells = np.arange(200) % 3
    fold = np.random.default_rng(5).permutation(200) % 5
    found = encoded(cells, y, seed=5)
    for row in range(0, 200, 17):
        others = (cells == cells[row]) & (fold != fold[row])
        expected = (y[others].sum() + 10 * y.mean()) / (others.sum() + 10)
        assert found[row] == pytest.approx(expected)


def test_the_gain_equals_a_logistic_fit():
    """The additive gain is that of scikit-learn's ridge on the same encodings."""
    data = history()
    names = data.names
    base = data.outcome.mean()
    x = np.column_stack(
        [encoded(cells_of(data.reading(name)), data.outcome, data.seed) for name in names]
    )
    x = np.log(x / (1 - x)) - np.log(base / (1 - base))
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, data.outcome)
    loss = log_loss(data.outcome, model.predict_proba(x)[:, 1])
    entropy = log_loss(data.outcome, np.full(data.outcome.size, base))
    assert additive_gain(data, names) == pytest.approx(entropy - loss, abs=1e-6)
    assert additive_gain(data, ()) == 0.0


def test_many_correlated_columns_keep_the_gain_positive():
    """A hundred columns, copies among them, still fit."""
    y = history().y
    add = clean_columns(60, y)
    add |= {f"{name}_copy": values for name, values in add.items()}
    data = history(add=add)
    assert 0.05 < additive_gain(data, data.names) < 0.7


def test_the_error_of_an_auc_shrinks_with_conversions():
    """Hanley and McNeil: 20 conversions among 1,000 at AUC .8 have an error near .06."""
    assert auc_error(0.8, 20, 980) == pytest.approx(0.06, abs=0.01)
    assert auc_error(0.8, 2000, 980) < auc_error(0.8, 20, 980)
    assert auc_error(0.8, 0, 980) == 0.5


def test_stability_of_equal_and_moved_samples():
    """Equal shares give about 0, a doubled share more than .25."""
    a = np.array([0] * 500 + [1] * 500)
    assert psi(a, a) == pytest.approx(0.0, abs=1e-9)
    assert psi(a, np.array([0] * 150 + [1] * 850)) > 0.25
