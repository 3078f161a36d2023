"""LML028: a file that could be read in more than one way."""

from __future__ import annotations

from typing import Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML028",
    "Assumptions in reading the file",
    "tip",
    "See that the columns and their letters arrived as they were meant; otherwise save the"
    " table as CSV with commas in UTF-8, or as Parquet.",
)

_SAID: Final = 5


def run(data: CheckInput) -> Finding:
    """Say what was decided about encoding, delimiter and header while the file was read."""
    notes = [" ".join(note.split()).rstrip(".") for note in data.notes]
    if not notes:
        return CHECK.passed("Nothing had to be assumed to read the table.")
    said = "; ".join(notes[:_SAID])
    more = f"; and {len(notes) - _SAID} more" if len(notes) > _SAID else ""
    return CHECK.found(
        f"Assumed while reading: {said}{more}.", evidence={"figures": [{"note": n} for n in notes]}
    )
