"""leadml.evaluation.checks.lml006_impossible_times."""

import numpy as np

from leadml.evaluation.checks.lml006_impossible_times import run
from leadml.leads import Role
from tests.checks.planted import DAY_S, START_S, history

CREATED = START_S + np.arange(300) * DAY_S / 10


def test_leads_from_the_future_warn():
    """Creations after the table was taken, or after today, are named with their rows."""
    late = CREATED.copy()
    late[[3, 7]] += 4000 * DAY_S
    for limit in ("as_of", "now"):
        data = history(n=300, created_at=late, **{limit: CREATED.max()})
        found = run(data)
        assert (found.status, found.severity, found.rows) == ("found", "warns", (4, 8))
        assert "2 leads created after" in found.detail


def test_outcomes_before_their_lead_warn():
    """An outcome older than its lead is impossible."""
    outcome = CREATED + 10 * DAY_S
    outcome[5] = CREATED[5] - DAY_S
    data = history(n=300, created_at=CREATED, outcome_at=outcome, roles={"won_at": Role.OUTCOME_AT})
    found = run(data)
    assert found.rows == (6,)
    assert found.columns == ("won_at",)
    assert "There is 1 outcome before" in found.detail


def test_missing_creations_are_counted():
    """Leads without a time of creation are told."""
    created = np.where(np.arange(300) == 0, np.nan, CREATED)
    assert "1 lead without a time of creation" in run(history(n=300, created_at=created)).detail


def test_possible_times_pass():
    """Times in order pass; without them nothing is said."""
    data = history(n=300, created_at=CREATED, outcome_at=CREATED + 5, as_of=CREATED.max() + 9)
    assert run(data).status == "passed"
    assert run(history(n=300)).status == "not_applicable"
