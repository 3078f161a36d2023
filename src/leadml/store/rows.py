"""Many rows in one statement, without the cost of a statement for each.

Python's driver of SQLite gives the interpreter away for every row it steps over and waits
to get it back: in a process that answers requests meanwhile, that wait is most of the
time of a write. So rows are written many at once there, in numbers that are powers of
two, so that few statements have to be prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from leadml.store import tables

__all__ = ["insert", "upsert"]

MOST_PARAMETERS: Final = 16_384
"""In one statement; SQLite itself allows 32,766."""


def insert(connection: sa.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each with the same columns."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _write(connection, table, tuple(rows[0]), rows, "")
    else:
        connection.execute(_insert(table), rows)


def upsert(connection: sa.Connection, table: str, key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace what is there under the same ``key``; no two share theirs."""
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        _write(connection, table, columns, rows, key)
    else:
        connection.execute(_upsert(table, key, columns), rows)


def _write(
    connection: sa.Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[dict[str, Any]],
    key: str,
) -> None:
    most = 1 << (MOST_PARAMETERS // len(columns)).bit_length() - 1
    start = 0
    while start < len(rows):
        n = min(most, 1 << (len(rows) - start).bit_length() - 1)
        values = tuple(row[name] for row in rows[start : start + n] for name in columns)
        connection.exec_driver_sql(_statement(table, columns, n, key), values)
        start += n


@cache
def _statement(table: str, columns: tuple[str, ...], n: int, key: str) -> str:
    """An INSERT of ``n`` rows for SQLite."""
    places = ", ".join([f"({', '.join('?' * len(columns))})"] * n)
    made = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places}"  # noqa: S608 (our names)
    if not key:
        return made
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name != key)
    return f"{made} ON CONFLICT ({key}) DO UPDATE SET {changed}"


@cache
def _insert(table: str) -> sa.Insert:
    return sa.insert(getattr(tables, table))


@cache
def _upsert(table: str, key: str, columns: tuple[str, ...]) -> Any:
    made = postgresql.insert(getattr(tables, table))
    changed = {name: made.excluded[name] for name in columns if name != key}
    return made.on_conflict_do_update(index_elements=[key], set_=changed)
