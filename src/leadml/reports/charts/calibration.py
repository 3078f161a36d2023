"""Predicted chances against what happened, as dots beside a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports.charts.drawing import PERCENT, axis_of, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["calibration_chart"]

Fact = Mapping[str, Any]

_TICKS_SHARE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def calibration_chart(calibration: Sequence[Fact]) -> alt.LayerChart:
    """Predicted chance against what happened, with 95 % intervals.

    Axes are logarithmic where the predicted chances span more than one decade.
    """
    import altair as alt

    rows = [dict(row) for row in calibration]
    positive = [float(r["predicted"]) for r in rows if float(r["predicted"]) > 0]
    seen = [float(r[k]) for r in rows for k in ("observed", "high") if r.get(k)]
    top = min(1.0, 1.12 * max([*positive, *seen, 0.01]))
    least = min(positive, default=0.01)
    log = max(positive, default=1) / least > 10
    floor = max(1e-4, 0.6 * min([least, *(float(r["observed"]) for r in rows if r["observed"])]))
    if log:
        scale = alt.Scale(type="log", domain=[floor, top], nice=False, clamp=True)
        ticks = [t for t in _TICKS_SHARE if floor <= t <= top]
        if len(ticks) > 6:
            ticks = [t for t in ticks if f"{t:.0e}"[0] in "15"]
    else:
        floor = 0.0
        scale = alt.Scale(domain=[0, top], nice=False)
        step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if top / s <= 5 or s == 0.25)
        ticks = [round(i * step, 4) for i in range(int(top / step + 1e-9) + 1)]
    for row in rows:
        row["p"] = max(float(row["predicted"]), floor)
        row["o"] = max(float(row["observed"]), floor)
        if row.get("low") is not None and row.get("high") is not None:
            row["l"], row["h"] = max(float(row["low"]), floor), max(float(row["high"]), floor)
    x = alt.X(
        "p:Q",
        title="predicted chance",
        scale=scale,
        axis=axis_of(values=ticks, labelExpr=PERCENT, grid=False),
    )
    y = alt.Y(
        "o:Q",
        title=None,
        scale=scale,
        axis=axis_of(orient="right", values=ticks, labelExpr=PERCENT),
    )
    kept: list[dict[str, Any]] = [
        {k: row[k] for k in ("p", "o", "l", "h") if k in row} for row in rows
    ]
    base = alt.Chart(rows_of(kept)).encode(x=x)
    layers = [
        alt.Chart(rows_of([{"p": floor, "o": floor}, {"p": top, "o": top}]))
        .mark_line(color=ink("model"), strokeWidth=2)
        .encode(x=x, y=y)
    ]
    if any("l" in row for row in kept):
        layers.append(
            alt.Chart(rows_of([row for row in kept if "l" in row]))
            .mark_rule(color=ink("happened"), strokeWidth=1.5)
            .encode(x=x, y=alt.Y("l:Q", title=None), y2="h:Q")
        )
    layers.append(
        base.mark_point(filled=True, size=44, color=ink("happened"), opacity=1).encode(y=y)
    )
    return alt.layer(*layers).properties(width=306, height=236)
