"""The next training table: what was known at each decision, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
import sqlalchemy as sa

from leadml.leads.vocabulary import Outcome
from leadml.store import tables
from leadml.store.erasing import hash_of
from leadml.store.records import BANT, iso_of, us_of

__all__ = ["CONVERTED", "CONVERTED_AT", "LEAD_ID", "SCORED_AT", "TrainingTable", "training_table"]

LEAD_ID: Final = "lead_id"
SCORED_AT: Final = "scored_at"
CONVERTED: Final = "converted"
CONVERTED_AT: Final = "converted_at"

_OWN: Final = frozenset({LEAD_ID, SCORED_AT, CONVERTED, CONVERTED_AT})
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """Rows that ``leadml train`` takes as they are.

    Parameters
    ----------
    columns
        Names in order: id, moment of scoring, inputs, label, moment of conversion.
    rows
        One mapping a row; what was not sent is absent. ``converted`` is 1, 0 or absent
        (immature: unknown, never negative).
    settings
        Fields of a training configuration that fit this table.
    n_immature
        Rows whose horizon has not passed.
    n_left_out
        Leads left out, by reason: ``objection``, ``converted before scoring``,
        ``erased``, ``never accepted`` (or what else was asked of them).
    clashes
        Inputs left out because the table has a column of that name.
    won_us
        By row, the moment of the first conversion whenever it came (microseconds since 1970
        UTC); None without one.
    """

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    settings: dict[str, Any]
    n_immature: int
    n_left_out: dict[str, int]
    clashes: tuple[str, ...]
    won_us: tuple[int | None, ...] = ()


def training_table(
    connection: sa.Connection,
    tombstones: bytes,
    *,
    horizon_days: int,
    as_of: datetime,
    outcome: Outcome = Outcome.WON,
    among: Sequence[Outcome] = (),
    which: Literal["first", "all"] = "first",
) -> TrainingTable:
    """Inputs as of each decision, labelled by outcomes within the horizon.

    Budget, authority, need and timing that people had reported before a decision stand
    beside its inputs; what a request itself said of them counts more.

    Parameters
    ----------
    tombstones
        Key of the hashes of erased leads.
    horizon_days
        Days within which ``outcome`` counts as a conversion.
    as_of
        The present of the table: nothing later is used, and a decision younger than the
        horizon is immature.
    outcome
        What counts as a conversion.
    among
        Leads that had none of these outcomes so far are left out; empty takes every lead.
    which
        The first decision of each lead, or every decision.
    """
    now_us, horizon_us = us_of(as_of), horizon_days * _DAY_US
    won = _earliest(connection, outcome, now_us)
    members = {lead_id for one in among for lead_id in _earliest(connection, one, now_us)}
    outside = f"never {' or '.join(among)}"
    learnt = _learnt(connection)
    objecting = set(
        connection.execute(
            sa.select(tables.leads.c.lead_id).where(tables.leads.c.objection.is_(True))
        ).scalars()
    )
    erased = set(connection.execute(sa.select(tables.tombstones.c.lead_hash)).scalars())
    left_out: dict[str, int] = {}
    names: dict[str, None] = {}
    clashes: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    wins: list[int | None] = []
    n_immature = 0
    for lead_id, at_us, inputs in _decisions(connection, now_us, which):
        won_us = won.get(lead_id)
        reason = ""
        if lead_id in objecting:
            reason = "objection"
        elif erased and hash_of(tombstones, lead_id) in erased:
            reason = "erased"
        elif won_us is not None and won_us < at_us:
            reason = "converted before scoring"
        elif among and lead_id not in members:
            reason = outside
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        row: dict[str, Any] = {LEAD_ID: lead_id, SCORED_AT: iso_of(at_us)}
        for known_us, name, value in learnt.get(lead_id, ()):
            if known_us < at_us:
                row[name] = value
                names[name] = None
        for name, value in orjson.loads(inputs).items():
            if name in _OWN:
                clashes[name] = None
            elif value is not None:
                row[name] = value
                names[name] = None
        if now_us - at_us < horizon_us:
            n_immature += 1
        else:
            in_time = won_us is not None and won_us - at_us <= horizon_us
            row[CONVERTED] = int(in_time)
            if in_time:
                row[CONVERTED_AT] = iso_of(won_us)
        rows.append(row)
        wins.append(won_us)
    return TrainingTable(
        columns=(LEAD_ID, SCORED_AT, *names, CONVERTED, CONVERTED_AT),
        rows=rows,
        settings={
            "target": CONVERTED,
            "positive": "1",
            "id": LEAD_ID,
            "created_at": SCORED_AT,
            "outcome_at": CONVERTED_AT,
            "horizon_days": horizon_days,
            "as_of": iso_of(now_us),
        },
        n_immature=n_immature,
        n_left_out=left_out,
        clashes=tuple(clashes),
        won_us=tuple(wins),
    )


def _learnt(connection: sa.Connection) -> dict[str, list[tuple[int, str, Any]]]:
    """What people learnt of leads: when it was known here, what, and the value, in that order."""
    o = tables.outcomes.c
    known_us = sa.case((o.reported_us > o.occurred_us, o.reported_us), else_=o.occurred_us)
    chosen = (
        sa.select(o.lead_id, known_us, o.details)
        .where(o.details.is_not(None))
        .order_by(known_us, o.outcome_id)
    )
    found: dict[str, list[tuple[int, str, Any]]] = {}
    for lead_id, at_us, details in connection.execute(chosen):
        told = orjson.loads(details)
        pairs = [(at_us, name, told[name]) for name in BANT if told.get(name) is not None]
        if pairs:
            found.setdefault(lead_id, []).extend(pairs)
    return found


def _earliest(connection: sa.Connection, outcome: Outcome, now_us: int) -> dict[str, int]:
    o = tables.outcomes.c
    chosen = (
        sa.select(o.lead_id, sa.func.min(o.occurred_us))
        .where(o.outcome == str(outcome), o.occurred_us <= now_us)
        .group_by(o.lead_id)
    )
    return {row[0]: row[1] for row in connection.execute(chosen)}


def _decisions(connection: sa.Connection, now_us: int, which: str) -> Sequence[Any]:
    d = tables.decisions.c
    place = sa.func.row_number().over(partition_by=d.lead_id, order_by=(d.at_us, d.decision_id))
    numbered = (
        sa.select(d.lead_id, d.at_us, d.inputs, d.decision_id, place.label("place"))
        .where(d.lead_id.is_not(None), d.at_us <= now_us)
        .subquery()
    )
    n = numbered.c
    chosen = sa.select(n.lead_id, n.at_us, n.inputs).order_by(n.at_us, n.lead_id, n.decision_id)
    if which == "first":
        chosen = chosen.where(n.place == 1)
    return connection.execute(chosen).all()
