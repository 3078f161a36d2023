"""How often each caller may ask."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from leadml.errors import RateLimited

__all__ = ["RATE", "WINDOW_S", "Rates"]

RATE: Final = "leadml.rate"
"""Where in a scope stands what is left, as headers tell it."""

WINDOW_S: Final = 1.0

MOST_CALLERS: Final = 10_000

Headers = tuple[tuple[bytes, bytes], tuple[bytes, bytes]]


class Rates:
    """At most so many requests of one caller within any second, whenever it begins.

    Exact: the moments of the latest requests are kept, not a count that is reset. What is
    refused does not count.

    Parameters
    ----------
    per_second
        Requests within any second, at least 1.
    clock
        Seconds that only grow.

    Examples
    --------
    >>> rates = Rates(2, clock=lambda: 0.0)
    >>> rates.take("a")[1]
    (b'ratelimit', b'"key";r=1;t=1')
    >>> rates.take("a"), rates.wait_s("a")
    (((b'ratelimit-policy', b'"key";q=2;w=1'), (b'ratelimit', b'"key";r=0;t=1')), 1.0)
    """

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}
        self._policy = (b"ratelimit-policy", b'"key";q=%d;w=%d' % (per_second, WINDOW_S))
        self._left = [
            (self._policy, (b"ratelimit", b'"key";r=%d;t=1' % left))
            for left in range(per_second + 1)
        ]

    def take(self, caller: str) -> Headers:
        """Count a request; tells what is left, as ``RateLimit-Policy`` and ``RateLimit``."""
        taken = self._of(caller)
        taken.append(self._clock())
        return self._left[max(0, self.per_second - len(taken))]

    def wait_s(self, caller: str) -> float:
        """Seconds until the caller may ask again; 0.0 for now."""
        taken = self._of(caller)
        if len(taken) < self.per_second:
            return 0.0
        return taken[-self.per_second] + WINDOW_S - self._clock()

    def spent(self) -> Headers:
        """What headers tell a caller that has to wait."""
        return self._left[0]

    def refusal(self) -> RateLimited:
        """The error for a caller that has to wait."""
        return RateLimited(
            "this key asks more often than it may",
            fix="wait the seconds of Retry-After; LEADML_RATE_LIMIT sets the limit",
        )

    def _of(self, caller: str) -> deque[float]:
        """Moments of a caller's requests within the latest window."""
        taken = self._taken.get(caller)
        if taken is None:
            if len(self._taken) >= MOST_CALLERS:
                self._taken.pop(next(iter(self._taken)))
            taken = self._taken[caller] = deque()
        oldest = self._clock() - WINDOW_S
        while taken and taken[0] <= oldest:
            taken.popleft()
        return taken
