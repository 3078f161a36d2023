"""Keys of callers: shown once, kept as a hash, with scopes, expiry and rotation.

A key is ``leadml_<prefix>_<secret>`` with 256 random bits in its secret. The prefix names
it in lists and logs. What is stored is the SHA-256 of the whole key: a fast hash is right
for a secret that nobody can guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.errors import ConfigError, NotFound
from leadml.store import tables
from leadml.store.records import iso_of, moment_of_us, now, us_of

__all__ = [
    "SCOPES",
    "Key",
    "KeyCache",
    "create",
    "find",
    "is_guarded",
    "listed",
    "looks_like_key",
    "revoke",
    "rotate",
]

SCOPES: Final = ("score", "outcomes", "read", "manage")

_FORM: Final = re.compile(r"leadml_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as lists show it; the secret is not there.

    Parameters
    ----------
    prefix
        Names the key.
    name
        Whose it is, as people said.
    scopes
        Of :data:`SCOPES`.
    created_at, expires_at, revoked_at
        Aware UTC; None for never.
    replaces
        Prefix of the key that it was rotated from.
    """

    prefix: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    replaces: str | None = None

    def is_active(self, at: datetime) -> bool:
        """Whether the key opens anything at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, absent parts left out."""
        found: dict[str, Any] = {
            "prefix": self.prefix,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created_at": iso_of(us_of(self.created_at)),
        }
        for label in ("expires_at", "revoked_at"):
            moment = getattr(self, label)
            if moment is not None:
                found[label] = iso_of(us_of(moment))
        if self.replaces:
            found["replaces"] = self.replaces
        return found


def create(
    connection: sa.Connection,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    replaces: str | None = None,
) -> tuple[str, Key]:
    """Make a key; the text is returned this once and kept nowhere.

    Raises
    ------
    ConfigError
        No scope is named, or one that does not exist.
    """
    chosen = frozenset(scopes)
    if not chosen or not chosen <= set(SCOPES):
        raise ConfigError(
            f"a key needs scopes of: {', '.join(SCOPES)}", fix="for example --scope score"
        )
    prefix = secrets.token_hex(6)
    text = f"leadml_{prefix}_{secrets.token_urlsafe(32)}"
    created = now()
    connection.execute(
        sa.insert(tables.keys),
        {
            "prefix": prefix,
            "digest": _digest(text),
            "name": name,
            "scopes": orjson.dumps(sorted(chosen)).decode(),
            "created_us": us_of(created),
            "expires_us": None if expires_at is None else us_of(expires_at),
            "revoked_us": None,
            "replaces": replaces,
        },
    )
    return text, Key(prefix, name, chosen, created, expires_at, None, replaces)


def looks_like_key(text: str) -> bool:
    """Whether a text has the form of a key, so that looking it up may find one.

    >>> looks_like_key("leadml_0123456789ab_" + "x" * 43), looks_like_key("secret")
    (True, False)
    """
    return _FORM.fullmatch(text) is not None


def is_guarded(connection: sa.Connection) -> bool:
    """Whether any key was ever made; one that ended still keeps the API closed."""
    return connection.execute(sa.select(tables.keys.c.prefix).limit(1)).first() is not None


def find(connection: sa.Connection, digest: str) -> Key | None:
    """The key with a digest, active or not."""
    row = (
        connection.execute(sa.select(tables.keys).where(tables.keys.c.digest == digest))
        .mappings()
        .first()
    )
    return None if row is None else _key_of(row)


def listed(connection: sa.Connection) -> list[Key]:
    """All keys, oldest first."""
    order = sa.select(tables.keys).order_by(tables.keys.c.created_us, tables.keys.c.prefix)
    return [_key_of(row) for row in connection.execute(order).mappings()]


def revoke(connection: sa.Connection, prefix: str) -> Key:
    """Close a key for good.

    Raises
    ------
    NotFound
        No key has that prefix.
    """
    key = _named(connection, prefix)
    if key.revoked_at is None:
        _change(connection, prefix, revoked_us=us_of(now()))
    return _named(connection, prefix)


def rotate(connection: sa.Connection, prefix: str, overlap_s: float) -> tuple[str, Key]:
    """Make a new key like an active one, which ends after ``overlap_s`` seconds.

    Raises
    ------
    NotFound
        No active key has that prefix.
    """
    old = _named(connection, prefix)
    moment = now()
    if not old.is_active(moment):
        raise NotFound(f"key '{prefix}' is not active", fix="create a new one")
    end_us = us_of(moment) + int(overlap_s * 1e6)
    if old.expires_at is not None:
        end_us = min(end_us, us_of(old.expires_at))
    made = create(
        connection, name=old.name, scopes=old.scopes, expires_at=old.expires_at, replaces=prefix
    )
    _change(connection, prefix, expires_us=end_us)
    return made


class KeyCache:
    """Which keys are active, asked of the database at most every ``fresh_s`` seconds.

    A revoked key is refused at the latest ``fresh_s`` seconds later in every process.

    Parameters
    ----------
    look
        Finds a key by its digest in the database.
    fresh_s
        How long an answer may be used again.
    size
        Most keys remembered.
    """

    def __init__(
        self, look: Callable[[str], Key | None], *, fresh_s: float = 2.0, size: int = 4096
    ) -> None:
        self._look = look
        self._fresh_s = fresh_s
        self._size = size
        self._known: dict[str, tuple[float, Key]] = {}
        self._lock = threading.Lock()

    def verify(self, text: str) -> Key | None:
        """The active key that a text is; None for anything else."""
        if not _FORM.fullmatch(text):
            return None
        digest = _digest(text)
        asked = time.monotonic()
        known = self._known.get(digest)
        if known is not None and asked - known[0] < self._fresh_s:
            key: Key | None = known[1]
        else:
            key = self._look(digest)
            with self._lock:
                self._known.pop(digest, None)
                if key is not None:
                    if len(self._known) >= self._size:
                        self._known.pop(next(iter(self._known)))
                    self._known[digest] = (asked, key)
        return key if key is not None and key.is_active(now()) else None

    def forget(self) -> None:
        """Ask the database anew from now on."""
        with self._lock:
            self._known.clear()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _named(connection: sa.Connection, prefix: str) -> Key:
    chosen = sa.select(tables.keys).where(tables.keys.c.prefix == prefix)
    row = connection.execute(chosen).mappings().first()
    if row is None:
        raise NotFound("there is no key with that prefix", fix="see: leadml keys list")
    return _key_of(row)


def _change(connection: sa.Connection, prefix: str, **values: int) -> None:
    connection.execute(
        sa.update(tables.keys).where(tables.keys.c.prefix == prefix).values(**values)
    )


def _key_of(row: Any) -> Key:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else moment_of_us(row[name])

    return Key(
        prefix=row["prefix"],
        name=row["name"],
        scopes=frozenset(orjson.loads(row["scopes"])),
        created_at=moment_of_us(row["created_us"]),
        expires_at=moment("expires_us"),
        revoked_at=moment("revoked_us"),
        replaces=row["replaces"],
    )
