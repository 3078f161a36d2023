"""leadml.evaluation.checks.lml002_emptiness."""

import numpy as np

from leadml.evaluation.checks.lml002_emptiness import run
from tests.checks.planted import history


def filled(y, won, lost, empty=None):
    """A column filled for shares of those who converted and those who did not."""
    rng = np.random.default_rng(2)
    there = rng.random(y.size) < np.where(y == 1, won, lost)
    return np.where(there, "A", empty).astype(object)


def test_a_column_filled_after_the_win_blocks():
    """A field that sales fill while winning is found, with the rates on both sides."""
    found = run(history(add={"quality": filled(history().y, 0.8, 0.3)}))
    assert (found.status, found.severity, found.columns) == ("found", "blocks", ("quality",))
    figure = found.evidence["figures"][0]
    assert figure["rate_where_filled"] > 2 * figure["rate_where_empty"]


def test_placeholders_count_as_empty():
    """Select, unknown and their like are no answer."""
    for word in ("Select", "UNKNOWN", "please select", "-"):
        found = run(history(add={"quality": filled(history().y, 0.8, 0.3, word)}))
        assert found.columns == ("quality",), word
    assert run(history(add={"quality": filled(history().y, 0.8, 0.3, "B")})).status == "passed"


def test_honest_gaps_pass():
    """Gaps that go with the outcome only a little, or by chance in a few rows, are no leak."""
    assert run(history(add={"phone": filled(history().y, 0.6, 0.5)})).status == "passed"
    small = history(n=60)
    assert run(history(n=60, add={"x": filled(small.y, 0.7, 0.45)})).status == "passed"


def test_one_outcome_alone_is_not_applicable():
    """Without conversions there is nothing to compare."""
    assert run(history(y=np.zeros(3000))).status == "not_applicable"
