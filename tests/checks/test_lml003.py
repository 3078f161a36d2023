"""leadml.evaluation.checks.lml003_name."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml003_name import run
from tests.checks.planted import history


@pytest.mark.parametrize(
    "name", ["Lead Quality", "closeReason", "last_activity", "Tags", "STATUS", "deal-stage"]
)
def test_names_of_afterwards_warn(name):
    """A telling column named like something known only later is named, whatever its spelling."""
    values = history().columns["page_views"]
    found = run(history(add={name: values * 2}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", (name,))


@pytest.mark.parametrize("name", ["days_since_last_visit", "country", "classic", "marital_status"])
def test_innocent_names_pass(name):
    """Words that only look alike are left alone."""
    assert run(history(add={name: history().columns["page_views"]})).status == "passed"


def test_a_named_column_that_tells_nothing_passes():
    """A suspicious name on noise is not worth a warning."""
    noise = np.random.default_rng(5).normal(size=3000)
    assert run(history(add={"score": noise})).status == "passed"
