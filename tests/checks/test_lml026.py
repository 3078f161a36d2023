"""leadml.evaluation.checks.lml026_copies."""

import numpy as np

from leadml.evaluation.checks.lml026_copies import run
from tests.checks.planted import history


def test_copies_are_a_tip():
    """A renamed, rescaled or recoded copy is named with its original."""
    data = history()
    codes = {"Webinar": "w", "Ads": "a", "Referral": "r", "Fair": "f"}
    add = {
        "views_in_percent": data.columns["page_views"] * 100,
        "log_size": np.log(data.columns["company_size"]),
        "source_code": np.array([codes[s] for s in data.columns["source"]], dtype=object),
    }
    found = run(history(add=add))
    assert (found.status, found.severity) == ("found", "tip")
    assert {f["column"]: f["copy_of"] for f in found.evidence["figures"]} == {
        "views_in_percent": "page_views",
        "log_size": "company_size",
        "source_code": "source",
    }


def test_different_columns_pass():
    """Similar columns, constants and ids are no copies."""
    near = history().columns["page_views"].copy()
    near[0] += 1
    two = np.random.default_rng(0).normal(size=(2, 3000))
    ids = {"a": np.arange(3000), "b": np.arange(3000)[::-1], "c": np.ones(3000), "d": np.ones(3000)}
    assert run(history(add={"near": near, "x": two[0], "z": two[1], **ids})).status == "passed"
