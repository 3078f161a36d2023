"""Charts of the facts: SVG for pages, PNG for MLflow.

The one door to altair. Every chart is drawn once, 360 px wide, with sentinel
colours: in an SVG they become ``var(--…)`` of the page's sheet, so that one
drawing serves light, dark and print; in a PNG they become the light palette.
altair is imported inside the functions (0.2 s).
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports import words

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "WIDTH",
    "calibration_chart",
    "effect_chart",
    "figures",
    "gains_chart",
    "importance_chart",
    "labels_chart",
    "months_chart",
    "odds_domain",
    "png",
    "score_bands_chart",
    "svg",
    "whole",
]

Fact = Mapping[str, Any]

WIDTH = 360
"""Width of every drawing in px; text of 11 px stays 11 px on a phone."""

# token of the sheet -> its light value; the order gives each its sentinel colour
_LIGHT = {
    "model": "#2a5fc9",
    "model-soft": "#cfdef8",
    "happened": "#1a1e26",
    "up": "#2a5fc9",
    "down": "#a94d0a",
    "base-1": "#6b717d",
    "base-2": "#8b8f98",
    "rest": "#d9d6d0",
    "grid": "#e9e6e1",
    "line-strong": "#8d8f94",
    "ink": "#1a1e26",
    "ink-2": "#4d5461",
    "ink-3": "#656c79",
    "paper": "#ffffff",
}
_SENTINEL = {token: f"#5eed{i:02x}" for i, token in enumerate(_LIGHT)}
_TICKS_SHARE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_TICKS_ODDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_PERCENT = "format(100 * datum.value, '~g') + '\u202f%'"
_TIMES = "'\u00d7' + format(datum.value, '~g')"
_DASHES = ([6, 3], [3, 3], [1, 3], [8, 2, 2, 2])


def _ink(token: str) -> str:
    return _SENTINEL[token]


def _data(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as one JSON text: altair copies a chart at every step, a text costs nothing."""
    import altair as alt

    return alt.Data(
        values=json.dumps([dict(row) for row in rows]), format=alt.JsonDataFormat(type="json")
    )


def _axis(**kwargs: Any) -> Any:
    import altair as alt

    return alt.Axis(**kwargs)


def _haloed(base: Any, token: str, **mark: Any) -> list[Any]:
    """Text of the field ``t``, readable where it crosses a line."""
    around = base.mark_text(color=_ink("paper"), stroke=_ink("paper"), strokeWidth=4, **mark)
    return [around.encode(text="t:N"), base.mark_text(color=_ink(token), **mark).encode(text="t:N")]


def _spec(chart: Any, *, title: str | None = None, subtitle: str | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a chart in the house style."""
    chart = chart.configure(
        aria=False,
        background="transparent" if title is None else _ink("paper"),
        padding={"left": 2, "right": 8, "top": 8, "bottom": 2} if title is None else 16,
        font="sans-serif",
        view={"stroke": None},
        axis={
            "domain": False,
            "ticks": False,
            "gridColor": _ink("grid"),
            "labelColor": _ink("ink-2"),
            "labelFontSize": 11,
            "labelPadding": 6,
            "titleColor": _ink("ink-2"),
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 6,
        },
        title={
            "anchor": "start",
            "fontSize": 15,
            "color": _ink("ink"),
            "subtitleColor": _ink("ink-2"),
            "offset": 12,
        },
    )
    if title is not None:
        chart = chart.properties(title={"text": title, "subtitle": subtitle or ""})
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found


_CLIP_ID = re.compile(r'(id="|url\(#)([A-Za-z]+\d+)')
_FONT = re.compile(r' font-family="[^"]*"')
_COLOUR = re.compile(r"#5eed([0-9a-f]{2})", re.IGNORECASE)
_TOKENS = tuple(_LIGHT)


def svg(chart: alt.TopLevelMixin, *, label: str, name: str) -> str:
    """A chart as one inline SVG element that takes its colours from the page.

    Parameters
    ----------
    chart
        Any chart of this module.
    label
        Text alternative: what is drawn and what was found.
    name
        Unique on the page; prefixes the ids inside (clip paths).
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_spec(chart))
    ids: dict[str, int] = {}  # vega numbers them on and on; a page wants the same bytes again
    drawn = _CLIP_ID.sub(lambda m: f"{m[1]}{name}-{ids.setdefault(m[2], len(ids))}", drawn)
    drawn = _FONT.sub("", drawn)
    drawn = _COLOUR.sub(lambda m: f"var(--{_TOKENS[int(m[1], 16)]})", drawn)
    drawn = drawn.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "", 1)
    drawn = drawn.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)
    head = f'class="vega" role="img" aria-label="{html.escape(label, quote=True)}"'
    return drawn.replace('class="marks"', head, 1)


def png(chart: alt.TopLevelMixin, *, title: str, subtitle: str = "") -> bytes:
    """The same chart as a PNG at twice the size, on white, with its title."""
    import vl_convert

    text = json.dumps(_spec(chart, title=title, subtitle=subtitle))
    text = _COLOUR.sub(lambda m: _LIGHT[_TOKENS[int(m[1], 16)]], text)
    drawn: bytes = vl_convert.vegalite_to_png(text, scale=2)
    return drawn


# --- how good ---------------------------------------------------------------------


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
        axis=_axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], labelExpr=_PERCENT, grid=False),
    )
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=_axis(orient="right", values=[0, 0.25, 0.5, 0.75, 1], labelExpr=_PERCENT),
    )
    ends = _data([{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    layers = [alt.Chart(ends).mark_line(color=_ink("line-strong"), strokeWidth=1).encode(x=x, y=y)]
    if any("low" in row for row in rows):
        layers.append(
            alt.Chart(_data([row for row in rows if "low" in row]))
            .mark_area(color=_ink("model-soft"), opacity=0.7)
            .encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
        )
    for i, other in enumerate(others):
        layers.append(
            alt.Chart(_data(_curve(other)))
            .mark_line(
                color=_ink("base-1" if i == 0 else "base-2"),
                strokeWidth=1.5,
                strokeDash=_DASHES[i % len(_DASHES)],
            )
            .encode(x=x, y=y)
        )
    layers.append(
        alt.Chart(_data(rows)).mark_line(color=_ink("model"), strokeWidth=2.5).encode(x=x, y=y)
    )
    if fifth is not None:
        spot = _data([{"x": 0.2, "y": fifth, "t": f"top fifth: {words.chance(fifth)}"}])
        base = alt.Chart(spot).encode(x=x, y=y)
        layers += [
            base.mark_rule(color=_ink("line-strong"), strokeDash=[2, 3]).encode(y2=alt.datum(0)),
            base.mark_point(
                filled=True, size=64, color=_ink("model"), stroke=_ink("paper"), opacity=1
            ),
            *_haloed(base, "model", align="left", dx=10, dy=14, fontSize=12, fontWeight=600),
        ]
    return alt.layer(*layers).properties(width=306, height=236)


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
        axis=_axis(values=ticks, labelExpr=_PERCENT, grid=False),
    )
    y = alt.Y(
        "o:Q",
        title=None,
        scale=scale,
        axis=_axis(orient="right", values=ticks, labelExpr=_PERCENT),
    )
    kept: list[dict[str, Any]] = [
        {k: row[k] for k in ("p", "o", "l", "h") if k in row} for row in rows
    ]
    base = alt.Chart(_data(kept)).encode(x=x)
    layers = [
        alt.Chart(_data([{"p": floor, "o": floor}, {"p": top, "o": top}]))
        .mark_line(color=_ink("model"), strokeWidth=2)
        .encode(x=x, y=y)
    ]
    if any("l" in row for row in kept):
        layers.append(
            alt.Chart(_data([row for row in kept if "l" in row]))
            .mark_rule(color=_ink("happened"), strokeWidth=1.5)
            .encode(x=x, y=alt.Y("l:Q", title=None), y2="h:Q")
        )
    layers.append(
        base.mark_point(filled=True, size=44, color=_ink("happened"), opacity=1).encode(y=y)
    )
    return alt.layer(*layers).properties(width=306, height=236)


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
        axis=_axis(labelAngle=0, labelOverlap=False, labelFontSize=10, grid=False),
        scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
    )
    y = alt.Y("rate:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.12 * top], nice=False))
    base = alt.Chart(_data(rows)).encode(x=x, y=y)
    layers = [
        base.mark_bar(color=_ink("happened"), opacity=0.85, cornerRadiusEnd=2),
    ]
    if base_rate is not None:
        line = _data([{"r": base_rate, "t": f"average {words.chance(base_rate)}"}])
        rule = alt.Chart(line).encode(y=alt.Y("r:Q", title=None, axis=None))
        layers += [
            rule.mark_rule(color=_ink("down"), strokeDash=[5, 4], strokeWidth=1.5),
            *_haloed(rule, "down", align="left", x=2, dy=-8, fontSize=11, fontWeight=600),
        ]
    layers += _haloed(base, "ink", dy=-7, fontSize=11)
    return alt.layer(*layers).properties(width=346, height=206)


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
        axis=_axis(
            values=ticks,
            labelAngle=0,
            labelExpr="timeFormat(toDate(datum.value + '-15'), '%b %y')",
            grid=False,
        ),
    )
    scale = alt.Scale(domain=[0, min(1.0, 1.08 * top)], nice=True)
    axis = _axis(orient="right", tickCount=5, labelExpr=_PERCENT)
    layers = [
        alt.Chart(_data(rows))
        .mark_line(color=_ink("model"), strokeWidth=2, interpolate="monotone")
        .encode(x=x, y=alt.Y("p:Q", title=None, scale=scale, axis=axis))
    ]
    if any("l" in row for row in rows):
        layers.append(
            alt.Chart(_data([row for row in rows if "l" in row]))
            .mark_rule(color=_ink("happened"), strokeWidth=1.5)
            .encode(x=x, y=alt.Y("l:Q", title=None, scale=scale, axis=axis), y2="h:Q")
        )
    layers.append(
        alt.Chart(_data(rows))
        .mark_point(filled=True, size=44, color=_ink("happened"), opacity=1)
        .encode(x=x, y=alt.Y("o:Q", title=None, scale=scale, axis=axis))
    )
    return alt.layer(*layers).properties(width=312, height=206)


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
        axis=_axis(tickCount=6, grid=False, labelFlush=True),
    )
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=[0, min(1.0, 1.05 * top)], nice=False),
        axis=_axis(orient="right", tickCount=5, labelExpr=_PERCENT),
    )
    layers = [
        alt.Chart(_data(rows))
        .mark_line(color=_ink("happened"), strokeWidth=2, interpolate="step-after")
        .encode(x=x, y=y)
    ]
    if horizon_days is not None:
        left = horizon_days > last / 2
        line = _data([{"x": horizon_days, "t": f"horizon: {horizon_days:g} days"}])
        rule = alt.Chart(line).encode(x=x)
        layers += [
            rule.mark_rule(color=_ink("down"), strokeDash=[5, 4], strokeWidth=1.5),
            *_haloed(
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


# --- what drives conversion -------------------------------------------------------


def odds_domain(effects: Sequence[Fact]) -> tuple[float, float]:
    """One odds axis for all effects: what at least half a percent of leads reach.

    Never narrower than ×0.5 to ×2 (or noise would look like news), never wider than
    ×0.02 to ×50.
    """
    low, high = math.log(0.5), math.log(2.0)
    for effect in effects:
        parts = [*effect.get("points", ())]
        if effect.get("missing"):
            parts.append(effect["missing"])
        for part in parts:
            if float(part.get("share") or 0.0) < 0.005:
                continue
            for key in ("log_odds", "log_odds_from", "log_odds_to"):
                if part.get(key) is not None:
                    low, high = min(low, float(part[key])), max(high, float(part[key]))
    return math.exp(max(low, math.log(0.02))), math.exp(min(high, math.log(50.0)))


def whole(edges: Sequence[float]) -> bool:
    """Whether cuts lie at whole or half numbers, as those of counts do."""
    return all(abs(2 * edge - round(2 * edge)) < 1e-9 for edge in edges)


def _segments(points: Sequence[Fact]) -> tuple[list[dict[str, float]], float, float]:
    """Bins with finite ends in the middle 98 % of leads (all, if that is one bin)."""
    edges = [float(p[k]) for p in points for k in ("from", "to") if p.get(k) is not None]
    if not edges:
        return [], 0.0, 1.0
    total = sum(float(p.get("share") or 0.0) for p in points) or 1.0
    first, last = min(edges), max(edges)
    reach = 0.08 * (last - first) or max(abs(first), 1.0)
    if whole(edges):
        reach = max(reach, 1.0)
    least, most = first - reach, last + reach
    if first > 0 and least < 0.1 * (last - first):
        least = 0.0  # counts start at nothing
    low, high, run = least, most, 0.0
    found_low = found_high = False
    for p in points:
        run += float(p.get("share") or 0.0) / total
        if not found_low and run > 0.01:
            low, found_low = float(p["from"]) if p.get("from") is not None else low, True
        if not found_high and run >= 0.99:
            high, found_high = float(p["to"]) if p.get("to") is not None else high, True
    rows: list[dict[str, float]] = []
    for low, high in ((low, high), (least, most)):  # noqa: B020 - the second is a fallback
        rows = []
        for p in points:
            start = float(p["from"]) if p.get("from") is not None else least
            end = float(p["to"]) if p.get("to") is not None else most
            a, b = float(p["log_odds_from"]), float(p["log_odds_to"])
            left, right = max(start, low), min(end, high)
            if right < left or (right == left and start < end):
                continue
            slope = (b - a) / (end - start) if end > start else 0.0
            a, b = a + slope * (left - start), b - slope * (end - right)
            share = float(p.get("share") or 0.0) / total
            rows.append({"x": left, "x2": right, "a": a, "b": b, "share": share})
        if sum(row["x2"] > row["x"] for row in rows) > 1:
            break
    return rows, low, high


COUNTS_DRAWN = 48
"""Most whole numbers drawn as steps of their own."""


def _counted(rows: list[dict[str, float]], low: float, high: float) -> list[dict[str, float]]:
    """One level step per whole number: between 1 and 2 page views there is nothing to draw."""
    steps = []
    for k in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        row = next((r for r in rows if k <= r["x2"] + 1e-9), rows[-1])
        wide = row["x2"] - row["x"]
        part = min(max((k - row["x"]) / wide, 0.0), 1.0) if wide > 0 else 0.0
        level = row["a"] + (row["b"] - row["a"]) * part
        inside = math.floor(row["x2"] + 1e-9) - math.floor(row["x"] + 1e-9)
        inside += row is rows[0] and row["x"] == math.floor(row["x"])
        share = row["share"] / max(inside, 1)
        steps.append({"x": k - 0.5, "x2": k + 0.5, "a": level, "b": level, "share": share})
    return steps


def _number_ticks(low: float, high: float, bend: float | None, whole: bool) -> list[float]:
    """A handful of round values across a linear or bent (symlog) axis."""

    def place(value: float) -> float:
        if bend is None:
            return value
        return math.copysign(math.log1p(abs(value) / bend), value)

    span = high - low
    if bend is None:
        raw = span / 4
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * 0.999)
        if whole:
            step = max(1.0, float(math.ceil(step)))
        start = math.ceil(low / step - 1e-9)
        return [round(i * step, 10) for i in range(start, int(high / step + 1e-9) + 1)]
    candidates = [0.0]
    for power in range(-3, 10):
        for lead in (1, 2, 5):
            candidates += [lead * 10.0**power, -lead * 10.0**power]
    room = (place(high) - place(low)) / 7
    ticks: list[float] = []
    preferred = sorted(
        (c for c in candidates if low <= c <= high and not (whole and c != round(c))),
        key=lambda c: (c != 0, f"{abs(c):e}"[0] != "1", c),
    )
    for value in preferred:
        if all(abs(place(value) - place(t)) >= room for t in ticks):
            ticks.append(value)
    return sorted(ticks)


def _hills(
    rows: Sequence[Mapping[str, float]],
    low: float,
    high: float,
    place: Callable[[float], float],
    n_cells: int = 48,
) -> list[dict[str, float]]:
    """Outline of where leads are: a histogram of equal cells along the drawn axis.

    Heights are square roots, so that a crowd at nothing does not flatten all others.
    """
    cells = [0.0] * n_cells
    wide = (high - low) / len(cells)
    for row in rows:
        start, end = (place(row["x"]) - low) / wide, (place(row["x2"]) - low) / wide
        first = min(max(int(start), 0), len(cells) - 1)
        last = min(max(math.ceil(end) - 1, first), len(cells) - 1)
        for i in range(first, last + 1):
            overlap = min(end, i + 1) - max(start, i)
            part = overlap / (end - start) if last > first else 1.0
            cells[i] += row["share"] * max(part, 0.0)
    peak = max(cells) or 1.0
    return [
        {"x": low + (i + side) * wide, "d": round(math.sqrt(cell / peak), 4)}
        for i, cell in enumerate(cells)
        for side in (0, 1)
    ]


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

    points = effect.get("points", ())
    rows, low, high = _segments(points)
    if len(rows) < 2 or high <= low:
        return None
    edges = [float(p[k]) for p in points for k in ("from", "to") if p.get(k) is not None]
    counts = whole(edges)
    n_cells = 48
    if counts and high - low <= COUNTS_DRAWN:
        steps = _counted(rows, low, high)
        if len(steps) > 1:
            rows, low, high = steps, steps[0]["x"], steps[-1]["x2"]
            n_cells = len(steps)
    run, middle = 0.0, high
    for row in rows:
        run += row["share"]
        if run >= 0.5:
            middle = row["x2"]
            break
    bend = None
    if low >= 0 and middle > low and (high - middle) / (middle - low) > 6:
        bend = max((middle - low) / 2, 1e-9)
    x_scale = (
        alt.Scale(domain=[low, high], nice=False)
        if bend is None
        else alt.Scale(type="symlog", constant=bend, domain=[low, high], nice=False)
    )
    ticks = _number_ticks(low, high, bend, counts)
    names = {f"{t:.10g}": words.plain_number(t) for t in ticks}
    label_expr = f"{json.dumps(names)}[format(datum.value, '.10~g')] || format(datum.value, '~g')"
    x_axis = _axis(values=ticks, labelExpr=label_expr, grid=False, labelFlush=True)
    x = alt.X("x:Q", title=None, scale=x_scale, axis=x_axis)

    bottom, top = domain
    y_ticks = [t for t in _TICKS_ODDS if bottom * 0.999 <= t <= top * 1.001]
    if len(y_ticks) > 6:
        y_ticks = [t for t in y_ticks if f"{t:.0e}"[0] == "1"]
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[bottom, top], nice=False, clamp=True),
        axis=_axis(orient="right", values=y_ticks, labelExpr=_TIMES),
    )
    line: list[dict[str, float]] = []
    for row in rows:
        path = [(row["x"], row["a"]), (row["x2"], row["b"])]
        if row["a"] * row["b"] < 0:
            cross = row["x"] + (row["x2"] - row["x"]) * row["a"] / (row["a"] - row["b"])
            path.insert(1, (cross, 0.0))
        for at, value in path:
            odds = math.exp(value)
            line.append(
                {
                    "x": float(f"{at:.8g}"),
                    "y": float(f"{odds:.5g}"),
                    "up": min(1.0, float(f"{odds:.5g}")),
                    "down": max(1.0, float(f"{odds:.5g}")),
                }
            )

    def place(value: float) -> float:
        return value if bend is None else math.log1p(max(value, 0.0) / bend)

    hills = _hills(rows, place(low), place(high), place, n_cells)
    height = 132
    ground = (
        alt.Chart(_data(hills))
        .mark_area(color=_ink("rest"), opacity=0.8)
        .encode(
            x=alt.X(
                "x:Q",
                title=None,
                axis=None,
                scale=alt.Scale(domain=[place(low), place(high)], nice=False),
            ),
            y=alt.Y(
                "d:Q",
                title=None,
                axis=None,
                stack=None,
                scale=alt.Scale(domain=[0, 1], range=[height, height - 22], nice=False),
            ),
        )
    )
    path = alt.Chart(_data(line)).encode(x=x)
    curve = alt.layer(
        path.mark_area(color=_ink("up"), opacity=0.16).encode(y=y, y2="up:Q"),
        path.mark_area(color=_ink("down"), opacity=0.16).encode(y=y, y2="down:Q"),
        alt.Chart(_data([{"y": 1}])).mark_rule(color=_ink("line-strong")).encode(y=y),
        path.mark_line(color=_ink("model"), strokeWidth=2).encode(y=y),
    )
    return (
        alt.layer(ground, curve)
        .resolve_scale(x="independent", y="independent")
        .properties(width=312, height=height)
    )


def importance_chart(effects: Sequence[Fact], *, limit: int = 15) -> alt.Chart:
    """The strongest columns by their share of the variance of the log-odds."""
    import altair as alt

    rows = [
        {
            "i": i,
            "name": words.name_of(e)[:40],
            "share": float(e["importance"]),
            "t": words.chance(float(e["importance"])),
        }
        for i, e in enumerate(effects[:limit])
    ]
    y = alt.Y(
        "i:O",
        title=None,
        axis=_axis(
            labelExpr=f"{json.dumps([row['name'] for row in rows])}[datum.value]",
            labelLimit=220,
            grid=False,
        ),
        scale=alt.Scale(padding=0.3),
    )
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(nice=False)), y=y
    )
    bars = base.mark_bar(color=_ink("model"), cornerRadiusEnd=2)
    text = base.mark_text(align="left", dx=5, color=_ink("ink-2")).encode(text="t:N")
    return alt.layer(bars, text).properties(width=360, height=max(60, 24 * len(rows)))


# --- pictures for MLflow ----------------------------------------------------------


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
