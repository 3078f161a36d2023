"""LML007: the same lead learned from and tested on."""

from __future__ import annotations

from typing import Any, Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput
from leadml.leads.estimate import percent
from leadml.leads.values import text_of
from leadml.leads.vocabulary import Role

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML007",
    "The same lead in training and test",
    "warns",
    "Keep one row per lead (the state at scoring); a lead seen in training makes the test too"
    " easy.",
)

_SHARE: Final = 0.01


def run(data: CheckInput) -> Finding:
    """Count tested leads whose id was learned from."""
    column = data.column_of(Role.ID)
    if column is None or column not in data.columns:
        return CHECK.not_applicable("No id column is named, so leads cannot be told apart.")
    ids = [text_of(value) for value in data.raw(column)]
    if data.tested_rows is None or data.learned_rows is None:
        return _repeats(ids, column)
    learned = {ids[row] for row in data.learned_rows} - {None}
    both = [int(row) for row in data.tested_rows if ids[row] in learned]
    share = len(both) / max(1, len(data.tested_rows))
    if share < _SHARE:
        return CHECK.passed("Leads tested on were not learned from.", {"share": round(share, 4)})
    return CHECK.found(
        f"{len(both):,} of the {len(data.tested_rows):,} leads tested on ({percent(share)}) were"
        " learned from too.",
        columns=[column],
        rows=sorted(both),
        evidence={"figures": [{"column": column, "share": round(share, 4), "n": len(both)}]},
    )


def _repeats(ids: list[Any], column: str) -> Finding:
    seen: set[Any] = set()
    repeated = []
    for row, lead in enumerate(ids):
        if lead is None:
            continue
        if lead in seen:
            repeated.append(row)
        seen.add(lead)
    share = len(repeated) / max(1, len(ids))
    if share < _SHARE:
        return CHECK.passed(f"Every lead of '{column}' stands in one row.")
    return CHECK.found(
        f"{len(repeated):,} rows repeat a lead of '{column}' ({percent(share)}), so a test would"
        " hold leads that were learned from.",
        columns=[column],
        rows=repeated,
        evidence={"figures": [{"column": column, "share": round(share, 4), "n": len(repeated)}]},
    )
