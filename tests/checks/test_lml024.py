"""leadml.evaluation.checks.lml024_oversized."""

import numpy as np

from leadml.evaluation.checks.lml024_oversized import run
from tests.checks.planted import history


def test_oversized_texts_warn_with_rows():
    """A text of ten million characters is named by its row and length."""
    text = np.array(["short"] * 3000, dtype=object)
    text[1] = "x" * 10_000_000
    found = run(history(add={"note": text}))
    assert (found.status, found.severity, found.rows) == ("found", "warns", (2,))
    assert found.evidence["figures"][0]["longest"] == 10_000_000
    assert len(str(found.as_dict())) < 2000


def test_usual_texts_pass():
    """Texts of a few hundred characters pass."""
    assert run(history(add={"note": ["word " * 60] * 3000})).status == "passed"
