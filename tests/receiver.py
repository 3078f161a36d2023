"""A real receiver of webhooks on this machine, which answers as it is told."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The body, once the official library has verified it."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(frozen=True)
class Answer:
    """How a call is answered; ``fault`` may be reset, hang or drip."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    fault: str = ""
    seconds: float = 0.0


class Receiver:
    """Records all calls; ``behave`` decides how each is answered."""

    def __init__(self, behave: Callable[[Call], Answer] | None = None) -> None:
        self.behave = behave or (lambda call: Answer())
        self.calls: list[Call] = []
        self.taken: list[Call] = []
        self.change = threading.Condition()
        self._closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                size = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size)
                if len(body) < size:
                    self.close_connection = True  # whoever sent it is gone half way
                    return
                receiver.answer(self, Call(self.command, self.path, headers, body, time.time()))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass  # a client that hangs up is part of the game

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def answer(self, handler: Any, call: Call) -> None:
        """Note a call, then answer it as told."""
        with self.change:
            self.calls.append(call)
            answer = self.behave(call)
            if answer.fault == "" and 200 <= answer.status < 300:
                self.taken.append(call)
            self.change.notify_all()
        if answer.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            handler.connection.close()
            return
        if answer.seconds:
            self._closing.wait(answer.seconds)
        if answer.fault == "hang":
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(answer.body)))
        handler.end_headers()
        if answer.fault == "drip":
            for n in range(len(answer.body)):
                handler.wfile.write(answer.body[n : n + 1])
                if self._closing.wait(0.05):
                    return
            return
        handler.wfile.write(answer.body)

    def wait(self, until: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Wait until something about the calls holds."""
        with self.change:
            return self.change.wait_for(until, seconds)

    def close(self) -> None:
        self._closing.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def receiver(behave: Callable[[Call], Answer] | None = None) -> Iterator[Receiver]:
    """A receiver that lives as long as the block."""
    made = Receiver(behave)
    try:
        yield made
    finally:
        made.close()
