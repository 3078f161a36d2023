"""leadml.evaluation.checks.lml013_silent_period."""

import numpy as np

from leadml.evaluation.checks.lml013_silent_period import run
from tests.checks.planted import history


def test_conversions_not_recorded_at_first_warn():
    """A start of the history without conversions is named with its share."""
    y = history(n=6000).y
    y[:900] = 0
    found = run(history(n=6000, y=y, order=np.arange(6000.0)))
    assert (found.status, found.severity) == ("found", "warns")
    assert "oldest 15" in found.detail
    assert len(found.evidence["figures"]) == 20


def test_an_end_without_conversions_warns():
    """A broken feed at the end is named too."""
    y = history(n=6000).y
    y[-600:] = 0
    assert "newest 10" in run(history(n=6000, y=y, order=np.arange(6000.0))).detail


def test_steady_and_rare_conversions_pass():
    """A steady history passes, and so does one with rare conversions and lucky gaps."""
    order = np.arange(6000.0)
    assert run(history(n=6000, order=order)).status == "passed"
    rare = (np.random.default_rng(0).random(6000) < 0.008).astype(float)
    assert run(history(n=6000, y=rare, order=order)).status == "passed"
    assert run(history(n=6000)).status == "not_applicable"
    assert run(history(n=100, order=np.arange(100.0))).status == "not_applicable"
