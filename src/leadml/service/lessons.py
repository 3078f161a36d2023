"""Files that go into the memory and come out of it: a past brought in, the next training table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leadml.errors import ColumnMissing, ConfigError
from leadml.features.moments import moment_of
from leadml.leads import Outcome, text_of
from leadml.service.history import Arrival
from leadml.store import Report, TrainingTable

if TYPE_CHECKING:
    import pandas as pd

    from leadml.training.config import TrainConfig

__all__ = ["arrivals_of", "config_for", "reports_of", "since_recorded"]

NEAR: Final = timedelta(days=1)
"""A lead's own time of creation stands for its scoring where they are no further apart."""

_WORDS: Final = frozenset(str(outcome) for outcome in Outcome)


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
        among=(),
        drop=tuple(dict.fromkeys(drop)),
        columns={
            name: plan
            for name, plan in before.columns.items()
            if name in columns and plan.role not in _SPECIAL
        },
        edits={name: words for name, words in before.edits.items() if name in columns},
    )


_SPECIAL: Final = ("id", "created_at", "outcome", "outcome_at")


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


def arrivals_of(
    frame: pd.DataFrame, *, key: str, created_at: str, consent: str, left_out: set[str]
) -> Iterator[Arrival]:
    """The rows of a table of leads as they were known at their creation.

    Parameters
    ----------
    key, created_at
        Columns of the id and of the moment.
    consent
        Column that says whether a lead may be contacted; "" for none.
    left_out
        Columns that are no field of a lead.

    Raises
    ------
    ColumnMissing
        A named column does not exist.
    ConfigError
        A row has no id or no readable moment.
    """
    from leadml.service.files import plain_columns

    for name in (key, created_at, *([consent] if consent else [])):
        if name not in frame.columns:
            raise ColumnMissing(
                f"the table has no column '{name}'" if name else "the table needs an id and dates",
                column=name or None,
                fix="name them with --id and --created-at",
            )
    names = [str(name) for name in frame.columns if str(name) not in {key, consent, *left_out}]
    fields = plain_columns(frame, names)
    ids, moments = plain_columns(frame, [key, created_at])
    consents = plain_columns(frame, [consent])[0] if consent else [None] * len(frame)
    for row, (lead_id, moment) in enumerate(zip(ids, moments, strict=True)):
        as_of = _moment(moment)
        if text_of(lead_id) is None or as_of is None:
            raise ConfigError(
                f"row {row + 1} has no {'id' if as_of else 'readable time of creation'}",
                rows=[row + 1],
                column=created_at if as_of is None else key,
                fix="complete it, or leave the row out",
            )
        lead = {
            name: values[row]
            for name, values in zip(names, fields, strict=True)
            if values[row] is not None
        }
        yield Arrival(str(text_of(lead_id)), lead, as_of, _yes(consents[row]))


def reports_of(frame: pd.DataFrame, *, key: str, outcome_at: str) -> Iterator[Report]:
    """The rows of a table of outcomes: leadml's own words, or a row for each lead won.

    Raises
    ------
    ColumnMissing
        It has no column of ids or of times.
    """
    from leadml.service.files import plain_columns

    for name in (key, outcome_at):
        if name not in frame.columns:
            raise ColumnMissing(
                f"the table of outcomes has no column '{name}'"
                if name
                else "outcomes need an id and the date they happened",
                column=name or None,
                fix="name them with --id and --outcome-at",
            )
    ids, moments = plain_columns(frame, [key, outcome_at])
    words: list[Any] = [str(Outcome.WON)] * len(frame)
    for name in map(str, frame.columns):
        [column] = plain_columns(frame, [name])
        if {text_of(value) for value in column[:200]} <= _WORDS:
            words = column
            break
    for lead_id, moment, word in zip(ids, moments, words, strict=True):
        at, text = _moment(moment), text_of(word)
        if at is not None and text in _WORDS and text_of(lead_id) is not None:
            yield Report(str(text_of(lead_id)), Outcome(text), at, by="import")


def _moment(value: Any) -> datetime | None:
    found = moment_of(value)
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _yes(value: Any) -> bool | None:
    text = text_of(value)
    if text is None:
        return None
    return text.lower() in ("1", "true", "yes", "y", "ja")
