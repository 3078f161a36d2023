"""leadml.evaluation.checks.lml029_contacts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.evaluation.checks.lml029_contacts import fault_of_address, fault_of_number, run
from tests.checks.planted import history


def addresses(n=3000):
    """An address for each lead."""
    return np.array([f"person{i}@firm{i % 300}.de" for i in range(n)], dtype=object)


def test_contacts_that_lead_nowhere_are_counted_by_kind():
    """Malformed, throw-away and test addresses, each with its share; rows of them are named."""
    mail = addresses()
    mail[[3, 10]] = "nobody at home"
    mail[20:80] = "bot@mailinator.com"
    mail[100:130] = "test@firm.de"
    mail[200:500] = None
    found = run(history(add={"E-Mail": mail}))
    assert (found.status, found.severity, found.columns) == ("found", "tip", ("E-Mail",))
    assert found.rows[:3] == (4, 11, 21)
    (figure,) = found.evidence["figures"]
    assert figure["share_no_address"] == round(2 / 2700, 4)
    assert figure["share_throw_away"] == round(60 / 2700, 4)
    assert figure["share_test_entry"] == round(30 / 2700, 4)
    assert figure["share_empty"] == 0.1
    names = [point["name"] for point in found.evidence["shares"][0]["points"]]
    assert names == ["sound", "leads nowhere", "empty"]
    assert "mailinator" not in str(found.as_dict())


def test_numbers_that_nobody_answers_are_counted():
    """Too short, or the same digit again and again."""
    phone = np.array([f"+49 30 {900000 + i}" for i in range(3000)], dtype=object)
    phone[:40] = "000 000 000"
    phone[40:60] = "n.a. yet 12345"
    found = run(history(add={"mobile_phone": phone}))
    assert found.status == "found"
    (figure,) = found.evidence["figures"]
    assert (figure["share_no_number"], figure["share_test_entry"]) == (0.0067, 0.0133)


def test_further_columns_are_counted_in_grammar():
    """One further column does, several do."""
    mail = addresses()
    mail[:100] = "bot@mailinator.com"
    two = run(history(add={"mail": mail, "mail_2": mail}))
    assert two.detail.endswith("So does 1 more column.")
    three = run(history(add={"mail": mail, "mail_2": mail, "mail_3": mail}))
    assert three.detail.endswith("So do 2 more columns.")


def test_sound_contacts_pass_and_other_tables_have_none():
    """A few slips are no finding; without contacts there is nothing to say."""
    mail = addresses()
    mail[:4] = "oops"
    assert run(history(add={"mail": mail})).status == "passed"
    assert run(history()).status == "not_applicable"
    handles = np.array([f"@user{i}" for i in range(3000)], dtype=object)
    assert run(history(add={"calls_by_phone": np.arange(3000.0)})).status == "not_applicable"
    assert run(history(add={"handle": handles})).status == "found"  # no addresses, plainly


@pytest.mark.parametrize(
    "text",
    ["o'neil+crm@sub.firm.co.uk", "käthe@müller.de", "A_B-c@x1.io", "first.last@firma.museum"],
)
def test_unusual_addresses_are_addresses(text):
    """Apostrophes, plus signs, umlauts and long endings are in use."""
    assert fault_of_address(text) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (".ada@firm.de", "no address"),
        ("ada..l@firm.de", "no address"),
        ("ada@@firm.de", "no address"),
        ("ada@-firm.de", "no address"),
        ("mailto:ada@firm.de ", "no address"),
        ("ada@eu.mailinator.com", "throw-away"),
        ("ada@example.org", "test entry"),
        ("asdf@firm.de", "test entry"),
    ],
)
def test_faults_of_addresses_have_names(text, fault):
    """Form first, then the host, then what was typed to get past a form."""
    assert fault_of_address(text) == fault


@given(st.text(max_size=80))
def test_any_text_is_judged(text):
    """No text breaks the check."""
    assert fault_of_address(text) in ("", "no address", "throw-away", "test entry")
    assert fault_of_number(text) in ("", "no number", "test entry")
