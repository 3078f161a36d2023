"""leadml.evaluation.checks.lml015_immaturity."""

import numpy as np

from leadml.evaluation.checks.lml015_immaturity import run
from tests.checks.planted import DAY_S, START_S, history

CREATED = START_S + np.arange(4000) * DAY_S / 40


def censored():
    """Outcomes whose conversion takes up to 60 days, seen only until the end."""
    data = history(n=4000)
    waits = np.random.default_rng(0).exponential(25 * DAY_S, 4000)
    return np.where(CREATED + waits > CREATED.max(), 0.0, data.y)


def test_young_leads_counted_as_lost_warn():
    """Without a horizon, a drop of conversions among the newest leads is doubted."""
    found = run(history(n=4000, y=censored(), created_at=CREATED))
    assert (found.status, found.severity) == ("found", "warns")
    assert (
        found.evidence["figures"][0]["rate_newest"]
        < 0.6 * (found.evidence["figures"][0]["rate_before"])
    )


def test_a_horizon_settles_it():
    """With a horizon the young are unknown, which passes; if most are, it is told."""
    few = history(n=4000, created_at=CREATED, horizon_days=30, n_immature=900)
    assert run(few).status == "passed"
    most = history(n=4000, created_at=CREATED, horizon_days=90, n_immature=2500)
    assert run(most).status == "found"
    assert "shorter horizon" in run(most).fix


def test_ripe_leads_pass():
    """A steady rate passes; without times, or with few leads, nothing is said."""
    assert run(history(n=4000, created_at=CREATED)).status == "passed"
    assert run(history(n=4000)).status == "not_applicable"
    assert run(history(n=50, created_at=CREATED[:50])).status == "not_applicable"
