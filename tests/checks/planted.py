"""Histories with a known truth, for the numbered checks."""

from typing import Any

import numpy as np
from scipy.special import expit

from leadml.evaluation.checks import CheckInput

DAY_S = 86_400.0
START_S = 1_700_000_000.0


def history(n: int = 3000, seed: int = 0, **known: Any) -> CheckInput:
    """A healthy history: four honest columns, no id, no time; ``known`` overrides fields."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3, 1, n).round(2)
    views = rng.poisson(1.5, n).astype(float)
    source = rng.choice(["Webinar", "Ads", "Referral", "Fair"], n, p=[0.4, 0.3, 0.2, 0.1])
    country = rng.choice(["DE", "FR", "US"], n).astype(object)
    country[rng.random(n) < 0.1] = None
    margin = -2.2 + 0.35 * views + 0.7 * (source == "Referral") + 0.2 * np.log(size)
    y = (rng.random(n) < expit(margin)).astype(float)
    columns = {"company_size": size, "page_views": views, "source": source, "country": country}
    columns.update(known.pop("add", {}))
    for name in known.pop("drop", ()):
        del columns[name]
    return CheckInput(columns, known.pop("y", y), **known)


def clean_columns(count: int, y: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Honest columns of many shapes, some of them telling something (AUC up to about .75)."""
    rng = np.random.default_rng(seed)
    n = y.size
    columns: dict[str, Any] = {}
    for i in range(count):
        strength = rng.choice([0.0, 0.2, 0.5, 0.9])
        hidden = rng.normal(size=n) + strength * y
        match i % 5:
            case 0:
                values: Any = hidden
            case 1:
                values = np.floor(np.exp(hidden)).clip(0, 40)
            case 2:
                values = np.array(list("abcdefgh"), dtype=object)[
                    np.digitize(hidden, np.linspace(-1.5, 1.5, 7))
                ]
            case 3:
                values = np.where(rng.random(n) < 0.3 + 0.05 * y, np.nan, hidden)
            case _:
                values = np.where(hidden > 0.5, "yes", "no").astype(object)
                values[rng.random(n) < 0.4] = "Select"
        columns[f"clean_{i}"] = values
    return columns


def leaky_columns(count: int, y: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Columns written after the outcome, in the ways that CRMs write them."""
    rng = np.random.default_rng(seed)
    n = y.size
    columns: dict[str, Any] = {}
    for i in range(count):
        match i % 5:
            case 0:  # calls made with those who buy
                values: Any = rng.poisson(np.where(y == 1, 4.0, 0.4)).astype(float)
            case 1:  # filled when the deal is closed
                filled = rng.random(n) < np.where(y == 1, 0.9, 0.08)
                values = np.where(filled, rng.normal(size=n), np.nan)
            case 2:  # a status with some slips of the pen
                right = rng.random(n) > 0.06
                values = np.where((y == 1) == right, "in process", "closed").astype(object)
            case 3:  # how long people talked
                values = rng.lognormal(np.where(y == 1, 6.2, 4.2), 0.8).round()
            case _:  # chosen by sales while working the lead
                asked = rng.random(n) < np.where(y == 1, 0.8, 0.25)
                values = np.where(asked, rng.choice(["A", "B", "C"], n), "Select").astype(object)
        columns[f"leak_{i}"] = values
    return columns
