"""A search for better parameters of the trees, kept only where it is better than noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from leadml.leads import Schema
from leadml.training.additive import learn_additive
from leadml.training.blending import blend_weights
from leadml.training.encoding import Encoded
from leadml.training.trees import TreeRecipe, learn_bag, recipes_of, shared_dataset, signs_of

__all__ = ["Searched", "search"]

Floats = NDArray[np.float64]
Tick = Callable[[str, float, float], None]

FOLDS = 5
CONFIRMING_FOLDS = 8
CONFIRMING_SHARE = 4.0
"""Time kept for confirming, in evaluations of the recipe: twice eight folds for five, and some."""

ERRORS_BETTER = 2.0
"""Standard errors by which the best must beat the recipe."""


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Parameters
    ----------
    changes
        Parameters of the plain and of the extra-random bag that replace the recipe's;
        both empty where nothing was better by more than noise.
    tried
        Parameters of the best trial, kept or not.
    trials
        Sets of parameters tried, the recipe's own not counted.
    seconds
        Time used.
    difference, error
        Mean difference of the log loss per fold, best minus recipe, on folds that the
        search had not seen, and its standard error; None without a trial.
    """

    changes: tuple[dict[str, Any], dict[str, Any]]
    tried: tuple[dict[str, Any], dict[str, Any]]
    trials: int
    seconds: float
    difference: float | None
    error: float | None

    @property
    def better(self) -> bool:
        """Whether the recipe was replaced."""
        return any(self.changes)

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        start = f"A search of {self.seconds:.0f} s made {self.trials} trials"
        if self.difference is None:
            return f"{start}, too few to compare; the usual recipe stayed."
        how = f"{self.difference:+.4f} ± {self.error:.4f} in log loss on fresh folds"
        if self.better:
            return f"{start}; the best replaced the usual recipe ({how})."
        return f"{start}; none was better by more than noise ({how}), so the usual recipe stayed."

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = {
            "better": self.better,
            "trials": self.trials,
            "seconds": self.seconds,
            "plain": self.tried[0],
            "random": self.tried[1],
            "sentence": self.sentence,
        }
        if self.difference is not None:
            found |= {"difference": self.difference, "error": self.error}
        return found


@dataclass(frozen=True, eq=False)
class _Table:
    """One split into folds, with the out-of-fold log-odds of the additive part on it."""

    encoded: Encoded
    y: Floats
    dataset: Any
    signs: Sequence[int]
    splits: list[tuple[Any, Any]]
    additive: Floats
    jobs: int

    def losses(self, recipes: Sequence[TreeRecipe], tick: Callable[[], None]) -> Floats:
        """Log loss of the blend in each fold, shape (n_folds,)."""
        margins = [
            learn_bag(
                recipe.directed(self.signs),
                self.dataset,
                self.encoded,
                self.splits,
                self.jobs,
                tick,
            ).out_of_fold
            for recipe in recipes
        ]
        margins.append(self.additive)
        blended = blend_weights(self.y, margins) @ np.stack(margins)
        loss = np.logaddexp(0.0, np.where(self.y > 0, -blended, blended))
        return np.array([loss[held].mean() for _, held in self.splits])


def search(
    schema: Schema,
    encoded: Encoded,
    y: Floats,
    seconds: float,
    *,
    seed: int = 0,
    jobs: int = 1,
    monotone: Mapping[str, str] | None = None,
    progress: Tick = lambda step, done, total: None,
) -> Searched:
    """Search learning rate, L2, feature fraction, leaf size and category smoothing of both bags.

    Trials are drawn by Optuna's TPE sampler and judged by the out-of-fold log loss of
    the blend. The best is then compared with the recipe on other folds, paired: the
    winner of many trials on the same folds looks better than it is.

    Parameters
    ----------
    schema, encoded, y
        As ``learn`` takes them; nothing else is looked at.
    seconds
        Time to use; the fit that is under way when it ends is finished.
    seed
        Of folds and sampler. How many trials fit into the time depends on the machine.
    jobs, monotone, progress
        As ``learn`` takes them.
    """
    import optuna

    started = time.perf_counter()
    y = np.asarray(y, dtype=np.float64)
    few = int(min(y.sum(), len(y) - y.sum()))
    usual = recipes_of(len(y), len(schema.columns), seed)
    signs = signs_of(schema.names, monotone)
    nothing: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    def spent() -> float:
        return time.perf_counter() - started

    def tell() -> None:
        progress("searching", min(spent(), seconds), seconds)

    def table(folds: int, folds_seed: int) -> _Table:
        parts = StratifiedKFold(min(folds, few), shuffle=True, random_state=folds_seed)
        splits = [(train, held) for train, held in parts.split(np.zeros(len(y)), y)]
        additive = learn_additive(schema, encoded, y, splits, jobs, tell, monotone)
        dataset = shared_dataset(encoded, y)
        return _Table(encoded, y, dataset, signs, splits, additive.out_of_fold, jobs)

    seen = table(FOLDS, seed)
    begun = spent()
    base = seen.losses(usual, tell)
    once = spent() - begun
    until = seconds - CONFIRMING_SHARE * once

    def in_time() -> None:
        tell()
        if spent() > until:
            raise optuna.TrialPruned

    def judged(trial: Any) -> float:
        recipes = [
            recipe.changed(_drawn(trial, recipe.name, len(y), bool(encoded.categories)))
            for recipe in usual
        ]
        return float(seen.losses(recipes, in_time).mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    if spent() < until:
        study.optimize(judged, timeout=until - spent())
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if not done or study.best_value >= base.mean():
        tried = _split(study.best_params) if done else nothing
        gap = float(study.best_value - base.mean()) if done else None
        noise = float(base.std(ddof=1) / np.sqrt(len(base))) if done else None
        return Searched(nothing, tried, len(done), spent(), gap, noise)
    tried = _split(study.best_params)
    fresh = table(CONFIRMING_FOLDS, seed + 1000)
    best = fresh.losses([r.changed(p) for r, p in zip(usual, tried, strict=True)], tell)
    apart = best - fresh.losses(usual, tell)
    gap, noise = float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(len(apart)))
    better = gap + ERRORS_BETTER * noise < 0.0
    return Searched(tried if better else nothing, tried, len(done), spent(), gap, noise)


def _drawn(trial: Any, bag: str, n: int, categories: bool) -> dict[str, Any]:
    """Parameters of one bag, suggested within usual bounds; names carry the bag's."""
    most = 0.15 if bag == "plain" else 0.25
    found = {
        "learning_rate": trial.suggest_float(f"{bag}.learning_rate", 0.02, most, log=True),
        "lambda_l2": trial.suggest_float(f"{bag}.lambda_l2", 0.1, 100.0, log=True),
        "feature_fraction": trial.suggest_float(f"{bag}.feature_fraction", 0.2, 1.0),
        "min_data_in_leaf": trial.suggest_int(
            f"{bag}.min_data_in_leaf", 3, int(min(200, max(10, n / 20))), log=True
        ),
    }
    if categories:
        found["cat_smooth"] = trial.suggest_float(f"{bag}.cat_smooth", 1.0, 100.0, log=True)
    return found


def _split(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters by bag, without the bag's name."""
    plain, random = (
        {
            name.removeprefix(f"{bag}."): found
            for name, found in params.items()
            if name.startswith(f"{bag}.")
        }
        for bag in ("plain", "random")
    )
    return plain, random
