"""One finished scorecard from labelled leads, made alike for the test and for serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.errors import ConfigError
from leadml.leads import Kind, Schema
from leadml.scorecard import Scorecard, Scorer
from leadml.scorecard.editing import Edited, edit
from leadml.training.config import TrainConfig
from leadml.training.encoding import columns_of, encode
from leadml.training.labels import DAY_S, Labels
from leadml.training.learning import BASE_RATE_ONLY, Learned, learn, with_reference
from leadml.training.protocols import drifted
from leadml.training.recalibrating import intercept_shift
from leadml.training.recency import (
    ALL,
    INNER_FOLDS,
    NEWEST,
    Recency,
    choose_recency,
    moved,
    parts,
)
from leadml.training.searching import Searched, search
from leadml.training.selecting import Selection

__all__ = ["Fitted", "Plan", "directions_of", "finished", "fit", "schema_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Tick = Callable[[float, float], None]
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """What every model of one training has in common.

    Parameters
    ----------
    config, selection, labels
        What is asked, which columns are learned from, how the outcome was read.
    searches
        Models that share the time asked for searching.
    progress
        Told how far a search is.
    """

    config: TrainConfig
    selection: Selection
    labels: Labels
    searches: int = 1
    progress: Progress = lambda step, done, total: None

    @property
    def label_delay(self) -> float:
        """Seconds after its creation at which what became of a lead is known."""
        return (self.labels.horizon_days or 0) * DAY_S if self.config.created_at else 0.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A finished scorecard, and how it came about.

    Parameters
    ----------
    scorecard
        With intercept, edits and reference percentiles.
    learned
        The scorecard as compiled, with what it was made of.
    recency
        Which part of the rows was learned from.
    shift
        By which the newest leads moved the intercept, in log-odds.
    drift
        Whether the parts were weighted nearly equally because the rate moved.
    searched, edits
        What a search found; what was edited by hand.
    """

    scorecard: Scorecard
    learned: Learned
    recency: Recency
    shift: float
    drift: bool
    searched: Searched | None
    edits: list[Edited]


def fit(
    plan: Plan,
    rows: pd.DataFrame,
    y: Floats,
    order: Floats | None,
    *,
    jobs: int = 1,
    found: Searched | None = None,
    tick: Tick = lambda done, total: None,
) -> Fitted:
    """Choose how far back to learn, search if asked, learn, set the intercept, edit.

    Parameters
    ----------
    plan
        Of the training.
    rows, y, order
        Labelled leads, shape (n, …): columns, outcomes, what grows with time or None.
    jobs
        Folds learned at once.
    found
        Parameters found before, in place of a search.
    tick
        Called with what is done and the total.
    """
    config = plan.config
    recency = _recency(plan, rows, y, order, jobs)
    learned_from, held = parts(order, len(y), recency.policy)
    if min(y[learned_from].sum(), (1 - y[learned_from]).sum()) < BASE_RATE_ONLY:
        recency = Recency(ALL, recency.sentence and _TOO_FEW)
        learned_from, held = parts(order, len(y), ALL)
    drift = order is not None and drifted(y, order)
    past, outcome = rows.iloc[learned_from], y[learned_from]
    schema = schema_of(past, plan)
    encoded = encode(schema, past)
    few = min(outcome.sum(), len(outcome) - outcome.sum())
    searched = found
    if found is None and config.search_seconds and few >= BASE_RATE_ONLY and schema.columns:
        searched = search(
            schema,
            encoded,
            outcome,
            config.search_seconds / plan.searches,
            seed=config.seed,
            jobs=jobs,
            monotone=directions_of(schema, config),
            progress=plan.progress,
        )
    learned = learn(
        schema,
        encoded,
        outcome,
        seed=config.seed,
        folds=config.folds,
        jobs=jobs,
        drift=drift,
        monotone=directions_of(schema, config),
        changes=searched.changes if searched else ({}, {}),
        progress=lambda _, done, total: tick(done, total),
    )
    scorecard, shift = _moved_by(learned.scorecard, rows.iloc[held], y[held])
    part = np.sort(np.concatenate((learned_from, held)))
    scorecard, edits = finished(scorecard, rows.iloc[part], y[part], config)
    return Fitted(scorecard, learned, recency, shift, drift, searched, edits)


_TOO_FEW = "The newest part holds too few conversions to learn from, so all leads count."


def _recency(plan: Plan, rows: pd.DataFrame, y: Floats, order: Floats | None, jobs: int) -> Recency:
    """What is asked, or what tries inside these rows advise where something moved."""
    asked = plan.config.recency
    if order is None or asked == ALL:
        return Recency(ALL)
    if asked == NEWEST:
        return Recency(NEWEST, "The newest part of the history was learned from: you asked for it.")
    why = moved(rows, y, order, plan.selection.names)
    if not why:
        return Recency(ALL)

    def tried(policy: str, past: Rows) -> Callable[[Rows], Floats]:
        learned_from, held = parts(order[past], len(past), policy)
        older, outcome = rows.iloc[past[learned_from]], y[past[learned_from]]
        schema = schema_of(older, plan)
        learned = learn(
            schema,
            encode(schema, older),
            outcome,
            seed=plan.config.seed,
            folds=INNER_FOLDS,
            jobs=jobs,
            drift=drifted(y[past], order[past]),
            monotone=directions_of(schema, plan.config),
        )
        scorecard, _ = _moved_by(learned.scorecard, rows.iloc[past[held]], y[past[held]])
        scorer = Scorer(scorecard)
        return lambda window: scorer.frame(rows.iloc[window]).probability

    return choose_recency(y, order, plan.label_delay, why, tried)


def _moved_by(scorecard: Scorecard, rows: pd.DataFrame, y: Floats) -> tuple[Scorecard, float]:
    """The scorecard with its intercept set by newer leads, and by how much it moved."""
    if not len(y):
        return scorecard, 0.0
    shift = intercept_shift(y, Scorer(scorecard).frame(rows).log_odds)
    return scorecard.with_base_shift(shift), shift


def finished(
    scorecard: Scorecard, rows: pd.DataFrame, y: Floats, config: TrainConfig
) -> tuple[Scorecard, list[Edited]]:
    """Edited by hand if that was asked, its intercept set right again, with percentiles."""
    done: list[Edited] = []
    if config.edits:
        scorecard, done = edit(scorecard, config.edits)
        shift = intercept_shift(y, Scorer(scorecard).frame(rows).log_odds)
        scorecard = scorecard.with_base_shift(shift)
    return with_reference(scorecard, rows), done


def schema_of(rows: pd.DataFrame, plan: Plan) -> Schema:
    """Learning columns as these rows show them, and the fields a lead may carry beside."""
    config, selection, labels = plan.config, plan.selection, plan.labels
    # a dropped time of creation still orders and labels the leads; its calendar stays unknown
    calendar = "" if config.created_at in config.dropped else config.created_at
    columns = columns_of(rows, selection.names, selection.hints, calendar, config.rare_below)
    sources = {column.source for column in columns}
    known = tuple(name for name, _ in selection.dropped if name not in sources)
    return Schema(
        columns=columns,
        known=known,
        id_field=config.id,
        created_at_field=config.created_at,
        target=labels.target,
        positive=labels.positive,
    )


def directions_of(schema: Schema, config: TrainConfig) -> dict[str, str]:
    """Directions people gave to the learning columns of a schema.

    Raises
    ------
    ConfigError
        A direction was given to a category.
    """
    found = {}
    for column in schema.columns:
        direction = config.plan(column.name).monotone
        if direction and column.kind is not Kind.NUMBER:
            raise ConfigError(
                f"column '{column.name}' holds categories, which have no order to be monotone in",
                column=column.name,
                fix=f"leave out monotone for '{column.name}'",
            )
        if direction:
            found[column.name] = direction
    return found
