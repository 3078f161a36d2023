"""leadml.evaluation.checks.lml020_perfection."""

import numpy as np

from leadml.evaluation.checks.lml020_perfection import run
from tests.checks.planted import history

ROWS = np.arange(1000, 3000)


def judged(spread):
    """A history with tested predictions of a given noise."""
    y = history().y
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-(6 * y[ROWS] - 3 + rng.normal(0, spread, ROWS.size))))
    return history(tested_rows=ROWS, tested_probability=p)


def test_perfection_blocks():
    """An AUC of nearly 1 blocks, and the strongest columns are named for questioning."""
    found = run(judged(0.5))
    assert found.blocks
    assert "page_views" in found.columns


def test_near_perfection_warns():
    """An AUC around .97 warns."""
    found = run(judged(2.2))
    assert (found.status, found.severity) == ("found", "warns")


def test_a_usual_model_passes():
    """A usual AUC passes; without a test, or with few conversions, nothing is said."""
    assert run(judged(8.0)).status == "passed"
    assert run(history()).status == "not_applicable"
    few = np.flatnonzero(history().y == 0)[:50]
    data = history(tested_rows=few, tested_probability=np.full(50, 0.1))
    assert run(data).status == "not_applicable"
