"""leadml.evaluation.checks.lml021_mixed."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml021_mixed import run
from tests.checks.planted import history


def test_words_among_numbers_warn_with_rows():
    """Words in a column of numbers are named with their rows."""
    values = np.array([str(i % 50) for i in range(3000)], dtype=object)
    values[[2, 8]] = ["about 20", "~30"]
    found = run(history(add={"employees": values}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("employees",))
    assert found.rows == (3, 9)


def test_codes_and_numbers_pass():
    """Numbers, gaps and categories with a few digits among them pass."""
    digits = np.array(["1", "2", "3", "other"] * 750, dtype=object)
    gaps = np.array([str(i % 50) if i % 3 else "N/A" for i in range(3000)], dtype=object)
    assert run(history(add={"code": digits, "visits": gaps})).status == "passed"


@pytest.mark.parametrize("form", ["{},5", "{},400", "€ {}", "{} %", "1.1{:02d}.000 EUR"])
def test_numbers_in_a_foreign_form_warn(form):
    """Decimal commas, thousands separators and units make a text of a number: that is said."""
    values = np.array([form.format(1 + i % 50) for i in range(3000)], dtype=object)
    found = run(history(add={"revenue": values}))
    assert (found.status, found.columns) == ("found", ("revenue",))
    assert "not read" in found.detail
    assert found.rows[0] == 1


@pytest.mark.parametrize("form", ["10-{}", "v1.{}", "{}th floor", "A{}"])
def test_words_with_digits_pass(form):
    """Ranges, versions and codes are no numbers."""
    values = np.array([form.format(1 + i % 50) for i in range(3000)], dtype=object)
    assert run(history(add={"size": values})).status == "passed"
