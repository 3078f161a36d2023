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
    with threadpool_limits(1):
        return _train(frame, config, test_frame, champion, given, margin, jobs, progress, started)


def _train(
    frame: pd.DataFrame,
    config: TrainConfig,
    test_frame: pd.DataFrame | None,
    champion: Rival | None,
    given: Given | None,
    margin: float,
    jobs: int,
    progress: Progress,
    started: float,
) -> TrainingResult:
    thresholds = ThresholdPlan(basis=config.threshold_basis, **config.thresholds)  # type: ignore[arg-type]
    progress("reading outcomes", 0, 1)
    labels = label(frame, config)
    selection = select_columns(frame, config, labels.known)
    if given is not None:
        selection = _columns_of_given(given, selection, frame)
    usable = np.flatnonzero(labels.known)
    rows = frame.iloc[usable].reset_index(drop=True)
    y = labels.converted[usable]
    full_order, order_name = order_of(frame, config, labels)
    order = None if full_order is None else full_order[usable]
    plan = Plan(config, selection, labels, progress=progress)
    encode(schema_of(rows, plan), rows)  # cells that cannot be read are named before any learning
    progress("reading outcomes", 1, 1)

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

    like: Fitted | None = None
    retest: Callable[[TrainConfig], Floats] | None = None
    if test_frame is not None:
        model = learn_all()
        progress("testing on the held-out table", 0, 1)
        encoded = encode(model.scorecard.schema, rows)
        protocol, tested = answers_held_out(model.scorecard, encoded, y, test_frame, plan)
        progress("testing on the held-out table", 1, 1)
    else:
        protocol = choose_protocol(
            y,
            order,
            order_name,
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
            chosen = select_columns(frame, recipe, labels.known)
            other = replace(plan, config=recipe, selection=chosen)
            again, _ = answers_by_splits(other, rows, y, order, protocol, jobs, progress)
            return again.probability

    progress("checking", 0, 1)
    findings = _check(frame, config, labels, selection, full_order, usable, protocol, tested)
    progress("checking", 1, 1)

    progress("measuring", 0, 1)
    metrics = measure(tested.y, tested.probability, protocol.name, config.seed)
    cohort, ranked = cohort_of(model.scorecard, frame, labels, tested.probability, tested.y)
    policy = policy_of(cohort, thresholds)
    said = verdict(metrics, int(y.sum()), baselines_of(tested, protocol.name), findings)
    rival = _rival(champion, config, labels, rows, test_frame, tested, retest)
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
        frame,
        plan,
        model,
        protocol,
        tested,
        metrics,
        policy,
        cohort,
        ranked,
        rows,
        (rows if test_frame is None else test_frame).iloc[tested.rows],
        like.recency if like and protocol.kind == "forward" else None,
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
    facts["model"]["seconds"] = round(time.perf_counter() - started, 1)
    progress("measuring", 1, 1)
    return TrainingResult(
        scorecard=model.scorecard,
        policy=policy,
        metrics=metrics,
        facts=facts,
        leads=as_sent(rows, model.scorecard.schema, config),
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


def _check(
    frame: pd.DataFrame,
    config: TrainConfig,
    labels: Labels,
    selection: Selection,
    order: Floats | None,
    usable: NDArray[np.intp],
    protocol: Protocol,
    tested: Tested,
) -> list[dict[str, Any]]:
    """The numbered checks on the table and, where its rows were tested, on the test."""
    own = protocol.kind != "held_out"
    found = check_history(
        frame,
        config,
        labels,
        selection,
        order=order,
        learned_rows=usable[protocol.splits[0][0]] if protocol.kind == "forward" else None,
        tested_rows=usable[tested.rows] if own else None,
        tested_probability=tested.probability if own else None,
        now=time.time(),
    )
    return [finding.as_dict() for finding in found]


def _rival(
    champion: Rival | None,
    config: TrainConfig,
    labels: Labels,
    rows: pd.DataFrame,
    test_frame: pd.DataFrame | None,
    tested: Tested,
    retest: Callable[[TrainConfig], Floats] | None,
) -> Answered:
    if champion is None or retest is None:
        if champion is None or test_frame is None:
            return Answered(None, None, "There is no champion yet.")
        chances = Scorer(champion.scorecard).frame(test_frame.iloc[tested.rows]).probability
        everyone = np.arange(len(chances), dtype=np.intp)
        return Answered(chances, everyone, f"{champion.name} as served, on the held-out table.")
    created = None
    if labels.created_s is not None:
        created = labels.created_s[labels.known][tested.rows]
    return answers_of_rival(
        champion,
        config,
        rows.iloc[tested.rows],
        tested.y,
        created,
        tested.probability,
        retest,
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
