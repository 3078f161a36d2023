"""Whether a lead warms up or cools down.

The latest score is compared, in log-odds, with the newest one made at least
:data:`TREND_DAYS` days before it; where there is none, with the first one. Scores of
different models are never compared: a new model says nothing about the lead. The lead
is *rising* when its odds have grown by :data:`TREND_FACTOR` or more, *falling* when they
have shrunk as much, else *steady*.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

__all__ = ["TREND_DAYS", "TREND_FACTOR", "Trend", "trend_of"]

TREND_DAYS: Final = 7
TREND_FACTOR: Final = 1.5

_LINE: Final = math.log(TREND_FACTOR)
_SPAN: Final = timedelta(days=TREND_DAYS)


@dataclass(frozen=True, slots=True)
class Trend:
    """How a lead's score moved.

    Parameters
    ----------
    direction
        In one word.
    change
        Of the log-odds, since ``since``.
    since
        When the score compared with was made.
    """

    direction: Literal["rising", "steady", "falling"]
    change: float
    since: datetime

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with the rule in words."""
        against = f"the newest score {TREND_DAYS} days older, else with the first"
        return {
            "direction": self.direction,
            "log_odds_change": round(self.change, 4) + 0.0,
            "odds_ratio": round(math.exp(min(50.0, self.change)), 2),
            "since": self.since.isoformat().replace("+00:00", "Z"),
            "rule": f"rising or falling when the odds changed {TREND_FACTOR}-fold, "
            f"compared with {against} of the same model",
        }


def trend_of(scores: Iterable[tuple[datetime, float]]) -> Trend | None:
    """The trend of a lead; None before its second score under the present model.

    Parameters
    ----------
    scores
        Moment and log-odds of each score under the model of the latest one, in any order.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = [datetime(2026, 11, d, tzinfo=UTC) for d in range(1, 30)]
    >>> trend_of([(day[0], -3.0), (day[9], -2.0), (day[20], -1.9)]).direction
    'steady'
    >>> trend_of([(day[0], -3.0), (day[1], -2.0)]).direction
    'rising'
    """
    ordered = sorted(scores)
    if len(ordered) < 2:
        return None
    at, log_odds = ordered[-1]
    older = [score for score in ordered[:-1] if at - score[0] >= _SPAN]
    since, before = older[-1] if older else ordered[0]
    change = log_odds - before
    if change >= _LINE:
        return Trend("rising", change, since)
    return Trend("falling" if change <= -_LINE else "steady", change, since)
