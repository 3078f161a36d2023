"""What a training has to say: plain facts for reports, cards, pages."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import leadml
from leadml.evaluation import Metrics
from leadml.evaluation.curves import by_group, calibration, gains, score_bands
from leadml.evaluation.segments import by_level
from leadml.leads import Kind, Role
from leadml.scorecard import Scorecard, Scorer, digits4
from leadml.scorecard.editing import Edited
from leadml.scorecard.effects import effects_of, pairs_of
from leadml.thresholds import Cohort, Policy
from leadml.training.config import TrainConfig
from leadml.training.fitting import Plan
from leadml.training.labels import Labels
from leadml.training.protocols import Protocol
from leadml.training.recency import ALL, NEWEST, Recency
from leadml.training.testing import Tested

__all__ = ["Model", "facts_of"]

Floats = NDArray[np.float64]

SEGMENTS = 4
"""Category columns, the most important first, that performance is told for by level."""


@dataclass(frozen=True, eq=False)
class Model:
    """The final scorecard and what the facts say of its making."""

    scorecard: Scorecard
    recipe: dict[str, Any]
    proof: dict[str, Any]
    trees: int
    edits: list[Edited]
    monotone: Mapping[str, str]
    drift: bool = False


def facts_of(
    frame: pd.DataFrame,
    plan: Plan,
    model: Model,
    protocol: Protocol,
    tested: Tested,
    metrics: Metrics,
    baselines: list[dict[str, Any]],
    policy: Policy,
    cohort: Cohort,
    ranked: Floats,
    rows: pd.DataFrame,
    tested_leads: pd.DataFrame,
    tested_with: Recency | None,
) -> dict[str, Any]:
    """Everything a report, a model card, a page may say, but for checks, gate, verdict.

    Parameters
    ----------
    frame, rows, tested_leads
        The whole table; its labelled leads; the tested ones, in the order of ``tested``.
    plan, model, protocol, tested, metrics, baselines, policy
        Of the training.
    cohort, ranked
        What the lines of the policy were drawn on, and the chance that each tested lead
        has there, shape (n_test,).
    tested_with
        How far back the model of a forward test learned.
    """
    config, labels, scorecard = plan.config, plan.labels, model.scorecard
    contributions = Scorer(scorecard).frame(rows).contributions
    facts: dict[str, Any] = {
        "model": {
            "name": config.name,
            "created_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "leadml_version": leadml.__version__,
            "python_version": platform.python_version(),
            "seed": config.seed,
        },
        "config": config.as_dict(),
        **_table(frame, plan, cohort),
        "protocol": {
            "name": protocol.name,
            "kind": protocol.kind,
            "n_train": protocol.n_train,
            "n_test": protocol.n_test,
        },
        "metrics": metrics.as_dict(),
        "baselines": baselines,
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
        "notes": _notes(labels, protocol, tested_with, model, config, cohort),
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
    chosen = np.array([digits4(chance) for chance in ranked.tolist()]) >= policy.mql
    facts |= _for_whom(config, facts["effects"], chosen, tested, tested_leads)
    if labels.created_s is not None:
        _add_times(facts, labels, tested)
    return facts


def _table(frame: pd.DataFrame, plan: Plan, cohort: Cohort) -> dict[str, Any]:
    """``data`` and ``labels``: what the table held, and how ripe it was."""
    labels = plan.labels
    known = labels.converted[labels.known]
    return {
        "data": {
            "source": str(frame.attrs.get("source", "a table in memory")),
            "digest": str(frame.attrs.get("digest", "")),
            "n_rows": len(frame),
            "n_leads": len(known),
            "n_conversions": int(known.sum()),
            "base_rate": float(known.mean()),
            **_order(frame, plan.config, labels),
            "target": labels.target,
            "positive": labels.positive,
            "dropped": [
                {"column": name, "reason": reason} for name, reason in plan.selection.dropped
            ],
            "leads_per_week": cohort.leads_per_week,
            "leads_per_week_known": cohort.leads_per_week_known,
        },
        "labels": {
            "n_mature": len(known),
            "n_unknown": int(len(frame) - len(known)),
            "n_immature": labels.n_immature,
            "n_conversions": int(known.sum()),
        },
    }


def _for_whom(
    config: TrainConfig,
    effects: list[dict[str, Any]],
    chosen: NDArray[np.bool_],
    tested: Tested,
    leads: pd.DataFrame,
) -> dict[str, Any]:
    """Figures per level: ``groups`` of columns kept for that, ``segments`` of the strongest."""
    groups = [name for name, said in config.columns.items() if said.role is Role.GROUP]
    strong = [
        effect["column"]
        for effect in effects
        if effect["kind"] == Kind.CATEGORY and effect["importance"] > 0
    ]
    found: dict[str, Any] = {}
    for key, names in (("groups", groups), ("segments", strong)):
        there = [name for name in names if name in leads.columns]
        told = [
            {
                "column": name,
                "levels": by_level(tested.y, tested.probability, leads[name].tolist(), chosen),
            }
            for name in (there if key == "groups" else there[:SEGMENTS])
        ]
        if told:
            found[key] = told
    return found


def _add_times(facts: dict[str, Any], labels: Labels, tested: Tested) -> None:
    assert labels.created_s is not None
    seconds = labels.created_s[labels.known & ~np.isnan(labels.created_s)]
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
    labels: Labels,
    protocol: Protocol,
    tested_with: Recency | None,
    model: Model,
    config: TrainConfig,
    cohort: Cohort,
) -> list[str]:
    notes = list(protocol.notes)
    if protocol.kind == "folds":
        notes.append(
            "No order in time was known, so the figures come from random folds; they are "
            "usually better than what the future will show. Name --created-at or --order-by."
        )
    if config.among and not config.outcomes:
        notes.append(
            f"The table holds only leads that were once {' or '.join(config.among)}, as its "
            "configuration says: the model speaks of such leads alone."
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
    if cohort.newest:
        notes.append(
            f"Volumes at the lines are those of this model on the {cohort.newest:,} newest leads, "
            "whose outcome is not known yet; what converts is told by the tested leads of the "
            "same rank."
        )
    if model.drift:
        notes.append(
            "The conversion rate moved during the history, so the parts of the model were "
            "weighted nearly equally."
        )
    notes += _recency_notes(model.recipe, tested_with)
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


def _recency_notes(recipe: Mapping[str, Any], tested_with: Recency | None) -> list[str]:
    """How far back the model learned, and whether the one that was tested did alike."""
    found = recipe.get("recency")
    notes = [str(found["sentence"])] if found else []
    if "intercept_moved" in recipe:
        notes.append(
            f"The newest leads of that part were held out and moved the chance of a typical lead "
            f"by {recipe['intercept_moved']:+.2f} log-odds."
        )
    final = found["policy"] if found else ALL
    if tested_with is not None and tested_with.policy != final:
        words = {ALL: "all leads before it", NEWEST: "the newest part before it"}
        notes.append(f"The model of the forward test learned from {words[tested_with.policy]}.")
    return notes


def _order(frame: pd.DataFrame, config: TrainConfig, labels: Labels) -> dict[str, str]:
    """By what the leads were put in order; a column is named."""
    if config.order_by in frame.columns:
        return {"order": "column", "order_by": config.order_by}
    if config.order_by:
        return {"order": "rows"}
    return {"order": "none" if labels.created_s is None else "time"}
