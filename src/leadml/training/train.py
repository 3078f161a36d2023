"""One training from table to tested, proven, calibrated scorecard."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import leadml
from leadml.errors import ColumnMissing, ConfigError, OutcomeInvalid
from leadml.evaluation import Metrics, measure, verdict
from leadml.evaluation.curves import by_group, calibration, gains, score_bands
from leadml.evaluation.promotion import decide
from leadml.leads import Kind, Schema
from leadml.scorecard import Scorecard, Scorer
from leadml.scorecard.editing import Edited, edit
from leadml.scorecard.effects import effects_of, pairs_of
from leadml.thresholds import Cohort, Policy, ThresholdPlan, policy_of
from leadml.training.baselines import BASELINES, predict_baselines
from leadml.training.checking import check_history
from leadml.training.config import FILE_ORDER, TrainConfig
from leadml.training.encoding import Encoded, columns_of, encode
from leadml.training.labels import DAY_S, Labels, label, moments_of
from leadml.training.learning import BASE_RATE_ONLY, learn, prove, with_reference
from leadml.training.protocols import Protocol, choose_protocol, drifted
from leadml.training.recalibrating import intercept_shift
from leadml.training.rivals import Answered, Rival, answers_of_rival
from leadml.training.searching import Searched, search
from leadml.training.selecting import Selection, select_columns

__all__ = ["Given", "TrainingResult", "as_sent", "leads_per_week", "order_of", "train"]

Floats = NDArray[np.float64]
Progress = Callable[[str, float, float], None]

WEEK_S = 7 * DAY_S
WEEKS_COUNTED = 12
NOMINAL_WEEK = 100.0
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


@dataclass(frozen=True, eq=False)
class _Model:
    """The final scorecard and what the facts say of its making."""

    scorecard: Scorecard
    recipe: dict[str, Any]
    proof: dict[str, Any]
    trees: int
    edits: list[Edited]
    monotone: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Tested:
    """Predictions of the served kind of model on rows it had not seen."""

    y: Floats
    probability: Floats
    score: NDArray[np.int64]
    rows: NDArray[np.intp]
    baselines: dict[str, Floats]


def train(
    frame: pd.DataFrame,
    config: TrainConfig,
    *,
    test_frame: pd.DataFrame | None = None,
    champion: Rival | None = None,
    given: Given | None = None,
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
        return _train(frame, config, test_frame, champion, given, jobs, progress, started)


def _train(
    frame: pd.DataFrame,
    config: TrainConfig,
    test_frame: pd.DataFrame | None,
    champion: Rival | None,
    given: Given | None,
    jobs: int,
    progress: Progress,
    started: float,
) -> TrainingResult:
    plan = ThresholdPlan(basis=config.threshold_basis, **config.thresholds)  # type: ignore[arg-type]
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
    schema = _schema(rows, selection, config, labels)
    encoded = encode(schema, rows)
    progress("reading outcomes", 1, 1)

    drift = order is not None and drifted(y, order)

    def learn_all(searched: Searched | None = None) -> _Model:
        if given is not None:
            return _edited_given(given, rows, y, config)
        searched = searched or _search(schema, encoded, y, config, searches, jobs, progress)
        learned = learn(
            schema,
            encoded,
            y,
            seed=config.seed,
            jobs=jobs,
            drift=drift,
            monotone=directions_of(schema, config),
            changes=searched.changes if searched else ({}, {}),
            progress=lambda _, done, total: progress("learning from all leads", done, total),
        )
        progress("proving the scorecard", 0, 1)
        proof = prove(learned, encoded, config.seed)
        progress("proving the scorecard", 1, 1)
        scorecard, done = _finished(learned.scorecard, rows, y, config)
        return _Model(
            scorecard,
            recipe={
                "weights": dict(zip(PARTS, learned.weights, strict=False)),
                "calibration_slope": learned.slope,
                "calibration_intercept": learned.intercept,
                **({"search": searched.as_dict()} if searched else {}),
            },
            proof={
                "rows": proof.rows,
                "max_difference": proof.max_difference,
                "additivity": proof.additivity,
                **({"against": dict(proof.against)} if proof.against else {}),
            },
            trees=learned.n_trees,
            edits=done,
            monotone=learned.monotone,
        )

    searches = 1
    retest: Callable[[TrainConfig], Floats] | None = None
    if test_frame is not None:
        model = learn_all()
        progress("testing on the held-out table", 0, 1)
        protocol, tested = _test_held_out(model.scorecard, encoded, y, test_frame, config, labels)
        progress("testing on the held-out table", 1, 1)
    else:
        protocol = choose_protocol(
            y,
            order,
            order_name,
            label_delay=(labels.horizon_days or 0) * DAY_S if config.created_at else 0.0,
            test_share=config.test_share,
            folds=config.folds,
            seed=config.seed,
        )
        # forward, what was found in the past serves the final model too; folds search each
        searches = 1 if protocol.kind == "forward" else len(protocol.splits) + 1
        tested, found = _test(selection, config, labels, rows, y, order, protocol, jobs, progress)
        model = learn_all(found if searches == 1 else None)

        def retest(recipe: TrainConfig) -> Floats:
            chosen = select_columns(frame, recipe, labels.known)
            again, _ = _test(chosen, recipe, labels, rows, y, order, protocol, jobs, progress)
            return again.probability

    progress("checking", 0, 1)
    findings = _check(frame, config, labels, selection, full_order, usable, protocol, tested)
    progress("checking", 1, 1)

    progress("measuring", 0, 1)
    metrics = measure(tested.y, tested.probability, protocol.name, config.seed)
    per_week, per_week_known = leads_per_week(labels)
    cohort = Cohort.of(
        tested.probability, tested.y, per_week, leads_per_week_known=per_week_known
    ).compact()
    policy = policy_of(cohort, plan)
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
        seed=config.seed,
    )
    facts = _facts(
        frame,
        config,
        labels,
        selection,
        model,
        protocol,
        tested,
        metrics,
        policy,
        (per_week, per_week_known),
        rows,
        drift,
    )
    facts |= {
        "verdict": said.as_dict(),
        "checks": findings,
        "gate": gate.as_dict(),
        "plan": plan.as_dict(),
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


def _finished(
    scorecard: Scorecard, rows: pd.DataFrame, y: Floats, config: TrainConfig
) -> tuple[Scorecard, list[Edited]]:
    """Edited by hand if that was asked, its intercept set right again, with percentiles."""
    done: list[Edited] = []
    if config.edits:
        scorecard, done = edit(scorecard, config.edits)
        shift = intercept_shift(y, Scorer(scorecard).frame(rows).log_odds)
        scorecard = scorecard.with_base_shift(shift)
    return with_reference(scorecard, rows), done


def _edited_given(given: Given, rows: pd.DataFrame, y: Floats, config: TrainConfig) -> _Model:
    """The given version's own scorecard, edited; the facts of its making are the version's."""
    scorecard, done = _finished(given.scorecard, rows, y, config)
    return _Model(
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


def _schema(
    rows: pd.DataFrame, selection: Selection, config: TrainConfig, labels: Labels
) -> Schema:
    columns = columns_of(rows, selection.names, selection.hints, config.created_at)
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


def _test(
    selection: Selection,
    config: TrainConfig,
    labels: Labels,
    rows: pd.DataFrame,
    y: Floats,
    order: Floats | None,
    protocol: Protocol,
    jobs: int,
    progress: Progress,
) -> tuple[_Tested, Searched | None]:
    """Repeat the whole training inside every split: schema, levels, knots, blend, calibration.

    Also gives what the search of the first split found, if one was asked for.
    """
    total = len(protocol.splits)
    searches = 1 if protocol.kind == "forward" else total + 1
    done = 0.0
    step = "testing forward in time" if protocol.kind == "forward" else "testing by folds"
    inner = max(1, jobs // total)

    def one(train_rows: NDArray[np.intp], test_rows: NDArray[np.intp]) -> tuple[Any, ...]:
        nonlocal done
        past, future = rows.iloc[train_rows], rows.iloc[test_rows]
        schema = _schema(past, selection, config, labels)
        encoded = encode(schema, past)
        drift = order is not None and drifted(y[train_rows], order[train_rows])
        searched = _search(schema, encoded, y[train_rows], config, searches, inner, progress)
        learned = learn(
            schema,
            encoded,
            y[train_rows],
            seed=config.seed,
            folds=config.folds,
            jobs=inner,
            drift=drift,
            monotone=directions_of(schema, config),
            changes=searched.changes if searched else ({}, {}),
            progress=lambda _, part, of: progress(step, done + 0.8 * part / of, total),
        )
        finished, _ = _finished(learned.scorecard, past, y[train_rows], config)
        batch = Scorer(finished).frame(future)
        others = predict_baselines(
            schema, encoded, y[train_rows], encode(schema, future), config.seed
        )
        done += 1
        progress(step, done, total)
        return test_rows, batch.probability, batch.score, others, searched

    found = joblib.Parallel(n_jobs=min(jobs, total), prefer="threads")(
        joblib.delayed(one)(*split) for split in protocol.splits
    )
    tested = np.concatenate([part[0] for part in found])
    answers = _Tested(
        y=y[tested],
        probability=np.concatenate([part[1] for part in found]),
        score=np.concatenate([part[2] for part in found]),
        rows=tested,
        baselines={name: np.concatenate([part[3][name] for part in found]) for name in BASELINES},
    )
    return answers, found[0][4]


def _search(
    schema: Schema,
    encoded: Encoded,
    y: Floats,
    config: TrainConfig,
    searches: int,
    jobs: int,
    progress: Progress,
) -> Searched | None:
    """One of the searches that share the time asked for; None where none was asked or pays."""
    few = min(y.sum(), len(y) - y.sum())
    if config.search_seconds is None or few < BASE_RATE_ONLY or not schema.columns:
        return None
    return search(
        schema,
        encoded,
        y,
        config.search_seconds / searches,
        seed=config.seed,
        jobs=jobs,
        monotone=directions_of(schema, config),
        progress=progress,
    )


def _test_held_out(
    scorecard: Scorecard,
    encoded: Encoded,
    y: Floats,
    test_frame: pd.DataFrame,
    config: TrainConfig,
    labels: Labels,
) -> tuple[Protocol, _Tested]:
    """The very scorecard that will be served, on a table it has not seen."""
    outcome = label(test_frame, config)
    if outcome.positive != labels.positive:
        raise OutcomeInvalid(
            f"the test table reads '{outcome.positive}' as converted, the training table "
            f"'{labels.positive}'",
            column=config.target,
            fix="say which value means converted with --positive",
        )
    known = np.flatnonzero(outcome.known)
    future = test_frame.iloc[known]
    batch = Scorer(scorecard).frame(future)
    schema = scorecard.schema
    others = predict_baselines(schema, encoded, y, encode(schema, future), config.seed)
    name = str(test_frame.attrs.get("source") or "a table of its own")
    protocol = Protocol("held_out", f"held-out table: {name}", ((np.arange(len(y)), known),))
    y_test = outcome.converted[known]
    return protocol, _Tested(y_test, batch.probability, batch.score, known, others)


def leads_per_week(labels: Labels) -> tuple[float, bool]:
    """Leads of a usual week: the median of the newest full weeks; 100 where no time is known."""
    if labels.created_s is None:
        return NOMINAL_WEEK, False
    seconds = labels.created_s[~np.isnan(labels.created_s)]
    age = np.floor((seconds.max() - seconds) / WEEK_S).astype(int)
    weeks = min(WEEKS_COUNTED, int(age.max()))
    if weeks < 1:
        return float(len(seconds)), True
    return max(float(np.median(np.bincount(age)[:weeks])), 0.1), True


def _facts(
    frame: pd.DataFrame,
    config: TrainConfig,
    labels: Labels,
    selection: Selection,
    model: _Model,
    protocol: Protocol,
    tested: _Tested,
    metrics: Metrics,
    policy: Policy,
    weekly: tuple[float, bool],
    rows: pd.DataFrame,
    drift: bool,
) -> dict[str, Any]:
    known = labels.converted[labels.known]
    scorecard = model.scorecard
    contributions = Scorer(scorecard).frame(rows).contributions
    data: dict[str, Any] = {
        "source": str(frame.attrs.get("source", "a table in memory")),
        "digest": str(frame.attrs.get("digest", "")),
        "n_rows": len(frame),
        "n_leads": len(known),
        "n_conversions": int(known.sum()),
        "base_rate": float(known.mean()),
        "order": "time" if labels.created_s is not None else "rows" if config.order_by else "none",
        "target": labels.target,
        "positive": labels.positive,
        "dropped": [{"column": name, "reason": reason} for name, reason in selection.dropped],
        "leads_per_week": weekly[0],
        "leads_per_week_known": weekly[1],
    }
    maturity: dict[str, Any] = {
        "n_mature": len(known),
        "n_unknown": int(len(frame) - len(known)),
        "n_immature": labels.n_immature,
        "n_conversions": int(known.sum()),
    }
    facts: dict[str, Any] = {
        "model": {
            "name": config.name,
            "created_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "leadml_version": leadml.__version__,
            "python_version": platform.python_version(),
            "seed": config.seed,
        },
        "config": config.as_dict(),
        "data": data,
        "labels": maturity,
        "protocol": {
            "name": protocol.name,
            "kind": protocol.kind,
            "n_train": protocol.n_train,
            "n_test": protocol.n_test,
        },
        "metrics": metrics.as_dict(),
        "baselines": baselines_of(tested, protocol.name),
        "gains": gains(tested.y, tested.probability),
        "calibration": calibration(tested.y, tested.probability),
        "score_bands": score_bands(tested.y, tested.score),
        "policy": policy.as_dict(),
        "effects": effects_of(scorecard, contributions),
        "pairs": pairs_of(scorecard),
        "size": {
            "columns": len(scorecard.columns),
            "pairs": len(scorecard.pairs),
            "cells": scorecard.n_cells,
            "trees": model.trees,
        },
        "recipe": model.recipe,
        "proof": model.proof,
        "base_log_odds": scorecard.base,
        "examples": [],
        "notes": _notes(labels, protocol, drift, model, config),
    }
    if model.edits:
        facts["edits"] = [
            {
                "column": one.column,
                "sentence": one.sentence,
                "moved": one.moved,
                "pairs_removed": list(one.pairs_removed),
            }
            for one in model.edits
        ]
    if labels.created_s is not None:
        _add_times(facts, labels, tested)
    return facts


def baselines_of(tested: _Tested, protocol: str) -> list[dict[str, Any]]:
    """Headline figures of every baseline on the tested leads."""
    return [
        {"name": BASELINES[name], **_brief(tested.y, probability, protocol)}
        for name, probability in tested.baselines.items()
    ]


def _check(
    frame: pd.DataFrame,
    config: TrainConfig,
    labels: Labels,
    selection: Selection,
    order: Floats | None,
    usable: NDArray[np.intp],
    protocol: Protocol,
    tested: _Tested,
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
    tested: _Tested,
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


def _brief(y: Floats, probability: Floats, protocol: str) -> dict[str, Any]:
    metrics = measure(y, probability, protocol)
    return {
        "roc_auc": metrics.roc_auc.value,
        "log_loss": metrics.log_loss.value,
        "brier": metrics.brier.value,
        "gains": gains(y, probability),
    }


def _add_times(facts: dict[str, Any], labels: Labels, tested: _Tested) -> None:
    assert labels.created_s is not None
    seconds = labels.created_s[~np.isnan(labels.created_s)]
    facts["data"]["period"] = {"from": _day(seconds.min()), "to": _day(seconds.max())}
    if labels.as_of is not None:
        facts["labels"]["as_of"] = labels.as_of.isoformat(timespec="seconds")
    if labels.horizon_days is not None:
        facts["labels"]["horizon_days"] = labels.horizon_days
        facts["labels"]["horizon_given"] = labels.horizon_given
    if labels.curve:
        facts["labels"]["curve"] = [dict(point) for point in labels.curve]
    if facts["protocol"]["kind"] != "held_out":
        born = labels.created_s[labels.known][tested.rows]
        ordered = np.argsort(born, kind="stable")
        months = by_group(
            tested.y[ordered],
            tested.probability[ordered],
            [_day(moment)[:7] for moment in born[ordered]],
        )
        facts["months"] = [{"month": month.pop("group"), **month} for month in months]


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), tz=UTC).date().isoformat()


def _notes(
    labels: Labels, protocol: Protocol, drift: bool, model: _Model, config: TrainConfig
) -> list[str]:
    notes = list(protocol.notes)
    if protocol.kind == "folds":
        notes.append(
            "No order in time was known, so the figures come from random folds; they are "
            "usually better than what the future will show. Name --created-at or --order-by."
        )
    if labels.horizon_days is not None and not labels.horizon_given:
        notes.append(
            f"The horizon of {labels.horizon_days} days was proposed from the time to conversion; "
            "set it with --horizon-days."
        )
    if labels.n_immature:
        notes.append(
            f"{labels.n_immature} leads are younger than the horizon: they count as unknown, "
            "never as lost, and were not learned from."
        )
    if drift:
        notes.append(
            "The conversion rate moved during the history, so the parts of the model were "
            "weighted nearly equally."
        )
    for name, direction in model.monotone.items():
        never = "lowers" if direction == "up" else "raises"
        notes.append(f"More {name} never {never} a lead's chance: you asked for it.")
    if "search" in model.recipe:
        notes.append(str(model.recipe["search"]["sentence"]))
    if model.edits:
        done = "; ".join(one.sentence for one in model.edits)
        why = f" Why: {config.edits_why}" if config.edits_why else ""
        notes.append(f"Edited by hand after learning: {done}.{why}")
        if "edited_from" in model.recipe:
            notes.append(
                f"The tables are those of {model.recipe['edited_from']}, edited. In the test its "
                "recipe learned again from the leads before the tested ones and was edited alike, "
                "so no tested lead had been seen."
            )
    return notes


def as_sent(rows: pd.DataFrame, schema: Schema, config: TrainConfig) -> list[dict[str, Any]]:
    """Evenly spaced training rows as mappings without missing fields."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(64, len(rows))).astype(int))
    wanted = [name for name in rows.columns if str(name) in schema.sources]
    if config.id and config.id in rows.columns:
        wanted.append(config.id)
    return [
        {
            str(name): value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in record.items()
            if not pd.isna(value)
        }
        for record in rows.iloc[places][wanted].to_dict("records")
    ]
