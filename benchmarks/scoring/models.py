"""What is compared in process: a scorecard and a LightGBM of equal accuracy, of one history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.history import history
from leadml import LeadScorer
from leadml.scorecard import Scorecard

__all__ = ["LEAVES", "TREES", "Held", "build", "codes_of"]

TREES = 400
LEAVES = 31


class Held(NamedTuple):
    """Leads that no model learned from."""

    X: pd.DataFrame
    y: np.ndarray
    codes: np.ndarray


def codes_of(X: pd.DataFrame, levels: dict[str, list[str]]) -> np.ndarray:
    """A frame as floats, categories as codes and missing as NaN; shape (n, n_columns)."""
    columns = []
    for name in X.columns:
        if name in levels:
            codes = pd.Categorical(X[name], categories=levels[name]).codes.astype(float)
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(X[name].astype("float64").to_numpy(dtype=float, na_value=np.nan))
    return np.column_stack(columns)


def build(folder: Path, n_leads: int, seed: int = 0) -> tuple[Scorecard, Any, Held]:
    """Learn both models from four fifths of a simulated history.

    Left in ``folder`` for peers in other environments: ``model.txt`` (the LightGBM) and
    ``leads.npz`` (codes and outcomes, to learn from and held out).

    Returns
    -------
    tuple
        The scorecard, the ``lightgbm.Booster``, and the leads held out.
    """
    import lightgbm as lgb

    X, y = history(n_leads, seed)
    order = np.random.default_rng(seed).permutation(len(X))
    cut = len(X) * 4 // 5
    learn, test = order[:cut], order[cut:]
    card = LeadScorer(random_state=seed).fit(X.iloc[learn], y[learn]).scorecard_

    texts = [name for name in X.columns if X[name].dtype.kind not in "iufb"]
    levels = {name: sorted(X[name].iloc[learn].dropna().unique()) for name in texts}
    codes = codes_of(X, levels)
    places = [list(X.columns).index(name) for name in texts]
    data = lgb.Dataset(codes[learn], y[learn], categorical_feature=places)
    settings = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": 0.01,  # of 0.1, 0.02 and 0.01 the most accurate on these leads
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    booster = lgb.train(settings, data, TREES)
    booster.save_model(folder / "model.txt")
    np.savez(
        folder / "leads.npz",
        learn=codes[learn],
        y_learn=y[learn],
        test=codes[test],
        y_test=y[test],
        categories=np.array(places),
    )
    (folder / "columns.json").write_text(json.dumps(list(X.columns)), encoding="utf-8")
    X.to_parquet(folder / "leads.parquet")
    return card, booster, Held(X.iloc[test].reset_index(drop=True), y[test], codes[test])
