"""The next training table from the memory, and the configuration that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leadml.features.moments import moment_of
from leadml.store import TrainingTable

if TYPE_CHECKING:
    from leadml.training.config import TrainConfig

__all__ = ["config_for", "since_recorded"]

NEAR: Final = timedelta(days=1)
"""A lead's own time of creation stands for its scoring where they are no further apart."""

_SPECIAL: Final = ("id", "created_at", "outcome", "outcome_at")


def config_for(table: TrainingTable, like: Mapping[str, Any] | None) -> TrainConfig:
    """A configuration for an exported table that carries on the champion's.

    Parameters
    ----------
    table
        From the memory.
    like
        The configuration of the champion's training; None without a champion.
    """
    from leadml.training.config import TrainConfig

    before = TrainConfig.from_dict(like or {})
    columns = set(table.columns)
    own = table.settings
    created = own["created_at"]
    drop = [name for name in before.drop if name in columns]
    if before.created_at in columns and _near(table, before.created_at):
        created = before.created_at
    drop.append(own["created_at"])  # nobody sends the moment of a score with a lead
    return replace(
        before,
        target=own["target"],
        positive=own["positive"],
        id=own["id"],
        created_at=created,
        outcome_at=own["outcome_at"],
        horizon_days=own["horizon_days"],
        as_of=own["as_of"],
        order_by="",
        outcomes="",
        outcomes_join="",
        drop=tuple(dict.fromkeys(drop)),
        columns={
            name: plan
            for name, plan in before.columns.items()
            if name in columns and plan.role not in _SPECIAL
        },
        edits={name: words for name, words in before.edits.items() if name in columns},
    )


def since_recorded(table: TrainingTable) -> tuple[TrainingTable, str]:
    """The rows of leads that came in once outcomes were recorded, and the day that began.

    Wins of earlier leads were never written down, so these would count as lost; the rule is
    that of :func:`leadml.datasets.join.recorded_from`. The day is "" where nothing was left
    out.
    """
    from leadml.datasets.join import recorded_from

    scored = np.array(
        [
            datetime.fromisoformat(row[table.settings["created_at"]]).timestamp()
            for row in table.rows
        ]
    )
    won = np.array([np.nan if at_us is None else at_us / 1e6 for at_us in table.won_us])
    begin = recorded_from(scored, won) if len(scored) else None
    if begin is None:
        return table, ""
    kept = [place for place, at in enumerate(scored.tolist()) if at >= begin]
    rows = [table.rows[place] for place in kept]
    early = len(table.rows) - len(rows)
    first = datetime.fromtimestamp(begin, tz=UTC).date().isoformat()
    left_out = {**table.n_left_out, "scored before outcomes were recorded": early}
    n_immature = sum("converted" not in row for row in rows)
    wins = tuple(table.won_us[place] for place in kept)
    return (
        replace(table, rows=rows, won_us=wins, n_left_out=left_out, n_immature=n_immature),
        first,
    )


def _near(table: TrainingTable, name: str) -> bool:
    """Whether every lead carries a time of creation that lies near its score."""
    scored = table.settings["created_at"]
    for row in table.rows:
        created = moment_of(row.get(name))
        if not isinstance(created, datetime):
            return False
        gap = datetime.fromisoformat(row[scored]) - created
        if not -NEAR <= gap <= NEAR:
            return False
    return bool(table.rows)
