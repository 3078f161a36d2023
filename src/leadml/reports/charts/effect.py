"""How one number moves the odds, as a curve above the crowd of leads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports import words
from leadml.reports.charts.drawing import axis_of, ink, rows_of
from leadml.reports.charts.reach import (
    COUNTS_DRAWN,
    counted,
    drawable,
    hills_of,
    number_ticks,
    segments,
    whole,
)

if TYPE_CHECKING:
    import altair as alt

__all__ = ["effect_chart"]

Fact = Mapping[str, Any]

CELLS = 48
HEIGHT = 132
_TICKS_ODDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)

_TIMES = "'\u00d7' + format(datum.value, '~g')"


def effect_chart(effect: Fact, *, domain: tuple[float, float]) -> alt.LayerChart | None:
    """How one number moves the odds: blue where it raises, orange where it lowers.

    The grey hills at the foot show where the leads are. The axis covers the middle
    98 % of leads and is bent (symlog) where they crowd at one end.

    Returns
    -------
    chart or None
        None where the number has a single bin and so no curve.
    """
    import altair as alt

    points = drawable(effect.get("points", ()))
    rows, low, high = segments(points)
    if len(rows) < 2 or high <= low:
        return None
    edges = [float(p[k]) for p in points for k in ("from", "to") if p.get(k) is not None]
    counts = whole(edges)
    n_cells = CELLS
    if counts and high - low <= COUNTS_DRAWN:
        steps = counted(rows, low, high)
        if len(steps) > 1:
            rows, low, high = steps, steps[0]["x"], steps[-1]["x2"]
            n_cells = len(steps)
    bend = _bend(rows, low, high)

    def place(value: float) -> float:
        return value if bend is None else math.log1p(max(value, 0.0) / bend)

    x_scale = (
        alt.Scale(domain=[low, high], nice=False)
        if bend is None
        else alt.Scale(type="symlog", constant=bend, domain=[low, high], nice=False)
    )
    ticks = number_ticks(low, high, bend, counts)
    names = {f"{t:.10g}": words.plain_number(t) for t in ticks}
    label_expr = f"{json.dumps(names)}[format(datum.value, '.10~g')] || format(datum.value, '~g')"
    x_axis = axis_of(values=ticks, labelExpr=label_expr, grid=False, labelFlush=True)
    x = alt.X("x:Q", title=None, scale=x_scale, axis=x_axis)
    hills = hills_of(rows, place(low), place(high), place, n_cells)
    return (
        alt.layer(_ground(hills, place(low), place(high)), _curve(rows, x, domain))
        .resolve_scale(x="independent", y="independent")
        .properties(width=312, height=HEIGHT)
    )


def _bend(rows: Sequence[Mapping[str, float]], low: float, high: float) -> float | None:
    """Where the axis bends, if half of the leads crowd in its first seventh."""
    run, middle = 0.0, high
    for row in rows:
        run += row["share"]
        if run >= 0.5:
            middle = row["x2"]
            break
    if low >= 0 and middle > low and (high - middle) / (middle - low) > 6:
        return max((middle - low) / 2, 1e-9)
    return None


def _curve(
    rows: Sequence[Mapping[str, float]], x: alt.X, domain: tuple[float, float]
) -> alt.LayerChart:
    """The factors as a line, and the area between it and one."""
    import altair as alt

    bottom, top = domain
    ticks = [t for t in _TICKS_ODDS if bottom * 0.999 <= t <= top * 1.001]
    if len(ticks) > 6:
        ticks = [t for t in ticks if f"{t:.0e}"[0] == "1"]
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[bottom, top], nice=False, clamp=True),
        axis=axis_of(orient="right", values=ticks, labelExpr=_TIMES),
    )
    path = alt.Chart(rows_of(_line(rows))).encode(x=x)
    return alt.layer(
        path.mark_area(color=ink("up"), opacity=0.16).encode(y=y, y2="up:Q"),
        path.mark_area(color=ink("down"), opacity=0.16).encode(y=y, y2="down:Q"),
        alt.Chart(rows_of([{"y": 1}])).mark_rule(color=ink("line-strong")).encode(y=y),
        path.mark_line(color=ink("model"), strokeWidth=2).encode(y=y),
    )


def _line(rows: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Points of the line, one wherever it crosses a factor of one."""
    line: list[dict[str, float]] = []
    for row in rows:
        path = [(row["x"], row["a"]), (row["x2"], row["b"])]
        if row["a"] * row["b"] < 0:
            cross = row["x"] + (row["x2"] - row["x"]) * row["a"] / (row["a"] - row["b"])
            path.insert(1, (cross, 0.0))
        for at, value in path:
            odds = float(f"{math.exp(value):.5g}")
            line.append(
                {
                    "x": float(f"{at:.8g}"),
                    "y": odds,
                    "up": min(1.0, odds),
                    "down": max(1.0, odds),
                }
            )
    return line


def _ground(hills: list[dict[str, float]], left: float, right: float) -> alt.Chart:
    """The hills at the foot: where the leads are."""
    import altair as alt

    return (
        alt.Chart(rows_of(hills))
        .mark_area(color=ink("rest"), opacity=0.8)
        .encode(
            x=alt.X(
                "x:Q",
                title=None,
                axis=None,
                scale=alt.Scale(domain=[left, right], nice=False),
            ),
            y=alt.Y(
                "d:Q",
                title=None,
                axis=None,
                stack=None,
                scale=alt.Scale(domain=[0, 1], range=[HEIGHT, HEIGHT - 22], nice=False),
            ),
        )
    )
