"""leadml.evaluation.checks.lml023_formulas."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml023_formulas import run
from tests.checks.planted import history


@pytest.mark.parametrize(
    "cell", ['=HYPERLINK("http://x")', "=cmd|' /C calc'!A0", "@SUM(A1)", "+cmd|x!A0", "-cmd|x!A0"]
)
def test_formulas_warn_with_rows(cell):
    """Cells that a spreadsheet would run are named by row and not repeated."""
    text = np.array(["fine"] * 3000, dtype=object)
    text[7] = cell
    found = run(history(add={"comment": text}))
    assert (found.status, found.severity, found.rows) == ("found", "warns", (8,))
    assert cell not in str(found.as_dict())


def test_signs_and_handles_pass():
    """Negative numbers, phone numbers, handles and dashes are no formulas."""
    words = ["-5", "+49 30 12", "@ada", "- none", "a=b", "="]
    text = np.array([words[i % len(words)] for i in range(3000)], dtype=object)
    assert run(history(add={"comment": text})).status == "passed"
