"""leadml.evaluation.checks.lml016_base_rate."""

import numpy as np

from leadml.evaluation.checks.lml016_base_rate import run
from tests.checks.planted import history


def test_a_doubled_rate_warns():
    """A rate that doubles in the newest fifth is told with its course in tenths."""
    rng = np.random.default_rng(0)
    y = (rng.random(5000) < np.where(np.arange(5000) < 4000, 0.1, 0.25)).astype(float)
    found = run(history(n=5000, y=y, order=np.arange(5000.0)))
    assert (found.status, found.severity) == ("found", "warns")
    assert len(found.evidence["course"]) == 10
    assert found.evidence["figures"][0]["log_odds"] > 0.5


def test_a_steady_rate_passes():
    """Chance alone passes, in small tables too; without order nothing is said."""
    assert run(history(n=5000, order=np.arange(5000.0))).status == "passed"
    for seed in range(20):
        assert run(history(n=300, seed=seed, order=np.arange(300.0))).status == "passed"
    assert run(history()).status == "not_applicable"
    assert run(history(n=100, order=np.arange(100.0))).status == "not_applicable"
