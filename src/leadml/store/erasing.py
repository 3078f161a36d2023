"""Erasure: all rows of a lead gone, a keyed hash left that keeps it out of training."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.errors import NotFound
from leadml.store import tables
from leadml.store.auditing import get_note, set_note

__all__ = ["TABLES", "erase", "erased_among", "hash_of", "tombstone_key"]

TABLES: Final = (
    "leads",
    "decisions",
    "outcomes",
    "events",
    "consents",
    "stages",
    "outbox",
    "deliveries",
)
"""Every table that holds rows of a lead by its id."""

_LOCK: Final = 4_951_206_735
_NOTE: Final = "tombstone_key"


def tombstone_key(connection: sa.Connection) -> bytes:
    """The key of the hashes; made when the tables are made."""
    noted = get_note(connection, _NOTE)
    if noted is None:
        noted = secrets.token_hex(32)
        set_note(connection, _NOTE, noted)
    return bytes.fromhex(noted)


def hash_of(key: bytes, lead_id: str) -> str:
    """What is left of an id after its erasure."""
    return hmac.digest(key, lead_id.encode(), "sha256").hex()


def erased_among(connection: sa.Connection, key: bytes, lead_ids: Iterable[str]) -> frozenset[str]:
    """Which of these ids were erased; on PostgreSQL no erasure runs until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _LOCK})
    if connection.execute(_ANY_TOMB).first() is None:
        return frozenset()
    hashes = {hash_of(key, lead_id): lead_id for lead_id in lead_ids}
    if not hashes:
        return frozenset()
    found = connection.execute(_TOMBS, {"hashes": list(hashes)}).scalars()
    return frozenset(hashes[found_hash] for found_hash in found)


def erase(
    connection: sa.Connection, key: bytes, lead_id: str, at_us: int, *, only_known: bool = False
) -> dict[str, int]:
    """Delete all rows of a lead and leave a tombstone; returns rows deleted by table.

    Raises
    ------
    NotFound
        With ``only_known``: nothing is stored about the lead, and it was not erased before.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    counts: dict[str, int] = {}
    for name in TABLES:
        table: sa.Table = getattr(tables, name)
        gone = connection.execute(sa.delete(table).where(table.c.lead_id == lead_id))
        counts[name] = gone.rowcount
    c = tables.idempotency.c
    # not LIKE: to SQLite ABC is like abc, which may be another lead
    position = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    told = f'"lead_id":{orjson.dumps(lead_id).decode()}'
    forgotten = connection.execute(
        sa.update(tables.idempotency).where(position(c.answer, told) > 0).values(answer=None)
    )
    counts["idempotency"] = forgotten.rowcount
    lead_hash = hash_of(key, lead_id)
    if not erased_among(connection, key, [lead_id]):
        if only_known and not any(counts.values()):
            raise NotFound("this lead is not known; nothing was erased", fix="correct the id")
        row: dict[str, Any] = {"lead_hash": lead_hash, "at_us": at_us}
        connection.execute(sa.insert(tables.tombstones), row)
    return counts


_ANY_TOMB: Final = sa.select(tables.tombstones.c.lead_hash).limit(1)
_TOMBS: Final = sa.select(tables.tombstones.c.lead_hash).where(
    tables.tombstones.c.lead_hash.in_(sa.bindparam("hashes", expanding=True))
)
