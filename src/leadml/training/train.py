"""One training from table to tested, proven, calibrated scorecard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from leadml.errors import ColumnMissing
from leadml.evaluation import Metrics, measure, verdict
from leadml.evaluation.promotion import MARGIN, decide
from leadml.leads import Kind, Schema, text_of
from leadml.scorecard import Scorecard, Scorer
from leadml.thresholds import Policy, ThresholdPlan, policy_of
from leadml.training.checking import check_history
from leadml.training.config import FILE_ORDER, TrainConfig
from leadml.training.encoding import encode
from leadml.training.fitting import Fitted, Plan, finished, fit, schema_of
from leadml.training.intake import cohort_of
from leadml.training.labels import Labels, label, moments_of
from leadml.training.learning import prove
from leadml.training.protocols import Protocol, choose_protocol
from leadml.training.recency import Recency
from leadml.training.rivals import Answered, Rival, answers_of_rival
from leadml.training.selecting import Selection, select_columns
from leadml.training.telling import Model, facts_of
from leadml.training.testing import (
    Tested,
    answers_by_splits,
    answers_held_out,
    baselines_of,
)

__all__ = ["Given", "TrainingResult", "as_sent", "order_of", "train"]

Floats = NDArray[np.float64]
Progress = Callable[[str, float, float], None]

PARTS = ("depth-2 trees", "extra-random trees", "additive")
GATE_BASELINES = {
    "base_rate": "base rate",
    "logistic_regression": "logistic regression",
    "odoo_naive_bayes": "Odoo's naive Bayes",
}


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What one training gives.

    Parameters
    ----------
    scorecard
        Learned from all usable rows, with reference percentiles.
    policy
        Thresholds chosen on tested predictions.
    facts
        Everything a report says (plain data; see ``reports``).
    leads
        Some training rows as a CRM would send them, for golden rows and examples.
    tested
        Outcome and probability of the tested rows, shape (n_test, 2).
    """

    scorecard: Scorecard
    policy: Policy
    metrics: Metrics
    facts: dict[str, Any]
    leads: list[dict[str, Any]]
    tested: Floats


@dataclass(frozen=True, eq=False)
class Given:
    """A version whose scorecard stands in for a newly learned one, to be edited by hand.

    Parameters
    ----------
    name
        Such as ``leads@7``.
    scorecard, facts
        As registered.
    """

    name: str
    scorecard: Scorecard
    facts: Mapping[str, Any]


def train(
    frame: pd.DataFrame,
    config: TrainConfig,
    *,
    test_frame: pd.DataFrame | None = None,
    champion: Rival | None = None,
    given: Given | None = None,
    margin: float = MARGIN,
    jobs: int = 2,
    progress: Progress = lambda step, done, total: None,
) -> TrainingResult:
    """Label, select, test, learn from all rows, compile, prove, choose thresholds.

    Parameters
    ----------
    frame
        History of leads, one row each, as ``datasets.read_table`` gives it.
    config
        What is asked; its ``target`` must be set.
    test_frame
        A table of its own to test on; never learned from.
    champion
        The model in place, to be compared with.
    given
        A version to edit by ``config.edits`` in place of learning from all rows; its
        recipe, learned again from the older rows and edited alike, answers in the test.
    margin
        Share of a rival's log loss by which the gate lets this model seem worse.
    jobs
        Folds learned at once.
    progress
        Called with a step, what is done and the total.

    Raises
    ------
    DataError
        The table cannot be learned from; see the subclasses in ``errors``.
    NotProven
        The scorecard differs from its boosters.
    """
    started = time.perf_counter()
    thresholds = ThresholdPlan(basis=config.threshold_basis, **config.thresholds)  # type: ignore[arg-type]
    with threadpool_limits(1):
        history = _read(frame, config, given, progress)
        tried = _tried(history, test_frame, given, jobs, progress)
        result = _judged(history, tried, test_frame, thresholds, champion, margin, progress)
    result.facts["model"]["seconds"] = round(time.perf_counter() - started, 1)
    return result


@dataclass(frozen=True, eq=False)
class _History:
    """The table with its outcomes; ``rows``, ``y`` and ``order`` are those of usable leads."""

    frame: pd.DataFrame
    config: TrainConfig
    labels: Labels
    selection: Selection
    full_order: Floats | None
    order_name: str
    usable: NDArray[np.intp]
    rows: pd.DataFrame
    y: Floats

    @property
    def order(self) -> Floats | None:
        """What grows with time, shape (n_usable,)."""
        return None if self.full_order is None else self.full_order[self.usable]


@dataclass(frozen=True, eq=False)
class _Tried:
    """The final model, and what its like answered for leads it had not seen.

    ``recency`` is that of the model of a forward test; ``retest`` repeats the test with
    another configuration, where the history itself was split.
    """

    plan: Plan
    model: Model
    protocol: Protocol
    tested: Tested
    recency: Recency | None = None
    retest: Callable[[TrainConfig], Floats] | None = None


def _read(
    frame: pd.DataFrame, config: TrainConfig, given: Given | None, progress: Progress
) -> _History:
    progress("reading outcomes", 0, 1)
    labels = label(frame, config)
    selection = select_columns(frame, config, labels.known)
    if given is not None:
        selection = _columns_of_given(given, selection, frame)
    usable = np.flatnonzero(labels.known)
    rows = frame.iloc[usable].reset_index(drop=True)
    order, name = order_of(frame, config, labels)
    y = labels.converted[usable]
    progress("reading outcomes", 1, 1)
    return _History(frame, config, labels, selection, order, name, usable, rows, y)


def _tried(
    history: _History,
    test_frame: pd.DataFrame | None,
    given: Given | None,
    jobs: int,
    progress: Progress,
) -> _Tried:
    """Learn from all rows; test on the held-out table, or on splits of the history before."""
    config, rows, y, order = history.config, history.rows, history.y, history.order
    plan = Plan(config, history.selection, history.labels, progress=progress)
    encode(schema_of(rows, plan), rows)  # cells that cannot be read are named before any learning

    def learn_all(like: Fitted | None = None) -> Model:
        if given is not None:
            return _edited_given(given, rows, y, config)
        fitted = fit(
            plan,
            rows,
            y,
            order,
            jobs=jobs,
            found=like.searched if like else None,
            tick=lambda done, total: progress("learning from all leads", done, total),
        )
        progress("proving the scorecard", 0, 1)
        model = _proven(fitted, rows, config)
        progress("proving the scorecard", 1, 1)
        return model

    if test_frame is not None:
        model = learn_all()
        progress("testing on the held-out table", 0, 1)
        encoded = encode(model.scorecard.schema, rows)
        protocol, tested = answers_held_out(model.scorecard, encoded, y, test_frame, plan)
        progress("testing on the held-out table", 1, 1)
        return _Tried(plan, model, protocol, tested)
    protocol = choose_protocol(
        y,
        order,
        history.order_name,
        label_delay=plan.label_delay,
        test_share=config.test_share,
        folds=config.folds,
        seed=config.seed,
    )
    # forward, what was found in the past serves the final model too; folds search each
    forward = protocol.kind == "forward"
    plan = replace(plan, searches=1 if forward else len(protocol.splits) + 1)
    tested, like = answers_by_splits(plan, rows, y, order, protocol, jobs, progress)
    model = learn_all(like if forward else None)

    def retest(recipe: TrainConfig) -> Floats:
        chosen = select_columns(history.frame, recipe, history.labels.known)
        other = replace(plan, config=recipe, selection=chosen)
        again, _ = answers_by_splits(other, rows, y, order, protocol, jobs, progress)
        return again.probability

    return _Tried(plan, model, protocol, tested, like.recency if forward else None, retest)


def _judged(
    history: _History,
    tried: _Tried,
    test_frame: pd.DataFrame | None,
    thresholds: ThresholdPlan,
    champion: Rival | None,
    margin: float,
    progress: Progress,
) -> TrainingResult:
    """Checks, figures, lines, verdict and gate of what was tried, and the facts of all."""
    config, tested, protocol = history.config, tried.tested, tried.protocol
    scorecard = tried.model.scorecard
    progress("checking", 0, 1)
    findings = _check(history, protocol, tested)
    progress("checking", 1, 1)
    progress("measuring", 0, 1)
    metrics = measure(tested.y, tested.probability, protocol.name, config.seed)
    cohort, ranked = cohort_of(
        scorecard, history.frame, history.labels, tested.probability, tested.y
    )
    policy = policy_of(cohort, thresholds)
    baselines = baselines_of(tested, protocol.name)
    said = verdict(metrics, int(history.y.sum()), baselines, findings)
    leads = (history.rows if test_frame is None else test_frame).iloc[tested.rows]
    rival = _rival(champion, history, tried, leads)
    gate = decide(
        tested.y,
        tested.probability,
        {name: tested.baselines[key] for key, name in GATE_BASELINES.items()},
        verdict=said.word,
        findings=findings,
        champion=rival.probability,
        compared=rival.places,
        champion_is=rival.how,
        margin=margin,
        seed=config.seed,
    )
    facts = facts_of(
        history.frame,
        tried.plan,
        tried.model,
        protocol,
        tested,
        metrics,
        baselines,
        policy,
        cohort,
        ranked,
        history.rows,
        leads,
        tried.recency,
    )
    facts |= {
        "verdict": said.as_dict(),
        "checks": findings,
        "gate": gate.as_dict(),
        "plan": thresholds.as_dict(),
        "cohort": cohort.as_dict(),
    }
    if champion is None and not gate.passed and said.word != "no":
        facts["notes"].append(
            f"A line of the gate failed ({', '.join(gate.failed)}). With no champion in place "
            "this version may serve all the same; a later one has to pass."
        )
    progress("measuring", 1, 1)
    return TrainingResult(
        scorecard=scorecard,
        policy=policy,
        metrics=metrics,
        facts=facts,
        leads=as_sent(history.rows, scorecard.schema, config),
        tested=np.column_stack((tested.y, tested.probability)),
    )


def _proven(fitted: Fitted, rows: pd.DataFrame, config: TrainConfig) -> Model:
    """What was learned, held against its boosters on every row of the history."""
    learned, searched = fitted.learned, fitted.searched
    proof = prove(learned, encode(learned.scorecard.schema, rows), config.seed)
    recency = fitted.recency
    return Model(
        fitted.scorecard,
        recipe={
            "weights": dict(zip(PARTS, learned.weights, strict=False)),
            "calibration_slope": learned.slope,
            "calibration_intercept": learned.intercept,
            **({"search": searched.as_dict()} if searched else {}),
            **({"recency": recency.as_dict()} if recency.sentence else {}),
            **({"intercept_moved": fitted.shift} if fitted.shift else {}),
        },
        proof={
            "rows": proof.rows,
            "max_difference": proof.max_difference,
            "additivity": proof.additivity,
            **({"against": dict(proof.against)} if proof.against else {}),
        },
        trees=learned.n_trees,
        edits=fitted.edits,
        monotone=learned.monotone,
        drift=fitted.drift,
    )


def _edited_given(given: Given, rows: pd.DataFrame, y: Floats, config: TrainConfig) -> Model:
    """The given version's own scorecard, edited; the facts of its making are the version's."""
    scorecard, done = finished(given.scorecard, rows, y, config)
    return Model(
        scorecard,
        recipe={**given.facts.get("recipe", {}), "edited_from": given.name},
        proof=dict(given.facts.get("proof", {})),
        trees=int(given.facts.get("size", {}).get("trees", 0)),
        edits=done,
        monotone={},
    )


def _columns_of_given(given: Given, selection: Selection, frame: pd.DataFrame) -> Selection:
    """The columns of a given version, among those of the table."""
    sources = given.scorecard.schema.sources
    gone = sorted(sources - {str(name) for name in frame.columns})
    if gone:
        raise ColumnMissing(
            f"the table lacks columns of {given.name}: {', '.join(gone[:20])}",
            column=gone[0],
            fix="bring a history with the columns the version was trained on",
        )
    return replace(selection, names=tuple(name for name in selection.names if name in sources))


def order_of(frame: pd.DataFrame, config: TrainConfig, labels: Labels) -> tuple[Floats | None, str]:
    """What grows with time, shape (n,), and its name; (None, "") where nothing is known."""
    if config.order_by == FILE_ORDER and FILE_ORDER not in frame.columns:
        return np.arange(len(frame), dtype=np.float64), "order of the file"
    if config.order_by:
        if config.order_by in frame.columns:
            numbers = pd.to_numeric(frame[config.order_by], errors="coerce")
            if numbers.notna().all():
                return numbers.to_numpy(dtype=np.float64), config.order_by
        return moments_of(frame, config.order_by), config.order_by
    if labels.created_s is not None:
        return labels.created_s, config.created_at
    return None, ""


def _check(history: _History, protocol: Protocol, tested: Tested) -> list[dict[str, Any]]:
    """The numbered checks on the table and, where its rows were tested, on the test."""
    own = protocol.kind != "held_out"
    usable = history.usable
    found = check_history(
        history.frame,
        history.config,
        history.labels,
        history.selection,
        order=history.full_order,
        learned_rows=usable[protocol.splits[0][0]] if protocol.kind == "forward" else None,
        tested_rows=usable[tested.rows] if own else None,
        tested_probability=tested.probability if own else None,
        now=time.time(),
    )
    return [finding.as_dict() for finding in found]


def _rival(
    champion: Rival | None, history: _History, tried: _Tried, leads: pd.DataFrame
) -> Answered:
    """What the champion answers for the tested ``leads``."""
    if champion is None:
        return Answered(None, None, "There is no champion yet.")
    tested = tried.tested
    if tried.retest is None:
        chances = Scorer(champion.scorecard).frame(leads).probability
        everyone = np.arange(len(chances), dtype=np.intp)
        return Answered(chances, everyone, f"{champion.name} as served, on the held-out table.")
    created = history.labels.created_s
    return answers_of_rival(
        champion,
        history.config,
        leads,
        tested.y,
        None if created is None else created[history.usable][tested.rows],
        tested.probability,
        tried.retest,
    )


def as_sent(rows: pd.DataFrame, schema: Schema, config: TrainConfig) -> list[dict[str, Any]]:
    """Evenly spaced training rows as mappings, without what is missing or rare.

    Values of a category that the schema does not name are left out: these rows are kept.
    """
    places = np.unique(np.linspace(0, len(rows) - 1, min(64, len(rows))).astype(int))
    named = {
        column.source: frozenset(column.levels)
        for column in schema.columns
        if column.kind is Kind.CATEGORY
    }
    wanted = [name for name in rows.columns if str(name) in schema.sources]
    if config.id and config.id in rows.columns:
        wanted.append(config.id)
    return [
        {
            str(name): value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in record.items()
            if not pd.isna(value) and (name not in named or text_of(value) in named[name])
        }
        for record in rows.iloc[places][wanted].to_dict("records")
    ]
