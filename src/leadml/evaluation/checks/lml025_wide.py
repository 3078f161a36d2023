"""LML025: more columns than the conversions can tell apart."""

from __future__ import annotations

from typing import Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML025",
    "Too many columns",
    "warns",
    "Keep the columns that people would look at when judging a lead; by chance alone some of"
    " so many will seem to matter.",
)

_MOST: Final = 500
_PER_CONVERSION: Final = 5.0


def run(data: CheckInput) -> Finding:
    """Compare the number of columns with 500, and with five per conversion."""
    columns = len(data.names)
    won = int(data.outcome.sum())
    evidence = {
        "figures": [{"columns": columns, "n_conversions": won}],
        "limit": {"columns": _MOST, "per_conversion": _PER_CONVERSION},
    }
    if columns > _MOST or columns > max(50.0, _PER_CONVERSION * won):
        return CHECK.found(
            f"{columns:,} columns stand against {won:,} conversions.", evidence=evidence
        )
    return CHECK.passed(f"{columns:,} columns for {won:,} conversions are fine.", evidence)
