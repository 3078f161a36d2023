"""A request body, read within limits and parsed strictly.

orjson refuses NaN, Infinity, 1e400, lone surrogates, bad UTF-8, a byte order mark
and nesting beyond 1,024. It keeps the last of two equal keys, reads integers beyond
64 bits as floats and lets an escaped NUL pass; those three are refused here.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import numpy as np
import orjson
from starlette.types import Receive, Scope

from leadml.errors import BodyTimeout, InvalidBody, TooLarge, UnsupportedEncoding

__all__ = ["MAX_DEPTH", "Disconnected", "parse", "read_body"]

MAX_DEPTH: Final = 16
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG: Final = b"0" * 19  # an integer beyond 64 bits has at least so many digits
_LARGE: Final = 8_192  # a body of so many bytes is looked over by numpy
_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1


class Disconnected(Exception):
    """The client went away before its body was complete; nobody waits for an answer."""


async def read_body(scope: Scope, receive: Receive, limit: int, timeout_s: float) -> bytes:
    """Read the whole body.

    Parameters
    ----------
    scope, receive
        The ASGI request.
    limit
        Largest body in bytes; a declared larger one is refused unread.
    timeout_s
        Longest wait for the whole of it, in seconds.

    Raises
    ------
    TooLarge
        Declared or sent beyond ``limit``.
    UnsupportedEncoding
        ``Content-Encoding`` other than identity.
    InvalidBody
        ``Content-Length`` is no number.
    BodyTimeout
        The body is not complete after ``timeout_s``.
    Disconnected
        The client is gone.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise InvalidBody("Content-Length is not a number")
            if len(value) > 15 or int(value) > limit:
                raise _too_large(limit)
        elif name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
            raise UnsupportedEncoding(
                "the body is compressed, which is not read here",
                fix="send the JSON as it is, without Content-Encoding",
            )
    if _is_there(receive):
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
    else:
        message = await _next(receive, timeout_s)
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    if not message.get("more_body", False):
        return body
    parts = [body]
    size = len(body)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while message.get("more_body", False):
        message = await _next(receive, deadline - loop.time())
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _is_there(receive: Receive) -> bool:
    """Whether uvicorn holds the whole body already, so that no clock need be set."""
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


async def _next(receive: Receive, timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            message = await receive()
    except TimeoutError:
        raise BodyTimeout(
            "the body was not complete in time", fix="send the body with its headers"
        ) from None
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {limit} bytes",
        fix="send fewer leads at once, or score the file: leadml score FILE --output OUT",
    )


def parse(body: bytes) -> Any:
    """The JSON value of a body.

    Raises
    ------
    InvalidBody
        Not JSON (RFC 8259) in UTF-8, a name twice in one object, an integer beyond
        64 bits, a NUL character, or nested deeper than :data:`MAX_DEPTH`. The detail
        says where, never what.

    Examples
    --------
    >>> parse(b'{"lead": {"employees": 3}}')
    {'lead': {'employees': 3}}
    >>> parse(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    leadml.errors.InvalidBody: a name occurs twice in one object
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        at = f"line {error.lineno} column {error.colno}"
        raise InvalidBody(
            f"the body is not JSON: {error.msg.split(':')[0]} ({at})"
            if body
            else "the body is empty",
            fix="send one JSON object in UTF-8",
        ) from None
    openings, colons, long = _marks(body)
    names = _names(data, openings)
    # Every name brings one colon outside texts. As many colons as names that survived:
    # no name was lost, and no text holds a colon.
    if long or (colons != names and not _colons_are_in_texts(body, data, names)):
        _parse_exactly(body)
    if b"\\" in body and b"\\u0000" in body:
        _refuse_nul(data)
    return data


def _marks(body: bytes) -> tuple[int, int, bool]:
    """Opening brackets, colons, and whether some digits may be an integer beyond 64 bits."""
    if len(body) < _LARGE:
        openings = body.count(b"{") + body.count(b"[")
        return openings, body.count(b":"), _LONG in body.translate(_DIGITS)
    code = np.frombuffer(body, dtype=np.uint8)
    brackets = np.count_nonzero((code | 0x20) == 0x7B)  # [ and { differ in one bit
    digits = (code - 48) < 10  # wraps around below 48
    run = 1
    while run < len(_LONG):  # digits[i]: the run that begins at i is at least so long
        more = min(run, len(_LONG) - run)
        digits = digits[:-more] & digits[more:]
        run += more
    return int(brackets), int(np.count_nonzero(code == 0x3A)), bool(digits.any())


def _names(data: Any, openings: int) -> int:
    """Count the names of all objects; refuses deep nesting.

    There are at most ``openings`` objects and lists. Once so many are seen, the values
    of the innermost need not be looked at.
    """
    if type(data) is not dict and type(data) is not list:
        return 0
    names = 0
    seen = 1
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            if type(value) is dict:
                names += len(value)
                if seen == openings:
                    continue
                value = value.values()
            elif seen == openings:
                continue
            inner = [item for item in value if type(item) is dict or type(item) is list]
            seen += len(inner)
            deeper += inner
        if not deeper:
            return names
        level = deeper
    raise InvalidBody(
        f"the body is nested deeper than {MAX_DEPTH}", fix="send flat fields: one value each"
    )


def _colons_are_in_texts(body: bytes, data: Any, names: int) -> bool:
    """Whether the surplus of colons stands in texts; False when it cannot be told."""
    if b"\\u003" in body:
        return False
    inside = 0
    stack = [data]
    while stack:
        value = stack.pop()
        kind = type(value)
        if kind is str:
            inside += value.count(":")
        elif kind is dict:
            stack.extend(value)
            stack.extend(value.values())
        elif kind is list:
            stack.extend(value)
    return body.count(b":") - inside == names


def _parse_exactly(body: bytes) -> None:
    """Parse again with the standard library, which sees every name and every digit."""
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=_within_64_bit)
    except RecursionError:
        raise InvalidBody(f"the body is nested deeper than {MAX_DEPTH}") from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise InvalidBody(
            "a name occurs twice in one object",
            fix="send each field once; it is unclear which counts",
        )


def _within_64_bit(digits: str) -> int:
    if len(digits) > 20 or not _LEAST <= int(digits) <= _MOST:
        raise InvalidBody("an integer is beyond 64 bits", fix="send it as text if it is an id")
    return 0


def _refuse_nul(data: Any) -> None:
    stack = [data]
    while stack:
        value = stack.pop()
        kind = type(value)
        if kind is str:
            if "\0" in value:
                raise InvalidBody("a text holds the character NUL", fix="remove the character")
        elif kind is dict:
            stack.extend(value)
            stack.extend(value.values())
        elif kind is list:
            stack.extend(value)
