"""leadml.store.rows."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from leadml.store import Store, rows, tables


def policy(version: int, note: str) -> dict[str, Any]:
    """A row with a key of its own."""
    return {"version": version, "at_us": version, "author": "eve", "note": note, "policy": "{}"}


def written(store: Store) -> list[tuple[int, str]]:
    """What is there."""
    p = tables.policies.c
    with store._database.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(p.version, p.note))]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 63, 64, 100, 5_000])
def test_every_row_is_written_once(store: Store, n: int) -> None:
    """However the rows are divided among statements, each arrives with its own values."""
    given = [policy(number, f"note {number}") for number in range(n)]
    with store._database.writing() as connection:
        rows.insert(connection, "policies", given)
    assert sorted(written(store)) == [(row["version"], row["note"]) for row in given]


def test_rows_under_a_known_key_are_replaced(store: Store) -> None:
    """What was there is replaced, what is new is added, what is not named stays."""
    with store._database.writing() as connection:
        rows.insert(connection, "policies", [policy(number, "old") for number in range(5)])
        rows.upsert(
            connection, "policies", "version", [policy(number, "new") for number in range(3, 9)]
        )
    found = dict(written(store))
    assert found == {n: "old" if n < 3 else "new" for n in range(9)}
