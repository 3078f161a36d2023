"""The memory asked beside the event loop, bodies read, repeats answered alike."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import difflib
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.bodies import parse, read_body
from leadml.api.door import caller_of
from leadml.api.problems import send_bytes
from leadml.errors import (
    InvalidBody,
    InvalidField,
    InvalidParameter,
    LeadmlError,
    Overloaded,
    StoreError,
    UnknownField,
)
from leadml.service.memory import Memory
from leadml.settings import Settings
from leadml.store import Claim, Once, Store

__all__ = [
    "MOST_ASKING",
    "Desk",
    "csv_of",
    "invalid",
    "key_of",
    "object_in",
    "plain_text",
    "refuse_others",
    "send_json",
]

MOST_ASKING: Final = 256
"""Requests that may wait for the memory at once, besides scores."""

MOST_COUNTING: Final = 64
"""Requests that may wait for what is counted over many leads."""

_SOON: Final = "try again after the seconds that Retry-After names"

T = TypeVar("T")

_ONCE: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_LONGEST_GUESSED: Final = 40
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

Counted = Callable[[Store, Claim | None], tuple[int, str]]


class Desk:
    """What rooms of routes need to ask the memory.

    Threads of their own keep what takes long from what must stay quick: the event loop's
    threads look at database, keys and policy.

    Parameters
    ----------
    settings
        Limits.
    memory
        What is asked.

    Attributes
    ----------
    pool
        Threads that ask the memory; None uses the event loop's own.
    counting
        Threads that count over many leads; None uses the event loop's own.
    """

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.settings = settings
        self.memory = memory
        self.pool: Executor | None = None
        self.counting: Executor | None = None
        self._asking = 0
        self._counts = 0

    async def ask(self, work: Callable[[Store], T]) -> T:
        """What ``work`` finds in the memory, asked in a thread.

        Raises
        ------
        MemoryOff, StoreUnavailable, StorageFull
            The memory is off or does not answer.
        Overloaded
            Too many ask already.
        """
        store = self.memory.require()
        if self._asking >= MOST_ASKING:
            raise Overloaded("too many requests wait for the memory", fix=_SOON)
        self._asking += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, work, store)
        except StoreError as error:
            self.memory.suspect(error)
            raise
        finally:
            self._asking -= 1

    async def count(self, work: Callable[[], T]) -> T:
        """What ``work`` finds, which may take long and need no memory.

        Raises
        ------
        StoreUnavailable, StorageFull
            It needs the memory, which does not answer.
        Overloaded
            Too many wait already.
        """
        if self._counts >= MOST_COUNTING:
            raise Overloaded("too many requests wait to be counted", fix=_SOON)
        self._counts += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.counting, work)
        except StoreError as error:
            self.memory.suspect(error)
            raise
        finally:
            self._counts -= 1

    async def body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within the limits."""
        settings = self.settings
        return await read_body(scope, receive, settings.max_body_bytes, settings.body_timeout_s)

    async def once(self, scope: Scope, body: bytes, effect: Counted) -> tuple[int, str]:
        """Status and answer of a request, which counts once if it has an ``Idempotency-Key``.

        Parameters
        ----------
        body
            Another one, or another query, under the same key is refused.
        effect
            Called with the store and the claim (None without a key) to settle in the same
            transaction as the effect.
        """
        key = key_of(scope)
        if key is None:
            return await self.ask(lambda store: effect(store, None))
        digest = hashlib.sha256(body + scope["query_string"]).hexdigest()
        route = f"{scope['method']} {scope['path']}"
        request = Once(key, route, digest, caller_of(scope).prefix)

        def counted(store: Store) -> tuple[int, str]:
            claimed = store.claim(request)
            if claimed.status is not None:
                return claimed.status, claimed.answer or ""
            try:
                return effect(store, claimed)
            except BaseException:
                with contextlib.suppress(LeadmlError):  # a claim that stays ends by itself
                    store.release(claimed)
                raise

        return await self.ask(counted)


def key_of(scope: Scope) -> str | None:
    """The ``Idempotency-Key`` of a request; None for none."""
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            if not _ONCE.fullmatch(value):
                raise InvalidParameter(
                    "Idempotency-Key must be 1 to 255 visible ASCII characters",
                    fix="send a new UUID with each new request",
                )
            return str(value, "ascii")
    return None


async def send_json(send: Send, found: Any, status: int = 200) -> None:
    """Answer with data as JSON."""
    await send_bytes(send, status, orjson.dumps(found))


def object_in(body: bytes, known: frozenset[str], fix: str) -> dict[str, Any]:
    """The JSON object of a body, with known names only.

    Raises
    ------
    InvalidBody, UnknownField
        It is none, or holds another name.
    """
    data = parse(body)
    if type(data) is not dict:
        raise InvalidBody("the body must be a JSON object", fix=fix)
    refuse_others(data, known, "", fix)
    return data


def refuse_others(data: dict[str, Any], known: frozenset[str], at: str, fix: str) -> None:
    """Refuse names beside the known ones; ``at`` is where the object stands in the body."""
    for name in data:
        if name not in known:
            near = _meant(name, known) if len(name) <= _LONGEST_GUESSED else ()
            asked = f"; did you mean {near[0]}?" if near else ""
            raise UnknownField(
                "a field beside " + ", ".join(sorted(known)) + f" is not known here{asked}",
                pointer=f"{at}/" + name.replace("~", "~0").replace("/", "~1"),
                fix=fix,
            )


@lru_cache(maxsize=256)
def _meant(name: str, known: frozenset[str]) -> list[str]:
    """The known name that an unknown one comes near to; a batch asks it many times."""
    return difflib.get_close_matches(name.strip(), known, n=1)


def invalid(
    name: str,
    must: str,
    at: str = "",
    fix: str | None = None,
    kind: type[InvalidField] = InvalidField,
) -> InvalidField:
    """A field that cannot be used."""
    return kind(f"{name} must be {must}", column=name, pointer=f"{at}/{name}", fix=fix)


def plain_text(value: Any) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula.

    >>> plain_text("=1+1"), plain_text("Acme"), plain_text(-0.5), plain_text(True)
    ("'=1+1", 'Acme', '-0.5', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return "'" + text if text.startswith(_FORMULA) else text


def csv_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file (RFC 4180) in UTF-8 whose texts are never formulas."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([plain_text(name) for name in header])
    writer.writerows([plain_text(value) for value in row] for row in rows)
    return written.getvalue().encode("utf-8")
