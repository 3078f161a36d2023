"""Clients that ask as fast as they get answers, or at a pace, and look at every answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tests.typist import Command, typist

__all__ = ["Answer", "Crowd", "p99", "request", "served"]


class Answer(NamedTuple):
    """One answer: when it was complete, how long it took, its status, head and content."""

    at: float
    seconds: float
    status: int
    head: bytes
    body: bytes

    @property
    def data(self) -> Any:
        """The content as data."""
        return orjson.loads(self.body)


def request(path: str, content: Any) -> bytes:
    """A POST as bytes."""
    body = orjson.dumps(content)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def p99(seconds: Sequence[float]) -> float:
    """The time that 99 of 100 answers do not take longer than."""
    return sorted(seconds)[min(len(seconds) - 1, len(seconds) * 99 // 100)]


class Crowd:
    """Connections that ask in a thread of their own until told to stop.

    Parameters
    ----------
    port
        Of the server on this machine.
    requests
        Asked in turn.
    connections
        How many ask at once, each after its last answer.
    look
        Told of every answer, in the thread of the crowd; what it raises is a failure.
    every_s
        Pause between the questions of one connection; 0 asks at once.
    """

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        *,
        connections: int = 8,
        look: Callable[[Answer], None] = lambda answer: None,
        every_s: float = 0.0,
    ) -> None:
        self.port, self.requests, self.connections = port, requests, connections
        self.look, self.every_s = look, every_s
        self.seen: list[tuple[float, float, int]] = []
        self.failures: list[str] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join(60)
        if self._thread.is_alive():
            self.failures.append("a connection never got its answer")

    def wait(self, more: int, within_s: float = 60.0) -> None:
        """Until so many more answers have come."""
        wanted, deadline = len(self.seen) + more, time.monotonic() + within_s
        while len(self.seen) < wanted:
            assert time.monotonic() < deadline, self.failures[:3]
            assert not self.failures, self.failures[:3]
            time.sleep(0.005)

    def seconds(self, since: float = 0.0, status: int = 200) -> list[float]:
        """How long answers of a status took that came after a moment."""
        return [took for at, took, found in list(self.seen) if at >= since and found == status]

    def _run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(k) for k in range(self.connections)))

    async def _one(self, place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        turn = place
        try:
            while not self._stopped:
                began = time.perf_counter()
                writer.write(self.requests[turn % len(self.requests)])
                turn += self.connections
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
                body = await reader.readexactly(length)
                now = time.perf_counter()
                answer = Answer(time.monotonic(), now - began, int(head[9:12]), head, body)
                self.look(answer)
                self.seen.append((answer.at, answer.seconds, answer.status))
                if self.every_s:
                    await asyncio.sleep(max(0.0, self.every_s - (now - began)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            self.failures.append(f"{type(error).__name__}: {error}")
        finally:
            writer.close()


@contextlib.contextmanager
def served(models: Path, **environment: str) -> Iterator[tuple[Command, int]]:
    """A server process of its own over a folder of models; gives it and its port."""
    settings = {
        "LEADML_MODELS_DIR": str(models),
        "LEADML_TRACKING_URI": "",
        "LEADML_DATABASE_URL": "",
        "LEADML_JOBS_DIR": str(models / "jobs"),
        "LEADML_CHAMPION_POLL_S": "0.05",
        "LEADML_DRAIN_S": "0.4",
        **environment,
    }
    command = typist().start(models, ["serve", "--port", "0"], **settings)
    try:
        yield command, port_of(command)
    finally:
        if command.poll() is None:
            command.kill()


def port_of(command: Command, within_s: float = 60.0) -> int:
    """Where a server says that it listens."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and command.poll() is None:
        found = re.search(r"on http://127\.0\.0\.1:(\d+)", command.out + command.err)
        if found:
            return int(found[1])
        time.sleep(0.01)
    raise AssertionError(command.err)
