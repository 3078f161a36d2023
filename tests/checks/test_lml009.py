"""leadml.evaluation.checks.lml009_constant."""

import numpy as np

from leadml.evaluation.checks.lml009_constant import run
from tests.checks.planted import history


def test_constant_and_empty_columns_are_a_tip():
    """Columns with one value, or none, are named, those leadml set aside too."""
    add = {"same": ["x"] * 3000, "none": [None] * 3000, "nan": np.full(3000, np.nan)}
    found = run(history(add=add, set_aside={"none": "empty in every row"}))
    assert (found.status, found.severity) == ("found", "tip")
    assert set(found.columns) == {"same", "none", "nan"}


def test_one_value_with_gaps_is_no_constant():
    """Filled or not is information: such a column passes."""
    half = np.where(np.arange(3000) % 2 == 0, "yes", None)
    assert run(history(add={"consent": half})).status == "passed"
