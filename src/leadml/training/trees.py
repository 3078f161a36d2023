"""Bags of boosted trees of depth two, learned by LightGBM, read as plain splits."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from leadml.scorecard.direction import DIRECTIONS
from leadml.training.encoding import Encoded

__all__ = [
    "Bag",
    "Node",
    "TreeRecipe",
    "learn_bag",
    "plain_recipe",
    "random_recipe",
    "recipes_of",
    "signs_of",
]

Floats = NDArray[np.float64]

ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold
COLUMNS_SEEN = 20  # per round, within 50 % and 80 %: many columns are seen in parts
DUMPED_INFINITY = 1e300  # how LightGBM writes an infinite threshold


@dataclass(frozen=True)
class TreeRecipe:
    """LightGBM parameters of one bag; ``rounds`` bounds them, early stopping ends them."""

    name: str
    params: dict[str, Any]
    rounds: int = 2000
    patience: int = 50

    def directed(self, signs: Sequence[int]) -> TreeRecipe:
        """The same recipe whose trees never move against a sign (0 free), shape (n_columns,)."""
        if not any(signs):
            return self
        # basic: each tree keeps the direction for itself, so any sum of trees does
        directed = {"monotone_constraints": list(signs), "monotone_constraints_method": "basic"}
        return replace(self, params=self.params | directed)

    def changed(self, params: Mapping[str, Any]) -> TreeRecipe:
        """The same recipe with some parameters replaced."""
        return replace(self, params=self.params | dict(params))


def _common(n_columns: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "max_depth": 2,
        "num_leaves": 4,
        "min_sum_hessian_in_leaf": 1e-7,
        "bagging_fraction": 0.9,
        "bagging_freq": 1,
        "feature_fraction": min(0.8, max(0.5, COLUMNS_SEEN / max(n_columns, 1))),
        "min_data_per_group": 50,
        "max_cat_to_onehot": 8,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def plain_recipe(n: int, n_columns: int, seed: int = 0) -> TreeRecipe:
    """The regularised depth-2 bag for ``n`` rows; strongest on large stable sets."""
    params = _common(n_columns, seed) | {
        "learning_rate": 0.05 if n < 20_000 else 0.1,
        "min_data_in_leaf": int(min(40, max(5, n / 50))),
        "lambda_l2": 10.0,
        "cat_smooth": 30.0,
        "cat_l2": 20.0,
    }
    return TreeRecipe("plain", params)


def random_recipe(n: int, n_columns: int, seed: int = 0) -> TreeRecipe:
    """The extra-random depth-2 bag; ranks better under drift and on small sets."""
    params = _common(n_columns, seed + 1) | {
        "extra_trees": True,
        "extra_seed": seed + 7,
        "learning_rate": 0.06 if n < 20_000 else 0.15,
        "min_data_in_leaf": int(min(20, max(5, n / 50))),
        "lambda_l2": 1.0,
        "cat_smooth": 10.0,
        "cat_l2": 10.0,
    }
    return TreeRecipe("random", params)


def recipes_of(n: int, n_columns: int, seed: int = 0) -> tuple[TreeRecipe, TreeRecipe]:
    """Both recipes for ``n`` rows, plain first."""
    return plain_recipe(n, n_columns, seed), random_recipe(n, n_columns, seed)


def signs_of(names: Sequence[str], monotone: Mapping[str, str] | None) -> list[int]:
    """+1 for ``up``, -1 for ``down``, 0 for columns left free."""
    given = monotone or {}
    return [int(DIRECTIONS[given[name]]) if name in given else 0 for name in names]


@dataclass(frozen=True)
class Node:
    """A split or a leaf of a tree.

    A number goes left when ``x <= threshold``; a category code when it is in
    ``members``. ``missing_left`` says where NaN goes for a number; a category has none.
    """

    value: float = 0.0
    column: int = -1
    threshold: float = 0.0
    members: frozenset[int] | None = None
    missing_left: bool = False
    left: Node | None = None
    right: Node | None = None


@dataclass(frozen=True, eq=False)
class Bag:
    """Boosters of one recipe, one per fold, and the log-odds each gave its held-out fold.

    ``out_of_fold`` has shape (n,).
    """

    name: str
    boosters: tuple[lgb.Booster, ...]
    iterations: tuple[int, ...]
    out_of_fold: Floats

    def margin(self, encoded: Encoded) -> Floats:
        """Mean log-odds of the boosters, shape (n,), by LightGBM itself."""
        total = np.zeros(len(encoded))
        for booster, iterations in zip(self.boosters, self.iterations, strict=True):
            total += booster.predict(
                encoded.matrix, raw_score=True, num_iteration=iterations, num_threads=1
            )
        return total / len(self.boosters)

    def trees(self) -> list[list[Node]]:
        """The trees of each booster up to its best iteration."""
        return [
            [
                _node(tree["tree_structure"])
                for tree in booster.dump_model(num_iteration=iterations)["tree_info"]
            ]
            for booster, iterations in zip(self.boosters, self.iterations, strict=True)
        ]


def learn_bag(
    recipe: TreeRecipe,
    dataset: lgb.Dataset,
    encoded: Encoded,
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    jobs: int,
    tick: Callable[[], None],
) -> Bag:
    """Boost once per fold on the shared data set; each stops by its held-out log loss."""

    def one(train: NDArray[np.intp], held_out: NDArray[np.intp]) -> tuple[Any, int, Floats]:
        stopping = lgb.early_stopping(recipe.patience, verbose=False)
        booster = lgb.train(
            recipe.params,
            dataset.subset(np.sort(train).tolist()),
            num_boost_round=recipe.rounds,
            valid_sets=[dataset.subset(np.sort(held_out).tolist())],
            callbacks=[stopping],
        )
        best = booster.best_iteration or booster.current_iteration()
        margin = booster.predict(
            encoded.matrix[held_out], raw_score=True, num_iteration=best, num_threads=1
        )
        tick()
        return booster, best, np.asarray(margin)

    done = joblib.Parallel(n_jobs=jobs, prefer="threads")(
        joblib.delayed(one)(train, held_out) for train, held_out in folds
    )
    out_of_fold = np.empty(len(encoded))
    for (_, held_out), (_, _, margin) in zip(folds, done, strict=True):
        out_of_fold[held_out] = margin
    return Bag(
        recipe.name,
        tuple(booster for booster, _, _ in done),
        tuple(best for _, best, _ in done),
        out_of_fold,
    )


def shared_dataset(encoded: Encoded, y: Floats, max_bin: int = 255) -> lgb.Dataset:
    """One data set on all training rows, so that all folds share bin edges."""
    params = {
        "max_bin": max_bin,
        "feature_pre_filter": False,
        "min_data_in_bin": 3,
        "num_threads": 1,
        "verbosity": -1,
        "min_data_per_group": 50,
        "force_col_wise": True,
        "deterministic": True,
    }
    return lgb.Dataset(
        encoded.matrix,
        y,
        categorical_feature=list(encoded.categories),
        params=params,
        free_raw_data=False,
    ).construct()


def _node(data: dict[str, Any]) -> Node:
    if "leaf_value" in data:
        return Node(value=float(data["leaf_value"]))
    left, right = _node(data["left_child"]), _node(data["right_child"])
    column = int(data["split_feature"])
    if data["decision_type"] == "==":
        members = frozenset(int(code) for code in str(data["threshold"]).split("||"))
        return Node(column=column, members=members, left=left, right=right)
    threshold = float(data["threshold"])
    if threshold >= DUMPED_INFINITY:
        threshold = sys.float_info.max  # any number against missing
    if -ZERO <= threshold < 0.0:
        # numbers within ZERO of 0 are read as 0 when predicting: a cut just below 0 is strict
        threshold = math.nextafter(-ZERO, -math.inf)
    if data["missing_type"] == "None":
        missing_left = threshold >= 0.0  # LightGBM reads a missing number as 0
    else:
        missing_left = bool(data["default_left"])
    return Node(
        column=column, threshold=threshold, missing_left=missing_left, left=left, right=right
    )
