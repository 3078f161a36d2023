"""leadml.evaluation.checks.lml012_target."""

import numpy as np

from leadml.evaluation.checks.lml012_target import run
from leadml.leads import Role
from tests.checks.planted import history


def test_swapped_yes_and_no_warn():
    """A rate of conversions above 80 percent is doubted."""
    assert "swapped" in run(history(y=(np.arange(3000) % 10 > 0).astype(float))).detail


def test_hardly_any_conversion_warns():
    """Less than one in a thousand is doubted."""
    y = np.zeros(3000)
    y[0] = 1
    found = run(history(y=y))
    assert (found.status, found.severity) == ("found", "warns")


def test_one_class_blocks():
    """No conversion, only conversions, or no known outcome block."""
    for y in (np.zeros(3000), np.ones(3000), np.full(3000, np.nan)):
        assert run(history(y=y)).blocks


def test_unknown_outcomes_warn_with_rows():
    """Many leads without an outcome are told with their rows, unless they are merely young."""
    y = np.where(np.arange(3000) < 2000, np.nan, history().y)
    assert run(history(y=y)).rows[:2] == (1, 2)
    assert run(history(y=y, n_immature=2000)).status == "passed"


def test_more_than_two_values_are_a_tip():
    """A status with several values is told: all but one count as not converted."""
    y = history().y
    status = np.where(y == 1, "won", np.where(np.arange(3000) % 2, "lost", "open"))
    data = history(add={"status": status}, target="status", roles={"status": Role.OUTCOME})
    assert (run(data).status, run(data).severity) == ("found", "tip")


def test_a_usual_outcome_passes():
    """A plain yes or no passes."""
    assert run(history()).status == "passed"
