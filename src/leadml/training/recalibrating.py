"""How far the base rate has moved, in log-odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["intercept_shift"]

Floats = NDArray[np.float64]


def intercept_shift(y: Floats, log_odds: Floats, prior_sd: float = 2.0, fewest: int = 50) -> float:
    """The shift of the intercept that fits mature outcomes best.

    Maximum a posteriori under a logistic model with offset ``log_odds`` and a normal
    prior on the shift, by Newton steps.

    Parameters
    ----------
    y
        Outcomes of mature leads, shape (n,), in {0, 1}.
    log_odds
        What the model said of them, shape (n,).
    prior_sd
        Standard deviation of the prior, in log-odds.
    fewest
        Below this many leads nothing is moved.

    Returns
    -------
    float
        To be added to the base; 0.0 below ``fewest`` leads.

    Examples
    --------
    >>> import numpy as np
    >>> round(intercept_shift(np.tile([1.0, 0.0], 500), np.full(1000, -1.0)), 2)
    1.0
    """
    y = np.asarray(y, dtype=np.float64)
    z = np.asarray(log_odds, dtype=np.float64)
    if len(y) < fewest:
        return 0.0
    precision = 1.0 / prior_sd**2
    shift = 0.0
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(z + shift, -700, 700)))
        gradient = float((p - y).sum()) + precision * shift
        curvature = float((p * (1.0 - p)).sum()) + precision
        step = max(-2.0, min(2.0, gradient / curvature))
        shift -= step
        if abs(step) < 1e-12:
            break
    return shift
