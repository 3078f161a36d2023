"""leadml.webhooks.tokens: fetched for an application, kept while they live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from receiver import Answer, receiver

from leadml.webhooks import Guard, Receiver
from leadml.webhooks.reply import CallFailed
from leadml.webhooks.tokens import Tokens
from leadml.webhooks.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire that may call this machine."""
    made = Wire(Guard(["127.0.0.1"]), timeout_s=2)
    yield made
    made.close()


def application(name: str) -> Receiver:
    """A receiver whose credential is an application."""
    return Receiver("x", credential=json.dumps({"client_id": name, "client_secret": "s"}))


def test_tokens_are_kept_while_they_live(wire: Wire) -> None:
    """One that lives is used again; those that ended are dropped when another comes."""
    told = iter([("a", 3600), ("b", 0), ("c", 0)])

    def answer(_: Any) -> Answer:
        token, lives_s = next(told)
        return Answer(body=json.dumps({"access_token": token, "expires_in": lives_s}).encode())

    tokens = Tokens()
    with receiver(answer) as there:
        assert [tokens.of(wire, application("1"), there.url, {}) for _ in range(3)] == ["a"] * 3
        assert [tokens.of(wire, application("2"), there.url, {}) for _ in range(2)] == ["b", "c"]
        assert len(there.calls) == 3
    assert [token for token, _ in tokens._kept.values()] == ["a", "c"]


@pytest.mark.parametrize(
    "said", [b"", b"[]", b"null", b"{}", b'{"access_token": null}', b'{"access_token": 7}']
)
def test_what_is_no_token_is_none(wire: Wire, said: bytes) -> None:
    """An answer without a text as its token is a failed call, not a token called None."""
    with (
        receiver(lambda _: Answer(body=said)) as there,
        pytest.raises(CallFailed, match="no token was given"),
    ):
        Tokens().of(wire, application("1"), there.url, {})
