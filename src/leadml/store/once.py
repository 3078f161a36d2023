"""Requests that count once, however often they are sent.

A request is claimed before its effect and settled in the same transaction as its effect.
A process that dies in between leaves a claim that another may take over after
:data:`LEASE_S`; should the first one still be alive, it can no longer settle, and its
effect is undone. So there is one effect, and every repeat gets the answer of that one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from leadml.errors import IdempotencyKeyReused, LeadErased, RequestInFlight
from leadml.store import tables
from leadml.store.records import now, us_of

__all__ = ["KEPT_HOURS", "LEASE_S", "Claim", "Once", "claim", "forget_old", "release", "settle"]

LEASE_S: Final = 30
KEPT_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Once:
    """A request that must count once.

    Parameters
    ----------
    key
        The caller's ``Idempotency-Key``.
    route
        Method and path.
    body_digest
        Of the body; another body under the same key is refused.
    caller
        Prefix of the caller's key, or "".
    """

    key: str
    route: str
    body_digest: str
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that was claimed: do it and settle, or replay its answer.

    Parameters
    ----------
    request
        The request.
    token
        Proves whose claim it is.
    status, answer
        Of the effect that was made before; None if it is still to be made.
    """

    request: Once
    token: str
    status: int | None = None
    answer: str | None = None


def claim(connection: sa.Connection, request: Once) -> Claim:
    """Claim a request, or find its answer.

    Raises
    ------
    RequestInFlight
        The same request is being worked on.
    IdempotencyKeyReused
        The key came before with another body.
    LeadErased
        The answer told of a lead that was erased since.
    """
    at_us = us_of(now())
    token = secrets.token_hex(16)
    name = connection.dialect.name
    made = (postgresql if name == "postgresql" else sqlite).insert(tables.idempotency)
    row = {
        "caller": request.caller,
        "route": request.route,
        "key": request.key,
        "body_digest": request.body_digest,
        "claim": token,
        "claimed_us": at_us,
    }
    added = made.on_conflict_do_nothing().returning(tables.idempotency.c.claim)
    if connection.execute(added, row).first() is not None:
        return Claim(request, token)
    there = connection.execute(sa.select(tables.idempotency).where(_same(request))).mappings()
    found = there.one()
    if found["body_digest"] != request.body_digest:
        raise IdempotencyKeyReused(
            "this idempotency key came before with another body",
            fix="send a new key with a new request",
        )
    if found["status"] is not None:
        if found["answer"] is None:
            raise LeadErased("the answer told of a lead that was erased since")
        return Claim(request, found["claim"], found["status"], found["answer"])
    c = tables.idempotency.c
    taken = connection.execute(
        sa.update(tables.idempotency)
        .where(
            _same(request),
            c.status.is_(None),
            c.claim == found["claim"],
            c.claimed_us <= at_us - LEASE_S * 1_000_000,
        )
        .values(claim=token, claimed_us=at_us)
    )
    if taken.rowcount == 1:
        return Claim(request, token)
    raise RequestInFlight("the same request is being worked on", fix="try again in a second")


def settle(connection: sa.Connection, claimed: Claim, status: int, answer: str | None) -> None:
    """Keep the answer, in the transaction of the effect; None tells of an erased lead.

    Raises
    ------
    RequestInFlight
        Another process took the claim over meanwhile; the effect must be undone.
    """
    c = tables.idempotency.c
    changed = connection.execute(
        sa.update(tables.idempotency)
        .where(_same(claimed.request), c.claim == claimed.token, c.status.is_(None))
        .values(status=status, answer=answer)
    )
    if changed.rowcount != 1:
        raise RequestInFlight("another process took this request over")


def release(connection: sa.Connection, claimed: Claim) -> None:
    """Give up a claim whose effect was not made, so that a repeat may try."""
    c = tables.idempotency.c
    connection.execute(
        sa.delete(tables.idempotency).where(
            _same(claimed.request), c.claim == claimed.token, c.status.is_(None)
        )
    )


def forget_old(connection: sa.Connection) -> int:
    """Drop answers older than :data:`KEPT_HOURS`; returns how many."""
    oldest_us = us_of(now()) - KEPT_HOURS * 3_600_000_000
    gone = connection.execute(
        sa.delete(tables.idempotency).where(tables.idempotency.c.claimed_us < oldest_us)
    )
    return gone.rowcount


def _same(request: Once) -> sa.ColumnElement[bool]:
    c = tables.idempotency.c
    return sa.and_(c.caller == request.caller, c.route == request.route, c.key == request.key)
