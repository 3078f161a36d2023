"""leadml.evaluation.checks.lml027_date_formats."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml027_date_formats import run
from tests.checks.planted import history


@pytest.mark.parametrize(
    "forms",
    [["03/04/2024", "13/04/2024", "04/14/2024"], ["3.4.24", "13.4.24", "1.12.23"],
     ["2024-01-05", "05/01/2024", "5 Jan 2024"], ["Jan 5, 2024", "March 7, 2024", "May 1, 2023"]],
)  # fmt: skip
def test_doubtful_dates_warn(forms):
    """Dates in foreign or several forms are named with rows of the foreign ones."""
    values = np.array([forms[i % 3] for i in range(3000)], dtype=object)
    found = run(history(add={"first_seen": values}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("first_seen",))
    assert found.rows


def test_readable_dates_and_fractions_pass():
    """ISO dates and those with dots are times; fractions, versions and ranges are no dates."""
    days = [f"2024-01-{1 + i % 28:02d}" for i in range(3000)]
    dots = [f"{1 + i % 28}.1.2024" for i in range(3000)]
    words = ["1/2", "3/4", "24/7", "1.2", "10-49"]
    text = np.array([words[i % 5] for i in range(3000)], dtype=object)
    assert run(history(add={"seen": days, "dots": dots, "share": text})).status == "passed"
