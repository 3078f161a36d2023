"""Conversion by score, as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports import words
from leadml.reports.charts.drawing import axis_of, haloed, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["score_bands_chart"]

Fact = Mapping[str, Any]


def score_bands_chart(bands: Sequence[Fact], *, base_rate: float | None = None) -> alt.LayerChart:
    """Share that converted in each band of ten score points, best band darkest."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for band in bands:
        n = int(band["n"])
        if n == 0:
            continue
        rate = int(band["n_conversions"]) / n
        shown = words.chance(rate).replace(f"{words.THIN}%", "")
        rows.append({"band": words.band(band), "rate": rate, "t": shown})
    order = [row["band"] for row in rows]
    top = max((row["rate"] for row in rows), default=0.0) or 1.0
    x = alt.X(
        "band:N",
        sort=order,
        title="score",
        axis=axis_of(labelAngle=0, labelOverlap=False, labelFontSize=10, grid=False),
        scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
    )
    y = alt.Y("rate:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.12 * top], nice=False))
    base = alt.Chart(rows_of(rows)).encode(x=x, y=y)
    layers = [
        base.mark_bar(color=ink("happened"), opacity=0.85, cornerRadiusEnd=2),
    ]
    if base_rate is not None:
        line = rows_of([{"r": base_rate, "t": f"average {words.chance(base_rate)}"}])
        rule = alt.Chart(line).encode(y=alt.Y("r:Q", title=None, axis=None))
        layers += [
            rule.mark_rule(color=ink("down"), strokeDash=[5, 4], strokeWidth=1.5),
            *haloed(rule, "down", align="left", x=2, dy=-8, fontSize=11, fontWeight=600),
        ]
    layers += haloed(base, "ink", dy=-7, fontSize=11)
    return alt.layer(*layers).properties(width=346, height=206)
