"""leadml.evaluation.checks.lml028_reading."""

from leadml.evaluation.checks.lml028_reading import run
from tests.checks.planted import history


def test_what_was_assumed_is_said():
    """Every decision taken while reading stands in a tip, at most five in its sentence."""
    found = run(history(notes=("'leads.csv' was read as cp1252",)))
    assert (found.status, found.severity) == ("found", "tip")
    assert found.detail == "Assumed while reading: 'leads.csv' was read as cp1252."
    many = run(history(notes=tuple(f"column {i} has no name" for i in range(9))))
    assert many.detail.endswith("column 4 has no name; and 4 more.")
    assert len(many.evidence["figures"]) == 9


def test_a_plain_file_passes():
    """Without a decision there is nothing to say."""
    assert run(history()).status == "passed"
