"""How a model is tested."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.training.protocols import choose_protocol, drifted

Y = (np.arange(400) % 5 == 0).astype(float)


@given(
    st.lists(st.integers(0, 300), min_size=100, max_size=300), st.floats(0, 50), st.floats(0.1, 0.5)
)
def test_a_forward_test_never_learns_from_the_future(days, delay, share):
    """Every training row is older than every test row, and its label was known by then."""
    order = np.array(days, dtype=float)
    y = (np.arange(len(order)) % 3 == 0).astype(float)
    found = choose_protocol(y, order, "day", label_delay=delay, test_share=share)
    if found.kind == "forward":
        ((train, test),) = found.splits
        assert order[train].max() < order[test].min()
        if not any("too short" in note for note in found.notes):
            assert order[train].max() + delay <= order[test].min()


def test_without_an_order_every_row_is_tested_once_and_the_name_says_so():
    """Folds partition the rows."""
    found = choose_protocol(Y, None, "")
    assert found.kind == "folds"
    assert "no order in time is known" in found.name
    assert sorted(np.concatenate([test for _, test in found.splits])) == list(range(400))
    for train, test in found.splits:
        assert not set(train) & set(test)


def test_a_forward_test_with_hardly_a_conversion_falls_back_to_folds():
    """A test that cannot judge is not pretended."""
    y = np.zeros(400)
    y[:40] = 1
    found = choose_protocol(y, np.arange(400.0), "day")
    assert found.kind == "folds"
    assert "too few conversions" in found.name


@pytest.mark.parametrize(("newer", "answer"), [(0.10, False), (0.12, False), (0.25, True)])
def test_drift_is_a_plain_move_of_the_conversion_rate(newer, answer):
    """10 % to 25 % is drift; 10 % to 12 % is not."""
    random = np.random.default_rng(0)
    y = np.concatenate((random.random(7000) < 0.10, random.random(3000) < newer)).astype(float)
    assert drifted(y, np.arange(10_000.0)) is answer
