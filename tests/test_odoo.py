"""leadml.evaluation.odoo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.errors import DataError
from leadml.evaluation.odoo import OdooBayes


def test_counts_by_hand():
    """Two fields give the product of their likelihoods, each smoothed by 0.1."""
    y = [1, 1, 0, 0, 0]
    columns = {"a": ["x", "x", "x", "y", "y"], "b": ["u", "v", "v", "v", None]}
    chance = OdooBayes().fit(columns, y).predict({"a": ["x"], "b": ["u"]})[0]
    won = 2.1 * (2.1 / 2.2) * (1.1 / 2.2)
    lost = 3.1 * (1.1 / 3.2) * (0.1 / 2.2)
    assert chance == pytest.approx(won / (won + lost))


def test_copies_of_a_signal_make_it_overconfident():
    """True rates of 60 and 20 percent become about 94 and 6 with three copies, 99.8 with six."""
    y = np.array([1] * 360 + [0] * 240 + [1] * 280 + [0] * 1120)
    signal = np.array(["yes"] * 600 + ["no"] * 1400)
    for copies, high, low in ((1, 0.598, 0.206), (3, 0.941, 0.065), (6, 0.998, 0.009)):
        columns = {f"c{i}": signal for i in range(copies)}
        yes, no = (
            OdooBayes().fit(columns, y).predict({f"c{i}": ["yes", "no"] for i in range(copies)})
        )
        assert yes == pytest.approx(high, abs=0.01)
        assert no == pytest.approx(low, abs=0.01)


def test_numbers_are_cut_and_empty_is_skipped():
    """A number that separates the classes is used; NaN and unseen values leave the prior."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    y = (x > 0).astype(float)
    x[::10] = np.nan
    found = OdooBayes().fit({"x": x}, y).predict({"x": np.array([-2.0, 2.0, np.nan, 1e300])})
    assert found[0] < 0.01
    assert found[1] > 0.99
    assert found[2] == pytest.approx(y.mean(), abs=0.01)
    assert found[3] == found[1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=2, max_size=40))
def test_chances_stay_clamped(rows):
    """Every chance lies between 0.01 and 99.99 percent; one class alone is refused."""
    values = [row[0] for row in rows]
    y = [float(row[1]) for row in rows]
    if len(set(y)) < 2:
        with pytest.raises(DataError):
            OdooBayes().fit({"a": values}, y)
        return
    found = OdooBayes().fit({"a": values}, y).predict({"a": [*values, "z", None]})
    assert ((found >= 0.0001) & (found <= 0.9999)).all()
    assert found[-1] == found[-2] == pytest.approx((sum(y) + 0.1) / (len(y) + 0.2))


def test_columns_without_values():
    """A column that is all empty says nothing; no column at all is a named error."""
    model = OdooBayes().fit({"a": [None, None], "x": np.array([np.nan, np.nan])}, [0, 1])
    assert model.predict({"a": [None], "x": np.array([1.0])})[0] == pytest.approx(0.5)
    with pytest.raises(DataError):
        OdooBayes().fit({}, [0, 1]).predict({})
