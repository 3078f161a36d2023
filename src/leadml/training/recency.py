"""How far back a model learns: all of a history, or its newest part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.evaluation.checks import CheckInput, lml016_base_rate, lml019_unstable
from leadml.evaluation.metrics import log_losses
from leadml.training.checking import values_of
from leadml.training.learning import BAGS
from leadml.training.protocols import drifted, known_before
from leadml.training.recalibrating import FEWEST_ROWS

__all__ = ["ALL", "INNER_FOLDS", "NEWEST", "Recency", "choose_recency", "moved", "parts"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Predict = Callable[[Rows], Floats]

ALL: Final = "all"
NEWEST: Final = "newest"
NEWEST_SHARE: Final = 0.3
"""Part of the history that the policy ``newest`` learns from."""

HELD_OUT: Final = 600
"""Most leads at the end of that part that are held out to set the intercept."""

HELD_SHARE: Final = 0.1
"""Most of that part that is held out."""

FEWEST: Final = 100
"""Fewest conversions (and leads without one) in the newest part; below, all is learned from."""

WINDOWS: Final = 2
WINDOW_SHARE: Final = 0.1
"""Newest tenths of the history on which both policies are tried, each on what came before."""

ERRORS_BETTER: Final = 2.0
"""Standard errors by which the newest part must be better."""

INNER_FOLDS: Final = min(3, BAGS)
"""Folds of a model that is only tried."""


@dataclass(frozen=True)
class Recency:
    """Which part of a history is learned from, and why.

    Parameters
    ----------
    policy
        ``all`` rows, or the ``newest`` part with the intercept set by its newest leads.
    sentence
        The decision for people; empty where nothing moved and nothing was asked.
    tried
        Per window: ``n`` leads, mean log loss of either policy.
    """

    policy: str
    sentence: str = ""
    tried: tuple[dict[str, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "policy": self.policy,
            "share": NEWEST_SHARE if self.policy == NEWEST else 1.0,
            "sentence": self.sentence,
            "tried": [dict(window) for window in self.tried],
        }


def parts(order: Floats | None, n: int, policy: str) -> tuple[Rows, Rows]:
    """Rows to learn from, and newer rows held out to set the intercept.

    Parameters
    ----------
    order
        Shape (n,), growing with time; None only with the policy ``all``.
    n
        Rows.
    policy
        ``all`` or ``newest``.

    Returns
    -------
    tuple
        Ascending positions; with ``all`` every row and none.
    """
    if policy == ALL or order is None:
        return np.arange(n), np.arange(0)
    ranked = np.argsort(order, kind="stable")
    newest = ranked[n - round(n * NEWEST_SHARE) :]
    held = min(HELD_OUT, int(len(newest) * HELD_SHARE))
    if held < FEWEST_ROWS:
        return np.sort(newest), np.arange(0)
    return np.sort(newest[:-held]), np.sort(newest[-held:])


def moved(frame: pd.DataFrame, y: Floats, order: Floats, names: tuple[str, ...]) -> str:
    """What moved along a history, in words; empty if nothing did.

    Parameters
    ----------
    frame, y, order
        Shape (n, …): labelled leads, their outcomes, what grows with time.
    names
        Columns that are learned from.
    """
    data = CheckInput(
        columns={name: values_of(frame[name]) for name in names},
        y=y,
        learning=names,
        order=order,
    )
    found = []
    if drifted(y, order) or lml016_base_rate.run(data).status == "found":
        found.append("the conversion rate moved")
    columns = lml019_unstable.run(data).columns
    if columns:
        more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""
        found.append(f"{', '.join(columns[:3])}{more} changed")
    return " and ".join(found)


def choose_recency(
    y: Floats, order: Floats, delay: float, why: str, fit: Callable[[str, Rows], Predict]
) -> Recency:
    """Try both policies forward in time inside a history; all of it unless plainly worse.

    Parameters
    ----------
    y, order
        Shape (n,): outcomes, and what grows with time.
    delay
        How long after ``order`` an outcome is known, in its unit.
    why
        What moved, in words.
    fit
        Learns by a policy from rows and gives what predicts probabilities of other rows.

    Returns
    -------
    Recency
        ``newest`` only where it had the lower log loss in every window, and over all of
        them by more than two standard errors.

    Notes
    -----
    One window alone is a poor judge: on the bank's leads the newest part is worse in the
    last window but one and better in the last.
    """
    windows = _windows(y, order, delay)
    if len(windows) < WINDOWS:
        return Recency(ALL, _told(why, "the history is too short to try less of it, so all counts"))
    tried, differences = [], []
    for past, window in windows:
        losses = {
            policy: log_losses(y[window], fit(policy, past)(window)) for policy in (ALL, NEWEST)
        }
        tried.append({"n": len(window), **{p: float(loss.mean()) for p, loss in losses.items()}})
        differences.append(losses[NEWEST] - losses[ALL])
    every = np.concatenate(differences)
    error = float(every.std(ddof=1) / np.sqrt(len(every)))
    better = all(float(part.mean()) < 0 for part in differences)
    sure = float(every.mean()) + ERRORS_BETTER * error < 0
    shown = "; ".join(f"{one[NEWEST]:.3f} against {one[ALL]:.3f}" for one in tried)
    share = f"{100 * NEWEST_SHARE:.0f} %"
    if better and sure:
        chosen = f"the newest {share} were learned from: in both tries on earlier leads they did"
        return Recency(NEWEST, _told(why, f"{chosen} better (log loss {shown})"), tuple(tried))
    chosen = f"all leads were learned from: the newest {share} alone were not plainly better"
    return Recency(ALL, _told(why, f"{chosen} in two tries (log loss {shown})"), tuple(tried))


def _told(why: str, chosen: str) -> str:
    return f"During the history {why}; {chosen}."


def _windows(y: Floats, order: Floats, delay: float) -> list[tuple[Rows, Rows]]:
    """Pairs of past and window, each side with conversions enough to say something."""
    ranked = np.argsort(order, kind="stable")
    n = len(ranked)
    edges = [n - round(n * WINDOW_SHARE * k) for k in range(WINDOWS, -1, -1)]
    found = []
    for start, end in pairwise(edges):
        if start >= end:
            continue
        first = order[ranked[start]]
        past, _ = known_before(y, order, ranked, first, delay)
        inside = order[ranked] >= first
        if end < n:
            inside &= order[ranked] < order[ranked[end]]
        window = ranked[inside]
        newest, _ = parts(order[past], len(past), NEWEST)
        won = y[past][newest].sum() if len(newest) else 0.0
        if min(won, len(newest) - won) >= FEWEST and 0 < y[window].sum() < len(window):
            found.append((past, window))
    return found
