"""What became of past decisions, counted over whole weeks."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final, Literal

import numpy as np

from leadml.errors import LeadmlError
from leadml.leads.vocabulary import Outcome
from leadml.registry.clock import spelled
from leadml.service.memory import Memory
from leadml.service.serving import Served
from leadml.store import Followed
from leadml.thresholds import Cohort

__all__ = [
    "FEWEST_CONVERSIONS",
    "FEWEST_LEADS",
    "USUAL_HORIZON_DAYS",
    "WEEKS",
    "Looked",
    "Past",
    "converted_of",
    "horizon_of",
    "outcome_of",
]

WEEKS: Final = 12
"""Most weeks that are looked back."""

FEWEST_WEEKS: Final = 4
"""Fewest whole weeks from which the number of leads a week is taken."""

FEWEST_LEADS: Final = 100
FEWEST_CONVERSIONS: Final = 20
"""Fewest matured leads, and conversions among them, that a setting is tried on."""

USUAL_HORIZON_DAYS: Final = 90
"""Horizon where the model was trained without one."""

FRESH_S: Final = 60.0
"""What was counted is used so long, in seconds."""

STALE_S: Final = 600.0
"""And forgotten after that."""

_WEEK: Final = timedelta(days=7)

log = logging.getLogger(__name__)


def horizon_of(served: Served) -> timedelta:
    """Within what time a conversion counts for a model."""
    told = served.facts.get("labels", {}).get("horizon_days")
    return timedelta(days=USUAL_HORIZON_DAYS if told is None else int(told))


def outcome_of(served: Served) -> Outcome:
    """What a model was trained to foresee."""
    told = served.facts.get("config", {}).get("outcome")
    return Outcome.WON if told is None else Outcome(told)


def converted_of(found: Followed, horizon: timedelta) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 where the conversion came within the horizon, else 0, shape (n,)."""
    limit = horizon // timedelta(microseconds=1)
    return np.array(
        [delay is not None and delay <= limit for delay in found.delay_us], dtype=np.float64
    )


@dataclass(frozen=True)
class Looked:
    """Leads whose outcome is known, on which a setting is tried.

    Parameters
    ----------
    cohort
        Their counts.
    source
        ``decisions``: what was decided and reported here; ``training``: the leads that the
        model was tested on.
    sentence
        Which leads these are, in words.
    since, until
        Span of the decisions; None for those of the training.
    model_versions
        Decisions by the version that made them.
    """

    cohort: Cohort
    source: Literal["decisions", "training"]
    sentence: str
    since: datetime | None = None
    until: datetime | None = None
    model_versions: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = {
            "source": self.source,
            "sentence": self.sentence,
            "n_leads": self.cohort.n,
            "n_conversions": self.cohort.conversions,
            "leads_per_week": self.cohort.leads_per_week,
            "leads_per_week_known": self.cohort.leads_per_week_known,
        }
        if self.since is not None and self.until is not None:
            found["from"] = spelled(self.since)
            found["to"] = spelled(self.until)
            found["model_versions"] = self.model_versions
        return found


class Past:
    """Counts of what the memory holds, kept for a minute.

    Parameters
    ----------
    memory
        Where decisions and outcomes are.
    clock
        Gives the present moment, aware UTC.
    """

    def __init__(
        self, memory: Memory, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.memory = memory
        self.clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Any, tuple[float, Any]] = {}
        self._counting: dict[Any, threading.Lock] = {}

    def looked(self, served: Served) -> Looked:
        """The leads a setting is tried on: the last matured weeks, else those of the training.

        Raises
        ------
        PlanNotApplicable
            Too few decisions have matured and the model does not carry its own leads.
        """
        key = ("looked", served.versions.model)
        return self._tried(key, lambda: self._live(served)) or _of_training(served)

    def intake(self) -> float | None:
        """Leads that came in during a usual week of late; None where too few weeks are known."""
        found: float | None = self._tried(("intake",), self._intake)
        return found

    def forget(self) -> None:
        """Count anew when asked next."""
        with self._lock:
            self._kept.clear()

    def once(self, key: Any, count: Callable[[], Any]) -> Any:
        """What was counted within the last minute, or counted now.

        While one caller counts anew, others get what was counted before.
        """
        with self._lock:
            counting = self._counting.setdefault(key, threading.Lock())
            kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] <= FRESH_S:
            return kept[1]
        if not counting.acquire(blocking=kept is None) and kept is not None:
            return kept[1]
        try:
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept[0] <= FRESH_S:
                return kept[1]
            made = count()
            now = time.monotonic()
            with self._lock:
                for old in [k for k, one in self._kept.items() if now - one[0] > STALE_S]:
                    del self._kept[old]
                    self._counting.pop(old, None)
                self._kept[key] = (now, made)
                self._counting[key] = counting
            return made
        finally:
            counting.release()

    def _tried(self, key: Any, count: Callable[[], Any]) -> Any:
        """As :meth:`once`; None while nothing is remembered or the memory cannot be asked."""
        if not self.memory.is_on:
            return None
        try:
            return self.once(key, count)
        except LeadmlError as error:
            log.warning("past decisions could not be counted", extra={"code": error.code})
            return None

    def _live(self, served: Served) -> Looked | None:
        store = self.memory.require()
        now, horizon = self.clock(), horizon_of(served)
        until = now - horizon
        first = store.first_decision()
        if first is None or first > until - _WEEK:
            return None
        weeks = min(WEEKS, int((until - first) / _WEEK))
        since = until - weeks * _WEEK
        found = store.followed(since=since, until=until, as_of=now, outcome=outcome_of(served))
        won = converted_of(found, horizon)
        if len(found) < FEWEST_LEADS or won.sum() < FEWEST_CONVERSIONS:
            return None
        span = "last matured week" if weeks == 1 else f"last {weeks} matured weeks"
        return Looked(
            Cohort.of(found.probability, won, len(found) / weeks).compact(),
            "decisions",
            f"{len(found):,} leads scored in the {span} ({since:%Y-%m-%d} to {until:%Y-%m-%d}),"
            f" {int(won.sum()):,} of which converted within {horizon.days} days.",
            since,
            until,
            dict(Counter(found.model_version)),
        )

    def _intake(self) -> float | None:
        store = self.memory.require()
        now = self.clock()
        first = store.first_decision()
        if first is None:
            return None
        weeks = min(WEEKS, int((now - first) / _WEEK))
        if weeks < FEWEST_WEEKS:
            return None
        since = now - weeks * _WEEK
        moments = store.arrivals(since=since, until=now)
        if len(moments) < FEWEST_LEADS:
            return None
        counts = Counter(min(int((moment - since) / _WEEK), weeks - 1) for moment in moments)
        usual = float(median(counts.get(week, 0) for week in range(weeks)))
        return usual or None


def _of_training(served: Served) -> Looked:
    cohort = served.cohort
    protocol = served.facts.get("protocol", {}).get("name")
    how = f" ({protocol})" if protocol else ""
    return Looked(
        cohort,
        "training",
        f"{cohort.n:,} leads that {served.versions.model} was tested on{how}: too few recorded"
        " decisions have matured yet.",
    )
