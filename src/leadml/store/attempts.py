"""Failed sign-ins, counted by name and by address, each with a growing pause."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from leadml.store import tables

__all__ = ["PER_ADDRESS", "PER_NAME", "Limit", "begin", "clear", "ease", "subject_of"]

_LOCK: Final = 4_951_206_736
_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """How long to wait after failures.

    Parameters
    ----------
    free
        So many failures cost nothing.
    first_s, most_s
        The pause after the next one, doubled with each further one, up to the most.
    forget_s
        Failures are forgotten after so long without one.

    Examples
    --------
    >>> [PER_NAME.pause_s(failures) for failures in (1, 4, 5, 6, 7, 100)]
    [0.0, 0.0, 15.0, 30.0, 60.0, 900.0]
    """

    free: int
    first_s: float
    most_s: float
    forget_s: float

    def pause_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        if failures <= self.free:
            return 0.0
        return float(min(self.most_s, self.first_s * 2 ** min(failures - self.free - 1, 30)))


PER_NAME: Final = Limit(free=4, first_s=15.0, most_s=900.0, forget_s=86_400.0)
"""About a hundred guesses a day at one person's password."""

PER_ADDRESS: Final = Limit(free=50, first_s=2.0, most_s=60.0, forget_s=3_600.0)
"""Milder, for a whole office may share one address."""


def subject_of(key: bytes, kind: str, text: str) -> str:
    """What is kept of a name or an address: a keyed hash."""
    told = f"attempt:{kind}:{text}".encode("utf-8", "surrogatepass")
    return hmac.new(key, told, hashlib.sha256).hexdigest()


def begin(
    connection: sa.Connection, limits: dict[str, Limit], at_us: int
) -> tuple[float, dict[str, int]]:
    """Count an attempt as failed before it is looked at, so that many at once count too.

    Parameters
    ----------
    limits
        By subject.

    Returns
    -------
    tuple
        Seconds to wait, 0.0 if the attempt may go on (only then it was counted); and
        failures by subject.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    c = tables.attempts.c
    chosen = sa.select(tables.attempts).where(c.subject.in_(list(limits)))
    known = {row["subject"]: row for row in connection.execute(chosen).mappings()}
    wait_us = max((row["until_us"] - at_us for row in known.values()), default=0)
    if wait_us > 0:
        return wait_us / _S, {subject: row["failures"] for subject, row in known.items()}
    longest_us = int(_S * max(PER_NAME.forget_s, PER_ADDRESS.forget_s))
    connection.execute(sa.delete(tables.attempts).where(c.latest_us < at_us - longest_us))
    counted = {}
    for subject, limit in limits.items():
        row = known.get(subject)
        failures = 1
        if row is not None:
            connection.execute(sa.delete(tables.attempts).where(c.subject == subject))
            if at_us - row["latest_us"] < limit.forget_s * _S:
                failures += row["failures"]
        counted[subject] = failures
        connection.execute(
            sa.insert(tables.attempts),
            {
                "subject": subject,
                "failures": failures,
                "latest_us": at_us,
                "until_us": at_us + int(limit.pause_s(failures) * _S),
            },
        )
    return 0.0, counted


def clear(connection: sa.Connection, subject: str) -> None:
    """Forget all failures of a name: its owner signed in."""
    connection.execute(sa.delete(tables.attempts).where(tables.attempts.c.subject == subject))


def ease(connection: sa.Connection, subject: str) -> None:
    """Take back the one failure that a success was counted as; others of an address stay."""
    c = tables.attempts.c
    connection.execute(
        sa.update(tables.attempts)
        .where(c.subject == subject)
        .values(failures=c.failures - 1, until_us=0)
    )
