"""When a message is tried again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

__all__ = ["STANDARD_S", "Schedule"]

STANDARD_S: Final = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18e3, 36e3, 50.4e3, 72e3, 86.4e3)
"""Seconds before each attempt, as the Standard Webhooks specification recommends."""

JITTER: Final = 0.1


class Schedule:
    """Pauses between attempts, each a little longer or shorter by chance.

    Parameters
    ----------
    pauses_s
        Before each attempt, the first included.
    chance
        Where the jitter comes from.

    Examples
    --------
    >>> schedule = Schedule(chance=random.Random(0))
    >>> round(schedule.pause_s(1))  # after the first attempt about 5 seconds
    5
    >>> schedule.pause_s(10) is None  # after the tenth there is none
    True
    """

    def __init__(
        self, pauses_s: Sequence[float] = STANDARD_S, chance: random.Random | None = None
    ) -> None:
        self.pauses_s = tuple(pauses_s)
        self._chance = chance or random.Random()

    def pause_s(self, attempts: int, asked_s: float | None = None) -> float | None:
        """Seconds until the next attempt after so many; None when there is none.

        Parameters
        ----------
        attempts
            Made so far.
        asked_s
            What the receiver asked for: never earlier than that.
        """
        if attempts >= len(self.pauses_s):
            return None
        pause = self.pauses_s[attempts]
        pause *= 1 + JITTER * (2 * self._chance.random() - 1)
        return max(pause, asked_s * (1 + JITTER * self._chance.random()) if asked_s else 0.0)

    @property
    def span_s(self) -> float:
        """Seconds from the first attempt to the last, without jitter."""
        return sum(self.pauses_s)
