"""Requests over kept connections, as fast as answers come, from plain asyncio."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Seen", "ask", "request_of"]


class Seen(NamedTuple):
    """What a round of requests showed."""

    answers: int
    per_s: float
    median_ms: float
    p99_ms: float
    own_cpu: float


def request_of(path: str, body: bytes) -> bytes:
    """One POST as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


class _Client(asyncio.Protocol):
    """One connection that asks again when it was answered."""

    def __init__(self, requests: Sequence[bytes], first: int, until: float, step: int = 1) -> None:
        self.requests, self.turn, self.until, self.step = requests, first, until, step
        self.seconds: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._said = bytearray()
        self._needed = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.requests[self.turn % len(self.requests)])
        self.turn += self.step

    def data_received(self, data: bytes) -> None:
        self._said += data
        if self._needed < 0:
            end = self._said.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._said[:end]).lower()
            if b" 200 " not in head[:16]:
                self.done.set_exception(RuntimeError(repr(bytes(self._said[:600]))))
                self.transport.close()
                return
            self._needed = end + 4 + int(head.split(b"content-length:")[1].split(b"\r")[0])
        if len(self._said) < self._needed:
            return
        now = time.perf_counter()
        self.seconds.append(now - self.began)
        self._said.clear()
        self._needed = -1
        if now < self.until:
            self._ask()
        else:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))


def ask(
    port: int,
    requests: Sequence[bytes],
    seconds: float,
    connections: int = 16,
    *,
    apart: bool = False,
) -> Seen:
    """Ask for some seconds; any answer but 200 is an error.

    Parameters
    ----------
    apart
        No two connections ask the same before all requests were asked.

    Returns
    -------
    Seen
        Answers a second, median and 99th percentile of their time, and the share of one
        core that this side itself took.
    """

    async def all_of_them() -> list[float]:
        loop = asyncio.get_running_loop()
        until = time.perf_counter() + seconds
        clients = []
        for k in range(connections):
            _, client = await loop.create_connection(
                lambda k=k: (  # type: ignore[misc]
                    _Client(requests, k, until, connections)
                    if apart
                    else _Client(requests, k * 37, until)
                ),
                "127.0.0.1",
                port,
            )
            clients.append(client)
        await asyncio.gather(*(client.done for client in clients))
        return sorted(second for client in clients for second in client.seconds)

    import uvloop

    began, cpu = time.perf_counter(), _cpu()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        taken = runner.run(all_of_them())
    wall = time.perf_counter() - began
    return Seen(
        answers=len(taken),
        per_s=len(taken) / wall,
        median_ms=taken[len(taken) // 2] * 1e3,
        p99_ms=taken[min(len(taken) - 1, len(taken) * 99 // 100)] * 1e3,
        own_cpu=(_cpu() - cpu) / wall,
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
