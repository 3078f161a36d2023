"""Conversions found when the best leads are worked first, as a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports import words
from leadml.reports.charts.drawing import DASHES, PERCENT, axis_of, haloed, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["gains_chart"]

Fact = Mapping[str, Any]


def _curve(points: Sequence[Fact]) -> list[dict[str, float]]:
    rows = [
        {
            "x": round(float(p["share_of_leads"]), 4),
            "y": round(float(p["share_of_conversions"]), 4),
            **(
                {"low": round(float(p["low"]), 4), "high": round(float(p["high"]), 4)}
                if p.get("low") is not None and p.get("high") is not None
                else {}
            ),
        }
        for p in points
    ]
    rows.sort(key=lambda row: row["x"])
    if rows and rows[0]["x"] > 0:
        first = {"x": 0.0, "y": 0.0}
        rows.insert(0, {**first, "low": 0.0, "high": 0.0} if "low" in rows[0] else first)
    return rows


def gains_chart(
    gains: Sequence[Fact],
    *,
    fifth: float | None = None,
    others: Sequence[Sequence[Fact]] = (),
) -> alt.LayerChart:
    """Share of conversions found when the best leads are worked first.

    Parameters
    ----------
    gains
        Points with ``share_of_leads``, ``share_of_conversions`` and, if known, the
        interval ``low``, ``high`` of the latter.
    fifth
        Share of conversions in the top fifth, marked on the curve.
    others
        Curves of baselines, drawn in grey dashes in this order.
    """
    import altair as alt

    rows = _curve(gains)
    x = alt.X(
        "x:Q",
        title="share of leads worked, best first",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=axis_of(values=[0, 0.2, 0.4, 0.6, 0.8, 1], labelExpr=PERCENT, grid=False),
    )
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=axis_of(orient="right", values=[0, 0.25, 0.5, 0.75, 1], labelExpr=PERCENT),
    )
    ends = rows_of([{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    layers = [alt.Chart(ends).mark_line(color=ink("line-strong"), strokeWidth=1).encode(x=x, y=y)]
    if any("low" in row for row in rows):
        layers.append(
            alt.Chart(rows_of([row for row in rows if "low" in row]))
            .mark_area(color=ink("model-soft"), opacity=0.7)
            .encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
        )
    for i, other in enumerate(others):
        layers.append(
            alt.Chart(rows_of(_curve(other)))
            .mark_line(
                color=ink("base-1" if i == 0 else "base-2"),
                strokeWidth=1.5,
                strokeDash=DASHES[i % len(DASHES)],
            )
            .encode(x=x, y=y)
        )
    layers.append(
        alt.Chart(rows_of(rows)).mark_line(color=ink("model"), strokeWidth=2.5).encode(x=x, y=y)
    )
    if fifth is not None:
        spot = rows_of([{"x": 0.2, "y": fifth, "t": f"top fifth: {words.chance(fifth)}"}])
        base = alt.Chart(spot).encode(x=x, y=y)
        layers += [
            base.mark_rule(color=ink("line-strong"), strokeDash=[2, 3]).encode(y2=alt.datum(0)),
            base.mark_point(
                filled=True, size=64, color=ink("model"), stroke=ink("paper"), opacity=1
            ),
            *haloed(base, "model", align="left", dx=10, dy=14, fontSize=12, fontWeight=600),
        ]
    return alt.layer(*layers).properties(width=306, height=236)
