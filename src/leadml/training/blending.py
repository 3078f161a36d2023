"""Weights of the parts and the affine calibration, both on out-of-fold log-odds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["affine_calibration", "blend_weights", "log_loss_of"]

Floats = NDArray[np.float64]

PULL = 12.0
PULL_UNDER_DRIFT = 50.0


def log_loss_of(y: Floats, log_odds: Floats) -> float:
    """Mean logarithmic loss in nats of log-odds, shape (n,), against y in {0, 1}."""
    return float(np.mean(np.logaddexp(0.0, np.where(y > 0, -log_odds, log_odds))))


def blend_weights(y: Floats, parts: Sequence[Floats], pull: float = PULL) -> Floats:
    """Weights >= 0, summing to 1, that minimise summed log loss plus a pull to equal shares.

    The penalty is ``10 * pull / 2 * |w - 1/k|^2`` on the summed loss: small sets stay
    near equal weights, large ones follow their evidence.
    """
    stacked = np.stack(parts)
    k = len(stacked)
    even = np.full(k, 1.0 / k)

    def cost(w: Floats) -> tuple[float, Floats]:
        z = w @ stacked
        loss = np.logaddexp(0.0, np.where(y > 0, -z, z)).sum()
        residual = 1.0 / (1.0 + np.exp(-z)) - y
        away = w - even
        return (
            float(loss + 5.0 * pull * (away @ away)),
            stacked @ residual + 10.0 * pull * away,
        )

    found = minimize(
        cost,
        even,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * k,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(k)},
        options={"maxiter": 200, "ftol": 1e-9},
    )
    weights = np.clip(found.x, 0.0, None)
    result: Floats = weights / weights.sum()
    return result


def affine_calibration(y: Floats, log_odds: Floats, slope_sd: float = 0.25) -> tuple[float, float]:
    """Platt's slope and intercept on out-of-fold log-odds (Platt 1999), by Newton steps.

    Normal priors (slope 1 with ``slope_sd``, intercept 0 with sd 2) keep small sets
    near the identity; bags are nearly calibrated already.
    """
    a, b = 1.0, 0.0
    prior = np.array([1.0 / slope_sd**2, 0.25])
    design = np.column_stack((log_odds, np.ones_like(log_odds)))
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(a * log_odds + b)))
        gradient = design.T @ (p - y) + prior * np.array([a - 1.0, b])
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(prior)
        step = np.linalg.solve(hessian, gradient)
        a, b = a - float(step[0]), b - float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    return max(a, 0.05), b
