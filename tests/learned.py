"""Small tables to learn from, and a scorecard learned from one of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from leadml.leads import Schema
from leadml.training.encoding import Encoded, columns_of, encode
from leadml.training.learning import Learned, learn

SOURCES = ("web", "fair", "ad", "referral", None)


def table(n: int = 1500, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, categories, gaps, an interaction; about one lead in four converts."""
    random = np.random.default_rng(seed)
    visits = random.poisson(3, n).astype(float)
    employees = np.round(random.lognormal(4, 1.5, n), 1)
    employees[random.random(n) < 0.15] = np.nan
    source = np.array(SOURCES, dtype=object)[random.integers(0, 5, n)]
    city = np.array([f"city {k}" for k in range(40)], dtype=object)[
        np.minimum(random.geometric(0.12, n) - 1, 39)
    ]
    log_odds = -2.2 + 0.35 * visits + (source == "referral") * (visits > 2) * 1.5
    log_odds -= 0.8 * np.isnan(employees) + 0.3 * np.nan_to_num(np.log1p(employees) - 4)
    y = (random.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    frame = pd.DataFrame({"visits": visits, "employees": employees, "source": source, "city": city})
    return frame, y


@lru_cache(maxsize=1)
def learned() -> tuple[pd.DataFrame, np.ndarray, Schema, Encoded, Learned]:
    """The table above, encoded and learned once per test process."""
    frame, y = table()
    schema = Schema(columns_of(frame, frame.columns))
    encoded = encode(schema, frame)
    return frame, y, schema, encoded, learn(schema, encoded, y, folds=4)
