"""Sessions of signed-in people, of which only a hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from leadml.store import tables
from leadml.store.records import moment_of_us, now, us_of
from leadml.store.users import OPENED_BY_ROLE

__all__ = [
    "ABSOLUTE",
    "NOTED_EVERY",
    "SLIDING",
    "Session",
    "close",
    "find",
    "form_token",
    "looks_like_token",
    "note",
    "open_for",
]

SLIDING: Final = timedelta(hours=12)
"""A session ends after so long without use."""

ABSOLUTE: Final = timedelta(days=7)
"""A session ends after so long at the latest."""

NOTED_EVERY: Final = timedelta(minutes=5)
"""Use is written down at most so often."""

_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in.

    Parameters
    ----------
    name, role
        Of the person.
    created_at, seen_at
        When the session was opened and last noted as used, aware UTC.
    """

    name: str
    role: str
    created_at: datetime
    seen_at: datetime

    @property
    def scopes(self) -> frozenset[str]:
        """What the person's role opens."""
        return OPENED_BY_ROLE[self.role]

    @property
    def ends_at(self) -> datetime:
        """When the session ends unless it is used."""
        return min(self.seen_at + SLIDING, self.created_at + ABSOLUTE)


def looks_like_token(text: str) -> bool:
    """Whether a text has the form of a session's token."""
    return _FORM.fullmatch(text) is not None


def form_token(token: str) -> str:
    """What a form must carry to act in a session; it tells nothing about the session's token.

    >>> form_token("a" * 43) == form_token("a" * 43), form_token("a" * 43) == "a" * 43
    (True, False)
    """
    made = hmac.new(token.encode(), b"leadml form", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def open_for(connection: sa.Connection, name: str) -> str:
    """Open a session of a person; its token is returned this once and kept nowhere."""
    token = secrets.token_urlsafe(32)
    moment = now()
    c = tables.sessions.c
    ended = (c.created_us < us_of(moment - ABSOLUTE)) | (c.seen_us < us_of(moment - SLIDING))
    connection.execute(sa.delete(tables.sessions).where(ended))
    at_us = us_of(moment)
    connection.execute(
        sa.insert(tables.sessions),
        {"digest": _digest(token), "name": name, "created_us": at_us, "seen_us": at_us},
    )
    return token


def find(connection: sa.Connection, token: str, at: datetime) -> Session | None:
    """The session of a token that is open at a moment, with the role its person has now."""
    users, sessions = tables.users, tables.sessions
    chosen = (
        sa.select(sessions, users.c.role)
        .join(users, users.c.name == sessions.c.name)
        .where(sessions.c.digest == _digest(token))
    )
    row = connection.execute(chosen).mappings().first()
    if row is None:
        return None
    found = Session(
        name=row["name"],
        role=row["role"],
        created_at=moment_of_us(row["created_us"]),
        seen_at=moment_of_us(row["seen_us"]),
    )
    return found if at < found.ends_at else None


def note(connection: sa.Connection, token: str, at: datetime) -> None:
    """Note that a session is used."""
    c = tables.sessions.c
    connection.execute(
        sa.update(tables.sessions).where(c.digest == _digest(token)).values(seen_us=us_of(at))
    )


def close(connection: sa.Connection, token: str) -> None:
    """End a session."""
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.digest == _digest(token)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
