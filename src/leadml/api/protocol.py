"""Bytes that are no HTTP, or an endless head, answered as a problem too."""

from __future__ import annotations

import secrets
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leadml.api.problems import PROBLEM, problem_bytes
from leadml.errors import InvalidBody, LeadmlError, TooLarge

__all__ = ["HEAD_BYTES", "Protocol"]

HEAD_BYTES: Final = 65_536
"""Largest request line and headers together, in bytes; uvicorn itself sets no limit."""

_REASONS: Final = {400: b"Bad Request", 413: b"Content Too Large"}


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose own refusals are problem documents."""

    _head_bytes = -1  # negative while no head is being read

    def data_received(self, data: bytes) -> None:
        """Read on; an endless head is refused before it fills the memory."""
        super().data_received(data)
        if self._head_bytes >= 0:
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
        """Stop counting."""
        self._head_bytes = -1
        return super().on_headers_complete()

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
