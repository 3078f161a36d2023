"""Predicted chances against what happened, month by month."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports.charts.drawing import PERCENT, axis_of, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["MONTH_SHOWN_FROM", "months_chart"]

Fact = Mapping[str, Any]

MONTH_SHOWN_FROM = 20
"""Fewest leads for which a month is drawn."""


def months_chart(months: Sequence[Fact]) -> alt.LayerChart:
    """Predicted chance, month by month, against what happened with 95 % intervals."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        {
            "m": str(m["month"])[:7],
            "p": float(m["predicted"]),
            "o": float(m["observed"]),
            **(
                {"l": float(m["low"]), "h": float(m["high"])}
                if m.get("low") is not None and m.get("high") is not None
                else {}
            ),
        }
        for m in months
    ]
    order = [row["m"] for row in rows]
    step = max(1, math.ceil(len(order) / 6))
    ticks = order[::step]
    top = max((max(r["p"], r["o"], r.get("h", 0.0)) for r in rows), default=0.0) or 1.0
    x = alt.X(
        "m:O",
        sort=order,
        title=None,
        scale=alt.Scale(type="point", padding=0.5),
        axis=axis_of(
            values=ticks,
            labelAngle=0,
            labelExpr="timeFormat(toDate(datum.value + '-15'), '%b %y')",
            grid=False,
        ),
    )
    scale = alt.Scale(domain=[0, min(1.0, 1.08 * top)], nice=True)
    axis = axis_of(orient="right", tickCount=5, labelExpr=PERCENT)
    layers = [
        alt.Chart(rows_of(rows))
        .mark_line(color=ink("model"), strokeWidth=2, interpolate="monotone")
        .encode(x=x, y=alt.Y("p:Q", title=None, scale=scale, axis=axis))
    ]
    if any("l" in row for row in rows):
        layers.append(
            alt.Chart(rows_of([row for row in rows if "l" in row]))
            .mark_rule(color=ink("happened"), strokeWidth=1.5)
            .encode(x=x, y=alt.Y("l:Q", title=None, scale=scale, axis=axis), y2="h:Q")
        )
    layers.append(
        alt.Chart(rows_of(rows))
        .mark_point(filled=True, size=44, color=ink("happened"), opacity=1)
        .encode(x=x, y=alt.Y("o:Q", title=None, scale=scale, axis=axis))
    )
    return alt.layer(*layers).properties(width=312, height=206)
