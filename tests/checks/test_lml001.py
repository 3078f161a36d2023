"""leadml.evaluation.checks.lml001_dominance."""

import numpy as np

from leadml.evaluation.checks.lml001_dominance import run
from leadml.leads import Role
from tests.checks.planted import history


def spoken(y, slip, seed=1):
    """A column that repeats the outcome but for some slips."""
    rng = np.random.default_rng(seed)
    right = rng.random(y.size) > slip
    return np.where((y == 1) == right, "yes", "no")


def test_a_column_that_repeats_the_outcome_blocks():
    """A near copy of the outcome is found with its AUC; the honest columns are not."""
    y = history().y
    found = run(history(add={"became": spoken(y, 0.02)}))
    assert (found.status, found.severity) == ("found", "blocks")
    assert found.columns == ("became",)
    assert found.evidence["figures"][0]["auc_alone"] > 0.9
    assert "'became'" in found.detail


def test_between_the_limits_the_share_of_the_gain_decides():
    """With AUC between .80 and .90 alone, a column blocks if the others cannot replace it."""
    y = history().y
    leak = spoken(y, 0.15)
    alone = run(history(add={"became": leak}))
    assert alone.columns == ("became",)
    assert 0.8 < alone.evidence["figures"][0]["auc_alone"] < 0.9
    twice = {"became": leak, "became_too": leak.copy()}
    replaced = run(history(add=twice, gain=lambda names: 0.1 if len(names) >= 5 else 0.0))
    assert replaced.status == "passed"


def test_honest_columns_pass():
    """Nothing is found in an honest history, an id included."""
    data = history()
    data = history(add={"number": np.arange(data.y.size).astype(str)})
    assert run(data).status == "passed"


def test_columns_not_learned_from_are_left_alone():
    """A leak with a role that does not learn is no finding."""
    y = history().y
    data = history(add={"became": y}, roles={"became": Role.IGNORE})
    assert run(data).status == "passed"


def test_unknown_outcomes_are_left_out():
    """Rows without a known outcome take no part; one class alone is not applicable."""
    y = history().y
    hidden = np.where(np.arange(y.size) < 1000, np.nan, y)
    assert run(history(y=hidden, add={"became": spoken(y, 0.02)})).columns == ("became",)
    assert run(history(y=np.zeros(y.size))).status == "not_applicable"
    assert run(history(drop=["company_size", "page_views", "source", "country"])).status == (
        "not_applicable"
    )
