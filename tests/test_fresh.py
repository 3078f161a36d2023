"""Counts that nobody waits for twice."""

from __future__ import annotations

import threading

import pytest

from leadml.errors import StoreUnavailable
from leadml.service.fresh import FRESH_S, LAPSED_S, Fresh


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The present second."""
        return self.now


def test_a_count_is_made_once_while_it_is_fresh() -> None:
    """Asked again within its time, the same count is given without counting."""
    made: list[int] = []
    fresh = Fresh(Clock())
    found = [fresh.get("n", lambda: made.append(1) or len(made)) for _ in range(3)]
    assert found == [1, 1, 1]
    fresh.close()


def test_an_older_count_is_shown_while_it_is_counted_anew() -> None:
    """A stale count is given at once; the next one is ready a moment later."""
    clock, release, done = Clock(), threading.Event(), threading.Event()
    fresh = Fresh(clock)
    assert fresh.get("n", lambda: 1) == 1
    clock.now = FRESH_S + 1

    def again() -> int:
        release.wait(5)
        done.set()
        return 2

    assert fresh.get("n", again) == 1
    release.set()
    assert done.wait(5)
    for _ in range(500):
        if fresh.get("n", again) == 2:
            break
    assert fresh.get("n", again) == 2
    fresh.close()


def test_who_will_not_wait_gets_nothing_and_later_the_count() -> None:
    """With a patience the first to ask gets None, and the count once it is made."""
    release = threading.Event()
    fresh = Fresh(Clock())

    def slow() -> int:
        release.wait(5)
        return 7

    assert fresh.get("n", slow, 0.01) is None
    release.set()
    assert fresh.get("n", slow) == 7
    fresh.close()


def test_a_lapsed_count_is_not_shown() -> None:
    """What is older than the longest time is counted before it is given."""
    clock = Clock()
    fresh = Fresh(clock)
    assert fresh.get("n", lambda: 1) == 1
    clock.now = LAPSED_S + 1
    assert fresh.get("n", lambda: 2) == 2
    fresh.close()


def test_a_failure_is_told_and_tried_again() -> None:
    """A count that fails raises for who waits, and the next one is tried."""
    fresh = Fresh(Clock())

    def fails() -> int:
        raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        fresh.get("n", fails)
    assert fresh.get("n", lambda: 3) == 3
    fresh.forget()
    assert fresh.get("n", lambda: 4) == 4
    fresh.close()


def test_a_closed_one_counts_again_when_asked() -> None:
    """A server that starts again shows counts again."""
    fresh = Fresh(Clock())
    assert fresh.get("n", lambda: 1) == 1
    fresh.close()
    assert fresh.get("m", lambda: 2) == 2
    fresh.close()
