"""What people would use instead, learned on the same rows for comparison."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from leadml.evaluation.odoo import OdooBayes
from leadml.leads import Kind, Schema
from leadml.training.encoding import Encoded

__all__ = ["BASELINES", "predict_baselines"]

Floats = NDArray[np.float64]

BASELINES = {
    "base_rate": "base rate",
    "logistic_regression": "logistic regression",
    "odoo_naive_bayes": "Odoo's naive Bayes",
    "full_depth_lightgbm": "full-depth LightGBM",
}


def predict_baselines(
    schema: Schema, train: Encoded, y: Floats, test: Encoded, seed: int = 0
) -> dict[str, Floats]:
    """Probabilities of every baseline for the test rows, each of shape (n_test,)."""
    return {
        "base_rate": np.full(len(test), (y.sum() + 0.5) / (len(y) + 1.0)),
        "logistic_regression": _logistic(train, y, test),
        "odoo_naive_bayes": _odoo(schema, train, y, test),
        "full_depth_lightgbm": _full_depth(train, y, test, seed),
    }


def _logistic(train: Encoded, y: Floats, test: Encoded) -> Floats:
    categories = list(train.categories)
    numbers = [i for i in range(train.matrix.shape[1]) if i not in train.categories]
    usable = [i for i in numbers if not np.isnan(train.matrix[:, i]).all()]
    steps: list[Any] = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), usable),
        (
            "categories",
            OneHotEncoder(handle_unknown="ignore", min_frequency=5),
            categories,
        ),
    ]
    model = make_pipeline(
        ColumnTransformer(steps), LogisticRegression(solver="newton-cholesky", max_iter=50)
    )
    model.fit(_finite(train.matrix), y)
    found: Floats = model.predict_proba(_finite(test.matrix))[:, 1]
    return found


def _finite(matrix: Floats) -> Floats:
    return np.where(np.abs(matrix) > 1e100, np.nan, matrix)


def _odoo(schema: Schema, train: Encoded, y: Floats, test: Encoded) -> Floats:
    return np.asarray(
        OdooBayes().fit(_as_columns(schema, train), y).predict(_as_columns(schema, test))
    )


def _as_columns(schema: Schema, encoded: Encoded) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for i, column in enumerate(schema.columns):
        values = encoded.matrix[:, i]
        if column.kind is Kind.NUMBER:
            found[column.name] = values
            continue
        words = np.array([*column.levels, None, "(other)"], dtype=object)
        found[column.name] = words[np.where(np.isnan(values), -1, values).astype(np.intp)]
    return found


def _full_depth(train: Encoded, y: Floats, test: Encoded, seed: int) -> Floats:
    """The regularised 31-leaf LightGBM with early stopping on a tenth of the rows."""
    params = {
        "objective": "binary",
        "learning_rate": 0.08,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.75,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "cat_smooth": 30.0,
        "cat_l2": 20.0,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    random = np.random.default_rng(seed)
    held = random.random(len(y)) < 0.15
    if min(y[held].sum(), (1 - y[held]).sum()) < 1 or min(y[~held].sum(), (1 - y[~held]).sum()) < 1:
        held = np.arange(len(y)) % 2 == 0
    data = lgb.Dataset(train.matrix, y, categorical_feature=list(train.categories), params=params)
    data.construct()
    booster = lgb.train(
        params,
        data.subset(np.flatnonzero(~held).tolist()),
        num_boost_round=600,
        valid_sets=[data.subset(np.flatnonzero(held).tolist())],
        callbacks=[lgb.early_stopping(30, verbose=False)],
    )
    return np.asarray(
        booster.predict(test.matrix, num_iteration=booster.best_iteration, num_threads=1)
    )
