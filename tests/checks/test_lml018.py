"""leadml.evaluation.checks.lml018_personal."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml018_personal import run
from tests.checks.planted import history


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("please write to ada@example.org soon", "e-mail addresses"),
        ("call +49 30 1234567 after five", "phone numbers"),
        ("DE89 3704 0044 0532 0130 00", "bank accounts"),
        ("paid with 4111 1111 1111 1111", "card numbers"),
    ],
)
def test_personal_data_warn_without_being_shown(value, kind):
    """Addresses, numbers and accounts in text are named with their rows, never repeated."""
    text = np.array(["a note"] * 3000, dtype=object)
    text[[4, 9, 11, 30]] = value
    found = run(history(add={"remarks": text}))
    assert (found.status, found.severity, found.columns) == ("found", "warns", ("remarks",))
    assert found.rows == (5, 10, 12, 31)
    assert found.evidence["figures"][0]["holds"] == [kind]
    assert value not in str(found.as_dict())


@pytest.mark.parametrize("name", ["First Name", "email", "phone_number", "Date of Birth"])
def test_columns_named_after_people_warn(name):
    """A column named like a person's data is told, whatever it holds."""
    assert run(history(add={name: ["Ada"] * 3000})).columns == (name,)


def test_what_is_not_learned_is_a_tip():
    """Personal data in a column leadml set aside is a tip."""
    text = np.array([f"user{i}@example.org" for i in range(3000)], dtype=object)
    data = history(add={"contact": text}, set_aside={"contact": "free text"})
    assert (run(data).status, run(data).severity) == ("found", "tip")


def test_codes_and_dates_pass():
    """Product codes, UUIDs, dates and versions are no personal data."""
    words = ["7927b2df-8bba-4d29-b9a2-b6e0beafc620", "2024-01-31", "A-1029-33", "v1.2.3", "10-49",
             "1e7b7ff2-4444-4444-4444-123456789012", "company name"]  # fmt: skip
    text = np.array([words[i % len(words)] for i in range(3000)], dtype=object)
    assert run(history(add={"code": text})).status == "passed"
