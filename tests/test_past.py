"""leadml.service.past: what was counted is kept, and counted by one caller at a time."""

from __future__ import annotations

import threading
import time

import pytest

from leadml.service import past
from leadml.service.memory import Memory
from leadml.service.past import Past
from leadml.settings import Settings


@pytest.fixture
def counts() -> Past:
    """A past without a memory."""
    return Past(Memory(Settings(database_url="")))


def test_counted_once_while_fresh(counts: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key is not counted again before a minute is over; another one is."""
    seen: list[str] = []

    def count(name: str) -> str:
        seen.append(name)
        return name

    assert [counts.once("a", lambda: count("a")) for _ in range(3)] == ["a"] * 3
    counts.once("b", lambda: count("b"))
    assert seen == ["a", "b"]
    monkeypatch.setattr(past, "FRESH_S", 0.0)
    counts.once("a", lambda: count("a"))
    assert seen == ["a", "b", "a"]


def test_nobody_waits_for_a_recount(counts: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one caller counts anew, others get the count before; the first ones share one."""
    started, go = threading.Event(), threading.Event()

    def slow() -> str:
        started.set()
        go.wait(10)
        return "new"

    results: list[str] = []
    callers = [
        threading.Thread(target=lambda: results.append(counts.once("a", slow))) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    started.wait(10)
    go.set()
    for caller in callers:
        caller.join()
    assert results == ["new"] * 4
    monkeypatch.setattr(past, "FRESH_S", 0.0)
    started.clear()
    go.clear()
    again = threading.Thread(target=counts.once, args=("a", slow))
    again.start()
    started.wait(10)
    begin = time.monotonic()
    assert counts.once("a", lambda: "mine") == "new"
    assert time.monotonic() - begin < 5
    go.set()
    again.join()


def test_a_failed_count_is_not_kept(counts: Past) -> None:
    """The next caller tries again."""
    with pytest.raises(ZeroDivisionError):
        counts.once("a", lambda: 1 / 0)
    assert counts.once("a", lambda: 7) == 7
