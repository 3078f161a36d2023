"""What was promised of leads whose horizon has passed, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.evaluation import Metrics, Verdict, measure, verdict
from leadml.evaluation.curves import by_group, calibration, gains
from leadml.evaluation.metrics import checked, log_losses
from leadml.leads.estimate import percent, wilson
from leadml.monitoring.room import monday

__all__ = ["EXPECTED", "RULES", "Performance", "performance"]

EXPECTED: Final = 10
"""Conversions that must have been expected before their absence is held against a model."""

RULES: Final[dict[str, str]] = {
    "nothing_matured": "no lead's horizon has passed since it was scored",
    "one_outcome": "all matured leads ended alike, and too few to say more were expected",
    "rate_off": "the share predicted differs from what happened",
}
"""Rules that come before those of docs/verdict.md."""


@dataclass(frozen=True, eq=False)
class Performance:
    """The live truth about a model.

    Parameters
    ----------
    n, n_conversions
        Matured leads, and conversions among them.
    verdict
        What the model may be used for, judged by these leads.
    metrics
        How well it ranked and promised; None unless both outcomes were seen.
    calibration, gains
        As tables of points.
    weeks, stages, versions
        Predicted and happened by week of the score (its Monday), by proposed stage and
        by model version.
    """

    n: int
    n_conversions: int
    verdict: Verdict
    metrics: Metrics | None
    calibration: list[dict[str, float]]
    gains: list[dict[str, float]]
    weeks: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    versions: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "n_leads": self.n,
            "n_conversions": self.n_conversions,
            "verdict": self.verdict.as_dict(),
            "metrics": {} if self.metrics is None else self.metrics.as_dict(),
            "calibration": self.calibration,
            "gains": self.gains,
            "weeks": self.weeks,
            "stages": self.stages,
            "versions": self.versions,
        }


def performance(
    at: Sequence[datetime],
    probability: ArrayLike,
    converted: ArrayLike,
    stage: Sequence[str],
    version: Sequence[str],
    *,
    trained: Mapping[str, Any],
    protocol: str,
) -> Performance:
    """Hold what was predicted against what happened.

    Parameters
    ----------
    at
        When each lead was scored, aware.
    probability
        As shown then, shape (n,).
    converted
        1 within the horizon, else 0, shape (n,).
    stage, version
        Proposed stage and model version of each score.
    trained
        Facts of the training of the model that is served.
    protocol
        Words for which leads these are.
    """
    n = len(at)
    if not n:
        said = Verdict(
            "provisional",
            "Provisional. No lead's horizon has passed since it was scored.",
            "nothing_matured",
        )
        return Performance(0, 0, said, None, [], [], [], [], [])
    y, p = checked(converted, probability)
    won = int(y.sum())
    metrics = measure(y, p, protocol) if 0 < won < n else None
    order = {"sql": 0, "mql": 1, "nurture": 2, "cold": 3}
    weeks = by_group(y, p, [monday(moment).astimezone(UTC).date().isoformat() for moment in at])
    stages = by_group(y, p, stage)
    return Performance(
        n=n,
        n_conversions=won,
        verdict=_judged(y, p, metrics, trained),
        metrics=metrics,
        calibration=calibration(y, p),
        gains=gains(y, p),
        weeks=_named(sorted(weeks, key=lambda part: part["group"]), "week"),
        stages=_named(sorted(stages, key=lambda part: order.get(part["group"], 9)), "stage"),
        versions=_named(by_group(y, p, version), "model_version"),
    )


def _named(groups: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{name: part.pop("group"), **part} for part in groups]


def _judged(
    y: NDArray[np.float64],
    p: NDArray[np.float64],
    metrics: Metrics | None,
    trained: Mapping[str, Any],
) -> Verdict:
    if metrics is None:
        return _alike(y, p)
    data = trained.get("data", {})
    baselines = []
    if "base_rate" in data:
        rate = np.full(y.size, float(data["base_rate"]))
        baselines.append({"name": "base rate", "log_loss": float(log_losses(y, rate).mean())})
    return verdict(metrics, int(data.get("n_conversions", metrics.n_conversions)), baselines)


def _alike(y: NDArray[np.float64], p: NDArray[np.float64]) -> Verdict:
    won, n = int(y.sum()), y.size
    low, high = wilson(won, n)
    predicted = float(p.mean())
    happened = f"predicted {percent(predicted)}, happened {percent(won / n)}"
    expected = min(predicted, 1 - predicted) * n
    if expected >= EXPECTED and not low <= predicted <= high:
        return Verdict("rank", f"Rank only. Its chances are off: {happened}.", "rate_off")
    return Verdict(
        "provisional",
        f"Provisional. All {n:,} matured leads ended alike ({happened}).",
        "one_outcome",
    )
