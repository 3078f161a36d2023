"""Charts for paper: drawn by altair, coloured by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports.charts.bands import score_bands_chart
from leadml.reports.charts.calibration import calibration_chart
from leadml.reports.charts.drawing import svg
from leadml.reports.charts.effect import effect_chart
from leadml.reports.charts.gains import gains_chart
from leadml.reports.charts.labels import labels_chart
from leadml.reports.charts.months import months_chart

__all__ = ["Printed"]

Fact = Mapping[str, Any]


class Printed:
    """Draws what a story tells as one SVG element per chart; see ``story.parts.Drawer``."""

    def gains(
        self,
        points: Sequence[Fact],
        *,
        fifth: float | None,
        others: Sequence[Sequence[Fact]],
        label: str,
    ) -> str:
        """Conversions found when the best leads are worked first."""
        return svg(gains_chart(points, fifth=fifth, others=others), label=label, name="gains")

    def calibration(self, bins: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened."""
        return svg(calibration_chart(bins), label=label, name="cal")

    def bands(self, bands: Sequence[Fact], *, base_rate: float, label: str) -> str:
        """Conversion by score."""
        return svg(score_bands_chart(bands, base_rate=base_rate), label=label, name="bands")

    def months(self, months: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened, month by month."""
        return svg(months_chart(months), label=label, name="months")

    def labels(self, curve: Sequence[Fact], *, horizon_days: float | None, label: str) -> str:
        """Time to conversion."""
        return svg(labels_chart(curve, horizon_days=horizon_days), label=label, name="labels")

    def effect(self, effect: Fact, *, domain: tuple[float, float], label: str, name: str) -> str:
        """How one number moves the odds; empty where it has no curve."""
        chart = effect_chart(effect, domain=domain)
        return svg(chart, label=label, name=name) if chart is not None else ""
