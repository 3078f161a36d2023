"""How well predictions ranked and promised, each figure with its interval.

Intervals cover 95 % and are left out below :data:`SHOWN_FROM` conversions (or
non-conversions): there they say more than the data do. AUC: DeLong's variance on
the logit scale; log loss and Brier: normal on the losses of single rows;
calibration slope and intercept: Wald; the rest: Poisson bootstrap of the ranked
leads, seeded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.errors import DataError
from leadml.leads.estimate import Z95, Estimate, wilson

__all__ = [
    "ECE_BINS",
    "SHOWN_FROM",
    "Estimate",
    "Metrics",
    "PairedDifference",
    "calibration_fit",
    "checked",
    "ece_of",
    "log_losses",
    "measure",
    "paired_bootstrap",
    "pr_auc_of",
    "roc_auc_estimate",
    "roc_auc_of",
    "share_in_top",
]

SHOWN_FROM: Final = 20
"""Fewest conversions, and fewest non-conversions, for which an interval is shown."""

ECE_BINS: Final = 15
"""Bins of equal mass of the calibration error."""

_DRAWS: Final = 400
_CLASSES: Final = 2048
_FLOOR: Final = 1e-15

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of predictions on leads whose outcome is known.

    Parameters
    ----------
    protocol
        Words for where the predictions came from ("forward test: …").
    n, n_conversions
        Leads, and conversions among them.
    base_rate, predicted_rate
        Share that converted (Wilson), and the mean predicted probability.
    roc_auc
        Chance that a converting lead outranks another one, in [0, 1].
    pr_auc
        Average precision, in [0, 1].
    log_loss, brier
        Mean negative log-likelihood (natural log), mean squared error; lower is better.
    ece
        Mean distance of predicted and observed share over 15 bins of equal mass.
    calibration_slope
        Slope of the outcome's log-odds on the predicted log-odds; 1 is right, below 1
        is too sure. None where it cannot be fitted.
    calibration_intercept
        Log-odds that the prediction is off on the whole (slope held at 1); 0 is right.
    lift_top_decile
        Conversions among the best tenth, as a multiple of the base rate.
    top_fifth_share
        Share of all conversions among the best fifth, in [0, 1].
    """

    protocol: str
    n: int
    n_conversions: int
    base_rate: Estimate
    predicted_rate: Estimate
    roc_auc: Estimate
    pr_auc: Estimate
    log_loss: Estimate
    brier: Estimate
    ece: Estimate
    calibration_slope: Estimate | None
    calibration_intercept: Estimate | None
    lift_top_decile: Estimate
    top_fifth_share: Estimate

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Every figure as value, interval (if shown) and protocol; counts likewise."""
        found: dict[str, dict[str, Any]] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, Estimate):
                found[part.name] = {**value.as_dict(), "protocol": self.protocol}
        for name in ("n", "n_conversions"):
            found[name] = {"value": getattr(self, name), "protocol": self.protocol}
        return found

    @classmethod
    def from_dict(cls, data: dict[str, dict[str, Any]]) -> Metrics:
        """The inverse of :meth:`as_dict`."""
        given: dict[str, Any] = {"protocol": data["n"]["protocol"]}
        for part in fields(cls):
            if part.name in ("n", "n_conversions"):
                given[part.name] = int(data[part.name]["value"])
            elif part.name != "protocol":
                found = data.get(part.name)
                given[part.name] = None if found is None else Estimate.from_dict(found)
        return cls(**given)


@dataclass(frozen=True)
class PairedDifference:
    """Log loss of a minus that of b on the same leads; below 0, a is better.

    Parameters
    ----------
    difference
        Mean and 95 % interval of the bootstrap.
    share_a_better
        Share of resamples in which a has the lower loss, in [0, 1].
    n
        Leads compared.
    """

    difference: Estimate
    share_a_better: float
    n: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "difference": self.difference.as_dict(),
            "share_a_better": self.share_a_better,
            "n": self.n,
        }


def measure(y: ArrayLike, probability: ArrayLike, protocol: str, seed: int = 0) -> Metrics:
    """Measure predictions against what happened.

    Parameters
    ----------
    y
        Shape (n,), 1 converted, 0 not; leave unknown outcomes out.
    probability
        Shape (n,), in [0, 1]. Log loss holds them at least 1e-15 away from 0 and 1.
    protocol
        Words for where the predictions came from.
    seed
        Of the bootstrap.

    Returns
    -------
    Metrics
        All figures, with intervals where enough leads support them.

    Raises
    ------
    DataError
        If there are no leads, only one class, or a value out of its range.

    Examples
    --------
    >>> found = measure([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "example")
    >>> found.roc_auc
    Estimate(value=0.75, low=None, high=None)
    """
    y_, p = checked(y, probability)
    n = int(y_.size)
    positives = int(y_.sum())
    if positives in (0, n):
        raise DataError(
            "only one outcome is among the leads measured; nothing can be ranked",
            fix="measure on a longer period or more leads",
        )
    shown = min(positives, n - positives) >= SHOWN_FROM
    losses = log_losses(y_, p)
    slope, intercept = calibration_fit(y_, p)
    ranked = _Ranked.of(y_, p)
    as_seen = ranked.figures
    resampled = ranked.resampled(seed) if shown else None
    auc, auc_low, auc_high = _delong(y_, p)
    low, high = wilson(positives, n)

    def boot(name: str, value: float, top: float) -> Estimate:
        if resampled is None:
            return Estimate(value)
        draws = resampled[name] + (value - as_seen[name])
        low, high = np.quantile(draws, (0.025, 0.975))
        return _within(value, low, high, top)

    ece = ece_of(y_, p)
    ece_estimate = Estimate(ece)
    if resampled is not None:
        # resampling adds its own noise to a distance, so the interval is mirrored
        # (basic bootstrap): what resampling adds is what the figure itself has too much
        q_low, q_high = np.quantile(resampled["ece"] + (ece - as_seen["ece"]), (0.025, 0.975))
        low_end = 2 * ece - q_high
        if ece <= float(np.quantile(ranked.ece_if_right(seed), 0.975)):
            low_end = 0.0  # right chances show an error as large by luck
        ece_estimate = _within(ece, low_end, 2 * ece - q_low, 1.0)
    return Metrics(
        protocol=protocol,
        n=n,
        n_conversions=positives,
        base_rate=Estimate(positives / n, low, high) if shown else Estimate(positives / n),
        predicted_rate=Estimate(float(p.mean())),
        roc_auc=Estimate(auc, auc_low, auc_high) if shown else Estimate(auc),
        pr_auc=boot("pr_auc", pr_auc_of(y_, p), 1.0),
        log_loss=_mean(losses, shown),
        brier=_mean((p - y_) ** 2, shown),
        ece=ece_estimate,
        calibration_slope=slope if shown or slope is None else Estimate(slope.value),
        calibration_intercept=(
            intercept if shown or intercept is None else Estimate(intercept.value)
        ),
        lift_top_decile=boot("lift", share_in_top(y_, p, 0.1) / 0.1, 10.0),
        top_fifth_share=boot("top", share_in_top(y_, p, 0.2), 1.0),
    )


def checked(y: ArrayLike, probability: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float arrays of one length.

    Raises
    ------
    DataError
        If they are empty, differ in length, or hold values out of range.
    """
    y_ = np.asarray(y, dtype=np.float64)
    p = np.asarray(probability, dtype=np.float64)
    if y_.ndim != 1 or y_.shape != p.shape:
        raise DataError("outcomes and probabilities must be two columns of one length")
    if y_.size == 0:
        raise DataError("there are no leads to measure on")
    if not ((y_ == 0) | (y_ == 1)).all():
        raise DataError("outcomes must be 0 or 1; leave unknown ones out")
    if not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        raise DataError("probabilities must lie between 0 and 1")
    return y_, p


def roc_auc_of(y: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve by midranks; 0.5 where only one class is seen."""
    y_ = np.asarray(y, dtype=np.float64)
    positives = float(y_.sum())
    negatives = y_.size - positives
    if positives == 0 or negatives == 0:
        return 0.5
    ranks = _midranks(np.asarray(score, dtype=np.float64))
    rank_sum = float(ranks[y_ == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def roc_auc_estimate(y: ArrayLike, probability: ArrayLike) -> Estimate | None:
    """AUC with its logit-DeLong interval; None below 20 conversions or leads without one."""
    y_, p = checked(y, probability)
    positives = int(y_.sum())
    if min(positives, y_.size - positives) < SHOWN_FROM:
        return None
    return Estimate(*_delong(y_, p))


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean, shape (n,)."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return np.asarray((last - (counts - 1) / 2)[where], dtype=np.float64)


def _expit(z: ArrayLike) -> Floats:
    """The logistic function without overflow."""
    z_ = np.asarray(z, dtype=np.float64)
    small = np.exp(-np.abs(z_))
    return np.where(z_ >= 0, 1.0, small) / (1.0 + small)


def pr_auc_of(y: Floats, score: Floats) -> float:
    """Average precision: precision at each score, weighted by the conversions it adds."""
    steps, where = np.unique(-score, return_inverse=True)
    won = np.bincount(where, weights=y, minlength=steps.size)
    hits, worked = won.cumsum(), np.bincount(where, minlength=steps.size).cumsum()
    return float((hits / worked * won).sum() / hits[-1]) if hits[-1] else 0.0


def log_losses(y: Floats, probability: Floats) -> Floats:
    """Negative log-likelihood per row (natural log), shape (n,)."""
    p = np.clip(probability, _FLOOR, 1 - _FLOOR)
    return np.asarray(-np.where(y == 1, np.log(p), np.log1p(-p)), dtype=np.float64)


def ece_of(y: ArrayLike, probability: ArrayLike, bins: int = ECE_BINS) -> float:
    """Expected calibration error over bins of equal mass.

    Leads of one probability stay in one bin, so a bin may hold more than its share.
    """
    y_, p = checked(y, probability)
    order = np.argsort(p, kind="stable")
    ends = _bin_ends(p[order], bins)
    gap = np.add.reduceat((p - y_)[order], np.concatenate([[0], ends[:-1]]))
    return float(np.abs(gap).sum() / y_.size)


def share_in_top(y: Floats, score: Floats, share: float) -> float:
    """Share of all conversions among the best ``share`` of the leads, in [0, 1].

    Leads that tie at the edge count in proportion, as if picked at random.
    """
    total = float(y.sum())
    if total == 0:
        return 0.0
    room = share * y.size
    steps, where = np.unique(-score, return_inverse=True)
    leads = np.bincount(where, minlength=steps.size)
    won = np.bincount(where, weights=y, minlength=steps.size)
    x = np.concatenate([[0.0], leads.cumsum()])
    caught = np.concatenate([[0.0], won.cumsum()])
    return float(np.interp(room, x, caught) / total)


def calibration_fit(y: Floats, probability: Floats) -> tuple[Estimate | None, Estimate | None]:
    """Calibration slope, and intercept at slope 1, with Wald intervals.

    Cox, D. R. (1958), Biometrika 45, 562-565: logistic regression of the outcome on
    the predicted log-odds; Van Calster et al. (2019), BMC Med. 17, 230, for reading
    the intercept at slope 1. Newton's method.

    Returns
    -------
    tuple
        Slope and intercept; None where no finite one fits (one class, one probability,
        perfect separation).
    """
    p = np.clip(probability, _FLOOR, 1 - _FLOOR)
    margin = np.log(p) - np.log1p(-p)
    intercept = None
    at = 0.0
    for _ in range(100):
        fitted = _expit(margin + at)
        weight = float((fitted * (1 - fitted)).sum())
        if weight < 1e-10:
            break
        step = float((y - fitted).sum()) / weight
        at += max(-2.0, min(2.0, step))
        if abs(at) > 30:
            break
        if abs(step) < 1e-10:
            half = Z95 / math.sqrt(weight)
            intercept = Estimate(at, at - half, at + half)
            break
    if np.ptp(margin) < 1e-9:
        return None, intercept
    centre = float(margin.mean())
    spread = float(margin.std())
    z = (margin - centre) / spread
    a, b = 0.0, spread
    for _ in range(100):
        fitted = _expit(a + b * z)
        w = fitted * (1 - fitted)
        s0, s1, s2 = float(w.sum()), float((w * z).sum()), float((w * z * z).sum())
        determinant = s0 * s2 - s1 * s1
        if not determinant > 1e-12:
            return None, intercept
        g0, g1 = float((y - fitted).sum()), float(((y - fitted) * z).sum())
        da = (s2 * g0 - s1 * g1) / determinant
        db = (s0 * g1 - s1 * g0) / determinant
        size = max(abs(da), abs(db))
        shrink = min(1.0, 2.0 / size) if size > 0 else 1.0
        a, b = a + shrink * da, b + shrink * db
        if max(abs(a), abs(b)) > 50:
            return None, intercept
        if size < 1e-10:
            half = Z95 * math.sqrt(s0 / determinant) / spread
            return Estimate(b / spread, b / spread - half, b / spread + half), intercept
    return None, intercept


def paired_bootstrap(
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    draws: int = 2000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models by log loss on the same leads.

    Parameters
    ----------
    y
        Shape (n,), 0 or 1.
    p_a, p_b
        Shape (n,) each, in [0, 1].
    draws
        Resamples.
    seed
        Of the resampling.

    Returns
    -------
    PairedDifference
        Loss of a minus loss of b; an interval below 0 means that a is better.

    Notes
    -----
    Poisson bootstrap of the rows; beyond 4,000 rows, of 4,000 random groups of rows of
    equal size, which resamples the mean alike and costs the same at any size.
    """
    y_, a = checked(y, p_a)
    _, b = checked(y_, p_b)
    gap = log_losses(y_, a) - log_losses(y_, b)
    n = gap.size
    value = float(gap.mean())
    rng = np.random.default_rng(seed)
    groups = min(n, 4000)
    order = rng.permutation(n)
    edges = (np.arange(groups) * n) // groups
    sums = np.add.reduceat(gap[order], edges)
    sizes = np.diff(np.append(edges, n)).astype(np.float64)
    found = np.empty(draws)
    chunk = max(1, 2_000_000 // groups)
    for start in range(0, draws, chunk):
        stop = min(draws, start + chunk)
        weights = rng.poisson(1.0, size=(stop - start, groups)).astype(np.float64)
        total = weights @ sizes
        found[start:stop] = (weights @ sums) / np.where(total > 0, total, np.inf)
    low, high = (float(q) for q in np.quantile(found, (0.025, 0.975)))
    better = float((found < 0).mean() + (found == 0).mean() / 2)
    return PairedDifference(Estimate(value, min(low, value), max(high, value)), better, int(n))


def _delong(y: Floats, p: Floats) -> tuple[float, float, float]:
    """AUC and its interval: DeLong's variance on the logit scale.

    DeLong et al. (1988), Biometrics 44, 837-845, by midranks in O(n log n) as in Sun
    and Xu (2014), IEEE Signal Process. Lett. 21, 1389-1393. A perfect ranking has no
    variance; its interval is that of a share seen in all of the smaller class.
    """
    positive = y == 1
    m, k = int(positive.sum()), int((~positive).sum())
    ranks = _midranks(p)
    won_over = (ranks[positive] - _midranks(p[positive])) / k
    lost_to = 1 - (ranks[~positive] - _midranks(p[~positive])) / m
    auc = float(won_over.mean())
    if m < 2 or k < 2:
        return auc, 0.0, 1.0
    variance = float(won_over.var(ddof=1) / m + lost_to.var(ddof=1) / k)
    if variance <= 1e-18 or auc <= 0 or auc >= 1:
        low, high = wilson(auc * min(m, k), min(m, k))
        return auc, min(low, auc), max(high, auc)
    logit = math.log(auc / (1 - auc))
    half = Z95 * math.sqrt(variance) / (auc * (1 - auc))
    return auc, float(_expit(logit - half)), float(_expit(logit + half))


def _mean(losses: Floats, shown: bool) -> Estimate:
    value = float(losses.mean())
    if not shown:
        return Estimate(value)
    half = Z95 * float(losses.std(ddof=1)) / math.sqrt(losses.size)
    return Estimate(value, max(0.0, value - half), value + half)


def _within(value: float, low: float, high: float, top: float) -> Estimate:
    """An interval that holds its figure and stays inside [0, top]."""
    low, high = max(0.0, min(float(low), value)), min(top, max(float(high), value))
    return Estimate(value, min(low, value), max(high, value))


def _bin_ends(ordered: Floats, bins: int) -> NDArray[np.int64]:
    """Ends (exclusive) of bins of equal mass over ascending values, ties kept together."""
    n = ordered.size
    wanted = np.unique(np.rint(np.arange(1, bins + 1) * n / bins).astype(np.int64))
    wanted = wanted[wanted > 0]
    # each end moves up to the end of its tie
    ends = np.unique(np.searchsorted(ordered, ordered[wanted - 1], side="right"))
    return np.asarray(ends, dtype=np.int64)


@dataclass(frozen=True)
class _Ranked:
    """Leads in classes of (nearly) equal probability, best first, for fast resampling.

    Classes are single probabilities while there are at most 2,048 of them, else
    neighbours of equal mass; independent Poisson counts per class and outcome are then
    exactly a Poisson bootstrap of the leads.
    """

    won: Floats
    lost: Floats
    chance: Floats
    bin_starts: NDArray[np.int64]

    @classmethod
    def of(cls, y: Floats, p: Floats) -> _Ranked:
        order = np.argsort(-p, kind="stable")
        ordered, outcome = p[order], y[order]
        ends = _bin_ends(-ordered, min(_CLASSES, ordered.size))
        starts = np.concatenate([[0], ends[:-1]])
        sizes = (ends - starts).astype(np.float64)
        won = np.add.reduceat(outcome, starts)
        chance = np.add.reduceat(ordered, starts) / sizes
        coarse = _bin_ends(-ordered, ECE_BINS)
        bin_starts = np.searchsorted(ends, np.concatenate([[0], coarse[:-1]]), side="right")
        return cls(won, sizes - won, chance, np.unique(bin_starts))

    @property
    def figures(self) -> dict[str, float]:
        """Figures of the leads as they are, as far as classes tell."""
        found = self._of_counts(self.won[None, :], self.lost[None, :])
        return {name: float(values[0]) for name, values in found.items()}

    def resampled(self, seed: int) -> dict[str, Floats]:
        """Figures of each resample, shape (draws,) each."""
        rng = np.random.default_rng(seed)
        shape = (_DRAWS, self.won.size)
        won = rng.poisson(self.won, size=shape).astype(np.float64)
        lost = rng.poisson(self.lost, size=shape).astype(np.float64)
        keep = (won.sum(axis=1) > 0) & (lost.sum(axis=1) > 0)
        return self._of_counts(won[keep], lost[keep])

    def ece_if_right(self, seed: int) -> Floats:
        """Calibration errors that luck alone makes of right chances, shape (draws,)."""
        rng = np.random.default_rng([seed, 1])
        leads = (self.won + self.lost).astype(np.int64)
        chance = np.clip(self.chance, 0.0, 1.0)
        won = rng.binomial(leads, chance, size=(_DRAWS, leads.size)).astype(np.float64)
        return self._ece(won, np.broadcast_to(leads.astype(np.float64), won.shape))

    def _ece(self, won: Floats, leads: Floats) -> Floats:
        gap = np.add.reduceat(leads * self.chance - won, self.bin_starts, axis=1)
        return np.asarray(np.abs(gap).sum(axis=1) / leads.sum(axis=1), dtype=np.float64)

    def _of_counts(self, won: Floats, lost: Floats) -> dict[str, Floats]:
        leads = won + lost
        hits = won.cumsum(axis=1)
        worked = leads.cumsum(axis=1)
        total, n = hits[:, -1], worked[:, -1]
        precision = np.divide(hits, worked, out=np.zeros_like(hits), where=worked > 0)
        return {
            "pr_auc": (precision * won).sum(axis=1) / total,
            "ece": self._ece(won, leads),
            "lift": _caught(hits, worked, 0.1 * n) / total / 0.1,
            "top": _caught(hits, worked, 0.2 * n) / total,
        }


def _caught(hits: Floats, worked: Floats, room: Floats) -> Floats:
    """Conversions among the first ``room`` leads of each row, ties in proportion."""
    last = (worked < room[:, None]).sum(axis=1)
    rows = np.arange(hits.shape[0])
    before = np.where(last > 0, worked[rows, last - 1], 0.0)
    caught = np.where(last > 0, hits[rows, last - 1], 0.0)
    size = worked[rows, last] - before
    part = np.divide(room - before, size, out=np.zeros_like(size), where=size > 0)
    return np.asarray(caught + part * (hits[rows, last] - caught), dtype=np.float64)
