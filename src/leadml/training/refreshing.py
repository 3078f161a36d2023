"""A champion moved to the newest base rate, without learning anything else."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from leadml.errors import TooFewOutcomes
from leadml.evaluation import measure, verdict
from leadml.evaluation.curves import calibration, gains, score_bands
from leadml.evaluation.promotion import MARGIN, decide
from leadml.scorecard import Scorer
from leadml.scorecard.effects import effects_of
from leadml.scorecard.scorer import probability_of
from leadml.thresholds import ThresholdPlan, policy_of
from leadml.training.config import TrainConfig
from leadml.training.intake import cohort_of
from leadml.training.labels import label
from leadml.training.recalibrating import intercept_shift
from leadml.training.rivals import Rival
from leadml.training.train import TrainingResult, as_sent, order_of

__all__ = ["FEWEST", "NEWEST", "recalibrate"]

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
        _refuse_what_it_learned_from(champion, int(newer.sum()), labels.target)
        usable = usable[np.argsort(newer, kind="stable")]
        cut = max(cut, len(usable) - int(newer.sum()))
    rows, y = frame.iloc[usable], labels.converted[usable]
    before = Scorer(champion.scorecard).frame(rows)
    tried = intercept_shift(y[:cut], before.log_odds[:cut])
    y_new = y[cut:]
    chances = np.array([probability_of(z + tried) for z in before.log_odds[cut:].tolist()])
    progress("measuring", 0, 1)
    protocol = (
        f"forward test: intercept moved by {cut} mature leads, tested on the {len(y_new)} newest"
    )
    metrics = measure(y_new, chances, protocol, config.seed)
    flat = np.full(len(y_new), (y[:cut].sum() + 0.5) / (cut + 1.0))
    base = measure(y_new, flat, protocol)
    baselines = [
        {
            "name": "base rate",
            "roc_auc": base.roc_auc.value,
            "log_loss": base.log_loss.value,
            "brier": base.brier.value,
        }
    ]
    learned = int(facts.get("data", {}).get("n_conversions", y.sum()))
    said = verdict(metrics, learned, baselines)
    gate = decide(
        y_new,
        chances,
        {},
        verdict=said.word,
        champion=before.probability[cut:],
        compared=np.arange(len(y_new)),
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
    told["model"] = {
        **told.get("model", {}),
        "created_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    told |= {
        "verdict": said.as_dict(),
        "gate": gate.as_dict(),
        "protocol": {
            "name": protocol,
            "kind": "forward",
            "n_train": cut,
            "n_test": len(y_new),
        },
        "metrics": metrics.as_dict(),
        "baselines": baselines,
        "gains": gains(y_new, chances),
        "calibration": calibration(y_new, chances),
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
    for part in ("months", "groups", "segments"):  # of leads tested when it was trained
        told.pop(part, None)
    progress("measuring", 1, 1)
    return TrainingResult(
        scorecard=scorecard,
        policy=policy,
        metrics=metrics,
        facts=told,
        leads=as_sent(rows, scorecard.schema, config),
        tested=np.column_stack((y_new, chances)),
    )


def _refuse_what_it_learned_from(champion: Rival, n_newer: int, target: str) -> None:
    """Refuse leads that the champion learned from: tested on them, it looks better than it is."""
    if n_newer < FEWEST:
        raise TooFewOutcomes(
            f"only {n_newer} leads with a known outcome are newer than all that {champion.name} "
            f"learned from; {FEWEST} are needed to try the move on",
            column=target,
            fix="bring newer leads, once their horizon has passed",
        )
