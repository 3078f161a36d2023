"""How much one column, alone or among others, tells about the outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from leadml.evaluation.checks.table import CheckInput, Reading
from leadml.evaluation.metrics import Floats, roc_auc_of
from leadml.leads.estimate import Z95

__all__ = [
    "FOLDS",
    "additive_gain",
    "auc_alone",
    "auc_error",
    "cells_of",
    "encoded",
    "gain_of",
    "lower_auc",
    "psi",
]

FOLDS: Final = 5
_BINS: Final = 32
_SMOOTH: Final = 10.0
_STRONGEST: Final = 60


def cells_of(reading: Reading, bins: int = _BINS) -> NDArray[np.int64]:
    """A cell for each row: levels, or quantiles of a number; missing has a cell of its own."""
    numbers = reading.numbers
    missing = reading.missing
    if reading.kind == "category":
        cells = np.where(missing, len(reading.levels), numbers)
        return np.asarray(cells, dtype=np.int64)
    seen = numbers[~missing]
    if seen.size == 0:
        return np.zeros(numbers.size, dtype=np.int64)
    cuts = np.unique(np.quantile(seen, np.arange(1, bins) / bins, method="lower"))
    cells = np.searchsorted(cuts, numbers, side="left")
    cells[missing] = cuts.size + 1
    return np.asarray(cells, dtype=np.int64)


def encoded(cells: NDArray[np.int64], y: Floats, seed: int = 0) -> Floats:
    """Each row's conversion rate in its cell as told by the other folds, shape (n,).

    Rates are pulled towards the base rate as by 10 more leads, so a column that differs
    in every row says nothing.
    """
    n = y.size
    fold = np.random.default_rng(seed).permutation(n) % FOLDS
    size = int(cells.max()) + 1 if n else 1
    index = fold * size + cells
    leads = np.bincount(index, minlength=FOLDS * size).reshape(FOLDS, size)
    won = np.bincount(index, weights=y, minlength=FOLDS * size).reshape(FOLDS, size)
    other_leads = leads.sum(axis=0) - leads
    other_won = won.sum(axis=0) - won
    base = float(y.mean()) if n else 0.0
    rate = (other_won + _SMOOTH * base) / (other_leads + _SMOOTH)
    return np.asarray(rate[fold, cells], dtype=np.float64)


def auc_alone(data: CheckInput, name: str) -> float:
    """Out-of-fold AUC of one column alone, on rows whose outcome is known."""
    rates = _rates(data, name)
    return float(data.once(("auc", name), lambda: roc_auc_of(data.outcome, rates)))


def auc_error(auc: float, n_won: float, n_lost: float) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982, Radiology 143, 29-36)."""
    if n_won < 1 or n_lost < 1:
        return 0.5
    auc = min(max(auc, 0.5), 1 - 1e-9)
    q1 = auc / (2 - auc)
    q2 = 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (n_won - 1) * (q1 - auc**2) + (n_lost - 1) * (q2 - auc**2)
    return math.sqrt(max(variance, 0.0) / (n_won * n_lost))


def lower_auc(data: CheckInput, auc: float) -> float:
    """Lower end of the 95 % interval of an AUC on the known outcomes."""
    won = float(data.outcome.sum())
    return auc - Z95 * auc_error(auc, won, data.outcome.size - won)


def gain_of(data: CheckInput, names: Sequence[str]) -> float:
    """Gain in log loss over the base rate with these columns, by the model given or our own."""
    names = tuple(names)
    make = data.gain or (lambda chosen: additive_gain(data, chosen))
    return float(data.once(("gain", frozenset(names)), lambda: make(names)))


def additive_gain(data: CheckInput, names: Sequence[str]) -> float:
    """Gain of a ridge logistic regression on the out-of-fold encodings of the columns."""
    y = data.outcome
    base = float(y.mean())
    entropy = -float(xlogy(base, base) + xlogy(1 - base, 1 - base))
    chosen = sorted(names, key=lambda name: -auc_alone(data, name))[:_STRONGEST]
    if not chosen or entropy == 0:
        return 0.0
    rates = np.clip(np.column_stack([_rates(data, name) for name in chosen]), 1e-4, 1 - 1e-4)
    x = np.log(rates / (1 - rates)) - math.log(base / (1 - base))
    design = np.column_stack([np.ones(y.size), x])
    beta = np.zeros(design.shape[1])
    beta[0] = math.log(base / (1 - base))
    ridge = np.full(design.shape[1], 1.0)
    ridge[0] = 1e-9

    def cost(at: Floats) -> float:
        margin = design @ at
        return float(np.sum(np.logaddexp(0, margin) - y * margin) + (ridge * at * at).sum() / 2)

    now = cost(beta)
    for _ in range(25):
        fitted = expit(design @ beta)
        gradient = design.T @ (y - fitted) - ridge * beta
        curved = design.T @ (design * (fitted * (1 - fitted))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(curved, gradient)
        length = 1.0
        while length > 1e-3 and cost(beta + length * step) > now:
            length /= 2
        beta = beta + length * step
        before, now = now, cost(beta)
        if before - now < 1e-7 * y.size:
            break
    margin = design @ beta
    loss = float(np.mean(np.logaddexp(0, margin) - y * margin))
    return entropy - loss


def psi(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """Population stability index of two samples of cells; above 0.25 is a marked shift."""
    size = int(max(before.max(initial=0), after.max(initial=0))) + 1
    a = (np.bincount(before, minlength=size) + 0.5) / (before.size + 0.5 * size)
    b = (np.bincount(after, minlength=size) + 0.5) / (after.size + 0.5 * size)
    return float(((a - b) * np.log(a / b)).sum())


def _rates(data: CheckInput, name: str) -> Floats:
    found: Floats = data.once(
        ("rates", name),
        lambda: encoded(cells_of(data.reading(name))[data.known], data.outcome, data.seed),
    )
    return found
