"""A figure with the interval that supports it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Z95", "Estimate", "percent", "wilson"]

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution: intervals here are 95 % ones."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; ``low`` and ``high`` are None where none is shown.

    >>> Estimate(0.8, 0.7, 0.9).as_dict()
    {'value': 0.8, 'low': 0.7, 'high': 0.9}
    >>> Estimate(0.8).as_dict()
    {'value': 0.8}
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for part in (self.value, self.low, self.high):
            if part is not None and not math.isfinite(part):
                raise ValueError("an estimate must be finite; leave it out instead")

    def as_dict(self) -> dict[str, float]:
        """Plain data; an interval that is not shown is left out."""
        found = {"value": float(self.value)}
        if self.low is not None and self.high is not None:
            found["low"] = float(self.low)
            found["high"] = float(self.high)
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Estimate:
        """The inverse of :meth:`as_dict`."""
        return cls(data["value"], data.get("low"), data.get("high"))


def wilson(successes: float, n: float) -> tuple[float, float]:
    """95 % score interval of a share, in [0, 1]; (0, 1) where nothing was seen.

    Wilson, E. B. (1927), J. Am. Stat. Assoc. 22, 209-212.

    >>> low, high = wilson(0, 20)
    >>> low, round(high, 3)
    (0.0, 0.161)
    """
    if n <= 0:
        return 0.0, 1.0
    share = successes / n
    z2 = Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes <= 0 else max(0.0, middle - half)
    high = 1.0 if successes >= n else min(1.0, middle + half)
    return low, high


def percent(share: float) -> str:
    r"""A share as a sentence says it: whole percents from 10 %, one decimal below.

    >>> percent(0.614), percent(0.0962), percent(0.0), percent(0.0003), percent(0.9992)
    ('61\u202f%', '9.6\u202f%', '0\u202f%', '<0.1\u202f%', '99.9\u202f%')
    """
    if 0 < share < 0.0005:
        return "<0.1\u202f%"
    if 0.9995 <= share < 1:
        return ">99.9\u202f%"
    digits = 0 if 0.0995 <= share <= 0.995 or share in (0.0, 1.0) else 1
    return f"{100 * share:.{digits}f}\u202f%"
