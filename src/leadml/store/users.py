"""People who may sign in: a name, a role, the hash of a password."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from leadml.errors import ConfigError, UserUnknown
from leadml.store import tables
from leadml.store.auditing import get_note, set_note
from leadml.store.records import iso_of, moment_of_us, now, us_of

__all__ = [
    "LEAST_PASSWORD",
    "MOST_PASSWORD",
    "OPENED_BY_ROLE",
    "ROLES",
    "User",
    "add",
    "any_ever",
    "change",
    "checked_role",
    "find",
    "hashed",
    "listed",
    "name_of",
    "remove",
    "signed_in",
    "verified",
]

LEAST_PASSWORD: Final = 10
MOST_PASSWORD: Final = 512

OPENED_BY_ROLE: Final = {
    "viewer": frozenset({"read"}),
    "manager": frozenset({"read", "outcomes", "policy"}),
    "admin": frozenset({"score", "outcomes", "read", "policy", "manage"}),
}
"""What each role opens: scopes of keys, and ``policy`` for changing the lines."""

ROLES: Final = tuple(OPENED_BY_ROLE)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_NOTE: Final = "people_since"


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in, as lists show them.

    Parameters
    ----------
    name
        In lower case; unique.
    role
        Of :data:`ROLES`.
    created_at, changed_at
        Of the account, and of its password or role; aware UTC.
    seen_at
        Of the latest sign-in; None before the first.
    """

    name: str
    role: str
    created_at: datetime
    changed_at: datetime
    seen_at: datetime | None = None

    @property
    def scopes(self) -> frozenset[str]:
        """What the role opens."""
        return OPENED_BY_ROLE[self.role]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, absent parts left out."""
        found: dict[str, Any] = {"name": self.name, "role": self.role}
        for label in ("created_at", "changed_at", "seen_at"):
            moment = getattr(self, label)
            if moment is not None:
                found[label] = iso_of(us_of(moment))
        return found


def name_of(text: str) -> str:
    """A name as it is kept: without blanks around it, in lower case.

    >>> name_of(" Anna@Example.com ")
    'anna@example.com'
    """
    return text.strip().lower()


def checked_role(role: str) -> str:
    """A role that there is.

    Raises
    ------
    ConfigError
        It is none of :data:`ROLES`.
    """
    if role not in OPENED_BY_ROLE:
        raise ConfigError(f"a role is one of: {', '.join(ROLES)}", fix="for example --role viewer")
    return role


def hashed(password: str, name: str) -> str:
    """The argon2id hash of a new password (RFC 9106, second recommended option).

    Raises
    ------
    ConfigError
        The password is too short, too long or the name itself.
    """
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise ConfigError(
            f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters",
            fix="take a few words that belong together only for you",
        )
    if name_of(password) in (name, name.partition("@")[0]):
        raise ConfigError("a password must differ from the name", fix="take another one")
    return str(_hasher()[0].hash(_plain(password)))


def verified(password: str, known: str | None) -> tuple[bool, str | None]:
    """Whether a password has the hash that is known, in the same time whatever is known.

    Parameters
    ----------
    known
        None for a name that nobody has: the work is done all the same.

    Returns
    -------
    tuple
        The answer, and a new hash where the known one was made with weaker settings.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    hasher, nobody = _hasher()
    if len(password) > MOST_PASSWORD:
        password = ""  # no such password was ever taken
    text = _plain(password)
    try:
        hasher.verify(nobody if known is None else known, text)
    except (VerificationError, InvalidHashError):
        return False, None
    if known is None:
        return False, None
    return True, str(hasher.hash(text)) if hasher.check_needs_rehash(known) else None


@lru_cache(maxsize=1)
def _hasher() -> tuple[Any, str]:
    """What hashes, and the hash of a password that nobody knows."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher()
    return hasher, hasher.hash(secrets.token_urlsafe(32))


def _plain(password: str) -> bytes:
    """One form for texts that look alike, however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def add(connection: sa.Connection, *, name: str, password: str, role: str) -> User:
    """Write a new person; ``password`` is hashed already.

    Raises
    ------
    ConfigError
        The name cannot be used or is taken.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a name has 1 to 100 letters, digits and ._@+-, such as an e-mail address",
            fix="for example anna@example.com",
        )
    if find(connection, name) is not None:
        raise ConfigError(f"'{name}' is there already", fix="see: leadml users list")
    at_us = us_of(now())
    row = {
        "name": name,
        "password": password,
        "role": role,
        "created_us": at_us,
        "changed_us": at_us,
        "seen_us": None,
    }
    connection.execute(sa.insert(tables.users), row)
    if get_note(connection, _NOTE) is None:
        set_note(connection, _NOTE, str(at_us))
    return _user_of(row)


def any_ever(connection: sa.Connection) -> bool:
    """Whether anybody was ever there: removing the last person opens nothing."""
    return get_note(connection, _NOTE) is not None


def find(connection: sa.Connection, name: str) -> tuple[User, str] | None:
    """A person and the hash of their password; None where nobody has the name."""
    if not _NAME.fullmatch(name):
        return None  # a database might not even take it
    row = (
        connection.execute(sa.select(tables.users).where(tables.users.c.name == name))
        .mappings()
        .first()
    )
    return None if row is None else (_user_of(row), str(row["password"]))


def listed(connection: sa.Connection) -> list[User]:
    """Everybody, by name."""
    chosen = sa.select(tables.users).order_by(tables.users.c.name)
    return [_user_of(row) for row in connection.execute(chosen).mappings()]


def change(connection: sa.Connection, name: str, **values: str | int) -> User:
    """Change columns of a person and end their sessions.

    Raises
    ------
    UserUnknown
        Nobody has that name.
    """
    _known(connection, name)
    values["changed_us"] = us_of(now())
    c = tables.users.c
    connection.execute(sa.update(tables.users).where(c.name == name).values(**values))
    _end_sessions(connection, name)
    return _known(connection, name)


def signed_in(connection: sa.Connection, name: str, at_us: int, renewed: str | None) -> None:
    """Note a sign-in, and the renewed hash of the password if there is one."""
    values: dict[str, str | int] = {"seen_us": at_us}
    if renewed is not None:
        values["password"] = renewed
    connection.execute(sa.update(tables.users).where(tables.users.c.name == name).values(**values))


def remove(connection: sa.Connection, name: str) -> None:
    """Delete a person and end their sessions.

    Raises
    ------
    UserUnknown
        Nobody has that name.
    """
    _known(connection, name)
    connection.execute(sa.delete(tables.users).where(tables.users.c.name == name))
    _end_sessions(connection, name)


def _end_sessions(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.name == name))


def _known(connection: sa.Connection, name: str) -> User:
    found = find(connection, name)
    if found is None:
        raise UserUnknown("nobody has that name", fix="see: leadml users list")
    return found[0]


def _user_of(row: Any) -> User:
    seen_us = row["seen_us"]
    return User(
        name=row["name"],
        role=row["role"],
        created_at=moment_of_us(row["created_us"]),
        changed_at=moment_of_us(row["changed_us"]),
        seen_at=None if seen_us is None else moment_of_us(seen_us),
    )
