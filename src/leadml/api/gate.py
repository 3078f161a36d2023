"""What every request passes: an id, the door, the count, the last resort."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from functools import lru_cache
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadml.api.bodies import Disconnected
from leadml.api.door import Door, refuse_foreign
from leadml.api.drain import State
from leadml.api.log import places_of
from leadml.api.metrics import Metrics
from leadml.api.problems import send_problem
from leadml.api.rates import RATE
from leadml.api.table import Endpoint, endpoint_of
from leadml.errors import (
    HostRefused,
    Internal,
    KeysMissing,
    LeadmlError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
)

__all__ = ["WAITING", "Gate", "is_loopback", "request_id_of", "route_of"]

log = logging.getLogger(__name__)

WAITING: Final = "leadml.waiting"
"""Where in a scope stands how many requests waited when it came."""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The caller's ``X-Request-ID`` if it is plain, else a new one.

    Plain are 1 to 64 letters, digits and ``._:-``.
    """
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return "req_" + secrets.token_hex(8)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0"), is_loopback("10.0.0.7"), is_loopback("crm.example.com")
    (False, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        address: Any = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


@lru_cache(maxsize=64)
def _is_foreign_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a socket file or a test's server name
    return not is_loopback(host)


def refuse_other_names(scope: Scope, public_host: str = "") -> None:
    """Refuse what asks an open server for another name than this machine's.

    A page of another site can have its name lead here and then read answers as its own.

    Raises
    ------
    HostRefused
        ``Host`` names something else.
    """
    for name, value in scope["headers"]:
        if name == b"host":
            if not _names_this_machine(value) and value.decode("latin-1").lower() != public_host:
                raise HostRefused(
                    "no key protects this server, so it is asked by the names of this machine only",
                    fix="ask localhost or 127.0.0.1; behind a proxy set LEADML_PUBLIC_URL to the "
                    "address that it answers, or make a key",
                )
            return


@lru_cache(maxsize=64)
def _names_this_machine(host: bytes) -> bool:
    text = host.decode("latin-1")
    if text.startswith("["):
        return is_loopback(text[1:].partition("]")[0])
    name = text.partition(":")[0].rstrip(".").lower()
    return is_loopback(name) or name.endswith(".localhost")


class Gate:
    """The outermost part of the API.

    Gives every answer an ``X-Request-ID``, refuses other machines while no key
    protects the API, lets in who has a key where one is needed, and turns whatever
    escapes into a problem document. Faults are logged with their place in the code and
    without the request's values.

    Parameters
    ----------
    app
        What lies behind; an :class:`~leadml.api.table.Endpoint` is run here itself.
    door
        Knows who asks.
    allow_open
        Answer on addresses that other machines reach.
    state
        While it drains, answers carry ``Connection: close``, so that clients move on
        before the server stops.
    metrics
        Told of every answer.
    public_host
        Another name than those of loopback by which the server is asked while it is open
        to this machine; "" for none.
    max_waiting
        A request that found more than so many before it is refused at once; None
        refuses nobody. How many wait is told by :class:`leadml.api.protocol.Protocol`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        door: Door,
        allow_open: bool,
        state: State,
        metrics: Metrics,
        public_host: str = "",
        max_waiting: int | None = None,
    ) -> None:
        self.app = app.entry.run if isinstance(app, Endpoint) else app
        self.entry = app.entry if isinstance(app, Endpoint) else None
        self.route = None if self.entry is None else self.entry.path
        self.door = door
        self.allow_open = allow_open
        self.public_host = public_host
        self.state = state
        self.metrics = metrics
        self.max_waiting = max_waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an ASGI request on and see that it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        ahead: int | None = scope.get(WAITING)
        if ahead is not None:
            self.state.waiting -= 1
        metrics = self.metrics
        metrics.in_flight += 1
        request_id = request_id_of(scope)
        scope["leadml.request_id"] = request_id
        header = (b"x-request-id", request_id.encode())
        started = False
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                message["headers"].append(header)
                rate = scope.get(RATE)
                if rate is not None:
                    message["headers"].extend(rate)
                if self.state.draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            if ahead is not None and self.max_waiting is not None and ahead > self.max_waiting:
                metrics.overloaded[self.route or route_of(scope)] += 1
                raise Overloaded("too many requests wait already", fix=_LATER)
            server = scope.get("server")
            guarded = self.door.guarded
            if guarded is False and not self.allow_open and server:
                if _is_foreign_address(server[0]):
                    raise KeysMissing(
                        "no key protects this API, so it answers this machine only",
                        fix="make a key: leadml keys create --scope score --name NAME; or set "
                        "LEADML_ALLOW_OPEN=true behind something that checks who asks",
                    )
                if is_loopback(server[0]):
                    refuse_other_names(scope, self.public_host)
            if self.entry is not None:
                if guarded is not False:
                    await self.door.admit(scope, self.entry.scope)
                else:
                    refuse_foreign(scope)
            await self.app(scope, receive, send_named)
        except Disconnected:
            return
        except LeadmlError as error:
            if started:
                raise
            await send_problem(send_named, _told(error, request_id), request_id)
        except HTTPException as error:
            if started:
                raise
            headers = [(k.encode(), v.encode()) for k, v in (error.headers or {}).items()]
            await send_problem(send_named, _of_status(error.status_code), request_id, headers)
        except Exception as error:
            _log_fault(error, request_id)
            if started:
                raise
            await send_problem(send_named, _internal(request_id), request_id)
        finally:
            metrics.in_flight -= 1
            if status:
                metrics.observe(self.route or route_of(scope), status, time.perf_counter() - began)


_LATER: Final = "try again after the seconds that Retry-After names"


def route_of(scope: Scope) -> str:
    """A path as metrics name it: of a closed set, whatever was asked for.

    >>> route_of({"path": "/wp-login.php"})
    'other'
    """
    found = endpoint_of(scope)
    return "other" if found is None else found.entry.path


def _told(error: LeadmlError, request_id: str) -> LeadmlError:
    """Failures of a request, of a missing model and of the registry are told; others are faults."""
    if error.status != 500:
        return error
    _log_fault(error, request_id)
    return _internal(request_id)


def _internal(request_id: str) -> Internal:
    return Internal(
        "the request could not be answered because of a fault in leadml",
        fix=f"look for {request_id} in the server's log",
    )


def _of_status(status: int) -> LeadmlError:
    if status == 404:
        return NotFound("there is no such route", fix="see /openapi.json for the routes")
    if status == 405:
        return MethodNotAllowed("the route does not take this method", fix="see the header Allow")
    if status >= 500:
        return Internal("the request could not be answered")
    return RequestError(f"the request was refused with status {status}")


def _log_fault(error: BaseException, request_id: str) -> None:
    """Name the fault and its places; neither message nor values, which may be personal."""
    log.error(
        "a request failed",
        extra={
            "request_id": request_id,
            "fault": type(error).__name__,
            "places": places_of(error),
        },
    )
