"""From encoded rows to a calibrated scorecard, with its proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from leadml.errors import NotProven
from leadml.leads import Kind, Schema
from leadml.scorecard import Reference, Scorecard, Scorer
from leadml.scorecard.direction import worst_step
from leadml.training.additive import Additive, learn_additive
from leadml.training.blending import (
    PULL,
    PULL_UNDER_DRIFT,
    affine_calibration,
    blend_weights,
)
from leadml.training.compiling import Mixture, compile_scorecard
from leadml.training.encoding import Encoded
from leadml.training.trees import (
    Bag,
    learn_bag,
    recipes_of,
    shared_dataset,
    signs_of,
)

__all__ = ["Learned", "Proof", "learn", "prove"]

Floats = NDArray[np.float64]
Tick = Callable[[str, float, float], None]

BAGS = 5
BASE_RATE_ONLY = 15
PROOF_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Learned:
    """A scorecard and what it was made of.

    ``out_of_fold`` holds calibrated log-odds, shape (n,), each from models that did
    not see its row; ``weights`` belong to the parts plain bag, random bag, additive.
    """

    scorecard: Scorecard
    bags: tuple[Bag, ...]
    additive: Additive | None
    weights: tuple[float, ...]
    slope: float
    intercept: float
    out_of_fold: Floats
    n_trees: int
    monotone: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """How far the scorecard is from what it was compiled from, over ``rows`` rows.

    ``against`` holds the worst move of each column that was given a direction against
    it, in log-odds, whatever the other columns are; 0 but for rounding.
    """

    rows: int
    max_difference: float
    additivity: float
    against: Mapping[str, float] = field(default_factory=dict)


def quiet(step: str, done: float, total: float) -> None:
    """The progress of nobody."""


def learn(
    schema: Schema,
    encoded: Encoded,
    y: Floats,
    *,
    seed: int = 0,
    folds: int = BAGS,
    jobs: int = 1,
    drift: bool = False,
    monotone: Mapping[str, str] | None = None,
    changes: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    progress: Tick = quiet,
) -> Learned:
    """Learn the default recipe: plain and extra-random depth-2 bags and the additive part.

    Parameters
    ----------
    schema, encoded
        Columns, and their values of shape (n, n_columns).
    y
        Shape (n,), 1 converted, 0 not.
    seed, folds, jobs
        Same seed, same scorecard, whatever ``jobs`` is.
    drift
        Pull the parts' weights nearly equal.
    monotone
        Numbers whose total effect must never move against ``up`` or ``down``.
    changes
        Parameters of the plain and of the extra-random bag that replace the recipe's.
    progress
        Called with a step, what is done and the total.

    Notes
    -----
    Below 15 conversions (or of the other class) only the base rate is learned.
    """
    y = np.asarray(y, dtype=np.float64)
    positives = int(y.sum())
    few = min(positives, len(y) - positives)
    if few < BASE_RATE_ONLY or not schema.columns:
        return _base_rate(schema, encoded, y)
    n_folds = max(2, min(folds, few))
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    splits = [(train, held) for train, held in parts.split(np.zeros(len(y)), y)]
    total = 2.0 * n_folds + 2.0
    done = 0.0

    def tick() -> None:
        nonlocal done
        done += 1.0
        progress("learning", done, total)

    dataset = shared_dataset(encoded, y)
    directions = dict(monotone or {})
    signs = signs_of(schema.names, directions)
    plain, random = (
        learn_bag(recipe.changed(other).directed(signs), dataset, encoded, splits, jobs, tick)
        for recipe, other in zip(
            recipes_of(len(y), len(schema.columns), seed), changes, strict=True
        )
    )
    additive = learn_additive(schema, encoded, y, splits, jobs, tick, directions)
    margins = [plain.out_of_fold, random.out_of_fold, additive.out_of_fold]
    weights = blend_weights(y, margins, PULL_UNDER_DRIFT if drift else PULL)
    blended = weights @ np.stack(margins)
    slope, intercept = affine_calibration(y, blended)
    trees = [
        (slope * weight / len(bag.boosters), nodes)
        for weight, bag in zip(weights, (plain, random), strict=False)
        for nodes in bag.trees()
    ]
    mixture = Mixture(trees, (slope * float(weights[2]), additive), intercept)
    scorecard = compile_scorecard(schema, mixture, encoded)
    tick()
    out_of_fold = slope * blended + intercept
    return Learned(
        scorecard=scorecard,
        bags=(plain, random),
        additive=additive,
        weights=tuple(weights.tolist()),
        slope=slope,
        intercept=intercept,
        out_of_fold=out_of_fold,
        n_trees=sum(len(nodes) for _, nodes in trees),
        monotone=directions,
    )


def _base_rate(schema: Schema, encoded: Encoded, y: Floats) -> Learned:
    rate = (float(y.sum()) + 0.5) / (len(y) + 1.0)  # Jeffreys' estimate: never 0 or 1
    log_odds = float(np.log(rate / (1.0 - rate)))
    scorecard = compile_scorecard(schema, Mixture((), None, log_odds), encoded)
    flat = np.full(len(y), log_odds)
    return Learned(scorecard, (), None, (), 1.0, 0.0, flat, 0)


def with_reference(scorecard: Scorecard, frame: object) -> Scorecard:
    """The scorecard with percentiles of the reference leads in ``frame``."""
    scorer = Scorer(scorecard)
    batch = scorer.frame(frame)
    fit, engagement = scorer.parts(batch.contributions)
    return replace(scorecard, reference=Reference.of(batch.log_odds, fit, engagement))


def prove(learned: Learned, encoded: Encoded, seed: int = 0, odd_rows: int = 2000) -> Proof:
    """Compare the scorecard with its boosters on every row and on hostile ones.

    The hostile rows are training rows with cells replaced by missing, unseen levels,
    exact thresholds, their neighbours by one unit in the last place, and huge numbers.

    Raises
    ------
    NotProven
        Where the tree part differs by more than 1e-9, contributions do not add up, or a
        column moves against the direction it was given.
    """
    rows = np.vstack((encoded.matrix, _hostile(learned.scorecard, encoded, seed, odd_rows)))
    everything = Encoded(np.asfortranarray(rows), encoded.categories)
    underived = _underived(learned.scorecard)
    batch = Scorer(underived).frame(_decoded(underived.schema, rows))
    summed = learned.scorecard.base + batch.contributions.sum(axis=1)
    additivity = float(np.abs(summed - batch.log_odds).max(initial=0.0))
    difference = 0.0
    if learned.bags and learned.additive is not None:
        share = learned.weights
        boosted = sum(
            weight * bag.margin(everything)
            for weight, bag in zip(share, learned.bags, strict=False)
        )
        tree_part = (batch.log_odds - learned.intercept) / learned.slope - share[
            2
        ] * learned.additive.margin(everything)
        difference = float(np.abs(tree_part - boosted).max(initial=0.0))
    against = {
        name: -worst_step(learned.scorecard, name, word) for name, word in learned.monotone.items()
    }
    proof = Proof(len(rows), difference, additivity, against)
    if not difference <= PROOF_TOLERANCE or not additivity <= PROOF_TOLERANCE:
        raise NotProven(
            f"over {len(rows)} rows the scorecard differs from its boosters by {difference:.2g} "
            f"and its contributions miss its log-odds by {additivity:.2g}",
            fix="this is a fault of leadml; report it with the versions of the bundle",
        )
    for name, moved in against.items():
        if not moved <= PROOF_TOLERANCE:
            raise NotProven(
                f"the effect of '{name}' moves by {moved:.2g} log-odds against the direction "
                f"'{learned.monotone[name]}' it was given",
                fix="this is a fault of leadml; report it with the versions of the bundle",
            )
    return proof


def _hostile(scorecard: Scorecard, encoded: Encoded, seed: int, count: int) -> Floats:
    random = np.random.default_rng(seed)
    rows = encoded.matrix[random.integers(0, len(encoded), count)].copy()
    for i, column in enumerate(scorecard.schema.columns):
        hit = random.random(count) < 0.4
        if column.kind is Kind.CATEGORY:
            codes = [*np.arange(len(column.levels) + 1.0).tolist(), np.nan]
            drawn = random.choice(np.array(codes), count)
        else:
            cuts = scorecard.columns[i].thresholds
            cuts = cuts if len(cuts) else np.zeros(1)
            drawn = random.choice(cuts, count)
            nudge = random.integers(0, 6, count)
            with np.errstate(over="ignore"):  # infinities are hostile too
                drawn = np.where(nudge == 1, np.nextafter(drawn, np.inf), drawn)
                drawn = np.where(nudge == 2, np.nextafter(drawn, -np.inf), drawn)
            drawn = np.where(nudge == 3, np.nan, drawn)
            drawn = np.where(nudge == 4, random.choice([1e300, -1e300], count), drawn)
        rows[hit, i] = drawn[hit]
    return rows


def _underived(scorecard: Scorecard) -> Scorecard:
    """The same tables over derived columns given as numbers, which no timestamp could hold."""
    columns = tuple(replace(c, source=c.name, derive="") for c in scorecard.schema.columns)
    return replace(scorecard, schema=replace(scorecard.schema, columns=columns))


def _decoded(schema: Schema, matrix: Floats) -> dict[str, object]:
    """Codes back to raw values, keyed by the column's name."""
    found: dict[str, object] = {}
    for i, column in enumerate(schema.columns):
        values = matrix[:, i]
        if column.kind is Kind.NUMBER:
            found[column.name] = values
            continue
        words = np.array([*column.levels, None, "\x00unseen"], dtype=object)
        found[column.name] = words[np.where(np.isnan(values), -1, values).astype(np.intp)]
    return found
