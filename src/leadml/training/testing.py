"""Predictions of the served kind of model on leads it had not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.errors import OutcomeInvalid
from leadml.evaluation import measure
from leadml.evaluation.curves import gains
from leadml.scorecard import Scorecard, Scorer
from leadml.training.baselines import BASELINES, predict_baselines
from leadml.training.encoding import Encoded, encode
from leadml.training.fitting import Fitted, Plan, fit, schema_of
from leadml.training.labels import label
from leadml.training.protocols import Protocol

__all__ = ["Tested", "answers_by_splits", "answers_held_out", "baselines_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, eq=False)
class Tested:
    """Answers for tested leads.

    Parameters
    ----------
    y, probability, score
        Shape (n_test,) each.
    rows
        Shape (n_test,): positions of the tested leads among the usable ones, or in the
        held-out table.
    baselines
        Probabilities of every baseline, shape (n_test,).
    """

    y: Floats
    probability: Floats
    score: NDArray[np.int64]
    rows: Rows
    baselines: dict[str, Floats]


def answers_by_splits(
    plan: Plan,
    rows: pd.DataFrame,
    y: Floats,
    order: Floats | None,
    protocol: Protocol,
    jobs: int,
    progress: Progress,
) -> tuple[Tested, Fitted]:
    """Repeat the whole training inside every split: schema, levels, knots, blend, calibration.

    Also gives the model of the first split.
    """
    total = len(protocol.splits)
    done = 0.0
    step = "testing forward in time" if protocol.kind == "forward" else "testing by folds"
    inner = max(1, jobs // total)

    def one(train_rows: Rows, test_rows: Rows) -> tuple[Any, ...]:
        nonlocal done
        past, future = rows.iloc[train_rows], rows.iloc[test_rows]
        outcome = y[train_rows]
        fitted = fit(
            plan,
            past,
            outcome,
            None if order is None else order[train_rows],
            jobs=inner,
            tick=lambda part, of: progress(step, done + 0.8 * part / of, total),
        )
        batch = Scorer(fitted.scorecard).frame(future)
        schema = schema_of(past, plan)  # baselines learn from all of the past
        others = predict_baselines(
            schema, encode(schema, past), outcome, encode(schema, future), plan.config.seed
        )
        done += 1
        progress(step, done, total)
        return test_rows, batch.probability, batch.score, others, fitted

    found = joblib.Parallel(n_jobs=min(jobs, total), prefer="threads")(
        joblib.delayed(one)(*split) for split in protocol.splits
    )
    tested = np.concatenate([part[0] for part in found])
    answers = Tested(
        y=y[tested],
        probability=np.concatenate([part[1] for part in found]),
        score=np.concatenate([part[2] for part in found]),
        rows=tested,
        baselines={name: np.concatenate([part[3][name] for part in found]) for name in BASELINES},
    )
    return answers, found[0][4]


def answers_held_out(
    scorecard: Scorecard, encoded: Encoded, y: Floats, test_frame: pd.DataFrame, plan: Plan
) -> tuple[Protocol, Tested]:
    """The very scorecard that will be served, on a table it has not seen.

    Raises
    ------
    OutcomeInvalid
        The table says converted in another word.
    """
    outcome = label(test_frame, plan.config)
    if outcome.positive != plan.labels.positive:
        raise OutcomeInvalid(
            f"the test table reads '{outcome.positive}' as converted, the training table "
            f"'{plan.labels.positive}'",
            column=plan.config.target,
            fix="say which value means converted with --positive",
        )
    known = np.flatnonzero(outcome.known)
    future = test_frame.iloc[known]
    batch = Scorer(scorecard).frame(future)
    schema = scorecard.schema
    others = predict_baselines(schema, encoded, y, encode(schema, future), plan.config.seed)
    name = str(test_frame.attrs.get("source") or "a table of its own")
    protocol = Protocol("held_out", f"held-out table: {name}", ((np.arange(len(y)), known),))
    y_test = outcome.converted[known]
    return protocol, Tested(y_test, batch.probability, batch.score, known, others)


def baselines_of(tested: Tested, protocol: str) -> list[dict[str, Any]]:
    """Headline figures of every baseline on the tested leads."""
    return [
        {"name": BASELINES[name], **_brief(tested.y, probability, protocol)}
        for name, probability in tested.baselines.items()
    ]


def _brief(y: Floats, probability: Floats, protocol: str) -> dict[str, Any]:
    metrics = measure(y, probability, protocol)
    return {
        "roc_auc": metrics.roc_auc.value,
        "log_loss": metrics.log_loss.value,
        "brier": metrics.brier.value,
        "gains": gains(y, probability),
    }
