"""What learns: leadml and its peers, each with the settings people get by default.

A recipe sees training columns, their outcomes and test columns, and gives the
probabilities of the test rows. It runs in a process of its own (`fitting.py`), so
libraries are imported inside the recipes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Learn = Callable[["Task"], "Floats"]

__all__ = ["RECIPES", "Recipe", "Task"]

MISSING: Final = "(missing)"
FLAML_S: Final = 60
AUTOGLUON_S: Final = 240


@dataclass(frozen=True, eq=False)
class Task:
    """Rows to learn from and rows to predict.

    Parameters
    ----------
    X, y
        Training columns (n rows) and outcomes, shape (n,), in {0, 1}.
    X_test
        The same columns of the test rows.
    seed
        Of every random choice that the recipe lets one seed.
    """

    X: pd.DataFrame
    y: NDArray[np.int64]
    X_test: pd.DataFrame
    seed: int = 0

    @property
    def categories(self) -> list[str]:
        """Columns that are no numbers."""
        return [str(name) for name in self.X.columns if self.X[name].dtype.kind not in "iuf"]

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers."""
        return [str(name) for name in self.X.columns if self.X[name].dtype.kind in "iuf"]

    def with_categories(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both tables with pandas categories of the training rows' levels; others are missing."""
        import pandas as pd

        X, X_test = self.X.copy(), self.X_test.copy()
        for name in self.categories:
            levels = pd.CategoricalDtype(sorted(X[name].dropna().astype(str).unique()))
            for table in (X, X_test):
                texts = table[name].astype(object)
                table[name] = texts.where(texts.isna(), texts.astype(str)).astype(levels)
        return X, X_test

    def with_texts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both tables with missing categories as a level of their own."""
        X, X_test = self.X.copy(), self.X_test.copy()
        for name in self.categories:
            for table in (X, X_test):
                texts = table[name].astype(object)
                table[name] = texts.where(texts.notna(), MISSING).astype(str)
        return X, X_test


@dataclass(frozen=True)
class Recipe:
    """One way to learn.

    Parameters
    ----------
    name, title
        For the command line, for tables.
    learn
        Gives the probabilities of the test rows, shape (n_test,).
    library
        What is imported before the clock starts.
    environment
        ``project``, or the name of an environment made for it alone.
    """

    name: str
    title: str
    learn: Learn
    library: str
    environment: str = "project"


def _leadml(task: Task) -> Floats:
    from leadml import LeadScorer

    return LeadScorer().fit(task.X, task.y).predict_proba(task.X_test)[:, 1]


def _logistic(task: Task) -> Floats:
    """The way of the tutorials: impute, scale, one-hot, logistic regression."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, X_test = task.with_texts()
    columns = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), task.numbers),
            ("c", OneHotEncoder(handle_unknown="ignore"), task.categories),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(X, task.y)
    return model.predict_proba(X_test)[:, 1]


def _lightgbm(task: Task) -> Floats:
    from lightgbm import LGBMClassifier

    X, X_test = task.with_categories()
    model = LGBMClassifier(random_state=task.seed, n_jobs=1, verbosity=-1).fit(X, task.y)
    return model.predict_proba(X_test)[:, 1]


def _catboost(task: Task) -> Floats:
    from catboost import CatBoostClassifier

    X, X_test = task.with_texts()
    model = CatBoostClassifier(
        cat_features=task.categories,
        random_seed=task.seed,
        thread_count=1,
        verbose=0,
        allow_writing_files=False,
    ).fit(X, task.y)
    return model.predict_proba(X_test)[:, 1]


def _ebm(task: Task) -> Floats:
    from interpret.glassbox import ExplainableBoostingClassifier

    X, X_test = task.with_texts()
    model = ExplainableBoostingClassifier(random_state=task.seed, n_jobs=1).fit(X, task.y)
    return model.predict_proba(X_test)[:, 1]


def _flaml(task: Task) -> Floats:
    from flaml import AutoML

    X, X_test = task.with_categories()
    model = AutoML()
    model.fit(
        X,
        task.y,
        task="classification",
        metric="log_loss",
        time_budget=FLAML_S,
        n_jobs=1,
        seed=task.seed,
        verbose=0,
    )
    return model.predict_proba(X_test)[:, 1]


def _autogluon(task: Task) -> Floats:
    from autogluon.tabular import TabularPredictor

    with tempfile.TemporaryDirectory() as folder:
        model = TabularPredictor("outcome", path=folder, eval_metric="log_loss", verbosity=0)
        model.fit(
            task.X.assign(outcome=task.y),
            presets="good_quality",
            time_limit=AUTOGLUON_S,
            num_cpus=1,
            num_gpus=0,
        )
        chances: Any = model.predict_proba(task.X_test, as_multiclass=False)
        return chances.to_numpy()


def _odoo(task: Task) -> Floats:
    from leadml.evaluation.odoo import OdooBayes

    def columns(table: pd.DataFrame) -> dict[str, Any]:
        return {str(name): table[name].to_numpy() for name in table.columns}

    X, X_test = task.X.copy(), task.X_test.copy()
    for name in task.categories:
        X[name], X_test[name] = X[name].astype(object), X_test[name].astype(object)
    return OdooBayes().fit(columns(X), task.y).predict(columns(X_test))


RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe("leadml", "leadml.LeadScorer", _leadml, "leadml.training.estimator"),
        Recipe("logistic", "logistic regression, tutorial way", _logistic, "sklearn.linear_model"),
        Recipe("lightgbm", "LightGBM defaults", _lightgbm, "lightgbm"),
        Recipe("catboost", "CatBoost defaults", _catboost, "catboost"),
        Recipe("ebm", "EBM (interpret) defaults", _ebm, "interpret.glassbox"),
        Recipe("flaml", f"FLAML {FLAML_S} s", _flaml, "flaml"),
        Recipe(
            "autogluon",
            f"AutoGluon good quality {AUTOGLUON_S} s",
            _autogluon,
            "autogluon.tabular",
            "autogluon",
        ),
        Recipe("odoo", "Odoo's naive Bayes", _odoo, "leadml.evaluation.odoo"),
    )
}
