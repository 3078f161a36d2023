"""The result of a training, told in a report and a card, registered as a new version."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leadml.scorecard import Scorer
from leadml.service.answers import Versions, answers
from leadml.service.progress import Progress, silent

if TYPE_CHECKING:
    from leadml.registry.tracking import Registry
    from leadml.training.config import TrainConfig
    from leadml.training.train import TrainingResult

__all__ = ["register"]

EXAMPLES: Final = 4


def register(
    result: TrainingResult,
    config: TrainConfig,
    registry: Registry,
    *,
    signing_key: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Register a result as a new version, with its report, card and pictures.

    Parameters
    ----------
    result, config
        What came of a training, and what it was asked.
    signing_key
        File of the private key that signs the bundle; "" leaves it unsigned.

    Returns
    -------
    dict
        What ``leadml train --json`` prints, but for the time it took.
    """
    from leadml.registry.golden import golden_rows
    from leadml.registry.writing import write_bundle
    from leadml.reports.card import model_card
    from leadml.reports.page import render_report
    from leadml.reports.pictures import figures

    facts = result.facts
    golden = golden_rows(result.scorecard, result.policy, result.leads)
    facts["examples"] = _examples(result, golden)
    progress("drawing the report", 0, 1)
    report, card, drawn = render_report(facts), model_card(facts), figures(facts)
    progress("drawing the report", 1, 1)
    with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
        folder = Path(scratch) / "bundle"
        write_bundle(
            folder,
            scorecard=result.scorecard,
            policy=result.policy,
            metrics=facts,
            golden=golden,
            card=card,
            signing_key=signing_key or None,
        )
        registered = registry.log_training(
            folder,
            facts=facts,
            params=config.as_dict(),
            report=report,
            figures=drawn,
            name=config.name,
        )
    return {
        "model": registered.name,
        "version": registered.version,
        "alias": registered.alias,
        "run_id": registered.run_id,
        "bundle": str(registered.bundle),
        "verdict": facts["verdict"],
        "n_leads": facts["data"]["n_leads"],
        "n_conversions": facts["data"]["n_conversions"],
        **{
            name: facts[name]
            for name in ("metrics", "policy", "checks", "gate", "notes", "protocol")
        },
    }


def _examples(result: TrainingResult, golden: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A strong, two middling and a weak lead, answered as the API would.

    They are taken from the golden rows, whose fields come from different leads: no real
    person stands in a report or in MLflow.
    """
    leads = [row["lead"] for row in golden if len(row["lead"]) > 1]
    name = str(result.facts["model"]["name"])
    found = answers(
        Scorer(result.scorecard),
        result.policy,
        Versions(name, result.policy.version),
        [None] * len(leads),
        leads,
        None,
    )
    ranked = sorted(
        (one for one in found if isinstance(one, dict)), key=lambda one: -one["probability"]
    )
    if not ranked:
        return []
    last = len(ranked) - 1
    places = sorted({round(last * k / (EXAMPLES - 1)) for k in range(EXAMPLES)})
    return [
        {"lead_id": f"example {number}", **ranked[place]}
        for number, place in enumerate(places, start=1)
    ]
