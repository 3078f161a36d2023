"""Bodies: read within limits, parsed strictly."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.api.bodies import _LARGE, MAX_DEPTH, Disconnected, _marks, parse, read_body
from leadml.errors import BodyTimeout, InvalidBody, TooLarge, UnsupportedEncoding

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from([":", "a:b", '"', "\\u003a", "{:}", "::"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans())
def test_sound_json_is_read(value: Any, ascii_only: bool) -> None:
    """Whatever JSON can say within limits comes out as it went in, colons in texts included."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert parse(body) == json.loads(body)


@given(
    st.dictionaries(st.text("abc:", min_size=1, max_size=3), st.text("a:\\"), min_size=1),
    st.data(),
)
def test_a_name_given_twice_is_refused(fields: dict[str, str], data: st.DataObject) -> None:
    """An object that names a field twice is refused, whatever colons its texts hold."""
    again = data.draw(st.sampled_from(sorted(fields)))
    inside = json.dumps(fields)[1:-1]
    body = f'{{"lead": {{{inside}, {json.dumps(again)}: "x"}}}}'.encode()
    with pytest.raises(InvalidBody, match="twice"):
        parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": "\\u003a", "a": ""}',
        b'{"a": "", "a": "\\u003a"}',
        b'{"a": 1, "a": 2, "b\\u003A": 3}',
        b'{"a": [":"], "a": 2}',
        b'{"lead": {"a": 1}, "lead": {}}',
        b'[{"a": {"b": 1, "b": 2}}]',
    ],
)
def test_hidden_doubles_are_refused(body: bytes) -> None:
    """An escaped name or colon does not hide a second value."""
    with pytest.raises(InvalidBody):
        parse(body)


@pytest.mark.parametrize(
    "number",
    ["18446744073709551616", "-9223372036854775809", "9" * 300, "-" + "9" * 4000, "1e400", "NaN"],
)
def test_numbers_beyond_are_refused(number: str) -> None:
    """An integer beyond 64 bits, or what no float can hold, is refused."""
    with pytest.raises(InvalidBody):
        parse(f'{{"lead": {{"employees": {number}}}}}'.encode())


@pytest.mark.parametrize("number", ["18446744073709551615", "-9223372036854775808", "1e300", "0.1"])
def test_numbers_at_the_edge_are_read(number: str) -> None:
    """The outermost 64-bit integers and large floats are read."""
    assert parse(number.encode()) == json.loads(number)


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809"])
@pytest.mark.parametrize("name", ["b", "a"])
def test_large_bodies_are_looked_over_alike(digits: str, name: str) -> None:
    """Beyond a few kilobytes, doubles, long integers and colons in texts are found as before."""
    filler = ", ".join(f'"f{k}": [{{"text": "at 12:{k} [{{"}}, {k}]' for k in range(1_000))
    sound = f'{{"a": 1, {filler}}}'.encode()
    assert parse(sound) == json.loads(sound)
    bad = f'{{"a": 1, {filler}, "{name}": {digits if name == "b" else 1}}}'.encode()
    with pytest.raises(InvalidBody):
        parse(bad)


@given(st.text('{}[]:,0123456789 "a', max_size=60), st.booleans())
def test_marks_are_counted_alike(text: str, large: bool) -> None:
    """Both ways of looking a body over find the same."""
    body = text.encode()
    found = _marks(body + b" " * (_LARGE if large else 0))
    runs = re.findall(r"[0-9]{19,}", text)
    assert found == (text.count("{") + text.count("["), text.count(":"), bool(runs))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'"\0"',
        b'"a\\u0000b"',
        b'{"\\u0000": 1}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 100_000,
        b'{"a": ' + b"[" * 900 + b"]" * 900 + b', "a": 1}',
        b"\x1f\x8b\x08\x00",
        b"lead=1",
    ],
)
def test_other_bytes_are_refused(body: bytes) -> None:
    """What is no plain JSON is refused with a short sentence that repeats none of it."""
    with pytest.raises(InvalidBody) as caught:
        parse(body)
    assert len(caught.value.sentence()) < 300


def test_escaped_backslash_before_u0000_is_text() -> None:
    """A text that merely spells a NUL escape is a text."""
    assert parse(b'"\\\\u0000"') == "\\u0000"


def read(
    messages: Iterable[dict[str, Any]],
    headers: Iterable[tuple[bytes, bytes]] = (),
    limit: int = 10,
    timeout_s: float = 1.0,
) -> tuple[bytes, int]:
    """The body that :func:`read_body` gives, and how many messages it took."""
    queue = iter(messages)
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        for message in queue:
            taken += 1
            return message
        await asyncio.sleep(60)
        raise AssertionError

    scope = {"type": "http", "headers": list(headers)}
    return asyncio.run(read_body(scope, receive, limit, timeout_s)), taken


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    """One ASGI message of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def test_parts_are_joined() -> None:
    """A body in several parts is one body, up to the limit itself."""
    assert read([part(b"12345"), part(b""), part(b"67890", more=False)])[0] == b"1234567890"


def test_reading_stops_at_the_limit() -> None:
    """Of an endless body no more than the part that crosses the limit is taken."""
    taken = 0

    def endless() -> Iterable[dict[str, Any]]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield part(b"12345678")

    with pytest.raises(TooLarge):
        read(endless())
    assert taken == 2


@pytest.mark.parametrize("length", [b"11", b"9" * 40])
def test_declared_size_is_believed_when_too_large(length: bytes) -> None:
    """A declared size beyond the limit is refused before anything is read."""
    with pytest.raises(TooLarge):
        read([], [(b"content-length", length)])


def test_lying_size_does_not_help() -> None:
    """A small declared size does not let a large body pass."""
    with pytest.raises(TooLarge):
        read([part(b"x" * 11, more=False)], [(b"content-length", b"3")])


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate, gzip", b"zstd"])
def test_compressed_bodies_are_refused(encoding: bytes) -> None:
    """No compressed body is unpacked, so none can be a bomb."""
    with pytest.raises(UnsupportedEncoding):
        read([part(b"x", more=False)], [(b"content-encoding", encoding)])


def test_identity_is_no_encoding() -> None:
    """The header may say that nothing is encoded."""
    assert read([part(b"{}", more=False)], [(b"content-encoding", b"Identity")])[0] == b"{}"


def test_slow_body_ends() -> None:
    """A body that never completes is given up after the time allowed."""
    with pytest.raises(BodyTimeout):
        read([part(b"{")], timeout_s=0.05)


def test_gone_client_is_noticed() -> None:
    """A client that leaves in the middle ends the reading."""
    with pytest.raises(Disconnected):
        read([part(b"{"), {"type": "http.disconnect"}])
