"""Tables of a past as what comes into the memory: leads when they were created, and outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import ColumnMissing, ConfigError, ImpossibleValue
from leadml.features.moments import moment_of
from leadml.leads import Outcome, text_of
from leadml.service.files import plain_columns
from leadml.service.history import Arrival
from leadml.store import Report

if TYPE_CHECKING:
    import pandas as pd

    from leadml.training.config import TrainConfig

__all__ = ["PastTables", "arrivals_of", "read_past", "reports_of"]

_WORDS: Final = frozenset(str(outcome) for outcome in Outcome)


@dataclass(frozen=True)
class PastTables:
    """What tables of a past hold.

    Parameters
    ----------
    n_leads
        Rows of leads.
    arrivals
        These, one by one.
    reports
        What became of them.
    unusable
        Rows of outcomes that say nothing that could be kept.
    """

    n_leads: int
    arrivals: Iterator[Arrival]
    reports: list[Report]
    unusable: list[ImpossibleValue]


def read_past(
    source: str,
    outcomes: str | None,
    config: TrainConfig,
    *,
    key: str | None = None,
    created_at: str | None = None,
    outcome_at: str | None = None,
    consent: str = "",
) -> PastTables:
    """Read a table of leads, and what became of them.

    Parameters
    ----------
    source, outcomes
        Tables of leads and of outcomes; without the second, the outcome columns of the
        first are read, as ``config`` names them.
    config
        Names the columns that are no field of a lead, and those that are not named here.
    key, created_at, outcome_at, consent
        Columns; for the first three, those of ``config`` if left out.

    Raises
    ------
    ColumnMissing, ConfigError
        See :func:`arrivals_of` and :func:`reports_of`.
    """
    from leadml.datasets.join import join_outcomes
    from leadml.datasets.read import read_table
    from leadml.training.labels import label

    frame = read_table(source, text=config.as_text)
    key, created_at = key or config.id, created_at or config.created_at
    if outcomes is not None:
        told = read_table(outcomes)
        joined = join_outcomes(
            frame,
            told,
            key if key in told.columns else "",
            created_at=created_at if created_at in frame.columns else "",
            outcome_at=outcome_at or "",
        )
        key, created_at = joined.key, joined.created_at
        reports = reports_of(told, key=key, outcome_at=joined.outcome_at)
    else:
        ever = replace(config, as_of="", horizon_days=None, created_at="", outcome_at="")
        column = outcome_at or config.outcome_at
        won = frame[label(frame, ever).converted == 1]
        there = [name for name in (key, column) if name in won.columns]
        reports = reports_of(won[there], key=key, outcome_at=column)
    left_out = {config.target, config.outcome_at, *config.dropped} - {""}
    arrivals = arrivals_of(
        frame, key=key, created_at=created_at, consent=consent, left_out=left_out
    )
    found = list(reports)
    return PastTables(
        len(frame),
        arrivals,
        [one for one in found if isinstance(one, Report)],
        [one for one in found if isinstance(one, ImpossibleValue)],
    )


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


def reports_of(
    frame: pd.DataFrame, *, key: str, outcome_at: str
) -> Iterator[Report | ImpossibleValue]:
    """The rows of a table of outcomes: leadml's own words, or a row for each lead won.

    A row without a word tells nothing yet. One that cannot be used gives the error that
    says why.

    Raises
    ------
    ColumnMissing
        It has no column of ids or of times.
    """
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
    told = ""
    for name in map(str, frame.columns):
        [column] = plain_columns(frame, [name])
        said = {text_of(value) for value in column} - {None}
        if said and len(said & _WORDS) >= len(said) / 2:
            words, told = column, name
            break
    for row, lead_id, moment, word in zip(frame.index, ids, moments, words, strict=True):
        at, who, text = _moment(moment), text_of(lead_id), text_of(word)
        if text is None:
            continue
        if who is None:
            yield _unusable(row, "no id", key)
        elif at is None:
            yield _unusable(row, "no readable date", outcome_at)
        elif text not in _WORDS:
            yield _unusable(row, "a word that is no outcome", told)
        else:
            yield Report(who, Outcome(text), at, by="import")


def _unusable(row: Any, lacks: str, column: str) -> ImpossibleValue:
    place = int(row) + 1
    return ImpossibleValue(
        f"row {place} of the outcomes has {lacks}",
        rows=[place],
        column=column,
        fix="correct the row and import it again; what is there already stays as it is",
    )


def _moment(value: Any) -> datetime | None:
    found = moment_of(value)
    return found if isinstance(found, datetime) else None


def _yes(value: Any) -> bool | None:
    text = text_of(value)
    if text is None:
        return None
    return text.lower() in ("1", "true", "yes", "y", "ja")
