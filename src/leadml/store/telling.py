"""What is known of leads, read back as plain data."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa

from leadml.leads import life
from leadml.leads.vocabulary import Stage
from leadml.store import tables
from leadml.store.records import iso_of, us_of
from leadml.store.remembering import events_of

__all__ = [
    "counts",
    "decision",
    "export",
    "history",
    "lead",
    "messages",
    "plain",
    "queue",
    "settle",
]

_JSON = ("attributes", "inputs", "contributions", "details", "payload", "explained", "log")


def lead(connection: sa.Connection, lead_id: str) -> dict[str, Any] | None:
    """A lead as it stands, with its latest attributes and score; None if unknown."""
    chosen = sa.select(tables.leads).where(tables.leads.c.lead_id == lead_id)
    row = connection.execute(chosen).mappings().first()
    if row is None:
        return None
    found = plain(row)
    for name in ("reached", "latest_event"):
        found.pop(name, None)
    return found


def decision(connection: sa.Connection, decision_id: str) -> dict[str, Any] | None:
    """A past decision with inputs, contributions, lines and versions, to replay it."""
    chosen = sa.select(tables.decisions).where(tables.decisions.c.decision_id == decision_id)
    row = connection.execute(chosen).mappings().first()
    return None if row is None else plain(row)


def history(connection: sa.Connection, lead_id: str) -> list[dict[str, Any]]:
    """What happened to a lead in the order of time, with its stage after each event.

    Stages are those of the whole life as it is known now; what was said at the time
    stands in the changes of :func:`export`.
    """
    found = []
    for event, standing in life.trace(events_of(connection, lead_id)):
        told: dict[str, Any] = {"at": iso_of(us_of(event.at)), "stage": str(standing.stage)}
        if isinstance(event, life.Scored):
            told |= {"event": "scored", "probability": event.probability}
        elif isinstance(event, life.Reported):
            told |= {"event": str(event.outcome)}
        else:
            told |= {"event": "consent", "may_contact": event.may_contact}
        found.append(told)
    return found


def export(connection: sa.Connection, lead_id: str) -> dict[str, Any] | None:
    """All that is stored about a lead, for a request of access; None if nothing is."""
    known = lead(connection, lead_id)
    found: dict[str, Any] = {} if known is None else {"lead": known}
    for label, table, order in (
        ("decisions", tables.decisions, "at_us"),
        ("outcomes", tables.outcomes, "occurred_us"),
        ("events", tables.events, "occurred_us"),
        ("consents", tables.consents, "at_us"),
        ("changes", tables.stages, "change_id"),
        ("messages", tables.outbox, "seq"),
        ("deliveries", tables.deliveries, "seq"),
    ):
        chosen = sa.select(table).where(table.c.lead_id == lead_id).order_by(table.c[order])
        found[label] = [plain(row) for row in connection.execute(chosen).mappings()]
    return found if any(found.values()) else None


def queue(
    connection: sa.Connection, limit: int, after: tuple[float, str] | None
) -> list[dict[str, Any]]:
    """Leads to work next: ``mql``, with consent, without objection, likeliest first.

    Parameters
    ----------
    after
        Probability and id of the last lead of the page before.
    """
    c = tables.leads.c
    chosen = (
        sa.select(c.lead_id, c.probability, c.score, c.stage, c.stage_since_us, c.decision_id)
        .where(c.stage == str(Stage.MQL), c.contact_consent.is_(True), c.objection.is_(False))
        .order_by(c.probability.desc(), c.lead_id)
        .limit(limit)
    )
    if after is not None:
        probability, lead_id = after
        chosen = chosen.where(
            sa.or_(
                c.probability < probability,
                sa.and_(c.probability == probability, c.lead_id > lead_id),
            )
        )
    return [plain(row) for row in connection.execute(chosen).mappings()]


def messages(connection: sa.Connection, limit: int) -> list[dict[str, Any]]:
    """Messages of the outbox that are not settled, oldest first."""
    c = tables.outbox.c
    chosen = sa.select(tables.outbox).where(c.settled_us.is_(None)).order_by(c.seq).limit(limit)
    return [plain(row) for row in connection.execute(chosen).mappings()]


def settle(connection: sa.Connection, seqs: list[int], at_us: int) -> int:
    """Mark messages as handed on; returns how many were open until now."""
    c = tables.outbox.c
    changed = connection.execute(
        sa.update(tables.outbox)
        .where(c.seq.in_(seqs), c.settled_us.is_(None))
        .values(settled_us=at_us)
    )
    return changed.rowcount


def counts(connection: sa.Connection) -> dict[str, int]:
    """Rows in each table."""
    return {
        table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in tables.metadata.sorted_tables
    }


def plain(row: Any) -> dict[str, Any]:
    """A row with moments as ISO text, JSON parsed and absent values left out."""
    found: dict[str, Any] = {}
    for quoted, value in row.items():
        name = str(quoted)  # a kind of text of SQLAlchemy, which is no key for JSON
        if value is None:
            continue
        if name.endswith("_us"):
            found[name.removesuffix("_us")] = iso_of(value)
        elif name in _JSON:
            found[name] = orjson.loads(value)
        else:
            found[name] = value
    return found
