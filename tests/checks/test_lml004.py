"""leadml.evaluation.checks.lml004_time_proxy."""

import numpy as np

from leadml.evaluation.checks.lml004_time_proxy import run
from tests.checks.planted import history


def test_a_column_that_rises_with_time_warns():
    """A price index is named as a proxy of time; columns of the lead are not."""
    order = np.arange(3000.0)
    index = 90 + order // 100 + np.random.default_rng(1).normal(0, 0.5, 3000)
    found = run(history(order=order, add={"price_index": index}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("price_index",))
    assert found.evidence["figures"][0]["auc_of_newest"] > 0.75


def test_time_stands_in_for_order():
    """The time of creation serves where no other order is named, whatever the row order."""
    rng = np.random.default_rng(3)
    created = rng.permutation(3000).astype(float)
    found = run(history(created_at=created, add={"campaign": created // 300}))
    assert found.columns == ("campaign",)


def test_columns_of_the_lead_pass():
    """Attributes that do not move with time pass; without any order nothing is said."""
    assert run(history(order=np.arange(3000.0))).status == "passed"
    assert run(history()).status == "not_applicable"
