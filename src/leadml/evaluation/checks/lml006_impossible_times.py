"""LML006: leads from the future, outcomes before their lead."""

from __future__ import annotations

from typing import Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, counted
from leadml.leads.vocabulary import Role

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML006",
    "Impossible times",
    "warns",
    "Correct the times at their source, or leave the rows out; look for swapped day and month,"
    " time zones, and imports stamped with the day of the import.",
)

_SLACK_S: Final = 86_400.0


def run(data: CheckInput) -> Finding:
    """Find creations after the as-of of the table, and outcomes before creations."""
    created = data.created_at
    if created is None:
        return CHECK.not_applicable("It is not known when each lead was created.")
    parts = []
    rows = np.zeros(created.size, dtype=bool)
    columns = []
    figures = {}
    limits = [limit for limit in (data.as_of, data.now) if limit is not None]
    if limits:
        future = created > min(limits) + _SLACK_S
        if future.any():
            parts.append(f"{counted(int(future.sum()), 'lead')} created after the table was taken")
            figures["created_after_as_of"] = int(future.sum())
            rows |= future
            columns.append(data.column_of(Role.CREATED_AT) or "created_at")
    if data.outcome_at is not None:
        early = data.outcome_at < created
        if early.any():
            parts.append(f"{counted(int(early.sum()), 'outcome')} before the creation of the lead")
            figures["outcome_before_creation"] = int(early.sum())
            rows |= early
            columns.append(data.column_of(Role.OUTCOME_AT) or "outcome_at")
    missing = np.isnan(created)
    if missing.any():
        parts.append(f"{counted(int(missing.sum()), 'lead')} without a time of creation")
        figures["without_creation"] = int(missing.sum())
        rows |= missing
    if not parts:
        return CHECK.passed("Every lead was created before the table was taken and its outcome.")
    return CHECK.found(
        f"There {'is' if parts[0].startswith('1 ') else 'are'} {' and '.join(parts)}.",
        columns=columns,
        rows=np.flatnonzero(rows),
        evidence={"figures": [figures]},
    )
