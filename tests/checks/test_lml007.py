"""leadml.evaluation.checks.lml007_same_lead."""

import numpy as np

from leadml.evaluation.checks.lml007_same_lead import run
from leadml.leads import Role
from tests.checks.planted import history

ROLES = {"lead_id": Role.ID}


def test_a_lead_on_both_sides_warns():
    """Tested leads whose id was learned from are counted and named."""
    ids = np.arange(1000)
    ids[900:950] = ids[:50]
    data = history(
        n=1000,
        add={"lead_id": ids},
        roles=ROLES,
        learned_rows=np.arange(800),
        tested_rows=np.arange(800, 1000),
    )
    found = run(data)
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("lead_id",))
    assert found.rows[0] == 901
    assert found.evidence["figures"][0]["n"] == 50


def test_repeated_ids_warn_before_any_test():
    """Without a test, rows that repeat an id are told."""
    assert run(history(n=1000, add={"lead_id": np.arange(1000) // 2}, roles=ROLES)).rows[0] == 2


def test_separate_leads_pass():
    """Leads that stand in one row each pass; without an id nothing is said."""
    data = history(
        n=1000,
        add={"lead_id": np.arange(1000)},
        roles=ROLES,
        learned_rows=np.arange(800),
        tested_rows=np.arange(800, 1000),
    )
    assert run(data).status == "passed"
    assert run(history(n=1000, add={"lead_id": np.arange(1000)}, roles=ROLES)).status == "passed"
    assert run(history(n=1000)).status == "not_applicable"
