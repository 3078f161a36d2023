"""Who is still to be told what: one row for each message and each of its receivers.

A message leaves the outbox when a row is made for every endpoint that wants it. Workers
lease rows, send them and note what came of it; the rows of a worker that died come back
when their lease ends. For one lead and one endpoint a later message waits for the
earlier one, so their order is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.errors import DeliveryUnknown
from leadml.store import tables
from leadml.store.endpoints import listed as listed_endpoints
from leadml.store.records import iso_of, new_id, now, us_of

__all__ = [
    "Attempt",
    "Leased",
    "Standing",
    "claim",
    "fan_out",
    "forget_old",
    "listed",
    "next_due",
    "replay",
    "settle",
    "standing",
]

_LOCK: Final = 4_951_206_737
_MOST_NOTED: Final = 30
WAITING: Final = "waiting"
WITHHELD: Final = "the lead objected, or nothing is known of it any more"


@dataclass(frozen=True, slots=True)
class Leased:
    """A message to be sent to one endpoint now.

    Parameters
    ----------
    delivery_id, message_id, seq, type, lead_id
        Of the delivery and its message; ``seq`` grows with each message of a lead.
    payload
        What the message tells.
    attributes
        Latest attributes of its lead; empty where there is none.
    attempts
        Made before.
    lease
        Proves whose it is.
    """

    delivery_id: str
    endpoint_id: str
    message_id: str
    seq: int
    type: str
    lead_id: str
    payload: dict[str, Any]
    attributes: dict[str, Any]
    attempts: int
    lease: str
    log: list[dict[str, Any]] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending.

    Parameters
    ----------
    leased
        What was sent.
    at_us
        When it began.
    state
        ``delivered``, ``dead`` (no more attempts) or ``waiting`` (for the next one).
    next_attempt_us
        When the next one is due.
    status
        The receiver's HTTP status; None if it did not answer.
    error
        What went wrong, in words of our own; None if nothing did.
    duration_ms
        How long it took.
    counts
        False for an attempt that was never made: it leaves only its error.
    """

    leased: Leased
    at_us: int
    state: str
    next_attempt_us: int
    status: int | None = None
    error: str | None = None
    duration_ms: float = 0.0
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the deliveries are.

    Parameters
    ----------
    waiting, dead
        Deliveries to be made, and given up.
    unsorted
        Messages of the outbox that no worker has looked at.
    oldest_s
        Age of the oldest message that waits, in seconds; 0 if none does.
    """

    waiting: int
    dead: int
    unsorted: int
    oldest_s: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "waiting": self.waiting,
            "dead": self.dead,
            "unsorted": self.unsorted,
            "oldest_s": round(self.oldest_s, 3),
        }


def fan_out(connection: sa.Connection, limit: int = 500) -> int:
    """Make a row for each endpoint that wants a message, oldest messages first.

    One process does it at a time (the others find nothing to do), so that of two
    messages of a lead the later is never made ready before the earlier.

    Returns
    -------
    int
        Messages taken from the outbox.
    """
    if connection.dialect.name == "postgresql":
        ours = connection.execute(
            sa.text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}
        ).scalar()
        if not ours:
            return 0
    c = tables.outbox.c
    messages = connection.execute(
        sa.select(c.seq, c.message_id, c.lead_id, c.type, c.at_us)
        .where(c.settled_us.is_(None))
        .order_by(c.seq)
        .limit(limit)
    ).all()
    if not messages:
        return 0
    at_us = us_of(now())
    wanted = [
        (endpoint.endpoint_id, frozenset(endpoint.events), us_of(endpoint.created_at))
        for endpoint in listed_endpoints(connection)
    ]
    rows = [
        {
            "delivery_id": new_id("dlv"),
            "endpoint_id": endpoint_id,
            "message_id": message.message_id,
            "seq": message.seq,
            "lead_id": message.lead_id,
            "type": message.type,
            "state": WAITING,
            "attempts": 0,
            "created_us": message.at_us,
            "next_attempt_us": at_us,
            "log": "[]",
        }
        for message in messages
        for endpoint_id, events, since_us in wanted
        if message.type in events and message.at_us >= since_us
    ]
    if rows:
        connection.execute(sa.insert(tables.deliveries), rows)
    connection.execute(
        sa.update(tables.outbox)
        .where(c.seq.in_([message.seq for message in messages]))
        .values(settled_us=at_us)
    )
    return len(messages)


def claim(
    connection: sa.Connection, endpoint_id: str, *, limit: int, lease_s: float
) -> list[Leased]:
    """Lease what is due for an endpoint, at most one message of each lead.

    Messages of leads that objected since are withheld for good.

    Parameters
    ----------
    limit
        Most messages.
    lease_s
        Until another worker may take them, in seconds; longer than one attempt lasts.
    """
    at_us = us_of(now())
    d, earlier = tables.deliveries, tables.deliveries.alias("earlier")
    first = ~sa.exists().where(
        earlier.c.endpoint_id == d.c.endpoint_id,
        earlier.c.lead_id == d.c.lead_id,
        earlier.c.seq < d.c.seq,
        earlier.c.state == WAITING,
    )
    due = (
        sa.select(d)
        .where(
            d.c.endpoint_id == endpoint_id,
            d.c.state == WAITING,
            d.c.next_attempt_us <= at_us,
            sa.or_(d.c.lead_id == "", first),
        )
        .order_by(d.c.next_attempt_us, d.c.seq)
        .limit(limit)
    )
    if connection.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    rows = connection.execute(due).mappings().all()
    if not rows:
        return []
    lease = secrets.token_hex(8)
    connection.execute(
        sa.update(d)
        .where(d.c.delivery_id.in_([row["delivery_id"] for row in rows]))
        .values(lease=lease, next_attempt_us=at_us + int(lease_s * 1_000_000))
    )
    payloads = _payloads(connection, rows)
    leads = _leads(connection, rows)
    refused = [
        row["delivery_id"]
        for row in rows
        if row["message_id"] not in payloads or leads.get(row["lead_id"], ("", False))[1]
    ]
    if refused:
        connection.execute(
            sa.update(d)
            .where(d.c.delivery_id.in_(refused))
            .values(state="withheld", finished_us=at_us, lease=None, last_error=WITHHELD)
        )
    return [
        Leased(
            delivery_id=row["delivery_id"],
            endpoint_id=endpoint_id,
            message_id=row["message_id"],
            seq=row["seq"],
            type=row["type"],
            lead_id=row["lead_id"],
            payload=orjson.loads(payloads[row["message_id"]]),
            attributes=orjson.loads(leads.get(row["lead_id"], ("{}", False))[0]),
            attempts=row["attempts"],
            lease=lease,
            log=orjson.loads(row["log"]),
        )
        for row in rows
        if row["delivery_id"] not in refused
    ]


def _payloads(connection: sa.Connection, rows: Iterable[Any]) -> dict[str, str]:
    c = tables.outbox.c
    wanted = [row["message_id"] for row in rows]
    found = connection.execute(sa.select(c.message_id, c.payload).where(c.message_id.in_(wanted)))
    return {row.message_id: row.payload for row in found}


def _leads(connection: sa.Connection, rows: Iterable[Any]) -> dict[str, tuple[str, bool]]:
    c = tables.leads.c
    wanted = [row["lead_id"] for row in rows if row["lead_id"]]
    found = connection.execute(
        sa.select(c.lead_id, c.attributes, c.objection).where(c.lead_id.in_(wanted))
    )
    return {lead_id: (attributes, objection) for lead_id, attributes, objection in found}


def settle(connection: sa.Connection, attempts: Sequence[Attempt]) -> int:
    """Note what came of attempts; one whose lease went to another worker changes nothing.

    Returns how many were noted.
    """
    noted = 0
    d = tables.deliveries.c
    for attempt in attempts:
        leased = attempt.leased
        values: dict[str, Any] = {"lease": None, "next_attempt_us": attempt.next_attempt_us}
        if attempt.error is not None:
            values["last_error"] = attempt.error
        if attempt.counts:
            values |= {
                "last_status": attempt.status,
                "last_error": attempt.error,
                "attempts": leased.attempts + 1,
                "state": attempt.state,
                "log": orjson.dumps([*leased.log, _line(attempt)][-_MOST_NOTED:]).decode(),
                "finished_us": None if attempt.state == WAITING else us_of(now()),
            }
        changed = connection.execute(
            sa.update(tables.deliveries)
            .where(d.delivery_id == leased.delivery_id, d.lease == leased.lease)
            .values(**values)
        )
        noted += changed.rowcount
        if changed.rowcount and attempt.state == WAITING and leased.lead_id:
            connection.execute(  # what must wait for this one is not due before it
                sa.update(tables.deliveries)
                .where(
                    d.endpoint_id == leased.endpoint_id,
                    d.lead_id == leased.lead_id,
                    d.seq > leased.seq,
                    d.state == WAITING,
                    d.next_attempt_us < attempt.next_attempt_us,
                )
                .values(next_attempt_us=attempt.next_attempt_us)
            )
    return noted


def _line(attempt: Attempt) -> dict[str, Any]:
    line: dict[str, Any] = {
        "at": iso_of(attempt.at_us),
        "duration_ms": round(attempt.duration_ms, 1),
    }
    if attempt.status is not None:
        line["status"] = attempt.status
    if attempt.error is not None:
        line["error"] = attempt.error
    return line


def next_due(connection: sa.Connection, skip: Iterable[str] = ()) -> tuple[bool, dict[str, int]]:
    """Whether messages wait in the outbox, and when each active endpoint is next due.

    Returns
    -------
    bool
        Messages wait to be sorted.
    dict
        Endpoint → moment in microseconds; endpoints without anything to do are absent,
        as are those of ``skip``.
    """
    o, d, e = tables.outbox.c, tables.deliveries.c, tables.endpoints.c
    waiting = connection.execute(sa.select(o.seq).where(o.settled_us.is_(None)).limit(1)).first()
    active = connection.execute(
        sa.select(e.endpoint_id, e.paused_until_us).where(e.state == "active")
    ).all()
    found: dict[str, int] = {}
    left_out = set(skip)
    for endpoint_id, paused_us in active:
        if endpoint_id in left_out:
            continue
        due_us = connection.execute(
            sa.select(sa.func.min(d.next_attempt_us)).where(
                d.endpoint_id == endpoint_id, d.state == WAITING
            )
        ).scalar()
        if due_us is not None:
            found[endpoint_id] = max(due_us, paused_us or 0)
    return waiting is not None, found


def listed(
    connection: sa.Connection,
    endpoint_id: str,
    *,
    state: str | None = None,
    limit: int = 100,
    before: str | None = None,
) -> list[dict[str, Any]]:
    """Deliveries of an endpoint, newest first, each with the log of its attempts.

    Parameters
    ----------
    before
        Id of the last one of the page before.
    """
    d = tables.deliveries.c
    chosen = (
        sa.select(tables.deliveries)
        .where(d.endpoint_id == endpoint_id)
        .order_by(d.seq.desc())
        .limit(limit)
    )
    if state is not None:
        chosen = chosen.where(d.state == state)
    if before is not None:
        last = sa.select(d.seq).where(d.delivery_id == before).scalar_subquery()
        chosen = chosen.where(d.seq < last)
    return [_told(row) for row in connection.execute(chosen).mappings()]


def _told(row: Any) -> dict[str, Any]:
    found = {
        "id": row["delivery_id"],
        "message_id": row["message_id"],
        "type": row["type"],
        "sequence": row["seq"],
        "state": row["state"],
        "attempts": row["attempts"],
        "created_at": iso_of(row["created_us"]),
        "log": orjson.loads(row["log"]),
    }
    if row["lead_id"]:
        found["lead_id"] = row["lead_id"]
    if row["state"] == WAITING:
        found["next_attempt_at"] = iso_of(row["next_attempt_us"])
    known = {
        "finished_at": iso_of(row["finished_us"]),
        "last_status": row["last_status"],
        "last_error": row["last_error"],
    }
    return found | {name: value for name, value in known.items() if value is not None}


def replay(connection: sa.Connection, endpoint_id: str, delivery_id: str | None = None) -> int:
    """Send again: one delivery whatever came of it, or all that were given up.

    Returns how many will be sent.

    Raises
    ------
    DeliveryUnknown
        The endpoint has no such delivery, or it may not be sent.
    """
    d = tables.deliveries.c
    chosen = sa.update(tables.deliveries).where(d.endpoint_id == endpoint_id)
    if delivery_id is None:
        chosen = chosen.where(d.state == "dead")
    else:
        chosen = chosen.where(d.delivery_id == delivery_id, d.state != "withheld")
    changed = connection.execute(
        chosen.values(
            state=WAITING, attempts=0, next_attempt_us=us_of(now()), lease=None, finished_us=None
        )
    ).rowcount
    if delivery_id is not None and not changed:
        raise DeliveryUnknown("this webhook has no such delivery", fix="list its deliveries")
    connection.info["announced"] = True
    return changed


def standing(connection: sa.Connection) -> Standing:
    """How many deliveries wait, how long the oldest does, how many were given up."""
    d, o = tables.deliveries.c, tables.outbox.c
    # the outbox first: what is sorted between two looks is counted twice, never left out
    unsorted, first_us = connection.execute(
        sa.select(sa.func.count(), sa.func.min(o.at_us)).where(o.settled_us.is_(None))
    ).one()
    states = connection.execute(
        sa.select(d.state, sa.func.count().label("n"), sa.func.min(d.created_us).label("first"))
        .where(d.state.in_([WAITING, "dead"]))
        .group_by(d.state)
    ).all()
    counted: dict[str, int] = {row.state: row.n for row in states}
    oldest_us = next((row.first for row in states if row.state == WAITING), None)
    known = [us for us in (oldest_us, first_us) if us is not None]
    age_us = us_of(now()) - min(known) if known else 0
    return Standing(
        counted.get(WAITING, 0), counted.get("dead", 0), unsorted, max(0.0, age_us / 1e6)
    )


def forget_old(connection: sa.Connection, before_us: int, limit: int = 500) -> int:
    """Drop some of what was finished before a moment: deliveries, messages nobody waits for.

    Returns how many rows went; 0 when none is left.
    """
    d, o, e = tables.deliveries.c, tables.outbox.c, tables.endpoints.c
    old = (
        sa.select(d.delivery_id)
        .where(d.state.in_(["delivered", "dead", "withheld"]), d.finished_us < before_us)
        .limit(limit)
    )
    finished = list(connection.execute(old).scalars())
    if finished:
        connection.execute(sa.delete(tables.deliveries).where(d.delivery_id.in_(finished)))
    settled = (
        sa.select(o.message_id)
        .where(
            o.settled_us < before_us,
            ~sa.exists().where(
                d.endpoint_id.in_(sa.select(e.endpoint_id)), d.message_id == o.message_id
            ),
        )
        .limit(limit)
    )
    messages = list(connection.execute(settled).scalars())
    if messages:
        connection.execute(sa.delete(tables.outbox).where(o.message_id.in_(messages)))
    return len(finished) + len(messages)
