"""The gate: ids, the door, the last resort."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from leadml.api.bodies import Disconnected
from leadml.api.door import Door
from leadml.api.drain import State
from leadml.api.gate import Gate, is_loopback, request_id_of
from leadml.api.metrics import Metrics
from leadml.errors import BundleError, InvalidBody, NoModel
from leadml.service.memory import Memory
from leadml.settings import Settings


def pass_through(
    app: Any, *, headers: list[tuple[bytes, bytes]] | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Everything that is sent for one request through the gate."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/v1/score",
        "headers": headers or [],
        "server": more.pop("server", ("127.0.0.1", 8000)),
    }
    gate = Gate(
        app,
        door=Door(Memory(Settings(database_url=""))),
        allow_open=more.pop("allow_open", False),
        state=State(**more),
        metrics=Metrics(),
    )
    asyncio.run(gate(scope, None, send))  # type: ignore[arg-type]
    return sent


def raising(error: BaseException) -> Any:
    """An application that fails."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    return app


async def fine(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def header(sent: list[dict[str, Any]], name: bytes) -> bytes | None:
    """A header of the answer."""
    return dict(sent[0]["headers"]).get(name)


def test_own_id_is_kept() -> None:
    """A caller's plain X-Request-ID comes back."""
    sent = pass_through(fine, headers=[(b"x-request-id", b"abc-1.2:3")])
    assert header(sent, b"x-request-id") == b"abc-1.2:3"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\r\nset-cookie: b", "ä".encode()])
def test_odd_id_is_replaced(given: bytes) -> None:
    """An id that could harm a log line or a header is replaced by a new one."""
    found = request_id_of({"headers": [(b"x-request-id", given)]})
    assert found.startswith("req_")


def test_ids_differ() -> None:
    """Every request without an id gets its own."""
    assert len({request_id_of({"headers": []}) for _ in range(100)}) == 100


@pytest.mark.parametrize("server", [("10.0.0.7", 8000), ("0.0.0.0", 80), ("2001:db8::1", 80)])
def test_other_machines_are_refused(server: tuple[str, int]) -> None:
    """Without keys, what arrives on an address that others reach gets 403 keys_missing."""
    sent = pass_through(fine, server=server)
    assert sent[0]["status"] == 403
    assert b'"code":"keys_missing"' in sent[1]["body"]
    assert pass_through(fine, server=server, allow_open=True)[0]["status"] == 204


@pytest.mark.parametrize(
    "server", [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1), ("::ffff:127.0.0.1", 1), None]
)
def test_this_machine_is_answered(server: tuple[str, int] | None) -> None:
    """Loopback addresses in any form are answered."""
    assert pass_through(fine, server=server)[0]["status"] == 204


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1.example.com", "localhost.evil.com"])
def test_names_are_not_loopback(host: str) -> None:
    """A name that merely looks like loopback is not."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidBody("x"), 400, b"invalid_body"),
        (NoModel("x"), 503, b"no_model"),
        (HTTPException(404), 404, b"not_found"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, b"method_not_allowed"),
        (HTTPException(418), 400, b"request"),
        (HTTPException(502), 500, b"internal"),
        (BundleError("secret"), 500, b"internal"),
        (ZeroDivisionError("secret"), 500, b"internal"),
    ],
)
def test_failures_become_problems(error: Exception, status: int, code: bytes) -> None:
    """Whatever fails, the caller gets a problem document; inner details stay inside."""
    sent = pass_through(raising(error))
    assert sent[0]["status"] == status
    assert b'"code":"' + code + b'"' in sent[1]["body"]
    assert header(sent, b"content-type") == b"application/problem+json"
    assert b"secret" not in sent[1]["body"]


def test_faults_are_logged_without_values(caplog: pytest.LogCaptureFixture) -> None:
    """A fault leaves its kind, place and request id in the log, and no value."""
    with caplog.at_level(logging.ERROR):
        pass_through(raising(ValueError("maria@example.com")), headers=[(b"x-request-id", b"r1")])
    (record,) = caplog.records
    assert (record.request_id, record.fault) == ("r1", "ValueError")  # type: ignore[attr-defined]
    assert "test_api_gate.py" in record.places  # type: ignore[attr-defined]
    assert "maria" not in str(vars(record))


def test_gone_client_gets_nothing() -> None:
    """When the client has left, nothing is sent and nothing fails."""
    assert pass_through(raising(Disconnected())) == []


def test_fault_in_the_middle_is_passed_on() -> None:
    """After the answer has begun a fault cannot become another answer."""

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pass_through(half)


def test_draining_closes_connections() -> None:
    """While draining every answer carries Connection: close, and no other time."""
    assert header(pass_through(fine, draining=True), b"connection") == b"close"
    assert header(pass_through(fine), b"connection") is None
