"""Leads whose outcome is known, counted from the highest chance down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.errors import ConfigError, DataError
from leadml.leads.estimate import Z95, Estimate, wilson
from leadml.leads.vocabulary import Stage
from leadml.scorecard.reasons import digits4
from leadml.thresholds.policy import NOBODY, StageExpectation

__all__ = ["MOST_STEPS", "TRUSTED", "Cohort", "at_rank_of"]

MOST_STEPS: Final = 2_000
"""Most steps that a cohort keeps when it is written down."""

TRUSTED: Final = 10
"""Fewest leads above a line whose precision is believed."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Shown probabilities, highest first, with leads and conversions at or above each.

    All that lines and their expectations need to know of the leads they are chosen on,
    small enough to travel with a model.

    Parameters
    ----------
    steps
        Probabilities as shown (four significant digits), strictly falling, shape (k,).
    leads, won
        Leads at or above each step, and conversions among them, shape (k,).
    leads_per_week
        Leads that come in during a usual week, above 0.
    leads_per_week_known
        False when the weekly number is only assumed.
    newest
        Number of other leads whose chances the steps are (:func:`at_rank_of`); None where
        they are the counted leads' own. What these few leave unsure widens weekly figures.
    """

    steps: NDArray[np.float64]
    leads: Counts
    won: Counts
    leads_per_week: float
    leads_per_week_known: bool = True
    newest: int | None = None

    @classmethod
    def of(
        cls,
        probability: ArrayLike,
        converted: ArrayLike,
        leads_per_week: float,
        *,
        leads_per_week_known: bool = True,
        newest: int | None = None,
    ) -> Cohort:
        """Count leads that were not learned from.

        Parameters
        ----------
        probability
            Shape (n,), in [0, 1].
        converted
            Shape (n,), 0 or 1.

        Raises
        ------
        DataError
            If there are no leads, lengths differ, or values lie outside their range.
        ConfigError
            If ``leads_per_week`` is not above 0.
        """
        chances = np.asarray(probability, dtype=np.float64)
        outcome = np.asarray(converted, dtype=np.float64)
        if chances.ndim != 1 or chances.shape != outcome.shape:
            raise DataError("probabilities and outcomes must be two columns of one length")
        if chances.size == 0:
            raise DataError("there are no leads to choose the lines on")
        if not (np.isfinite(chances).all() and chances.min() >= 0 and chances.max() <= 1):
            raise DataError("probabilities must lie between 0 and 1")
        if not ((outcome == 0) | (outcome == 1)).all():
            raise DataError("outcomes must be 0 or 1; leave unknown ones out")
        _checked_week(leads_per_week)
        exact, where = np.unique(chances, return_inverse=True)
        shown = np.array([digits4(p) for p in exact.tolist()])
        steps, group = np.unique(shown, return_inverse=True)
        group = group[where]
        leads = np.bincount(group, minlength=steps.size)[::-1].cumsum()
        won = np.bincount(group, weights=outcome, minlength=steps.size)[::-1].cumsum()
        return cls(
            steps[::-1],
            leads.astype(np.int64),
            np.rint(won).astype(np.int64),
            float(leads_per_week),
            leads_per_week_known,
            newest,
        )

    def with_week(self, leads_per_week: float, *, known: bool = True) -> Cohort:
        """The same leads as if so many came in during a usual week."""
        _checked_week(leads_per_week)
        return replace(self, leads_per_week=float(leads_per_week), leads_per_week_known=known)

    def compact(self, most: int = MOST_STEPS) -> Cohort:
        """At most so many steps, each with its exact counts; dense where lines are drawn.

        Half of the steps are spread evenly over the leads, half over the orders of
        magnitude from the best lead down, so that a small capacity finds its line too.
        """
        if self.steps.size <= most:
            return self
        half = most // 2
        even = np.linspace(1, self.n, half)
        best = np.geomspace(1, self.n, most - half)
        ranks = np.concatenate((even, best))
        kept = np.unique(np.searchsorted(self.leads, ranks, side="left"))
        kept = np.union1d(kept, [0, self.steps.size - 1])[-most:]
        return replace(self, steps=self.steps[kept], leads=self.leads[kept], won=self.won[kept])

    @property
    def n(self) -> int:
        """Leads."""
        return int(self.leads[-1])

    @property
    def conversions(self) -> int:
        """Conversions among them."""
        return int(self.won[-1])

    @property
    def base_rate(self) -> float:
        """Share that converted."""
        return self.conversions / self.n

    def weekly_spread(self, total: Any, squares: Any) -> Any:
        """Half the range of a usual week, for sums over the leads above lines.

        Normal approximation of a compound Poisson sum: with ``scale`` leads a week per
        lead counted, the variance of one week is ``scale * squares``, that of the
        estimated rate ``scale^2 * (squares - total^2 / n)``, once for the leads counted
        and once for those whose chances the steps are.

        Parameters
        ----------
        total, squares
            What the leads above each line add up to, and the sum of its squares, shape (k,).
        """
        scale = self.leads_per_week / self.n
        doubts = 1.0 if self.newest is None else 1.0 + self.n / self.newest
        unsure = doubts * np.maximum(squares - np.square(total) / self.n, 0.0)
        return Z95 * np.sqrt(np.multiply(scale, squares) + scale * scale * unsure)

    def above(self, cutoff: float) -> tuple[int, int]:
        """Leads and conversions at or above a line."""
        at = int(np.searchsorted(-self.steps, -cutoff, side="right"))
        return (0, 0) if at == 0 else (int(self.leads[at - 1]), int(self.won[at - 1]))

    def line_for(self, share: float) -> float:
        """The lowest line that lets at most this share of the leads through."""
        fits = int(np.searchsorted(self.leads, share * self.n + 1e-9, side="right"))
        return float(self.steps[fits - 1]) if fits else NOBODY

    def line_of_precision(self, precision: float) -> float:
        """The lowest line above which at least this share converted."""
        reached = (self.won >= precision * self.leads - 1e-9) & (self.leads >= TRUSTED)
        found = np.flatnonzero(reached)
        return float(self.steps[found[-1]]) if found.size else NOBODY

    def best_precision(self) -> float:
        """The highest share converted above any line with enough leads."""
        enough = self.leads >= min(TRUSTED, self.n)
        return float((self.won[enough] / self.leads[enough]).max())

    def expectation(
        self, stage: Stage, cutoff: float, *, value: float | None = None, cost: float = 0.0
    ) -> StageExpectation:
        """What happens at or above a line, scaled to a week.

        Shares have Wilson intervals. The weekly figures have the range of a usual week:
        Poisson luck of one week, widened by what is unsure about the rate itself.

        Parameters
        ----------
        value
            Worth of a conversion; without it no value is told.
        cost
            Cost of working a lead, taken off the value.
        """
        leads, won = self.above(cutoff)
        low, high = wilson(won, leads)
        total = self.conversions
        caught_low, caught_high = wilson(won, total)
        return StageExpectation(
            stage=stage,
            cutoff=cutoff,
            volume_per_week=self._week(leads, leads),
            precision=Estimate(won / leads if leads else 0.0, low, high),
            conversions_per_week=self._week(won, won),
            recall=Estimate(won / total if total else 0.0, caught_low, caught_high),
            value_per_week=None
            if value is None
            else self._week(*worth_of(leads, won, value, cost), floor=-math.inf),
        )

    def _week(self, total: float, squares: float, floor: float = 0.0) -> Estimate:
        value = total * self.leads_per_week / self.n
        spread = float(self.weekly_spread(total, squares))
        return Estimate(value, max(floor, value - spread), value + spread)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, counts per step instead of sums; compact it first."""
        return {
            "steps": self.steps.tolist(),
            "leads": np.diff(self.leads, prepend=0).tolist(),
            "won": np.diff(self.won, prepend=0).tolist(),
            "leads_per_week": self.leads_per_week,
            "leads_per_week_known": self.leads_per_week_known,
            **({} if self.newest is None else {"newest": self.newest}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cohort:
        """The inverse of :meth:`as_dict`.

        Raises
        ------
        DataError
            The data are not those of a cohort.
        """
        try:
            steps = np.asarray(data["steps"], dtype=np.float64)
            leads = np.asarray(data["leads"], dtype=np.int64)
            won = np.asarray(data["won"], dtype=np.int64)
            weekly = float(data["leads_per_week"])
            known = bool(data["leads_per_week_known"])
            newest = int(data["newest"]) if "newest" in data else None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError("these are not the counts of a cohort") from error
        sound = steps.ndim == 1 and steps.size > 0 and steps.shape == leads.shape == won.shape
        sound = sound and bool(
            (np.diff(steps) < 0).all()
            and steps.min() >= 0
            and steps.max() <= 1
            and (leads > 0).all()
            and (won >= 0).all()
            and (won <= leads).all()
            and (newest is None or newest > 0)
        )
        if not sound:
            raise DataError("these are not the counts of a cohort")
        _checked_week(weekly)
        return cls(steps, leads.cumsum(), won.cumsum(), weekly, known, newest)


def at_rank_of(chances: ArrayLike, others: ArrayLike) -> Floats:
    """The chance that stands at each lead's rank among other leads, shape (n,).

    Where one model answered leads with a known outcome and another one will answer those
    to come, what is known of the best tenth by the one is so told of the best tenth by the
    other. Leads of equal chance are ranked by lot, always the same.

    Parameters
    ----------
    chances
        Shape (n,).
    others
        Shape (m,), m >= 1.

    Examples
    --------
    >>> at_rank_of([0.2, 0.9, 0.4], [0.1, 0.3, 0.5, 0.6, 0.7, 0.8]).tolist()
    [0.3, 0.8, 0.6]
    """
    own = np.asarray(chances, dtype=np.float64)
    falling = np.sort(np.asarray(others, dtype=np.float64))[::-1]
    lot = np.random.default_rng(0).random(own.size)
    ranked = np.lexsort((lot, -own))
    found = np.empty(own.size)
    found[ranked] = falling[np.arange(own.size) * falling.size // max(own.size, 1)]
    return found


def _checked_week(leads_per_week: float) -> None:
    if not (math.isfinite(leads_per_week) and leads_per_week > 0):
        raise ConfigError(f"leads_per_week must be a number above 0, not {leads_per_week}")


def worth_of(leads: Any, won: Any, value: float, cost: float) -> tuple[Any, Any]:
    """Summed worth of the leads above lines, and the sum of its squares."""
    lost = leads - won
    return (
        value * won - cost * leads,
        won * (value - cost) ** 2 + lost * cost * cost,
    )
