"""How a model is tested: forward in time, on a held-out table, or by folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

__all__ = ["FEWEST_TEST_CONVERSIONS", "Protocol", "choose_protocol", "drifted", "known_before"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

FEWEST_TEST_CONVERSIONS = 5


@dataclass(frozen=True, eq=False)
class Protocol:
    """Splits of the usable rows into rows to learn from and rows to test on.

    ``kind`` is ``forward`` (one split), ``folds`` (every row tested once) or
    ``held_out`` (the test rows stand in a table of their own).
    """

    kind: str
    name: str
    splits: tuple[tuple[Rows, Rows], ...]
    notes: tuple[str, ...] = ()

    @property
    def n_test(self) -> int:
        """Rows tested on."""
        return sum(len(test) for _, test in self.splits)

    @property
    def n_train(self) -> int:
        """Rows learned from in the largest split."""
        return max(len(train) for train, _ in self.splits)


def choose_protocol(
    y: Floats,
    order: Floats | None,
    order_name: str,
    *,
    label_delay: float = 0.0,
    test_share: float = 0.2,
    folds: int = 5,
    seed: int = 0,
) -> Protocol:
    """A forward test where an order is known, else folds.

    Parameters
    ----------
    y
        Shape (n,), known outcomes.
    order
        Shape (n,), growing with time, or None.
    order_name
        What the order is, for the name of the protocol.
    label_delay
        How long after ``order`` a label is known, in its unit: rows whose label was
        not known when the first test row came are not learned from.
    test_share
        Newest share of the rows.

    Notes
    -----
    Rows of equal order stay on one side. Without an order, or where either side
    would hold fewer than 5 conversions, the test is stratified cross-validation and
    its name says so.
    """
    because = "no order in time is known"
    if order is not None:
        forward = _forward(y, order, order_name, label_delay, test_share)
        if isinstance(forward, Protocol):
            return forward
        because = forward
    few = int(min(y.sum(), len(y) - y.sum()))
    parts = StratifiedKFold(max(2, min(folds, few)), shuffle=True, random_state=seed)
    splits = tuple((train, test) for train, test in parts.split(np.zeros(len(y)), y))
    name = f"{len(splits)}-fold cross-validation ({because})"
    return Protocol("folds", name, splits)


def _forward(
    y: Floats, order: Floats, order_name: str, delay: float, test_share: float
) -> Protocol | str:
    ranked = np.argsort(order, kind="stable")
    n_test = max(1, round(len(y) * test_share))
    first = order[ranked[len(y) - n_test]]
    test = ranked[order[ranked] >= first]
    before = ranked[order[ranked] < first]
    train, enough = known_before(y, order, ranked, first, delay)
    notes: list[str] = []
    if delay > 0 and not enough:
        notes.append(
            "The history is too short to leave a gap of one horizon before the test: some "
            "training labels were not known yet when the first test lead came."
        )
    elif len(train) < len(before):
        notes.append(
            f"{len(before) - len(train)} leads just before the test were not learned from in "
            "it, because their outcome was not known yet when the first test lead came."
        )
    if not (_both(y[train]) and _both(y[test])):
        return "too few conversions for a forward test"
    share = f"{100 * len(test) / len(y):.0f}"
    name = f"forward test: the last {share} % by {order_name}"
    return Protocol("forward", name, ((np.sort(train), np.sort(test)),), tuple(notes))


def known_before(
    y: Floats, order: Floats, ranked: Rows, first: float, delay: float
) -> tuple[Rows, bool]:
    """Rows before a moment, without those whose outcome was not known by then.

    Parameters
    ----------
    y, order, ranked
        Shape (n,): outcomes, what grows with time, positions in that order.
    first
        The moment, in the unit of ``order``.
    delay
        How long after ``order`` an outcome is known.

    Returns
    -------
    tuple
        Positions oldest first, and whether the gap could be kept: where it would leave
        less than 40 % of the rows or too few conversions, all rows before are given.
    """
    before = ranked[order[ranked] < first]
    matured = before[order[before] + delay <= first]
    enough = len(matured) >= 0.4 * len(before) and _both(y[matured])
    return (matured, True) if enough else (before, False)


def _both(y: Floats) -> bool:
    return min(y.sum(), len(y) - y.sum()) >= FEWEST_TEST_CONVERSIONS


def drifted(y: Floats, order: Floats, newest: float = 0.3) -> bool:
    """Whether the conversion rate of the newest rows plainly differs from the older ones'.

    Two-sample z test beyond 4 standard errors, and a ratio beyond 1.25 either way: a
    large history calls every trifle significant, a small one nothing.
    """
    ranked = np.argsort(order, kind="stable")
    cut = round(len(y) * (1.0 - newest))
    old, new = y[ranked[:cut]], y[ranked[cut:]]
    if not len(old) or not len(new):
        return False
    rate = float(y.mean())
    error = float(np.sqrt(rate * (1.0 - rate) * (1.0 / len(old) + 1.0 / len(new))))
    apart = abs(float(new.mean()) - float(old.mean()))
    high, low = max(new.mean(), old.mean()), min(new.mean(), old.mean())
    return bool(error > 0 and apart > 4.0 * error and high > 1.25 * low)
