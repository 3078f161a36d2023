"""Leads one by one and page by page: views, events, queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from leadml.errors import ImpossibleValue, LeadErased, LeadmlError
from leadml.leads import life
from leadml.leads.trend import trend_of
from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import tables, telling
from leadml.store.records import BANT, checked_id, iso_of, moment_of_us, now, us_of

__all__ = ["SEARCHED", "Happened", "Happening", "Lives", "Waiting"]

SEARCHED: Final = 20_000
"""A search in attributes looks at so many leads, those changed last first."""

SHOWN: Final = 1_000
"""Events and scores of one lead that its history shows, the newest."""

FUTURE_US: Final = 300_000_000
_WEEK_US: Final = 7 * 86_400_000_000
_CHUNK: Final = 500
_LOOKED: Final = 100
_NEAR: Final = 500

Write = Callable[[Callable[[sa.Connection], Any]], Any]
Erased = Callable[[sa.Connection, Iterable[str]], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Happening:
    """What a lead did, or what was done to it.

    Parameters
    ----------
    lead_id
        Of the lead; it need not have been scored yet.
    event
        What: ``page_view``, ``email_click``, …
    occurred_at
        When, aware UTC; not in the future.
    details
        More, as flat data.
    """

    lead_id: str
    event: str
    occurred_at: datetime = field(default_factory=now)
    details: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        checked_id(self.lead_id)


class Happened(NamedTuple):
    """What came of reporting an event: kept, there already, or refused with an error."""

    lead_id: str
    duplicate: bool = False
    error: LeadmlError | None = None


class Waiting(NamedTuple):
    """A page of the queue and how many leads were taken up in the last seven days."""

    leads: list[dict[str, Any]]
    taken: int


class Lives:
    """What is known of leads, beyond one row of a table.

    Parameters
    ----------
    write, read
        Run an effect in a writing or a reading transaction.
    erased
        Which of some ids were erased.
    """

    def __init__(self, write: Write, read: Write, erased: Erased) -> None:
        self._write = write
        self._read = read
        self._erased = erased

    def lead(self, lead_id: str) -> dict[str, Any] | None:
        """A lead with its latest score, trend, BANT and the steps open to it; None if unknown."""
        return self._read(lambda on: _lead(on, lead_id))

    def history(self, lead_id: str) -> list[dict[str, Any]]:
        """Scores, reports, consent and events in the order of time, with the stage after each.

        The newest :data:`SHOWN` of the events that the lead itself made are shown.
        """
        return self._read(lambda on: _history(on, lead_id))

    def happen(self, happenings: Sequence[Happening]) -> list[Happened]:
        """Store events in one transaction; one that is refused spoils no other."""
        return self._write(lambda on: self.record_happenings(on, happenings))

    def record_happenings(
        self, connection: sa.Connection, happenings: Sequence[Happening]
    ) -> list[Happened]:
        """The same within a transaction."""
        erased = self._erased(connection, {h.lead_id for h in happenings})
        reported_us = us_of(now())
        there = _there(connection, {h.lead_id for h in happenings} - erased)
        found, rows = [], []
        for happening in happenings:
            occurred_us = us_of(happening.occurred_at)
            mark = (happening.lead_id, happening.event, occurred_us)
            if happening.lead_id in erased:
                error: LeadmlError = LeadErased("the lead was erased; nothing is recorded for it")
                found.append(Happened(happening.lead_id, error=error))
            elif occurred_us - reported_us > FUTURE_US:
                error = ImpossibleValue(
                    "occurred_at lies in the future",
                    column="occurred_at",
                    fix="send the time at which it happened, with its zone",
                )
                found.append(Happened(happening.lead_id, error=error))
            elif mark in there:
                found.append(Happened(happening.lead_id, duplicate=True))
            else:
                there.add(mark)
                rows.append(_event_row(happening, occurred_us, reported_us))
                found.append(Happened(happening.lead_id))
        if rows:
            connection.execute(sa.insert(tables.events), rows)
        return found

    def page(
        self,
        limit: int,
        *,
        stage: Stage | None = None,
        q: str = "",
        source: str = "",
        owner: str = "",
        after: tuple[float, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Leads, page by page.

        Parameters
        ----------
        limit
            Most leads.
        stage
            Only leads that stand there, the most promising first; without it those
            changed last come first.
        q
            Start of an id, or a text in an attribute (any case). Attributes of the
            :data:`SEARCHED` leads that come first are looked at.
        source
            Value of the attribute ``source``, searched likewise.
        owner
            Value of the attribute ``owner``, searched likewise.
        after
            ``order`` and ``lead_id`` of the last lead of the page before.
        """
        return self._read(lambda on: _page(on, limit, stage, q, source, owner, after))

    def waiting(
        self,
        limit: int,
        after: tuple[float, str] | None = None,
        attributes: Sequence[str] = (),
    ) -> Waiting:
        """Leads to work next: ``mql``, consented, no objection, by expected value.

        Parameters
        ----------
        limit
            Most leads.
        after
            Expected value and id of the last lead of the page before.
        attributes
            Fields of the lead to show.
        """
        return self._read(lambda on: _waiting(on, limit, after, attributes))


def _lead(on: sa.Connection, lead_id: str) -> dict[str, Any] | None:
    c = tables.leads.c
    row = on.execute(sa.select(tables.leads).where(c.lead_id == lead_id)).mappings().first()
    if row is None:
        return None
    known = telling.plain(row)
    explained = known.pop("explained", {})
    found: dict[str, Any] = {
        name: known[name]
        for name in ("lead_id", "stage", "stage_since", "first_seen", "updated")
        if name in known
    }
    found["objection"] = known["objection"]
    if "contact_consent" in known:
        found["contact_consent"] = known["contact_consent"]
    found["open_steps"] = [str(o) for o in life.open_steps(life.Standing(reached=row["reached"]))]
    if "decision_id" in known:
        latest = {
            name: known[name]
            for name in ("decision_id", "probability", "score", "proposed_stage")
            if name in known
        }
        found["latest"] = latest | {"at": known["decided"]} | explained
        found["expected_value"] = known.get("expected", known["probability"])
        trend = _trend(on, lead_id, row["decision_id"])
        if trend is not None:
            found["trend"] = trend
    bant = _bant(on, lead_id)
    if bant:
        found["bant"] = bant
    found["attributes"] = known["attributes"]
    return found


def _trend(on: sa.Connection, lead_id: str, decision_id: str) -> dict[str, Any] | None:
    d = tables.decisions.c
    model = sa.select(d.model_version).where(d.decision_id == decision_id).scalar_subquery()
    chosen = (
        sa.select(d.at_us, d.log_odds)
        .where(d.lead_id == lead_id, d.model_version == model)
        .order_by(d.at_us.desc())
        .limit(SHOWN)
    )
    found = trend_of((moment_of_us(at_us), log_odds) for at_us, log_odds in on.execute(chosen))
    return None if found is None else found.as_dict()


def _bant(on: sa.Connection, lead_id: str) -> dict[str, Any]:
    """The newest word on each of the four."""
    o = tables.outcomes.c
    chosen = (
        sa.select(o.details)
        .where(o.lead_id == lead_id, o.details.is_not(None))
        .order_by(o.occurred_us, o.outcome_id)
    )
    found: dict[str, Any] = {}
    for (details,) in on.execute(chosen):
        told = orjson.loads(details)
        found |= {name: told[name] for name in BANT if told.get(name) is not None}
    return found


def _history(on: sa.Connection, lead_id: str) -> list[dict[str, Any]]:
    d, e, o = tables.decisions.c, tables.events.c, tables.outcomes.c
    scores: dict[tuple[str | None, float], list[Any]] = {}
    chosen = sa.select(
        d.at_us, d.probability, d.decision_id, d.score, d.model_version, d.policy_version
    ).where(d.lead_id == lead_id)
    for row in on.execute(chosen.order_by(d.decision_id.desc())):
        scores.setdefault((iso_of(row[0]), row[1]), []).append(row[2:])
    said = {
        (iso_of(occurred_us), outcome): (reason, by, details)
        for occurred_us, outcome, reason, by, details in on.execute(
            sa.select(o.occurred_us, o.outcome, o.reason, o.reported_by, o.details).where(
                o.lead_id == lead_id
            )
        )
    }
    told = telling.history(on, lead_id)
    for entry in told:
        if entry["event"] == "scored":
            decision_id, score, model, policy = scores[entry["at"], entry["probability"]].pop()
            entry |= {
                "decision_id": decision_id,
                "score": score,
                "model_version": model,
                "policy_version": policy,
            }
        elif entry["event"] != "consent":
            reason, by, details = said[entry["at"], entry["event"]]
            more = {"reason": reason, "by": by}
            entry |= {name: value for name, value in more.items() if value is not None}
            if details is not None:
                entry["details"] = orjson.loads(details)
    did = on.execute(
        sa.select(e.occurred_us, e.event, e.details)
        .where(e.lead_id == lead_id)
        .order_by(e.occurred_us.desc(), e.event_id.desc())
        .limit(SHOWN)
    ).all()
    return _woven(told, did)


def _woven(told: list[dict[str, Any]], did: Sequence[Any]) -> list[dict[str, Any]]:
    """Both in the order of time; the stage is that of the entry before."""
    found: list[dict[str, Any]] = []
    stage = str(Stage.COLD)
    rest = list(did)  # newest first
    for entry in told:
        while rest and (iso := iso_of(rest[-1][0])) is not None and iso < entry["at"]:
            found.append(_done(rest.pop(), stage))
        stage = entry["stage"]
        found.append(entry)
    return found + [_done(row, stage) for row in reversed(rest)]


def _done(row: Any, stage: str) -> dict[str, Any]:
    occurred_us, event, details = row
    found = {"at": iso_of(occurred_us), "stage": stage, "event": "did", "what": event}
    return found if details is None else found | {"details": orjson.loads(details)}


def _there(on: sa.Connection, lead_ids: Iterable[str]) -> set[tuple[str, str, int]]:
    e = tables.events.c
    wanted = sorted(lead_ids)
    found: set[tuple[str, str, int]] = set()
    for start in range(0, len(wanted), _CHUNK):
        rows = on.execute(
            sa.select(e.lead_id, e.event, e.occurred_us).where(
                e.lead_id.in_(wanted[start : start + _CHUNK])
            )
        )
        found.update((lead_id, event, occurred_us) for lead_id, event, occurred_us in rows)
    return found


def _event_row(happening: Happening, occurred_us: int, reported_us: int) -> dict[str, Any]:
    details = happening.details
    return {
        "lead_id": happening.lead_id,
        "event": happening.event,
        "occurred_us": occurred_us,
        "reported_us": reported_us,
        "details": None if not details else orjson.dumps(dict(details)).decode(),
    }


_LISTED: Final = (
    "lead_id",
    "stage",
    "stage_since_us",
    "updated_us",
    "probability",
    "score",
    "proposed_stage",
    "contact_consent",
    "objection",
    "expected",
    "attributes",
)


def _page(
    on: sa.Connection,
    limit: int,
    stage: Stage | None,
    q: str,
    source: str,
    owner: str,
    after: tuple[float, str] | None,
) -> list[dict[str, Any]]:
    c = tables.leads.c
    order: sa.ColumnElement[Any] = c.updated_us if stage is None else _worth(c)
    chosen = sa.select(*(c[name] for name in _LISTED)).order_by(order.desc(), c.lead_id)
    if stage is not None:
        chosen = chosen.where(c.stage == str(stage))
    if after is not None:
        chosen = chosen.where(_behind(order, c.lead_id, after))
    if not q and not source and not owner:
        return [_listed(row, stage) for row in on.execute(chosen.limit(limit)).mappings()]
    found = {}
    if q and not source and not owner and after is None:
        start = c.lead_id.startswith(q, autoescape=True)
        if on.dialect.name == "sqlite":  # LIKE ignores case there and so cannot use the index
            start = sa.and_(c.lead_id >= q, c.lead_id < q + "\U0010ffff")
        for row in on.execute(chosen.where(start).limit(limit)).mappings():
            found[row["lead_id"]] = _listed(row, stage)
    if len(found) >= limit:
        return sorted(found.values(), key=lambda lead: (-lead["order"], lead["lead_id"]))[:limit]
    wanted = q.casefold()
    having = {"source": source.casefold(), "owner": owner.casefold()}
    first = chosen.with_only_columns(c.lead_id, c.attributes, order.label("worth"))
    filtered = [of for of in having.values() if of]
    for depth in (min(_NEAR, SEARCHED), SEARCHED):  # what many have is found among the first
        for row in _rows(on, _sieved(on, first.limit(depth), wanted, filtered)):
            if row["lead_id"] not in found and _fits(row, wanted, having):
                found[row["lead_id"]] = _listed(row, stage)
            if len(found) >= limit:
                break
        if len(found) >= limit:
            break
    ordered = sorted(found.values(), key=lambda lead: (-lead["order"], lead["lead_id"]))
    return ordered[:limit]


def _rows(on: sa.Connection, ids: sa.Select[Any]) -> Iterator[sa.RowMapping]:
    """Leads of these ids in their order, read part by part; not those erased meanwhile."""
    c = tables.leads.c
    looked = on.execution_options(yield_per=_LOOKED).execute(ids).scalars()
    try:
        for part in looked.partitions():
            among = sa.select(*(c[name] for name in _LISTED)).where(c.lead_id.in_(part))
            rows = {row["lead_id"]: row for row in on.execute(among).mappings()}
            yield from (rows[lead_id] for lead_id in part if lead_id in rows)
    finally:
        looked.close()


def _sieved(
    on: sa.Connection, chosen: sa.Select[Any], wanted: str, having: Sequence[str]
) -> sa.Select[Any]:
    """Ids of the same rows, but for those that plainly hold no such texts: fewer are read.

    Only ASCII is sieved by the database, whose case it knows; texts with other letters may
    match in ways that only Python knows, and those alone can hold other letters.
    """
    rows = chosen.subquery()
    sqlite = on.dialect.name == "sqlite"

    def holds(column: sa.ColumnElement[Any], text: str, before: str) -> sa.ColumnElement[bool]:
        if not text.isascii():
            return sa.false()
        # SQLite's LIKE ignores the case of ASCII letters by itself
        pattern = f"{before}{''.join(_LIKE.get(sign, sign) for sign in text)}%"
        return (column.like if sqlite else column.ilike)(pattern, escape="\\")

    def others(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        n_bytes = sa.func.length(sa.cast(column, sa.LargeBinary))
        return (n_bytes if sqlite else sa.func.octet_length(column)) != sa.func.length(column)

    attributes, lead_id = rows.c.attributes, rows.c.lead_id
    kept = [sa.or_(holds(attributes, of, "%"), others(attributes)) for of in having]
    if wanted:
        either = (holds(attributes, wanted, "%"), holds(lead_id, wanted, ""))
        kept.append(sa.or_(*either, others(attributes), others(lead_id)))
    return sa.select(lead_id).where(*kept).order_by(rows.c.worth.desc(), lead_id)


_LIKE: Final = {"%": "\\%", "_": "\\_", '"': "%", "\\": "%"} | {
    chr(i): "%" for i in (*range(32), 127)
}
"""How a sign is looked for in JSON: what JSON spells in another way stands for anything."""


def _fits(row: Any, wanted: str, having: Mapping[str, str]) -> bool:
    text = row["attributes"]
    if wanted and not row["lead_id"].casefold().startswith(wanted):
        if wanted not in text.casefold() and '"' not in wanted and "\\" not in wanted:
            return False
        values = orjson.loads(text).values()
        if not any(wanted in str(value).casefold() for value in values if value is not None):
            return False
    if not any(having.values()):
        return True
    known = orjson.loads(text)
    return all(str(known.get(name, "")).casefold() == of for name, of in having.items() if of)


def _listed(row: Any, stage: Stage | None) -> dict[str, Any]:
    found = telling.plain(row)
    expected = found.pop("expected", found.get("probability"))
    if expected is not None:
        found["expected_value"] = expected
    found["order"] = row["updated_us"] if stage is None else expected or 0.0
    return found


def _worth(c: Any) -> sa.ColumnElement[Any]:
    return c.expected


def _behind(
    order: sa.ColumnElement[Any], lead_id: sa.ColumnElement[Any], after: tuple[float, str]
) -> sa.ColumnElement[bool]:
    """What comes after a place in descending order, ties by id."""
    value, last = after
    # the first condition says the same again, in a way that an index can start from
    return sa.and_(order <= value, sa.or_(order < value, sa.and_(order == value, lead_id > last)))


def _waiting(
    on: sa.Connection, limit: int, after: tuple[float, str] | None, attributes: Sequence[str]
) -> Waiting:
    c, o = tables.leads.c, tables.outcomes.c
    names = ["lead_id", "probability", "score", "stage_since_us", "decision_id", "expected"]
    chosen = (
        sa.select(*(c[name] for name in names), *([c.attributes] if attributes else []))
        .where(c.stage == str(Stage.MQL), c.contact_consent.is_(True), c.objection.is_(False))
        .order_by(c.expected.desc(), c.lead_id)
        .limit(limit)
    )
    if after is not None:
        chosen = chosen.where(_behind(c.expected, c.lead_id, after))
    leads = []
    for row in on.execute(chosen).mappings():
        found = telling.plain(row)
        found["expected_value"] = found.pop("expected", found["probability"])
        if attributes:
            known = found.pop("attributes")
            shown = {name: known[name] for name in attributes if known.get(name) is not None}
            found["attributes"] = shown
        leads.append(found)
    answers = [str(o) for o in (Outcome.ACCEPTED, Outcome.REJECTED)]
    taken = on.execute(
        sa.select(sa.func.count(sa.distinct(o.lead_id))).where(
            o.outcome.in_(answers), o.occurred_us > us_of(now()) - _WEEK_US
        )
    ).scalar_one()
    return Waiting(leads, int(taken))
