"""How far the base rate has moved, in log-odds."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.errors import DataError

__all__ = ["FEWEST_ROWS", "PRIOR_SD", "intercept_shift"]

Floats = NDArray[np.float64]

FEWEST_ROWS: Final = 50
PRIOR_SD: Final = 2.0
_STEPS: Final = 200
_LARGEST_STEP: Final = 2.0


def intercept_shift(
    y: ArrayLike,
    log_odds: ArrayLike,
    prior_sd: float = PRIOR_SD,
    fewest: int = FEWEST_ROWS,
) -> float:
    """Shift of the log-odds that makes them fit what happened, everything else unchanged.

    Maximises the likelihood of ``y`` under ``log_odds + shift`` times a normal prior of
    mean 0 on the shift: a logistic regression with an offset and nothing but an
    intercept, by Newton steps.

    Parameters
    ----------
    y
        Shape (n,), 1 converted, 0 not; mature outcomes only, the newest ones.
    log_odds
        Shape (n,), as the scorecard gave them.
    prior_sd
        Standard deviation of the prior, in log-odds; small ones distrust the outcomes.
    fewest
        Below so many rows the shift is 0.

    Returns
    -------
    float
        To be added to the base of the scorecard.

    Raises
    ------
    DataError
        The two differ in length, an outcome is neither 0 nor 1, or log-odds are not
        finite.
    ValueError
        ``prior_sd`` is not above 0.

    Notes
    -----
    Unlike methods that read a shift from unlabelled leads, this one cannot run away:
    the shift is bounded by the prior and by the outcomes.

    Examples
    --------
    >>> predicted = np.full(600, np.log(0.1 / 0.9))
    >>> happened = np.repeat([1, 0], [180, 420])
    >>> shift = intercept_shift(happened, predicted)
    >>> round(float(1 / (1 + np.exp(-(predicted[0] + shift)))), 2)
    0.3
    >>> intercept_shift(happened[:49], predicted[:49])
    0.0
    """
    if not prior_sd > 0:
        raise ValueError("prior_sd must be above 0")
    y_ = np.asarray(y, dtype=np.float64)
    offset = np.asarray(log_odds, dtype=np.float64)
    if y_.ndim != 1 or y_.shape != offset.shape:
        raise DataError("outcomes and log-odds must be two columns of one length")
    if not ((y_ == 0) | (y_ == 1)).all():
        raise DataError("outcomes must be 0 or 1; leave unknown ones out")
    if not np.isfinite(offset).all():
        raise DataError("log-odds must be finite")
    if len(y_) < max(fewest, 1):
        return 0.0
    precision = 1.0 / prior_sd**2
    shift = 0.0
    for _ in range(_STEPS):
        fitted = _chance(offset + shift)
        slope = float((y_ - fitted).sum()) - precision * shift
        curvature = float((fitted * (1.0 - fitted)).sum()) + precision
        step = min(max(slope / curvature, -_LARGEST_STEP), _LARGEST_STEP)
        shift += step
        if abs(step) < 1e-12:
            break
    return shift


def _chance(log_odds: Floats) -> Floats:
    """Probability of log-odds, without overflow."""
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return found
