"""The writes that move leads: decisions, reports, consent, each with all that follows.

Every function here runs within a transaction that its caller commits, and may run again
after a failure. A change of stage writes its history and its message in the same
transaction, so that none is ever missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from leadml.errors import ImpossibleValue, InvalidField, LeadErased, StepNotOpen
from leadml.leads import life
from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import announcing, rows, tables
from leadml.store.records import (
    Decision,
    Recorded,
    Report,
    Reporting,
    iso_of,
    moment_of_us,
    now,
    us_of,
)

__all__ = ["events_of", "record_consent", "record_decisions", "record_reports"]

FUTURE_US: Final = 300_000_000
"""Clocks may differ by this much; a report further ahead is refused."""

_KNOWN: Final = (
    "lead_id",
    "attributes",
    "first_seen_us",
    "updated_us",
    "contact_consent",
    "objection",
    "stage",
    "stage_since_us",
    "reached",
    "rejected_us",
    "latest_event_us",
    "decision_id",
    "decided_us",
    "probability",
    "score",
    "proposed_stage",
    "explained",
    "expected",
)


class _Said(NamedTuple):
    """What was said about consent and objection at a moment; None leaves what is known."""

    at_us: int
    consent: bool | None
    objection: bool | None

    def after(self, consent: bool | None, objection: bool) -> tuple[bool | None, bool]:
        """What is known once this is heard."""
        return (
            consent if self.consent is None else self.consent,
            objection if self.objection is None else self.objection,
        )


@dataclass(slots=True)
class _Held:
    """One lead while its events are written: its row, its standing, what is pending."""

    row: dict[str, Any]
    standing: life.Standing
    fresh: list[life.Event] = field(default_factory=list)
    said: list[_Said] = field(default_factory=list)

    def is_next(self, event: life.Event) -> bool:
        """Whether an event comes after all that happened before."""
        stored, fresh = self.row["latest_event_us"], self.fresh
        if stored is not None and us_of(event.at) <= stored:
            return False
        return not fresh or max(map(life.place_of, fresh)) <= life.place_of(event)


@dataclass(slots=True)
class _Pages:
    """Rows to be written at the end of a transaction, table by table.

    ``heard`` says whether anybody is to receive messages.
    """

    heard: bool
    decisions: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    outbox: list[dict[str, Any]] = field(default_factory=list)

    def write(self, connection: sa.Connection, held: Mapping[str, _Held]) -> None:
        """Write all rows, then the leads as they stand now."""
        for name in ("decisions", "outcomes", "consents", "stages"):
            rows.insert(connection, name, getattr(self, name))
        announcing.write(connection, self.outbox)
        for lead in held.values():
            lead.row.update(_row_of(lead.standing))
        rows.upsert(connection, "leads", "lead_id", [held[key].row for key in sorted(held)])


def record_decisions(
    connection: sa.Connection, items: Sequence[Decision], erased: frozenset[str] | set[str]
) -> list[Recorded]:
    """Write decisions with their leads, changes of stage and messages.

    Parameters
    ----------
    erased
        Ids among the items that were erased: nothing is written for them.
    """
    held = _hold(connection, {d.lead_id for d in items if d.lead_id is not None} - erased)
    pages = _Pages(announcing.is_heard(connection))
    found = []
    for decision in items:
        if decision.lead_id is None or decision.lead_id in erased:
            proposed = Stage(decision.proposed_stage)
            stage = Stage.MQL if proposed is Stage.SQL else proposed
            kept = decision.lead_id is None
            if kept:
                inputs = _json(decision.inputs)
                pages.decisions.append(_decision_row(decision, stage, us_of(decision.at), inputs))
            found.append(Recorded(decision.decision_id, stage, stage, kept))
            continue
        found.append(_decide(connection, held[decision.lead_id], decision, pages))
    pages.write(connection, held)
    return found


def _decide(connection: sa.Connection, lead: _Held, decision: Decision, pages: _Pages) -> Recorded:
    previous = lead.standing.stage
    at_us = us_of(decision.at)
    inputs, explained = _json(decision.inputs), _explained(decision)
    row = lead.row
    if decision.contact_consent is not None:
        _hear(connection, lead, _Said(at_us, decision.contact_consent, None))
    _live(
        connection,
        lead,
        life.Scored(decision.at, decision.probability, decision.nurture_line, decision.mql_line),
    )
    if row["decided_us"] is None or at_us >= row["decided_us"]:
        row["attributes"] = inputs
        row["decision_id"] = decision.decision_id
        row["decided_us"] = at_us
        row["probability"] = decision.probability
        row["score"] = decision.score
        row["proposed_stage"] = str(decision.proposed_stage)
        row["explained"] = _json(explained)
        row["expected"] = decision.probability * decision.value
    row["first_seen_us"] = min(row["first_seen_us"] or at_us, at_us)
    row["updated_us"] = max(row["updated_us"] or at_us, at_us)
    stage = lead.standing.stage
    pages.decisions.append(_decision_row(decision, stage, at_us, inputs))
    if stage is not previous:
        cause = decision.decision_id
        _announce(pages, lead, previous, at_us, cause, explained, quiet=decision.imported)
    may_contact = lead.standing.may_contact
    return Recorded(decision.decision_id, stage, previous, may_contact=may_contact)


def record_reports(
    connection: sa.Connection, items: Sequence[Report], erased: frozenset[str] | set[str]
) -> list[Reporting]:
    """Write what people report; one bad report spoils no other."""
    held = _hold(connection, {r.lead_id for r in items} - erased)
    there = _reports_there(connection, held)
    pages = _Pages(announcing.is_heard(connection))
    touched: dict[str, _Held] = {}
    reported_us = us_of(now())
    found = []
    for report in items:
        if report.lead_id in erased:
            error = LeadErased("the lead was erased; nothing is recorded for it")
            found.append(Reporting(report.lead_id, None, error=error))
            continue
        lead = held[report.lead_id]
        scored = lead.row["decided_us"] is not None
        occurred_us = us_of(report.occurred_at)
        mark = (report.lead_id, str(report.outcome), occurred_us)
        if mark in there:
            stage = lead.standing.stage
            found.append(Reporting(report.lead_id, stage, duplicate=True, scored=scored))
            continue
        try:
            _refuse_report(connection, lead, report, occurred_us - reported_us)
        except (InvalidField, StepNotOpen) as error:
            found.append(Reporting(report.lead_id, lead.standing.stage, error=error))
            continue
        there.add(mark)
        touched[report.lead_id] = lead
        previous = lead.standing.stage
        _live(connection, lead, life.Reported(report.occurred_at, report.outcome))
        row = lead.row
        row["first_seen_us"] = min(row["first_seen_us"] or occurred_us, occurred_us)
        row["updated_us"] = max(row["updated_us"] or occurred_us, occurred_us)
        pages.outcomes.append(
            {
                "lead_id": report.lead_id,
                "outcome": str(report.outcome),
                "occurred_us": occurred_us,
                "reported_us": reported_us,
                "reason": report.reason,
                "reported_by": report.by,
                "details": None if report.details is None else _json(report.details),
            }
        )
        stage = lead.standing.stage
        if pages.heard and not report.imported:
            _announce_outcome(pages, lead, previous, report)
        if stage is not previous:
            cause = str(report.outcome)
            _announce(pages, lead, previous, occurred_us, cause, None, quiet=report.imported)
        found.append(Reporting(report.lead_id, stage, scored=scored))
    pages.write(connection, touched)
    _drop_stubs(connection, held.keys() - touched.keys())
    return found


def _refuse_report(connection: sa.Connection, lead: _Held, report: Report, ahead_us: int) -> None:
    if ahead_us > FUTURE_US:
        raise ImpossibleValue(
            "occurred_at lies in the future",
            column="occurred_at",
            fix="send the time at which it happened, with its zone",
        )
    if report.outcome is Outcome.REJECTED and not (report.reason or "").strip():
        raise ImpossibleValue("a rejection needs a reason", column="reason", fix="add reason")
    event = life.Reported(report.occurred_at, report.outcome)
    standing = lead.standing
    if not lead.is_next(event):
        standing = life.before(_events(connection, lead), event)
    life.require_open(standing, report.outcome)


def record_consent(
    connection: sa.Connection,
    lead_id: str,
    *,
    at_us: int,
    contact_consent: bool | None,
    objection: bool | None,
    by: str,
) -> Stage:
    """Write a change of consent or objection; None leaves what is known.

    Returns the stage after it.
    """
    held = _hold(connection, {lead_id})
    lead, pages = held[lead_id], _Pages(announcing.is_heard(connection))
    row, previous = lead.row, lead.standing.stage
    _hear(connection, lead, _Said(at_us, contact_consent, objection))
    row["first_seen_us"] = row["first_seen_us"] or at_us
    row["updated_us"] = max(row["updated_us"] or at_us, at_us)
    pages.consents.append(
        {
            "lead_id": lead_id,
            "at_us": at_us,
            "contact_consent": contact_consent,
            "objection": objection,
            "given_by": by,
        }
    )
    if lead.standing.stage is not previous:
        _announce(pages, lead, previous, at_us, "consent", None)
    pages.write(connection, held)
    return lead.standing.stage


# --- one lead --------------------------------------------------------------------


def _live(connection: sa.Connection, lead: _Held, event: life.Event) -> None:
    """Add an event to a life; one that occurred earlier than the latest folds it anew."""
    in_order = lead.is_next(event)
    lead.fresh.append(event)
    if in_order:
        lead.standing = life.step(lead.standing, event)
    else:
        lead.standing = life.fold(_events(connection, lead))


def _hear(connection: sa.Connection, lead: _Held, said: _Said) -> None:
    """Note what was said about consent; what was said later still holds."""
    event = life.Consented(moment_of_us(said.at_us), True)
    in_order = lead.is_next(event)
    lead.said.append(said)
    row = lead.row
    if in_order:
        row["contact_consent"], row["objection"] = said.after(
            row["contact_consent"], row["objection"]
        )
        may = _may_contact(row["contact_consent"], row["objection"])
        event = life.Consented(event.at, may)
        lead.fresh.append(event)
        lead.standing = life.step(lead.standing, event)
        return
    lead.standing = life.fold(_events(connection, lead))
    consents = _heard([*_all_said(connection, row["lead_id"]), *lead.said])
    row["contact_consent"], row["objection"] = consents[-1][1:]


def _events(connection: sa.Connection, lead: _Held) -> list[life.Event]:
    lead_id = lead.row["lead_id"]
    told = [event for event in lead.fresh if not isinstance(event, life.Consented)]
    heard = _heard([*_all_said(connection, lead_id), *lead.said])
    return [*_told(connection, lead_id), *told, *_consented(heard)]


def events_of(connection: sa.Connection, lead_id: str) -> list[life.Event]:
    """All events of a lead that are written, in no order."""
    heard = _heard(_all_said(connection, lead_id))
    return [*_told(connection, lead_id), *_consented(heard)]


def _told(connection: sa.Connection, lead_id: str) -> list[life.Event]:
    """Scores and reports of a lead that are written."""
    found: list[life.Event] = []
    d = tables.decisions.c
    scores = sa.select(d.at_us, d.probability, d.nurture_line, d.mql_line)
    for at_us, probability, nurture, mql in connection.execute(scores.where(d.lead_id == lead_id)):
        found.append(life.Scored(moment_of_us(at_us), probability, nurture, mql))
    o = tables.outcomes.c
    for at_us, outcome in connection.execute(
        sa.select(o.occurred_us, o.outcome).where(o.lead_id == lead_id)
    ):
        found.append(life.Reported(moment_of_us(at_us), Outcome(outcome)))
    return found


def _all_said(connection: sa.Connection, lead_id: str) -> list[_Said]:
    """What requests and people said about the consent of a lead."""
    d, c = tables.decisions.c, tables.consents.c
    asked = connection.execute(
        sa.select(d.at_us, d.contact_consent).where(
            d.lead_id == lead_id, d.contact_consent.is_not(None)
        )
    )
    found = [_Said(at_us, consent, None) for at_us, consent in asked]
    noted = connection.execute(
        sa.select(c.at_us, c.contact_consent, c.objection).where(c.lead_id == lead_id)
    )
    return found + [_Said(*row) for row in noted]


def _heard(said: list[_Said]) -> list[tuple[int, bool | None, bool]]:
    """Consent and objection after each moment at which something was said."""
    found: dict[int, tuple[int, bool | None, bool]] = {}
    consent: bool | None = None
    objection = False
    # at the same moment what protects the lead is heard last
    for one in sorted(said, key=lambda s: (s.at_us, s.consent is False, s.objection is True)):
        consent, objection = one.after(consent, objection)
        found[one.at_us] = (one.at_us, consent, objection)
    return list(found.values())


def _consented(heard: list[tuple[int, bool | None, bool]]) -> list[life.Event]:
    return [
        life.Consented(moment_of_us(at_us), _may_contact(consent, objection))
        for at_us, consent, objection in heard
    ]


def _may_contact(consent: bool | None, objection: bool) -> bool:
    return consent is not False and not objection


def _announce(
    pages: _Pages,
    lead: _Held,
    previous: Stage,
    at_us: int,
    cause: str,
    explained: dict[str, Any] | None,
    *,
    quiet: bool = False,
) -> None:
    row, stage = lead.row, lead.standing.stage
    recorded_us = us_of(now())
    pages.stages.append(
        {
            "lead_id": row["lead_id"],
            "at_us": at_us,
            "recorded_us": recorded_us,
            "previous": str(previous),
            "stage": str(stage),
            "cause": cause,
        }
    )
    if quiet or not pages.heard:
        return
    data = _standing_now(lead, previous, explained)
    if explained is None:
        data["cause"] = cause
    _tell(pages, row, announcing.change_of_stage(previous, stage), data, at_us, recorded_us)


def _announce_outcome(pages: _Pages, lead: _Held, previous: Stage, report: Report) -> None:
    """Tell of what people reported, whether it moved the lead or not."""
    data = _standing_now(lead, previous) | {"outcome": str(report.outcome)}
    data["occurred_at"] = iso_of(us_of(report.occurred_at))
    given = {"reason": report.reason, "by": report.by}
    data |= {name: value for name, value in given.items() if value is not None}
    at_us = us_of(report.occurred_at)
    _tell(pages, lead.row, "lead.outcome", data, at_us, us_of(now()))


def _tell(
    pages: _Pages, row: Mapping[str, Any], kind: str, data: Any, at_us: int, written_us: int
) -> None:
    """Add a message about a lead, unless it objected."""
    if not row["objection"]:
        told = announcing.message(
            kind, data, at_us=at_us, written_us=written_us, lead_id=row["lead_id"]
        )
        pages.outbox.append(told)


def _standing_now(
    lead: _Held, previous: Stage, explained: dict[str, Any] | None = None
) -> dict[str, Any]:
    row = lead.row
    data: dict[str, Any] = {
        "lead_id": row["lead_id"],
        "stage": str(lead.standing.stage),
        "previous_stage": str(previous),
    }
    if row["probability"] is not None:
        data["probability"] = row["probability"]
        data["score"] = row["score"]
    if explained is not None:
        data |= explained
    elif row["explained"] is not None:
        data |= orjson.loads(row["explained"])
    return data


def _explained(decision: Decision) -> dict[str, Any]:
    return {
        "reasons": [
            {"field": reason["field"], "text": reason["text"]} for reason in decision.reasons
        ],
        "grade": decision.grade,
        "model_version": decision.model_version,
        "policy_version": decision.policy_version,
    }


# --- rows ------------------------------------------------------------------------


def _hold(connection: sa.Connection, lead_ids: Iterable[str]) -> dict[str, _Held]:
    """The leads as they stand, locked until the transaction ends; new ones made up."""
    wanted = sorted(lead_ids)
    if not wanted:
        return {}
    if connection.dialect.name == "postgresql":
        # a lead that is not there cannot be locked: two processes must meet at its row
        stubs = [_row_of(life.NEWCOMER) | _stub(lead_id) for lead_id in wanted]
        connection.execute(_insert_stub(), stubs)
    found: dict[str, _Held] = {}
    rows = connection.execute(_select_leads(connection.dialect.name), {"ids": wanted})
    for row in rows.mappings():
        held = dict(row)
        found[held["lead_id"]] = _Held(held, _standing_of(held))
    for lead_id in wanted:
        if lead_id not in found:
            found[lead_id] = _Held(_row_of(life.NEWCOMER) | _stub(lead_id), life.NEWCOMER)
    return found


def _drop_stubs(connection: sa.Connection, lead_ids: Iterable[str]) -> None:
    """Take back the rows of leads of which nothing was written after all."""
    wanted = sorted(lead_ids)
    if wanted and connection.dialect.name == "postgresql":
        c = tables.leads.c
        connection.execute(
            sa.delete(tables.leads).where(c.lead_id.in_(wanted), c.first_seen_us == 0)
        )


def _stub(lead_id: str) -> dict[str, Any]:
    return {
        "lead_id": lead_id,
        "attributes": "{}",
        "first_seen_us": 0,
        "updated_us": 0,
        "contact_consent": None,
        "objection": False,
        "decision_id": None,
        "decided_us": None,
        "probability": None,
        "score": None,
        "proposed_stage": None,
        "explained": None,
        "expected": 0.0,
    }


def _row_of(standing: life.Standing) -> dict[str, Any]:
    return {
        "stage": str(standing.stage),
        "stage_since_us": None if standing.since is None else us_of(standing.since),
        "reached": standing.reached,
        "rejected_us": None if standing.rejected_at is None else us_of(standing.rejected_at),
        "latest_event_us": None if standing.latest is None else us_of(standing.latest),
    }


def _standing_of(row: Mapping[str, Any]) -> life.Standing:
    def moment(name: str) -> Any:
        return None if row[name] is None else moment_of_us(row[name])

    return life.Standing(
        stage=Stage(row["stage"]),
        since=moment("stage_since_us"),
        reached=row["reached"],
        may_contact=_may_contact(row["contact_consent"], row["objection"]),
        rejected_at=moment("rejected_us"),
        latest=moment("latest_event_us"),
    )


def _decision_row(decision: Decision, stage: Stage, at_us: int, inputs: str) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "lead_id": decision.lead_id,
        "at_us": at_us,
        "inputs": inputs,
        "probability": decision.probability,
        "log_odds": decision.log_odds,
        "contributions": _json(decision.contributions),
        "score": decision.score,
        "fit_score": decision.fit_score,
        "engagement_score": decision.engagement_score,
        "grade": decision.grade,
        "proposed_stage": str(decision.proposed_stage),
        "stage": str(stage),
        "contact_consent": decision.contact_consent,
        "nurture_line": decision.nurture_line,
        "mql_line": decision.mql_line,
        "sql_line": decision.sql_line,
        "model_version": decision.model_version,
        "policy_version": decision.policy_version,
        "bundle_digest": decision.bundle_digest,
        "imported": True if decision.imported else None,
    }


def _reports_there(
    connection: sa.Connection, held: Mapping[str, _Held]
) -> set[tuple[str, str, int]]:
    if not held:
        return set()
    c = tables.outcomes.c
    rows = connection.execute(
        sa.select(c.lead_id, c.outcome, c.occurred_us).where(c.lead_id.in_(sorted(held)))
    )
    return {(lead_id, outcome, occurred_us) for lead_id, outcome, occurred_us in rows}


def _json(value: Any) -> str:
    return orjson.dumps(
        value, default=list, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    ).decode()


@cache
def _insert_stub() -> Any:
    return postgresql.insert(tables.leads).on_conflict_do_nothing()


@cache
def _select_leads(dialect: str) -> Any:
    c = tables.leads.c
    chosen = sa.select(*(c[name] for name in _KNOWN)).where(
        c.lead_id.in_(sa.bindparam("ids", expanding=True))
    )
    if dialect == "postgresql":
        chosen = chosen.order_by(c.lead_id).with_for_update()
    return chosen
