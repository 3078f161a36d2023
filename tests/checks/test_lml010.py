"""leadml.evaluation.checks.lml010_ids."""

import uuid

import numpy as np

from leadml.evaluation.checks.lml010_ids import run
from leadml.leads import Role
from tests.checks.planted import history

IDS = np.array([str(uuid.UUID(int=i * 7919)) for i in range(3000)], dtype=object)


def test_ids_to_learn_from_warn():
    """Texts that never repeat, and running numbers, are named when they would be learned from."""
    found = run(history(add={"prospect": IDS, "Lead Number": np.arange(3000) * 17 + 5}))
    assert (found.status, found.severity) == ("found", "warns")
    assert found.columns == ("prospect", "Lead Number")


def test_ids_left_out_are_a_tip():
    """Ids that leadml set aside are told; those that people named are not."""
    data = history(add={"prospect": IDS}, set_aside={"prospect": "an id"})
    assert run(data).severity == "tip"
    named = history(add={"prospect": IDS}, roles={"prospect": Role.ID})
    assert run(named).status == "passed"


def test_measures_pass():
    """Amounts that happen to differ in every row are no ids."""
    revenue = np.random.default_rng(0).lognormal(10, 2, 3000)
    whole = np.random.default_rng(0).integers(0, 10**9, 3000)
    assert run(history(add={"revenue": revenue, "visits": whole})).status == "passed"
