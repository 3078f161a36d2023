"""Versions of the policy: who drew the lines, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.errors import PolicyOvertaken
from leadml.store import announcing, tables
from leadml.store.records import iso_of, moment_of_us, us_of

__all__ = ["TRAINING", "PolicyVersion", "add", "latest", "versions"]

TRAINING: Final = "training"
"""Author of the lines that came with a model."""

_TOLD: Final = ("basis", "capacity_per_week", "mql", "sql", "nurture", "reason", "model_version")
_LOCK: Final = 4_951_206_739


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of the policy.

    Parameters
    ----------
    version
        Counts up from 1.
    policy
        The lines as they were drawn then, as ``thresholds.Policy.as_dict`` says them, with
        the ``plan`` they were drawn by and the ``model_version`` they were drawn for.
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
    first: Mapping[str, Any] | None = None,
) -> PolicyVersion:
    """Write the next version, and the message that tells of it; ``version`` is set here.

    Parameters
    ----------
    after
        The version it was derived from; None does not care.
    first
        What held before anybody changed anything: written as version 1 if there is none yet.

    Raises
    ------
    PolicyOvertaken
        Another version came in between.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    before = latest(connection)
    if before is None and first is not None:
        if after not in (None, 1):
            raise _overtaken(1, after)
        before = _write(connection, 1, first, TRAINING, "as trained", at_us)
    number = before.version if before else 0
    if after is not None and after != number:
        raise _overtaken(number, after)
    made = _write(connection, number + 1, policy, author, note, at_us)
    data: dict[str, Any] = {"policy_version": str(made.version), "by": author, "note": note}
    for name in _TOLD:
        if name in made.policy:
            data[name] = made.policy[name]
    if number:
        data["previous_policy_version"] = str(number)
    announcing.announce(connection, "policy.changed", data, at_us=at_us)
    return made


def _overtaken(number: int, after: int | None) -> PolicyOvertaken:
    return PolicyOvertaken(
        f"the policy is at version {number} by now, not {after}",
        fix="look at the newest version and change that",
    )


def _write(
    connection: sa.Connection,
    number: int,
    policy: Mapping[str, Any],
    author: str,
    note: str,
    at_us: int,
) -> PolicyVersion:
    made = {**policy, "version": str(number)}
    connection.execute(
        sa.insert(tables.policies),
        {
            "version": number,
            "at_us": at_us,
            "author": author,
            "note": note,
            "policy": orjson.dumps(made).decode(),
        },
    )
    return PolicyVersion(number, made, author, note, moment_of_us(at_us))


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
