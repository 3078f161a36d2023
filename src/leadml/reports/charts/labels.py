"""Time to conversion, as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports.charts.drawing import PERCENT, axis_of, haloed, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["labels_chart"]

Fact = Mapping[str, Any]


def labels_chart(curve: Sequence[Fact], *, horizon_days: float | None = None) -> alt.LayerChart:
    """Share of leads that had converted by each day after their creation."""
    import altair as alt

    rows = [{"x": float(p["day"]), "y": float(p["share"])} for p in curve]
    last = max([row["x"] for row in rows] + [horizon_days or 0.0]) or 1.0
    top = max((row["y"] for row in rows), default=1.0) or 1.0
    x = alt.X(
        "x:Q",
        title="days after the lead was created",
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=axis_of(tickCount=6, grid=False, labelFlush=True),
    )
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=[0, min(1.0, 1.05 * top)], nice=False),
        axis=axis_of(orient="right", tickCount=5, labelExpr=PERCENT),
    )
    layers = [
        alt.Chart(rows_of(rows))
        .mark_line(color=ink("happened"), strokeWidth=2, interpolate="step-after")
        .encode(x=x, y=y)
    ]
    if horizon_days is not None:
        left = horizon_days > last / 2
        line = rows_of([{"x": horizon_days, "t": f"horizon: {horizon_days:g} days"}])
        rule = alt.Chart(line).encode(x=x)
        layers += [
            rule.mark_rule(color=ink("down"), strokeDash=[5, 4], strokeWidth=1.5),
            *haloed(
                rule,
                "down",
                align="right" if left else "left",
                dx=-6 if left else 6,
                y=190,
                fontSize=11,
                fontWeight=600,
            ),
        ]
    return alt.layer(*layers).properties(width=306, height=206)
