"""The table of routes: what each one is called, does and needs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from leadml.api.door import Door, refuse_foreign
from leadml.api.query import ASKED, parameters_of
from leadml.errors import LeadmlError

__all__ = [
    "OPEN",
    "SCOPES",
    "Asgi",
    "Crossing",
    "Endpoint",
    "Entry",
    "Refused",
    "Room",
    "Way",
    "crossings_of",
    "endpoint_of",
    "pattern_of",
]

OPEN: Final = "open"
"""The scope of a route that needs no key."""

SCOPES: Final = (OPEN, "score", "outcomes", "read", "manage")

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Refused = Callable[[Scope, Receive, Send, LeadmlError], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One route.

    Parameters
    ----------
    path
        With parameters in braces.
    method
        ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
    run
        Answers it; path parameters stand in ``scope["path_params"]``.
    scope
        What a key must hold to open it, one of :data:`SCOPES`.
    name
        Its ``operationId`` in the OpenAPI document; "" for a page that is not described.
    query
        Parameters that it takes; below ``/v1/`` any other is refused before it runs, so that
        none is thought to count that does not.
    hot
        Answered before all routing; only for a POST without path parameters.
    also
        Another right that opens it: ``policy``, which managers have beside ``read`` and
        ``outcomes``; "" for none.
    refused
        Answers a failure instead of the gate's problem document, as pages do.

    Examples
    --------
    >>> async def run(scope, receive, send): ...
    >>> Entry("/v1/queue", "GET", run, "everything", "queue")
    Traceback (most recent call last):
    ValueError: GET /v1/queue needs one of the scopes open, score, outcomes, read, manage
    """

    path: str
    method: str
    run: Asgi
    scope: str
    name: str
    query: tuple[str, ...] = ()
    hot: bool = False
    also: str = ""
    refused: Refused | None = None

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(
                f"{self.method} {self.path} needs one of the scopes {', '.join(SCOPES)}"
            )


class Room(Protocol):
    """Routes that belong together."""

    def entries(self) -> Iterable[Entry]:
        """The routes."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as Starlette takes it: whoever asks is looked at, then it runs."""

    entry: Entry
    door: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in and run."""
        if self.entry.refused is None:
            await self._run(scope, receive, send)
            return
        try:
            await self._run(scope, receive, send)
        except LeadmlError as error:
            await self.entry.refused(scope, receive, send, error)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        needed = self.entry.scope
        if needed is not OPEN:
            if self.door.guarded is not False:
                await self.door.admit(scope, needed, self.entry.also)
            elif self.entry.method != "GET":
                refuse_foreign(scope)
        if self.entry.path.startswith("/v1/"):
            scope[ASKED] = parameters_of(scope["query_string"], self.entry.query)
        await self.entry.run(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Routes that share a path, told apart by their methods."""

    endpoints: Mapping[str, Endpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the one for the method."""
        method = scope["method"]
        await self.endpoints["GET" if method == "HEAD" else method](scope, receive, send)


def crossings_of(endpoints: Iterable[Endpoint]) -> dict[str, Crossing]:
    """Routes by their path, in the order in which each path comes first."""
    found: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.entry.path, {})[endpoint.entry.method] = endpoint
    return {path: Crossing(methods) for path, methods in found.items()}


def pattern_of(path: str) -> str:
    """A path as Starlette matches it; the id of a lead may hold slashes.

    >>> pattern_of("/v1/leads/{id}/history"), pattern_of("/v1/jobs/{id}")
    ('/v1/leads/{id:path}/history', '/v1/jobs/{id}')
    """
    return path.replace("/v1/leads/{id}", "/v1/leads/{id:path}")


class Way(Route):
    """A path and what answers it; the id of a lead is read as it was sent.

    In a path that is decoded first, ``a%2Fhistory`` would be the history of another
    lead, and a line break at the end of an id would be lost: ``DELETE`` would erase
    another lead than the one that was named.
    """

    def __init__(self, path: str, run: Asgi, methods: Iterable[str]) -> None:
        super().__init__(pattern_of(path), run, methods=list(methods))
        ahead, here, behind = path.partition("/v1/leads/{id}")
        sent = re.escape(f"{ahead}/v1/leads/").encode() + b"(.*)" + re.escape(behind).encode()
        self._sent = re.compile(sent) if here else None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request takes this way, and with which id."""
        match, more = super().matches(scope)
        sent = scope.get("raw_path")
        if match is Match.NONE and b"%0A" not in (sent or b"").upper():
            return match, more
        if self._sent is None or sent is None or scope.get("root_path"):
            return match, more
        found = self._sent.fullmatch(sent.partition(b"?")[0])
        if found is None:
            return Match.NONE, {}
        lead_id = unquote_to_bytes(found[1]).decode("utf-8", "replace")
        fits = scope["method"] in (self.methods or ())
        more = {"endpoint": self.endpoint, "path_params": {"id": lead_id}}
        return (Match.FULL if fits else Match.PARTIAL), more


def endpoint_of(scope: Any) -> Endpoint | None:
    """The route that a request was matched with; None before that or without one."""
    found = scope.get("endpoint")
    if not isinstance(found, Crossing):
        return None
    at_hand = found.endpoints.get(scope["method"])
    return at_hand or next(iter(found.endpoints.values()))
