"""leadml.evaluation.checks.lml025_wide."""

import numpy as np

from leadml.evaluation.checks.lml025_wide import run
from tests.checks.planted import history


def test_thousands_of_columns_warn():
    """More than 500 columns warn, and so do more than five per conversion in a small table."""
    wide = {f"c{i}": np.zeros(300) for i in range(501)}
    found = run(history(n=300, add=wide))
    assert (found.status, found.severity) == ("found", "warns")
    assert "505 columns" in found.detail
    y = np.zeros(300)
    y[:12] = 1
    assert run(history(n=300, y=y, add={f"c{i}": y for i in range(80)})).status == "found"


def test_usual_tables_pass():
    """Forty columns pass, with few conversions too."""
    y = np.zeros(300)
    y[:12] = 1
    assert run(history(n=300, y=y, add={f"c{i}": y for i in range(40)})).status == "passed"
