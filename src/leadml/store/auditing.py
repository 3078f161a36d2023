"""Who changed what: a chain of entries in which every edit shows.

Each entry's link is the SHA-256 of the link before it and of its own content; the link
of the newest entry is noted apart, so that cutting off the end shows as well.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.store import tables
from leadml.store.records import iso_of

__all__ = ["append", "broken_links", "entries", "get_note", "head", "link_at", "set_note"]

_HEAD: Final = "audit_head"
_START: Final = "0" * 64
_LOCK: Final = 4_951_206_734


def append(
    connection: sa.Connection, *, at_us: int, actor: str, action: str, subject: str, detail: Any
) -> None:
    """Add one entry within the transaction of what it tells of."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    seq, link = _head(connection)
    row = {
        "seq": seq + 1,
        "at_us": at_us,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode(),
    }
    row["link"] = _link(link, row)
    connection.execute(sa.insert(tables.audit), row)
    set_note(connection, _HEAD, f"{row['seq']}:{row['link']}")


def broken_links(connection: sa.Connection) -> list[str]:
    """Where the chain does not hold, in words; empty when nothing was edited."""
    found = []
    link, expected = _START, 1
    columns = tables.audit.c
    for row in connection.execute(sa.select(tables.audit).order_by(columns.seq)).mappings():
        if row["seq"] != expected:
            found.append(f"entry {expected} is missing")
        if _link(link, dict(row)) != row["link"]:
            found.append(f"entry {row['seq']} was edited")
        link, expected = row["link"], row["seq"] + 1
    if _head(connection) != (expected - 1, link):
        found.append(f"the end of the chain is not entry {expected - 1}")
    return found


def entries(connection: sa.Connection) -> list[dict[str, Any]]:
    """All entries, oldest first."""
    rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.seq)).mappings()
    return [
        {
            "seq": row["seq"],
            "at": iso_of(row["at_us"]),
            "actor": row["actor"],
            "action": row["action"],
            "subject": row["subject"],
            "detail": orjson.loads(row["detail"]),
        }
        for row in rows
    ]


def head(connection: sa.Connection) -> tuple[int, str]:
    """Number and link of the newest entry; 0 and zeros before the first."""
    return _head(connection)


def link_at(connection: sa.Connection, seq: int) -> str | None:
    """The link of an entry; None where there is none."""
    if seq == 0:
        return _START
    column = tables.audit.c
    found = connection.execute(sa.select(column.link).where(column.seq == seq)).scalar()
    return None if found is None else str(found)


def _head(connection: sa.Connection) -> tuple[int, str]:
    noted = get_note(connection, _HEAD)
    if noted is None:
        return 0, _START
    seq, _, link = noted.partition(":")
    return int(seq) if seq.isdigit() else -1, link


def _link(before: str, row: dict[str, Any]) -> str:
    names = ("seq", "at_us", "actor", "action", "subject", "detail")
    content = orjson.dumps([before, *(row[name] for name in names)])
    return hashlib.sha256(content).hexdigest()


def get_note(connection: sa.Connection, name: str) -> str | None:
    """A fact the store keeps about itself."""
    column = tables.notes.c
    found = connection.execute(sa.select(column.value).where(column.name == name)).scalar()
    return None if found is None else str(found)


def set_note(connection: sa.Connection, name: str, value: str) -> None:
    """Write such a fact, over the one before."""
    column = tables.notes.c
    changed = connection.execute(
        sa.update(tables.notes).where(column.name == name).values(value=value)
    )
    if not changed.rowcount:
        connection.execute(sa.insert(tables.notes), {"name": name, "value": value})
