"""The main charts as PNG files for a tracking server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports.charts.bands import score_bands_chart
from leadml.reports.charts.calibration import calibration_chart
from leadml.reports.charts.drawing import png
from leadml.reports.charts.gains import gains_chart
from leadml.reports.charts.importance import importance_chart
from leadml.reports.charts.months import months_chart

__all__ = ["figures"]

Fact = Mapping[str, Any]


def figures(facts: Fact) -> dict[str, bytes]:
    """The main charts as PNG files for a tracking server.

    Parameters
    ----------
    facts
        Facts of a training run; charts whose facts are absent are left out.

    Returns
    -------
    dict
        File name (``gains.png`` …) to bytes.
    """
    test = str(facts.get("protocol", {}).get("name", ""))
    found: dict[str, bytes] = {}
    if facts.get("gains"):
        fifth = (facts.get("metrics") or {}).get("top_fifth_share") or {}
        found["gains.png"] = png(
            gains_chart(facts["gains"], fifth=fifth.get("value")),
            title="Conversions found when the best leads are worked first",
            subtitle=test,
        )
    if facts.get("calibration"):
        found["calibration.png"] = png(
            calibration_chart(facts["calibration"]),
            title="Predicted chance against what happened",
            subtitle=test,
        )
    if facts.get("score_bands"):
        found["score_bands.png"] = png(
            score_bands_chart(facts["score_bands"], base_rate=facts["data"].get("base_rate")),
            title="Share that converted, % by score",
            subtitle=test,
        )
    if len(facts.get("months") or ()) > 1:
        found["months.png"] = png(
            months_chart(facts["months"]),
            title="Predicted (line) against what happened, by month",
            subtitle=test,
        )
    if facts.get("effects"):
        found["importance.png"] = png(
            importance_chart(facts["effects"]),
            title="Strongest columns",
            subtitle="share of the variance of the log-odds",
        )
    return found
