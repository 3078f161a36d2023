"""Whether sales can still work what is proposed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from leadml.leads.estimate import Z95, Estimate

__all__ = ["LUCK", "WEEKS_LOOKED", "Room", "monday", "poisson_tail", "room_for_proposals"]

LUCK: Final = 0.01
"""Luck that is allowed: an alarm needs a count that capacity alone gives more rarely."""

WEEKS_LOOKED: Final = 4
"""Weeks over which a small but lasting excess is looked for."""

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class Room:
    """Proposals of whole weeks (Monday to Sunday, UTC) against the capacity.

    Parameters
    ----------
    capacity_per_week
        Leads that sales can work in a week; None where the policy names none.
    week
        Monday of the last whole week, as ``2026-11-16``.
    proposals
        Proposals of that week.
    weeks
        Proposals per week, the oldest first, all since the policy holds.
    chance
        Smallest chance of so many proposals, or more, if they came at the rate of the
        capacity; None without capacity or whole weeks.
    exceeded
        Whether that chance is below :data:`LUCK`.
    sentence
        The same in words.
    """

    capacity_per_week: float | None
    week: str
    proposals: int | None
    weeks: tuple[int, ...]
    chance: float | None
    exceeded: bool
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        found: dict[str, Any] = {
            "exceeded": self.exceeded,
            "sentence": self.sentence,
            "week": self.week,
            "weeks": list(self.weeks),
        }
        for name in ("capacity_per_week", "proposals", "chance"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        if self.weeks:
            found["per_week"] = _rate(self.weeks).as_dict()
        return found


def monday(moment: datetime) -> datetime:
    """The beginning of the week (UTC) that a moment falls into.

    >>> monday(datetime(2026, 11, 22, 5, tzinfo=UTC)).isoformat()
    '2026-11-16T00:00:00+00:00'
    """
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def poisson_tail(count: int, mean: float) -> float:
    """Chance of ``count`` or more where ``mean`` are expected.

    >>> round(poisson_tail(3, 1.0), 4), poisson_tail(0, 5.0)
    (0.0803, 1.0)
    """
    if count <= 0:
        return 1.0
    k = np.arange(count, dtype=np.float64)
    factorials = np.concatenate(([0.0], np.log(np.arange(1, count)).cumsum()))[:count]
    below = float(np.exp(k * math.log(mean) - mean - factorials).sum())
    return max(0.0, 1.0 - below)


def room_for_proposals(
    proposed: Sequence[datetime],
    capacity_per_week: float | None,
    *,
    since: datetime | None,
    now: datetime,
) -> Room:
    """Hold the proposals of whole weeks against the capacity.

    The rule: if proposals came at the rate of the capacity, would the last whole week, or
    the last four of them together, bring so many by luck? If the smaller of both chances
    is below 1 in 100, capacity is exceeded.

    Parameters
    ----------
    proposed
        When leads became ``mql``, aware.
    capacity_per_week
        Leads that sales can work in a week; None judges nothing.
    since
        Since when the policy holds: earlier weeks, and the one it began in, do not count.
        None counts all weeks from the first proposal on.
    now
        The present.
    """
    this_week = monday(now)
    week = (this_week - _WEEK).date().isoformat()
    begin = min(proposed, default=now) if since is None else since
    first = monday(begin)
    if first < begin and since is not None:
        first += _WEEK
    n_weeks = max(0, min(WEEKS_LOOKED, (this_week - first) // _WEEK))
    weeks = [0] * n_weeks
    for moment in proposed:
        back = (this_week - moment) / _WEEK
        if 0 < back <= n_weeks:
            weeks[n_weeks - math.ceil(back)] += 1
    if capacity_per_week is None:
        said = "The policy names no capacity, so nothing is held against one."
        return Room(None, week, weeks[-1] if weeks else None, tuple(weeks), None, False, said)
    if not weeks:
        said = "Too early to tell: no whole week has passed under this policy."
        return Room(capacity_per_week, week, None, (), None, False, said)
    last = poisson_tail(weeks[-1], capacity_per_week)
    lasting = poisson_tail(sum(weeks), capacity_per_week * len(weeks))
    chance = min(last, lasting)
    exceeded = chance < LUCK
    room = f"{capacity_per_week:,.10g}"
    if not exceeded:
        said = f"{weeks[-1]:,} leads were proposed last week; sales can work {room}."
    elif last <= lasting:
        said = f"{weeks[-1]:,} leads were proposed last week, more than the {room} sales can work."
    else:
        mean = sum(weeks) / len(weeks)
        said = (
            f"{mean:,.0f} leads a week were proposed in the last {len(weeks)} weeks, more than the"
            f" {room} sales can work."
        )
    return Room(capacity_per_week, week, weeks[-1], tuple(weeks), chance, exceeded, said)


def _rate(weeks: Sequence[int]) -> Estimate:
    """Mean of weekly counts, with the normal interval of a Poisson rate."""
    mean = sum(weeks) / len(weeks)
    half = Z95 * math.sqrt(max(sum(weeks), 1)) / len(weeks)
    return Estimate(mean, max(0.0, mean - half), mean + half)
