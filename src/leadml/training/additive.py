"""The additive part: a ridge logistic model of levels, lines and hinges.

Per category one coefficient for each level with at least 20 rows, the rest pooled,
missing a level of its own. Per number a line and hinges at the quantiles .1 .3 .5
.7 .9, clipped to the range of .5 % to 99.5 %, with a flag for missing. The strength
of the L2 penalty is chosen by out-of-fold log loss. A number that must not fall (or
rise) is projected to the nearest such curve at its knots after every fit, in the folds too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from leadml.leads import Kind, Schema
from leadml.scorecard.direction import DIRECTIONS, isotonic
from leadml.training.blending import log_loss_of
from leadml.training.encoding import Encoded

__all__ = ["Additive", "CategoryPart", "NumberPart", "learn_additive"]

Floats = NDArray[np.float64]

LEVEL_ROWS = 20
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # nine bend better inside the history, worse after it
CLIP = (0.005, 0.995)
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
START = 3
CHOOSING_FOLDS = 3
HUGE = 1e100


@dataclass(frozen=True, eq=False)
class NumberPart:
    """One number: ``slope`` per hinge (the first starts at the lower clip), and missing.

    f(x) = offset + sum_k slopes[k] * max(clip(x) - knots[k], 0); missing gives ``missing``.
    """

    knots: Floats
    slopes: Floats
    offset: float
    missing: float
    clip: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CategoryPart:
    """One category: points per code (levels, missing), and of any other text last."""

    codes: Floats


@dataclass(frozen=True, eq=False)
class Additive:
    """The additive part, its choice of strength, and its out-of-fold log-odds."""

    intercept: float
    parts: tuple[NumberPart | CategoryPart, ...]
    strength: float
    out_of_fold: Floats

    def margin(self, encoded: Encoded) -> Floats:
        """Log-odds, shape (n,)."""
        total = np.full(len(encoded), self.intercept)
        for i, part in enumerate(self.parts):
            values = encoded.matrix[:, i]
            if isinstance(part, CategoryPart):
                total += part.codes[_places(values)]
            else:
                gone = np.isnan(values)
                x = np.clip(np.where(gone, 0.0, values), *part.clip)
                points = part.offset + np.maximum(x[:, None] - part.knots, 0.0) @ part.slopes
                total += np.where(gone, part.missing, points)
        return total


@dataclass(frozen=True, eq=False)
class _Design:
    """The design matrix of one column and how its coefficients become a part.

    ``direct`` turns its coefficients into those of a curve in the wanted direction.
    """

    columns: Floats
    read: Callable[[Floats], NumberPart | CategoryPart]
    direct: Callable[[Floats], Floats] | None = None


def _design_number(values: Floats, sign: float = 0.0) -> _Design | None:
    gone = np.isnan(values)
    present = values[~gone & (np.abs(values) < HUGE)]
    if not len(present):
        return None
    low, high = np.quantile(present, CLIP)
    knots = np.unique(np.concatenate(([low], np.quantile(present, KNOTS))))
    knots = knots[(knots >= low) & (knots < high)]
    if not len(knots):
        knots = np.array([low])
    x = np.clip(np.where(gone, low, values), low, high)
    raw = np.maximum(x[:, None] - knots, 0.0)
    mean = raw[~gone].mean(axis=0)
    spread = raw[~gone].std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (raw - mean) / spread
    scaled[gone] = 0.0
    flagged = bool(gone.any())
    columns = np.column_stack((scaled, gone.astype(float))) if flagged else scaled

    def read(weights: Floats) -> NumberPart:
        slopes = weights[: len(knots)] / spread
        return NumberPart(
            knots=knots,
            slopes=slopes,
            offset=float(-(slopes * mean).sum()),
            missing=float(weights[-1]) if flagged else 0.0,
            clip=(float(low), float(high)),
        )

    if not sign:
        return _Design(columns, read)
    points = np.append(knots, high)
    nearest = np.abs(x[~gone, None] - points).argmin(axis=1)
    mass = np.bincount(nearest, minlength=len(points)).astype(np.float64)
    widths = np.diff(points)
    widths[widths == 0] = np.inf

    def direct(weights: Floats) -> Floats:
        slopes = weights[: len(knots)] / spread
        curve = np.maximum(points[:, None] - knots, 0.0) @ slopes
        steps = sign * np.diff(isotonic(sign * curve, mass)) / widths
        found = weights.copy()
        found[: len(knots)] = np.diff(steps, prepend=0.0) * spread
        return found

    return _Design(columns, read, direct)


def _places(codes: Floats) -> NDArray[np.intp]:
    """Codes of a category as places; any other text has the last one."""
    return np.where(np.isnan(codes), -1, codes).astype(np.intp)


def _design_category(values: Floats, n_codes: int) -> _Design:
    known = values[~np.isnan(values)].astype(np.intp)
    own = np.flatnonzero(np.bincount(known, minlength=n_codes) >= LEVEL_ROWS)
    place = np.full(n_codes + 1, len(own), dtype=np.intp)
    place[own] = np.arange(len(own))
    where = place[_places(values)]
    pooled = bool((where == len(own)).any())
    columns = np.zeros((len(values), len(own) + pooled))
    columns[np.arange(len(values)), where] = 1.0

    def read(weights: Floats) -> CategoryPart:
        points = weights if pooled else np.append(weights, 0.0)
        return CategoryPart(points[place])

    return _Design(columns, read)


def learn_additive(
    schema: Schema,
    encoded: Encoded,
    y: Floats,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    jobs: int,
    tick: Callable[[], None],
    monotone: Mapping[str, str] | None = None,
) -> Additive:
    """Fit the additive part; strength by out-of-fold log loss, then a refit on all rows.

    ``monotone`` says ``up`` or ``down`` for numbers whose curve must keep to it.
    """
    signs = {name: DIRECTIONS[word] for name, word in (monotone or {}).items()}
    designs: list[_Design | None] = []
    for i, column in enumerate(schema.columns):
        values = encoded.matrix[:, i]
        designs.append(
            _design_number(values, signs.get(column.name, 0.0))
            if column.kind is Kind.NUMBER
            else _design_category(values, len(column.levels) + 1)
        )
    blocks = [design.columns for design in designs if design is not None]
    matrix = np.column_stack(blocks) if blocks else np.zeros((len(y), 0))
    direct = _directing(designs)
    strength, out_of_fold = _choose(matrix, y, folds, jobs, tick, direct)
    weights, intercept = _fit(matrix, y, strength, direct)
    parts: list[NumberPart | CategoryPart] = []
    start = 0
    for design in designs:
        if design is None:
            parts.append(NumberPart(np.zeros(1), np.zeros(1), 0.0, 0.0, (0.0, 0.0)))
            continue
        stop = start + design.columns.shape[1]
        parts.append(design.read(weights[start:stop]))
        start = stop
    return Additive(intercept, tuple(parts), strength, out_of_fold)


def _directing(designs: Sequence[_Design | None]) -> Callable[[Floats], Floats]:
    """What turns all coefficients into those of curves in their wanted directions."""
    wanted: list[tuple[slice, Callable[[Floats], Floats]]] = []
    start = 0
    for design in designs:
        if design is None:
            continue
        stop = start + design.columns.shape[1]
        if design.direct is not None:
            wanted.append((slice(start, stop), design.direct))
        start = stop

    def direct(weights: Floats) -> Floats:
        if not wanted:
            return weights
        found = weights.copy()
        for place, one in wanted:
            found[place] = one(weights[place])
        return found

    return direct


def _fit(
    matrix: Floats, y: Floats, strength: float, direct: Callable[[Floats], Floats]
) -> tuple[Floats, float]:
    if not matrix.shape[1]:
        rate = float(y.mean())
        return np.zeros(0), float(np.log(rate / (1 - rate)))
    model = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=100)
    with warnings.catch_warnings():
        # an ill-conditioned step falls back to lbfgs, whose answer is as good
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(matrix, y)
    return direct(model.coef_[0]), float(model.intercept_[0])


def _choose(
    matrix: Floats,
    y: Floats,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    jobs: int,
    tick: Callable[[], None],
    direct: Callable[[Floats], Floats],
) -> tuple[float, Floats]:
    """Walk the strengths downhill from the middle; the loss has one valley.

    Three folds choose; all folds then give the out-of-fold log-odds of the choice.
    """
    tried: dict[int, float] = {}

    def margins(strength: float, chosen: Sequence[Any]) -> Floats:
        def one(train: Any, held_out: Any) -> Floats:
            weights, intercept = _fit(matrix[train], y[train], strength, direct)
            found: Floats = matrix[held_out] @ weights + intercept
            return found

        parts = joblib.Parallel(n_jobs=jobs, prefer="threads")(
            joblib.delayed(one)(train, held_out) for train, held_out in chosen
        )
        out = np.full(len(y), np.nan)
        for (_, held_out), part in zip(chosen, parts, strict=True):
            out[held_out] = part
        return out

    def loss_at(at: int) -> float:
        if at not in tried:
            out = margins(STRENGTHS[at], folds[:CHOOSING_FOLDS])
            seen = ~np.isnan(out)
            tried[at] = log_loss_of(y[seen], out[seen])
        return tried[at]

    at = START
    step = 1 if loss_at(at + 1) < loss_at(at) else -1
    while 0 <= at + step < len(STRENGTHS) and loss_at(at + step) < loss_at(at):
        at += step
    tick()
    return STRENGTHS[at], margins(STRENGTHS[at], folds)
