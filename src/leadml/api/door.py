"""Who asks, and whether that opens a route."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.types import Scope

from leadml.api.rates import RATE, Rates
from leadml.errors import (
    KeyInvalid,
    OriginForeign,
    Overloaded,
    ScopeMissing,
    StoreUnavailable,
    Unauthorized,
)
from leadml.service.memory import Memory
from leadml.store import SCOPES, Key, looks_like_key

__all__ = [
    "ANYBODY",
    "CALLER",
    "FRESH_S",
    "STALE_S",
    "Caller",
    "Door",
    "caller_of",
    "key_in",
    "refuse_foreign",
]

CALLER: Final = "leadml.caller"
"""Where in a scope stands who asks."""

FRESH_S: Final = 2.0
"""A key found active is used so long without asking the database again, in seconds."""

STALE_S: Final = 3_600.0
"""So long where scores are given without the database, and it does not answer."""

AHEAD_S: Final = 1.0
MOST_LOOKS: Final = 256
"""Callers of either kind that may wait to be looked up."""

MOST_KNOWN: Final = 4_096
"""Keys that are remembered as good."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Parameters
    ----------
    name
        As audit entries name it: the name of a key or the address of a person.
    scopes
        What it opens.
    prefix
        Of the key; "" for a person or for anybody.
    role
        Of a signed-in person; "" for a key or for anybody.
    """

    name: str
    scopes: frozenset[str]
    prefix: str = ""
    role: str = ""


ANYBODY: Final = Caller("anybody on this machine", frozenset(SCOPES))
"""Who asks where nothing protects the API."""


def caller_of(scope: Scope) -> Caller:
    """Who was let in."""
    found: Caller = scope.get(CALLER, ANYBODY)
    return found


def key_in(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """What a request carries as its key, undecoded; None if nothing.

    ``X-API-Key`` counts first, for something in between may need ``Authorization``.

    >>> key_in([(b"authorization", b"Bearer leadml_x")])
    b'Bearer leadml_x'
    """
    found = None
    for name, value in headers:
        if name == b"x-api-key":
            return b"key " + value
        if name == b"authorization":
            found = value
    return found


def refuse_foreign(scope: Scope) -> None:
    """Refuse what a page of another site makes a browser send.

    Whoever needs no key here, or signs in by a cookie, is protected by this alone.
    Programs send neither header and pass.

    Raises
    ------
    OriginForeign
        The browser says that the request comes from elsewhere.
    """
    origin = host = b""
    for name, value in scope["headers"]:
        if name == b"sec-fetch-site":
            if value not in (b"same-origin", b"none"):
                raise _foreign()
            return
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    if origin and origin.partition(b"://")[2] != host:
        raise _foreign()


def _foreign() -> OriginForeign:
    return OriginForeign(
        "the request comes from a page of another site",
        fix="use the pages of this server, or send a key",
    )


def texts_of(sent: bytes) -> list[str]:
    """What may be a key in a header: a bearer's token, or user and password of Basic."""
    kind, _, rest = sent.strip().partition(b" ")
    rest = rest.strip()
    if kind.lower() == b"basic":
        try:
            rest = base64.b64decode(rest, validate=True)
        except binascii.Error:
            return []
        user, _, password = rest.partition(b":")
        return [part.decode("latin-1") for part in (user, password) if part]
    if kind.lower() in (b"bearer", b"key"):
        return [rest.decode("latin-1")]
    return []


@dataclass(slots=True)
class _Known:
    """A key that was active when it was looked up."""

    caller: Caller
    asked: float
    ends: float | None
    look: asyncio.Task[Any] | None = None


class Door:
    """Lets in who has a key that opens the route; everybody while there is no key.

    The event loop never waits for the database: a key that was looked up is used for
    :data:`FRESH_S` seconds, and looked up again beside the loop before they are over.

    Parameters
    ----------
    memory
        Where the keys are.

    Attributes
    ----------
    pool
        A thread that looks up keys that were good a moment ago; None uses the event loop's
        own.
    strangers
        Another for whoever is not known yet: however many try keys or cookies, those who
        are known do not wait for them.
    sessions
        Finds a signed-in person for a request without a key; None finds nobody.
    rates
        How often each caller may ask; None for no limit.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.pool: Executor | None = None
        self.strangers: Executor | None = None
        self.sessions: Callable[[Scope], Awaitable[Caller | None]] | None = None
        self.rates: Rates | None = None
        self._known: dict[bytes, _Known] = {}
        self._looks = {True: 0, False: 0}

    @property
    def guarded(self) -> bool | None:
        """Whether a key is needed; None while the database has not told yet."""
        return self.memory.guarded

    async def admit(self, scope: Scope, needed: str, also: str = "") -> None:
        """Let a request in, or raise.

        Parameters
        ----------
        needed
            The scope of the route.
        also
            Another right that opens it.

        Raises
        ------
        Unauthorized, KeyInvalid
            No key, or one that opens nothing.
        ScopeMissing
            The key does not open this route.
        RateLimited
            The caller asks too often.
        StoreUnavailable
            The key cannot be looked up.
        """
        sent = key_in(scope["headers"])
        if sent is None:
            caller = None if self.sessions is None else await self.sessions(scope)
            if caller is None:
                if self.guarded is None:
                    self.memory.require()
                raise Unauthorized(
                    "this route needs a key",
                    fix="send Authorization: Bearer leadml_…; make one with: "
                    f"leadml keys create --scope {needed} --name NAME",
                )
        else:
            caller = self._at_hand(sent) or await self._looked_up(sent)
        if self.rates is not None:
            self._count(scope, caller, self.rates)
        if needed not in caller.scopes and (not also or also not in caller.scopes):
            if caller.role:
                raise ScopeMissing(
                    f"the role {caller.role} does not open this",
                    fix="ask an administrator for it: leadml users role NAME ROLE",
                )
            raise ScopeMissing(
                f"this route needs a key with the scope {needed}",
                fix=f"make one: leadml keys create --scope {needed} --name NAME",
            )
        scope[CALLER] = caller

    def _count(self, scope: Scope, caller: Caller, rates: Rates) -> None:
        """Count a request of a key or a person, or refuse it."""
        name = caller.prefix or f"person {caller.name}"
        if rates.wait_s(name) > 0:
            scope[RATE] = rates.spent()
            raise rates.refusal()
        scope[RATE] = rates.take(name)

    def _at_hand(self, sent: bytes) -> Caller | None:
        """Who a key is, if that was asked a moment ago."""
        known = self._known.get(sent)
        if known is None:
            return None
        age = time.monotonic() - known.asked
        if age >= FRESH_S or (known.ends is not None and time.time() >= known.ends):
            return None
        if age >= AHEAD_S and known.look is None:
            known.look = asyncio.create_task(self._again(sent))
        return known.caller

    async def _again(self, sent: bytes) -> None:
        """Look a key up before its answer is too old; a fault is met by who needs it."""
        try:
            await self._look(sent)
        except (StoreUnavailable, Overloaded):
            known = self._known.get(sent)
            if known is not None:
                known.look = None

    async def _looked_up(self, sent: bytes) -> Caller:
        try:
            caller = await self._look(sent)
        except StoreUnavailable:
            known = self._known.get(sent)
            if known is None or not self.memory.settings.score_without_store:
                raise
            if time.monotonic() - known.asked > STALE_S:
                raise
            if known.ends is not None and time.time() >= known.ends:
                raise _invalid() from None
            return known.caller
        if caller is None:
            raise _invalid()
        return caller

    async def look_up(self, work: Callable[..., T], *arguments: Any, known: bool = False) -> T:
        """Ask the database who somebody is, beside the loop.

        Parameters
        ----------
        known
            Whether it was found out before.

        Raises
        ------
        Overloaded
            Too many are looked up already.
        """
        if self._looks[known] >= MOST_LOOKS:
            raise Overloaded("too many callers are being looked up", fix="try again in a second")
        self._looks[known] += 1
        try:
            loop = asyncio.get_running_loop()
            pool = self.pool if known else self.strangers
            return await loop.run_in_executor(pool, work, *arguments)
        finally:
            self._looks[known] -= 1

    async def _look(self, sent: bytes) -> Caller | None:
        """Ask the database beside the loop."""
        texts = [text for text in texts_of(sent) if looks_like_key(text)]
        if not texts:
            return None
        store = self.memory.require()
        asked = time.monotonic()
        key = await self.look_up(_first, store.verify_key, texts, known=sent in self._known)
        if key is None:
            self._known.pop(sent, None)
            return None
        caller = Caller(key.name, key.scopes, key.prefix)
        ends = None if key.expires_at is None else key.expires_at.timestamp()
        if len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[sent] = _Known(caller, asked, ends)
        return caller


def _first(verify: Callable[[str], Key | None], texts: list[str]) -> Key | None:
    for text in texts:
        key = verify(text)
        if key is not None:
            return key
    return None


def _invalid() -> KeyInvalid:
    return KeyInvalid(
        "what was sent as a key opens nothing: it is unknown, expired or revoked",
        fix="see: leadml keys list",
    )
