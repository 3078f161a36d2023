"""Routes of webhooks: who is told what, and whether it arrived."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from starlette.types import Receive, Scope, Send

from leadml.api.desk import Desk, invalid, object_in, send_json
from leadml.api.door import caller_of
from leadml.api.hooks_described import PIECE
from leadml.api.query import asked_in, whole_in
from leadml.api.table import Entry
from leadml.errors import Overloaded, StoreError
from leadml.service.handoff import CHANGES, Handoff

__all__ = ["MOST_CALLING", "PIECE", "HookRoutes"]

MOST_CALLING: Final = 8
"""Requests at once that look a name up or call a receiver: each may take long."""

MOST_PER_PAGE: Final = 200
URL_LENGTH: Final = 2_000
CREDENTIAL_LENGTH: Final = 10_000
MOST_OVERLAP_HOURS: Final = 720

_NEW: Final = frozenset({*CHANGES, "kind"} - {"state"})
_ADD_FIX: Final = 'send {"url": "https://…"}, and kind, events, note as you need them'
_CHANGE_FIX: Final = f"change some of: {', '.join(CHANGES)}"
_PAGE: Final = ("state", "limit", "cursor")
_TEXTS: Final = {
    "url": URL_LENGTH,
    "kind": 40,
    "note": 500,
    "credential": CREDENTIAL_LENGTH,
    "state": 20,
}
T = TypeVar("T")


class HookRoutes:
    """Endpoints over :class:`leadml.service.handoff.Handoff`.

    Parameters
    ----------
    desk
        Asks the memory.
    handoff
        What is asked for.
    pool
        :data:`MOST_CALLING` threads that may wait for other systems; None uses the event
        loop's own.
    """

    def __init__(self, desk: Desk, handoff: Handoff, pool: Executor | None = None) -> None:
        self.desk = desk
        self.handoff = handoff
        self.pool = pool
        self._calling = 0

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        one = "/v1/webhooks/{id}"
        return [
            Entry("/v1/webhooks", "GET", self.listed, "manage", "webhooks"),
            Entry("/v1/webhooks", "POST", self.add, "manage", "addWebhook"),
            Entry(one, "GET", self.one, "manage", "webhook"),
            Entry(one, "PATCH", self.change, "manage", "changeWebhook"),
            Entry(one, "DELETE", self.remove, "manage", "removeWebhook"),
            Entry(f"{one}/rotate", "POST", self.rotate, "manage", "rotateWebhookSecret"),
            Entry(
                f"{one}/deliveries", "GET", self.deliveries, "manage", "webhookDeliveries", _PAGE
            ),
            Entry(f"{one}/replay", "POST", self.replay, "manage", "replayDeliveries"),
            Entry(f"{one}/test", "POST", self.test, "manage", "testWebhook"),
        ]

    async def _ask(self, work: Callable[[], T]) -> T:
        return await self.desk.ask(lambda _: work())

    async def _call(self, work: Callable[[], T]) -> T:
        """Do what may wait for other systems, beside the threads of the memory."""
        self.desk.memory.require()
        if self._calling >= MOST_CALLING:
            raise Overloaded("too many webhooks are being tried", fix="try again in a minute")
        self._calling += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, work)
        except StoreError as error:
            self.desk.memory.suspect(error)
            raise
        finally:
            self._calling -= 1

    async def listed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All webhooks, and how far the deliveries are."""
        await send_json(send, await self._ask(self.handoff.listed))

    async def add(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make a webhook; its secret is shown this once."""
        data = object_in(await self.desk.body(scope, receive), _NEW, _ADD_FIX)
        given = _checked(data)
        if "url" not in given:
            raise invalid("url", "given", fix=_ADD_FIX)
        by = caller_of(scope).name
        found = await self._call(functools.partial(self.handoff.add, **given, by=by))
        await send_json(send, found, 201)

    async def one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One webhook."""
        named = _id_of(scope)
        await send_json(send, await self._ask(lambda: self.handoff.one(named)))

    async def change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change what the body names."""
        named, by = _id_of(scope), caller_of(scope).name
        body = await self.desk.body(scope, receive)
        given = _checked(object_in(body, frozenset(CHANGES), _CHANGE_FIX))
        found = await self._call(lambda: self.handoff.change(named, given, by=by))
        await send_json(send, found)

    async def remove(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delete a webhook with its deliveries."""
        named, by = _id_of(scope), caller_of(scope).name
        await send_json(send, await self._ask(lambda: self.handoff.remove(named, by=by)))

    async def rotate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the next secret, shown this once."""
        named, by = _id_of(scope), caller_of(scope).name
        data = await self._optional(scope, receive, frozenset({"overlap_hours"}))
        hours = data.get("overlap_hours", 24)
        if type(hours) not in (int, float) or not 0 <= hours <= MOST_OVERLAP_HOURS:
            raise invalid("overlap_hours", f"a number from 0 to {MOST_OVERLAP_HOURS}")
        found = await self._ask(
            lambda: self.handoff.rotate(named, overlap_s=3_600.0 * hours, by=by)
        )
        await send_json(send, found)

    async def deliveries(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What was sent, what waits, what was given up."""
        named = _id_of(scope)
        asked = asked_in(scope)
        limit = whole_in(asked, "limit", 50, 1, MOST_PER_PAGE)
        found = await self._ask(
            lambda: self.handoff.deliveries(
                named, state=asked.get("state"), limit=limit, before=asked.get("cursor")
            )
        )
        await send_json(send, found)

    async def replay(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one delivery again, or all that were given up."""
        named, by = _id_of(scope), caller_of(scope).name
        data = await self._optional(scope, receive, frozenset({"delivery_id"}))
        delivery = _text(data, "delivery_id", 100)
        await send_json(send, await self._ask(lambda: self.handoff.replay(named, delivery, by=by)))

    async def test(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a signed message now and say what came of it."""
        named = _id_of(scope)
        data = await self._optional(scope, receive, frozenset({"lead_id"}))
        lead_id = _text(data, "lead_id", 255)
        await send_json(send, await self._call(lambda: self.handoff.test(named, lead_id)))

    async def _optional(
        self, scope: Scope, receive: Receive, known: frozenset[str]
    ) -> dict[str, Any]:
        body = await self.desk.body(scope, receive)
        fix = f"send nothing, or an object with {', '.join(sorted(known))}"
        return object_in(body, known, fix) if body else {}


def _id_of(scope: Scope) -> str:
    return str(scope["path_params"]["id"])


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of a webhook, each of its type; names and values are judged later."""
    for name in data:
        if name in _TEXTS:
            _text(data, name, _TEXTS[name])
        elif name == "options":
            if type(data[name]) is not dict:
                raise invalid(name, "an object")
        elif type(data[name]) is not list or not all(type(one) is str for one in data[name]):
            raise invalid(name, "a list of texts")
    return data


def _text(data: dict[str, Any], name: str, longest: int) -> str | None:
    value = data.get(name)
    if name not in data:
        return None
    if type(value) is not str or len(value) > longest:
        raise invalid(name, f"a text of at most {longest} characters")
    return value
