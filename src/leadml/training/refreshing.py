"""A champion moved to the newest base rate, without learning anything else."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.errors import TooFewOutcomes
from leadml.evaluation import Metrics, measure, verdict
from leadml.evaluation.curves import calibration, gains, score_bands
from leadml.evaluation.promotion import MARGIN, decide
from leadml.scorecard import Scorer
from leadml.scorecard.effects import effects_of
from leadml.scorecard.scorer import probability_of
from leadml.thresholds import ThresholdPlan, policy_of
from leadml.training.config import TrainConfig
from leadml.training.intake import cohort_of
from leadml.training.labels import Labels, label
from leadml.training.recalibrating import intercept_shift
from leadml.training.rivals import Rival
from leadml.training.train import TrainingResult, as_sent, order_of

__all__ = ["FEWEST", "NEWEST", "recalibrate"]

Floats = NDArray[np.float64]

FEWEST = 50
"""Fewest mature leads from which an intercept is moved."""

NEWEST = 1000
"""Newest mature leads that decide it; more would answer for a time that has passed."""

TESTED_SHARE = 0.3


def recalibrate(
    frame: pd.DataFrame,
    config: TrainConfig,
    champion: Rival,
    facts: Mapping[str, Any],
    *,
    margin: float = MARGIN,
    progress: Callable[[str, float, float], None] = lambda step, done, total: None,
) -> TrainingResult:
    """Move the intercept of the champion by the newest mature outcomes.

    The shift is tried first: estimated on the older 70 % of those leads, tested on the
    newest 30 % against the champion as it is; then estimated on all of them. Where times
    tell, no tested lead is one that the champion learned from.

    Parameters
    ----------
    frame
        Newer history, with the columns of the champion's training.
    config
        How to read outcomes and times.
    champion, facts
        The model in place and the facts of its training.
    margin
        See :data:`leadml.evaluation.promotion.MARGIN`.

    Raises
    ------
    TooFewOutcomes
        Fewer than 50 mature leads, or fewer that the champion has not learned from.
    """
    started = time.perf_counter()
    progress("reading outcomes", 0, 1)
    labels = label(frame, config)
    usable, cut = _newest(frame, config, labels, champion)
    rows, y = frame.iloc[usable], labels.converted[usable]
    before = Scorer(champion.scorecard).frame(rows)
    progress("measuring", 0, 1)
    test = _tested(y, before.log_odds, cut, config.seed)
    said = verdict(
        test.metrics, int(facts.get("data", {}).get("n_conversions", y.sum())), test.base
    )
    gate = decide(
        test.y,
        test.chances,
        {},
        verdict=said.word,
        champion=before.probability[cut:],
        compared=np.arange(len(test.y)),
        champion_is=f"{champion.name} as served, on the same leads.",
        margin=margin,
        seed=config.seed,
    )
    shift = intercept_shift(y, before.log_odds)
    scorecard = champion.scorecard.with_base_shift(shift)
    batch = Scorer(scorecard).frame(rows)
    plan = ThresholdPlan(basis=config.threshold_basis, **config.thresholds)  # type: ignore[arg-type]
    cohort, _ = cohort_of(scorecard, frame, labels, batch.probability, y)
    policy = policy_of(cohort, plan)
    told = copy.deepcopy(dict(facts))
    for part in ("months", "groups", "segments"):  # of leads tested when it was trained
        told.pop(part, None)
    told |= {
        "model": {
            **told.get("model", {}),
            "created_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
        },
        "verdict": said.as_dict(),
        "gate": gate.as_dict(),
        "protocol": {
            "name": test.metrics.protocol,
            "kind": "forward",
            "n_train": cut,
            "n_test": len(test.y),
        },
        "metrics": test.metrics.as_dict(),
        "baselines": test.base,
        "gains": gains(test.y, test.chances),
        "calibration": calibration(test.y, test.chances),
        "score_bands": score_bands(y, batch.score),
        "policy": policy.as_dict(),
        "plan": plan.as_dict(),
        "cohort": cohort.as_dict(),
        "effects": effects_of(scorecard, batch.contributions),
        "base_log_odds": scorecard.base,
        "notes": [
            f"Recalibrated from {champion.name}: only the intercept moved, by {shift:+.3f} "
            f"log-odds, from the {len(y)} newest leads with a known outcome.",
            *told.get("notes", []),
        ],
        "recalibrated_from": champion.name,
    }
    progress("measuring", 1, 1)
    return TrainingResult(
        scorecard=scorecard,
        policy=policy,
        metrics=test.metrics,
        facts=told,
        leads=as_sent(rows, scorecard.schema, config),
        tested=np.column_stack((test.y, test.chances)),
    )


@dataclass(frozen=True, eq=False)
class _Tested:
    """What a shift tried on older leads did for newer ones; ``base`` is that of no model."""

    y: Floats
    chances: Floats
    metrics: Metrics
    base: list[dict[str, Any]]


def _newest(
    frame: pd.DataFrame, config: TrainConfig, labels: Labels, champion: Rival
) -> tuple[NDArray[np.intp], int]:
    """The newest mature leads, those the champion knows first, and from where on to test."""
    order, _ = order_of(frame, config, labels)
    usable = np.flatnonzero(labels.known)
    if order is not None:
        usable = usable[np.argsort(order[usable], kind="stable")]
    usable = usable[-NEWEST:]
    if len(usable) < FEWEST:
        raise TooFewOutcomes(
            f"only {len(usable)} leads with a known outcome; {FEWEST} are needed to move the "
            "intercept",
            column=labels.target,
            fix="wait until more leads are older than the horizon",
        )
    cut = round(len(usable) * (1 - TESTED_SHARE))
    if champion.seen_until is not None and labels.created_s is not None:
        newer = labels.created_s[usable] > champion.seen_until
        n_newer = int(newer.sum())
        if n_newer < FEWEST:  # on leads it learned from, the champion looks better than it is
            raise TooFewOutcomes(
                f"only {n_newer} leads with a known outcome are newer than all that "
                f"{champion.name} learned from; {FEWEST} are needed to try the move on",
                column=labels.target,
                fix="bring newer leads, once their horizon has passed",
            )
        usable = usable[np.argsort(newer, kind="stable")]
        cut = max(cut, len(usable) - n_newer)
    return usable, cut


def _tested(y: Floats, log_odds: Floats, cut: int, seed: int) -> _Tested:
    """Move the intercept by the leads before ``cut``, and measure on those after it."""
    tried = intercept_shift(y[:cut], log_odds[:cut])
    y_new = y[cut:]
    chances = np.array([probability_of(z + tried) for z in log_odds[cut:].tolist()])
    protocol = (
        f"forward test: intercept moved by {cut} mature leads, tested on the {len(y_new)} newest"
    )
    flat = np.full(len(y_new), (y[:cut].sum() + 0.5) / (cut + 1.0))
    base = measure(y_new, flat, protocol)
    named = {
        "name": "base rate",
        "roc_auc": base.roc_auc.value,
        "log_loss": base.log_loss.value,
        "brier": base.brier.value,
    }
    return _Tested(y_new, chances, measure(y_new, chances, protocol, seed), [named])
