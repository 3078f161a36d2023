"""The leads of a usual week, with the chances that the served model gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.scorecard import Scorecard, Scorer
from leadml.thresholds import Cohort, at_rank_of
from leadml.training.labels import DAY_S, Labels

__all__ = ["FEWEST", "cohort_of", "leads_per_week", "newest_unlearned"]

Floats = NDArray[np.float64]

WEEK_S = 7 * DAY_S
WEEKS_COUNTED = 12
NOMINAL_WEEK = 100.0

FEWEST = 100
"""Fewest leads without a known outcome whose chances are trusted to tell volumes."""

MOST = 1000
"""Newest of them that are looked at, unless twelve weeks hold more."""


def leads_per_week(labels: Labels) -> tuple[float, bool]:
    """Leads of a usual week: the median of the newest full weeks; 100 where no time is known."""
    if labels.created_s is None:
        return NOMINAL_WEEK, False
    seconds = labels.created_s[~np.isnan(labels.created_s)]
    age = np.floor((seconds.max() - seconds) / WEEK_S).astype(int)
    weeks = min(WEEKS_COUNTED, int(age.max()))
    if weeks < 1:
        return float(len(seconds)), True
    return max(float(np.median(np.bincount(age)[:weeks])), 0.1), True


def newest_unlearned(labels: Labels) -> NDArray[np.intp]:
    """Rows of the newest leads that nothing was learned from, their outcome being unknown.

    Those of the last twelve weeks or the newest 1,000, whichever are more, if they are
    younger than every lead that was learned from; none if there are fewer than 100.

    Leads that were learned from will not do: their chances spread too widely. Lines drawn
    on them let 5 to 45 % too few of 6,000 simulated leads through, those drawn on unlearned
    ones 2 to 16 % too many (the best 40 % to the best 2 % asked for).
    """
    none = np.empty(0, dtype=np.intp)
    if labels.created_s is None:
        return none
    created = labels.created_s
    young = np.flatnonzero(~labels.known & (created >= np.nanmax(created[labels.known])))
    if len(young) < FEWEST:
        return none
    ranked = young[np.argsort(-created[young], kind="stable")]
    recent = int((created[ranked] > created[ranked[0]] - WEEKS_COUNTED * WEEK_S).sum())
    return ranked[: max(recent, MOST)]


def cohort_of(
    served: Scorecard, frame: pd.DataFrame, labels: Labels, tested: Floats, converted: Floats
) -> tuple[Cohort, Floats]:
    """Tested leads as lines are drawn on them, and the chance of each, shape (n_test,).

    The model that was tested learned from fewer and older leads than the served one, so
    its chances spread differently: a line drawn on them would let another number of leads
    through than it says. Volumes are therefore those of the served model on the newest
    leads it has not learned from, and each tested lead stands where its rank stands among
    them; what converted stays counted on leads that were unseen when they were answered.

    Parameters
    ----------
    served
        The scorecard that will be served.
    frame, labels
        The whole table and its outcomes.
    tested, converted
        Shape (n_test,): probabilities of the tested leads, and what became of them.
    """
    weekly, known = leads_per_week(labels)
    newest = newest_unlearned(labels)
    if len(newest):
        chances = Scorer(served).frame(frame.iloc[newest]).probability
        tested = at_rank_of(tested, chances)
    cohort = Cohort.of(
        tested, converted, weekly, leads_per_week_known=known, newest=len(newest) or None
    )
    return cohort.compact(), tested
