"""Hostile bytes against a real server: nothing breaks, nothing is repeated."""

from __future__ import annotations

import gzip
import json
import random
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from leadml.api.document import document_of
from leadml.settings import Settings
from tests import hand_made, held
from tests.http_server import serve

N_BODIES = 2_000
N_OTHERS = 3_000
LIMIT = 300_000
CANARY = "Canary-5e1f"
LEADS = hand_made.leads(20)
FRAGMENTS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e400",
    b"9" * 4_000,
    b"18446744073709551616",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc0\x80",
    b"[" * 2_000,
    b'{"a":' * 2_000,
    b'"lead":{},',
    b'"employees":1,"employees":2,',
    b"[]",
    b"{}",
    b"null",
    b"true",
    b"-0",
    b'""',
    b",",
    b":",
    b'"' + CANARY.encode() + b'"',
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A real server of the hand-made model."""
    settings = Settings(max_body_bytes=LIMIT, body_timeout_s=1.0, deliver=False)
    with serve(settings, held.serving()) as found:
        yield found


def bodies(seed: int) -> Iterator[tuple[str, bytes]]:
    """Mutated requests for scores."""
    rng = random.Random(seed)
    while True:
        many = rng.random() < 0.3
        one = {"lead_id": CANARY, "lead": {**rng.choice(LEADS), "industry": CANARY}}
        data = {"leads": [one, {"lead": rng.choice(LEADS)}]} if many else one
        yield "/v1/scores" if many else "/v1/score", mutated(rng, data)


def mutated(rng: random.Random, data: Any) -> bytes:
    """A body with bytes replaced, cut, doubled, exchanged for hostile fragments."""
    body = bytearray(json.dumps(data, ensure_ascii=rng.random() < 0.5).encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        match rng.randrange(6):
            case 0:
                body[at:at] = rng.choice(FRAGMENTS)
            case 1:
                colon = body.find(b":", at)
                end = body.find(b",", colon)
                if 0 <= colon < end:
                    body[colon + 1 : end] = rng.choice(FRAGMENTS)
            case 2:
                del body[at:]
            case 3:
                body[at : at + 1] = bytes([rng.randrange(256)])
            case 4:
                body[at:at] = body[max(0, at - rng.randint(1, 40)) : at]
            case 5:
                del body[at : at + rng.randint(1, 20)]
    return bytes(body)


def leaves(value: Any) -> Iterator[Any]:
    """Every value inside that holds no other."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def test_mutated_bodies(address: str) -> None:
    """2,000 damaged bodies: no 5xx, no null, each error small, a problem, and without a value."""
    made = bodies(seed=20261122)
    counts: dict[int, int] = {}
    with httpx.Client(base_url=address) as client:
        for _ in range(N_BODIES):
            path, body = next(made)
            response = client.post(path, content=body)
            counts[response.status_code] = counts.get(response.status_code, 0) + 1
            found = response.json()
            if response.status_code == 200:
                assert None not in leaves(found)
                errors = [
                    result["error"] for result in found.get("results", ()) if "error" in result
                ]
                assert CANARY not in str(errors)
            else:
                assert response.status_code in (400, 413, 422), body
                assert response.headers["content-type"] == "application/problem+json"
                assert len(response.content) <= 16_384
                assert found["request_id"] == response.headers["x-request-id"]
                assert CANARY not in response.text, body
    assert counts.get(200, 0) > 20
    assert counts[400] > 500


def others() -> list[tuple[str, str, Any]]:
    """Method, path and example of every other route that takes JSON."""
    found = []
    for path, item in document_of(None)["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content and not path.startswith("/v1/score"):
                example = content["application/json"].get("example", {})
                found.append((method.upper(), path.replace("{id}", CANARY), example))
    return found


def with_canaries(value: Any) -> Any:
    """The same with every free text exchanged for one that no answer may repeat."""
    if isinstance(value, dict):
        return {name: with_canaries(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_canaries(inner) for inner in value]
    free = isinstance(value, str) and not value.startswith(("http", "2")) and " " in value
    return CANARY if free else value


def test_mutated_bodies_everywhere(address: str) -> None:
    """3,000 damaged bodies for every other route: no 5xx, no null, small problems, no value."""
    rng = random.Random(20261123)
    routes = others()
    assert len(routes) >= 6
    counts: dict[int, int] = {}
    with httpx.Client(base_url=address) as client:
        for turn in range(N_OTHERS):
            method, path, example = routes[turn % len(routes)]
            body = mutated(rng, with_canaries(example))
            response = client.request(method, path, content=body)
            counts[response.status_code] = counts.get(response.status_code, 0) + 1
            assert response.status_code < 500, (method, path, body)
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json"
                assert len(response.content) <= 16_384
                assert CANARY not in response.text, (method, path, body)
            elif response.content:
                assert None not in leaves(response.json()), (method, path, body)
    assert counts[400] > N_OTHERS / 5
    assert httpx.get(address + "/health/ready").status_code == 200


@pytest.mark.parametrize("path", ["/v1/score", "/v1/scores", "/v1/outcomes", "/v1/events"])
@pytest.mark.parametrize(
    "body",
    [
        *FRAGMENTS,
        b"",
        b"[" * 100_000,
        b'{"lead":' * 30_000,
        b'{"lead":{"a":' + b"[" * 100_000,
        b'{"lead": {' + b",".join(b'"f%d": 1' % i for i in range(20_000)) + b"}}",
        b'{"lead": {"' + b"k" * 200_000 + b'": 1}}',
        b'{"' + b"k" * 200_000 + b'": 1}',
        gzip.compress(b"[" * 10_000_000, mtime=0),
        b"\xff\xfe{\x00}\x00",
        "{}".encode("utf-32"),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_hostile_bodies(address: str, path: str, body: bytes) -> None:
    """Each hostile body alone is a small problem document, quickly."""
    started = time.perf_counter()
    response = httpx.post(address + path, content=body)
    assert response.status_code in (400, 413, 422)
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 16_384
    assert time.perf_counter() - started < 5


def talk(address: str, *parts: bytes, wait_s: float = 5.0) -> bytes:
    """Everything a server says to raw bytes."""
    where = urlsplit(address)
    with socket.create_connection((where.hostname or "", where.port or 0), wait_s) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        said = b""
        try:
            while piece := connection.recv(65_536):
                said += piece
                if b"}" in piece:
                    break
        except ConnectionResetError:
            pass
        return said


def test_declared_giant_is_refused_unread(address: str) -> None:
    """A declared 10 GB is refused before any of it is sent, and the connection closes."""
    said = talk(
        address, b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said.lower()


def test_chunked_flood_is_cut_off(address: str) -> None:
    """An endless chunked body is cut off near the limit, not read to its end."""
    where = urlsplit(address)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    sent = 0
    with socket.create_connection((where.hostname or "", where.port or 0), 5) as connection:
        # small buffers, so that what was sent is what was read
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        connection.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            while sent < 200 * len(chunk):
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
    assert sent < 100 * len(chunk)
    assert httpx.get(address + "/health/live").status_code == 200


def test_understated_length_harms_nobody(address: str) -> None:
    """Bytes beyond the declared length are not part of the request."""
    head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    assert talk(address, head + b"{}" + b"garbage \x00\xff\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert httpx.get(address + "/health/live").status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /v1/score HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"\x00" * 100,
    ],
)
def test_what_is_no_http(address: str, said: bytes) -> None:
    """Bytes that are no HTTP get a problem document as well, and the connection closes."""
    answer = talk(address, said)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer
    assert b"x-request-id: req_" in answer


def test_endless_head_is_refused(address: str) -> None:
    """A header that never ends is refused after 64 kB, whether in one piece or many."""
    head = b"GET /health/live HTTP/1.1\r\nX: "
    for parts in ([head + b"x" * 200_000], [head, *[b"x" * 5_000] * 40]):
        answer = talk(address, *parts)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    long = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 30_000 + b"\r\n\r\n"
    assert talk(address, long).startswith(b"HTTP/1.1 200")


def test_upgrade_is_not_taken(address: str) -> None:
    """There is no WebSocket here: the request is answered as plain HTTP."""
    ask = (
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert talk(address, ask).startswith(b"HTTP/1.1 200")


def test_overstated_length_times_out(address: str) -> None:
    """A body that never arrives in full ends with 408 after the time allowed."""
    head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\n{"
    said = talk(address, head)
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_timeout"' in said


def test_clients_that_vanish_leave_nothing(address: str) -> None:
    """200 clients that leave in the middle of a body do not slow the next one."""
    where = urlsplit(address)
    head = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\n{"
    for _ in range(200):
        with socket.create_connection((where.hostname or "", where.port or 0), 5) as connection:
            connection.sendall(head)
    started = time.perf_counter()
    assert httpx.post(address + "/v1/score", json={"lead": LEADS[0]}).status_code == 200
    assert time.perf_counter() - started < 3
