"""leadml.evaluation.checks.lml017_schema."""

import numpy as np

from leadml.evaluation.checks.lml017_schema import run
from tests.checks.planted import history


def incoming(**change):
    """Leads to be scored, like the history but for what is changed."""
    columns = dict(history(n=400, seed=9).columns)
    columns.update(change)
    return {name: values for name, values in columns.items() if values is not None}


def test_a_renamed_field_blocks():
    """A column that is gone blocks; the new name is told."""
    found = run(history(incoming=incoming(source=None, lead_source=["Ads"] * 400)))
    assert found.blocks
    assert found.columns == ("source",)
    assert "'lead_source'" in found.detail


def test_words_instead_of_numbers_block():
    """A number that became words blocks."""
    found = run(history(incoming=incoming(page_views=["many"] * 400)))
    assert found.blocks
    assert found.evidence["figures"][0]["difference"] == "kind"


def test_new_words_and_gaps_warn():
    """Texts never seen, and a column suddenly empty, warn without blocking."""
    source = np.array(["Ads", "Chat"] * 200, dtype=object)
    gone = np.full(400, np.nan)
    found = run(history(incoming=incoming(source=source, company_size=gone)))
    assert (found.status, found.severity) == ("found", "warns")
    differences = {f["column"]: f["difference"] for f in found.evidence["figures"]}
    assert differences == {"source": "unseen", "company_size": "emptier"}


def test_like_leads_pass():
    """Leads like the history pass, fields beyond it included; none given is not applicable."""
    found = run(history(incoming=incoming(extra=np.zeros(400))))
    assert found.status == "passed"
    assert "1 field beyond" in found.detail
    assert run(history()).status == "not_applicable"
