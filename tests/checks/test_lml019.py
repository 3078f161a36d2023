"""leadml.evaluation.checks.lml019_unstable."""

from dataclasses import replace

import numpy as np

from leadml.evaluation.checks.lml019_unstable import run
from tests.checks.planted import clean_columns, history

ORDER = np.arange(6000.0)


def test_a_reversed_meaning_warns():
    """A column that raised the chance and now lowers it is named as turned round."""
    y = history(n=6000).y
    rng = np.random.default_rng(1)
    sign = np.where(ORDER < 4800, 1.0, -1.0)
    found = run(history(n=6000, order=ORDER, add={"signal": rng.normal(size=6000) + sign * y}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("signal",))
    assert found.evidence["figures"][0]["change"] == "reversed"
    assert "turned round" in found.detail


def test_moved_values_warn():
    """A category whose shares moved markedly is named; a proxy of time is left to its check."""
    rng = np.random.default_rng(1)
    late = ORDER >= 4800
    form = np.where(rng.random(6000) < np.where(late, 0.4, 0.05), "new", "old").astype(object)
    data = history(n=6000, order=ORDER, add={"form": form, "index": ORDER})
    assert run(data).columns == ("form",)


def test_stable_columns_pass():
    """Forty honest columns pass, also in a small table; without order nothing is said."""
    for n in (6000, 300):
        y = history(n=n).y
        data = history(n=n, order=np.arange(float(n)), add=clean_columns(40, y))
        assert run(data).status == "passed"
    assert run(history()).status == "not_applicable"


def test_moved_values_are_told_before_their_outcomes_are_ripe():
    """Where the newest fifth has no outcome yet, the column is named and nothing is drawn."""
    rng = np.random.default_rng(1)
    late = ORDER >= 4800
    form = np.where(rng.random(6000) < np.where(late, 0.4, 0.05), "new", "old").astype(object)
    data = history(n=6000, order=ORDER, add={"form": form})
    for unripe in (late, ~late):
        found = run(replace(data, y=np.where(unripe, np.nan, data.y), memory={}))
        assert found.columns == ("form",)
        assert found.evidence["shares"] == []
    assert run(data).evidence["shares"][0]["among"] == "the newest fifth"
