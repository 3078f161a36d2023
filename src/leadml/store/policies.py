"""Versions of the policy: who drew the lines, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from leadml.errors import StepNotOpen
from leadml.store import tables
from leadml.store.records import iso_of, moment_of_us, us_of

__all__ = ["PolicyVersion", "add", "latest", "versions"]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of the policy.

    Parameters
    ----------
    version
        Counts up from 1.
    policy
        The lines, as ``thresholds.Policy.as_dict`` says them.
    author, note
        Who changed it and why.
    at
        When, aware UTC.
    """

    version: int
    policy: dict[str, Any]
    author: str
    note: str
    at: datetime

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "version": str(self.version),
            "policy": self.policy,
            "author": self.author,
            "note": self.note,
            "at": iso_of(us_of(self.at)),
        }


def add(
    connection: sa.Connection,
    policy: Mapping[str, Any],
    *,
    author: str,
    note: str,
    at_us: int,
    after: int | None = None,
) -> PolicyVersion:
    """Write the next version; its ``version`` is set here.

    Parameters
    ----------
    after
        The version it was derived from; None does not care.

    Raises
    ------
    StepNotOpen
        Another version came in between.
    """
    before = latest(connection)
    number = before.version if before else 0
    if after is not None and after != number:
        raise StepNotOpen(
            f"the policy is at version {number} by now, not {after}",
            fix="look at the newest version and change that",
        )
    made = {**policy, "version": str(number + 1)}
    connection.execute(
        sa.insert(tables.policies),
        {
            "version": number + 1,
            "at_us": at_us,
            "author": author,
            "note": note,
            "policy": orjson.dumps(made).decode(),
        },
    )
    return PolicyVersion(number + 1, made, author, note, moment_of_us(at_us))


def latest(connection: sa.Connection) -> PolicyVersion | None:
    """The newest version; None before the first."""
    newest = sa.select(tables.policies).order_by(tables.policies.c.version.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return None if row is None else _version_of(row)


def versions(connection: sa.Connection) -> list[PolicyVersion]:
    """All versions, newest first."""
    chosen = sa.select(tables.policies).order_by(tables.policies.c.version.desc())
    return [_version_of(row) for row in connection.execute(chosen).mappings()]


def _version_of(row: Any) -> PolicyVersion:
    return PolicyVersion(
        row["version"],
        orjson.loads(row["policy"]),
        row["author"],
        row["note"],
        moment_of_us(row["at_us"]),
    )
