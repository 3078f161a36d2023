"""leadml.evaluation.checks.lml030_consent."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml030_consent import run
from leadml.leads import Role
from tests.checks.planted import history


def answers(yes, no, n=3000):
    """One lead in ten says no, one in twenty was never asked."""
    values = np.array([yes] * n, dtype=object)
    values[::10] = no
    values[5::20] = None
    return values


@pytest.mark.parametrize(
    ("name", "given", "refused"),
    [("GDPR consent", "yes", "no"), ("optIn", "true", "false"), ("Do Not Email", "No", "Yes"),
     ("opted_out", "0", "1"), ("unsubscribed", "false", "true"), ("Einwilligung", "ja", "nein")],
)  # fmt: skip
def test_refusals_are_counted_whichever_way_the_column_asks(name, given, refused):
    """Yes is a refusal in "do not email"; leads never asked are told apart."""
    found = run(history(add={name: answers(given, refused)}, roles={name: Role.CONSENT}))
    assert (found.status, found.severity, found.columns) == ("found", "tip", (name,))
    (figure,) = found.evidence["figures"]
    assert (figure["share_refused"], figure["share_not_recorded"]) == (0.1, 0.05)
    assert not figure["learned"]
    points = {point["name"]: point["n"] for point in found.evidence["shares"][0]["points"]}
    assert points == {"may be contacted": 2550, "refused": 300, "not recorded": 150}


def test_the_outcome_of_few_is_not_told():
    """Fewer than twenty refusals are counted, but what became of them is nobody's business."""
    values = np.array(["No"] * 3000, dtype=object)
    values[:2] = "Yes"
    found = run(history(add={"Do Not Call": values}))
    assert found.evidence["figures"][0]["share_refused"] == 0.0007
    assert [p["name"] for p in found.evidence["shares"][0]["points"]] == ["may be contacted"]


def test_learning_from_consent_is_said():
    """A consent column that nobody set aside is named as learned from."""
    found = run(history(add={"consent": answers("yes", "no")}))
    assert "'consent' is learned from" in found.detail


def test_where_everybody_agreed_or_nobody_was_asked():
    """No refusal passes; other columns, dates of consent and free text tell nothing."""
    assert run(history(add={"consent": np.array(["yes"] * 3000)})).status == "passed"
    days = np.array([f"2024-01-{1 + i % 28:02d}" for i in range(3000)], dtype=object)
    words = np.array([f"said so {i}" for i in range(3000)], dtype=object)
    other = {"consent_at": days, "consent_text": words, "permission": np.array(["a", "b"] * 1500)}
    assert run(history(add=other)).status == "not_applicable"
    assert run(history()).status == "not_applicable"


def test_the_role_is_not_asked_for_where_it_was_given():
    """A column that has the role consent is not asked to get it."""
    add = {"consent": answers("yes", "no")}
    assert "role consent" in run(history(add=add)).fix
    given = run(history(add=add, roles={"consent": Role.CONSENT}))
    assert given.status == "found"
    assert "role consent" not in given.fix
    assert "ask again" in given.fix
