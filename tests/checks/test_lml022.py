"""leadml.evaluation.checks.lml022_infinite."""

import numpy as np

from leadml.evaluation.checks.lml022_infinite import run
from tests.checks.planted import history


def test_infinite_numbers_warn_with_rows():
    """Infinite values are counted and their rows named, as text too."""
    ratio = np.ones(3000)
    ratio[[5, 6]] = [np.inf, -np.inf]
    text = ["1.5"] * 2999 + ["inf"]
    found = run(history(add={"ratio": ratio, "share": text}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("ratio", "share"))
    assert found.rows == (6, 7)


def test_finite_numbers_pass():
    """Huge but finite numbers and gaps pass."""
    assert run(history(add={"x": np.where(np.arange(3000) % 2, 1e300, np.nan)})).status == "passed"
