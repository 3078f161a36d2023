"""leadml.evaluation.checks.lml011_categories."""

import numpy as np

from leadml.evaluation.checks.lml011_categories import run
from tests.checks.planted import history


def test_a_hundred_thousand_levels_warn():
    """Far too many levels, mostly rare, are named with their number."""
    rng = np.random.default_rng(0)
    domain = np.array([f"d{i}" for i in rng.zipf(1.3, 20_000).clip(0, 10**6)], dtype=object)
    found = run(history(n=20_000, add={"domain": domain}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("domain",))
    assert found.evidence["figures"][0]["levels"] > 1000


def test_left_out_levels_are_a_tip():
    """The same column set aside is told as a tip."""
    rng = np.random.default_rng(0)
    notes = np.array([f"n{i}" for i in rng.integers(0, 3000, 3000)], dtype=object)
    data = history(add={"notes": notes}, set_aside={"notes": "free text"})
    assert (run(data).status, run(data).severity) == ("found", "tip")


def test_usual_categories_pass():
    """Five hundred landing pages, each seen often, are fine; ids are another check's."""
    rng = np.random.default_rng(0)
    page = np.array([f"p{i}" for i in rng.integers(0, 500, 8000)], dtype=object)
    assert run(history(n=8000, add={"page": page})).status == "passed"
    ids = np.array([f"u{i}" for i in range(8000)], dtype=object)
    assert run(history(n=8000, add={"user": ids})).status == "passed"
