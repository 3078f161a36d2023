"""Bytes that are no HTTP, or an endless or idle head, answered as a problem too."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leadml.api.drain import State
from leadml.api.gate import WAITING
from leadml.api.problems import PROBLEM, problem_bytes
from leadml.errors import BodyTimeout, InvalidBody, LeadmlError, TooLarge

__all__ = ["HEAD_BYTES", "SERVER", "Protocol"]

SERVER: Final = "leadml"
"""Where the application's lifespan leaves its :class:`~leadml.api.drain.State`."""

HEAD_BYTES: Final = 65_536
"""Largest request line and headers together, in bytes; uvicorn itself sets no limit."""

_REASONS: Final = {400: b"Bad Request", 408: b"Request Timeout", 413: b"Content Too Large"}


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose own refusals are problem documents.

    It also counts the requests that wait for their turn, for the gate to refuse some.
    """

    _head_bytes = -1  # negative while no head is being read
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first head its time; uvicorn itself would wait for ever."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; an endless head is refused before it fills the memory."""
        super().data_received(data)
        if self._head_bytes >= 0:
            if self._clock is None:
                self._start_clock()
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._head_bytes = -1
                self._refuse(
                    TooLarge(
                        f"the head of the request is larger than {HEAD_BYTES} bytes",
                        fix="send fewer or shorter headers",
                    )
                )

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> Any:
        """Stop counting its bytes; count the request among those that wait."""
        self._head_bytes = -1
        if self._clock is not None:
            self._stop_clock()
        before: Any = self.cycle
        found = super().on_headers_complete()
        # a pipelined request waits for its own connection only
        if self.cycle is not before and (before is None or before.response_complete):
            server: State | None = self.app_state.get(SERVER)
            if server is not None:
                server.waiting += 1
                self.scope[WAITING] = server.waiting  # type: ignore[typeddict-unknown-key]
        return found

    def _start_clock(self) -> None:
        server: State | None = self.app_state.get(SERVER)
        if server is not None:
            self._clock = self.loop.call_later(server.head_timeout_s, self._late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        self._clock = None
        if self._head_bytes >= 0:
            self._refuse(BodyTimeout("the head did not arrive in time"))
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(InvalidBody("the request is not HTTP/1.1", fix="send an HTTP/1.1 request"))

    def _refuse(self, error: LeadmlError) -> None:
        if self.transport.is_closing():
            return
        request_id = "req_" + secrets.token_hex(8)
        body = problem_bytes(error, request_id)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nx-request-id: %s\r\n"
            b"connection: close\r\n\r\n%s"
            % (
                error.status,
                _REASONS[error.status],
                PROBLEM,
                len(body),
                request_id.encode(),
                body,
            )
        )
        self.transport.close()
