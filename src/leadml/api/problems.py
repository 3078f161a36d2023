"""Every failure as a problem document (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.types import Send

from leadml.errors import LeadmlError

__all__ = [
    "CHALLENGE",
    "JSON",
    "PROBLEM",
    "RETRY_AFTER_S",
    "problem",
    "problem_bytes",
    "send_bytes",
    "send_problem",
]

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
RETRY_AFTER_S: Final = 2
CHALLENGE: Final = b'Bearer realm="leadml", Basic realm="leadml", charset="UTF-8"'
_DETAIL_SHOWN: Final = 4_000
_POINTER_SHOWN: Final = 300

Headers = Iterable[tuple[bytes, bytes]]


def problem(error: LeadmlError, request_id: str) -> dict[str, Any]:
    """A failure as callers see it.

    Parameters
    ----------
    error
        What failed. Its detail must hold no value of the request.
    request_id
        The id that the answer's ``X-Request-ID`` names too.

    Returns
    -------
    dict
        ``type``, ``title``, ``status``, ``code``, ``detail``, ``request_id``, and
        where known ``pointer`` (RFC 6901, into the body) and ``fix``.
    """
    found: dict[str, Any] = {
        "type": f"urn:leadml:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": _cut(error.detail, _DETAIL_SHOWN),
    }
    if error.pointer is not None and len(error.pointer) <= _POINTER_SHOWN:
        found["pointer"] = error.pointer
    if error.fix:
        found["fix"] = _cut(error.fix, _DETAIL_SHOWN)
    found["request_id"] = request_id
    return found


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def problem_bytes(error: LeadmlError, request_id: str) -> bytes:
    """The problem document as JSON."""
    return orjson.dumps(problem(error, request_id))


async def send_problem(
    send: Send, error: LeadmlError, request_id: str, headers: Headers = ()
) -> None:
    """Answer with a problem document; 413 and 408 also close the connection.

    A 429, a 503 and a request in flight tell when to come back, a 401 how to say who asks.
    """
    more = list(headers)
    after_s = error.retry_after_s or (RETRY_AFTER_S if error.status in (429, 503) else 0)
    if after_s:
        more.append((b"retry-after", str(after_s).encode()))
    if error.status == 401:
        more.append((b"www-authenticate", CHALLENGE))
    if error.status in (408, 413):
        more.append((b"connection", b"close"))  # the rest of the body stays unread
    await send_bytes(send, error.status, problem_bytes(error, request_id), PROBLEM, more)


async def send_bytes(
    send: Send, status: int, body: bytes, media_type: bytes = JSON, headers: Headers = ()
) -> None:
    """Answer with a complete body."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
