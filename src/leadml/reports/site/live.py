"""Charts for served pages: laid out by hand, no chart library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.reach import (
    COUNTS_DRAWN,
    counted,
    drawable,
    hills_of,
    number_ticks,
    segments,
    whole,
)
from leadml.reports.site.plot import Plot, nice_ticks

__all__ = ["Live", "day_short", "percent_ticks", "whole_ticks"]

Fact = Mapping[str, Any]

_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_ODDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def percent_ticks(values: Sequence[float]) -> list[tuple[float, str]]:
    """Values with their labels in percent."""
    return [(v, f"{100 * v:g}{words.THIN}%") for v in values]


def whole_ticks(top: float, most: int = 4) -> list[tuple[float, str]]:
    """Round amounts from 0 to at least ``top`` with their labels."""
    return [(v, words.plain_number(v)) for v in nice_ticks(top, most)]


def day_short(stamp: str) -> str:
    """A day as an axis shows it.

    >>> day_short("2026-11-02"), day_short("2026-11")
    ('2 Nov', 'Nov 26')
    """
    year, month, *day = stamp[:10].split("-")
    name = _MONTHS[int(month) - 1]
    return f"{int(day[0])} {name}" if day else f"{name} {year[2:]}"


class Live:
    """Draws what a story tells for a served page; see ``story.parts.Drawer``."""

    def gains(
        self,
        points: Sequence[Fact],
        *,
        fifth: float | None,
        others: Sequence[Sequence[Fact]],
        label: str,
    ) -> str:
        """Conversions found when the best leads are worked first."""
        plot = Plot(260)
        plot.axis(percent_ticks([0, 0.25, 0.5, 0.75, 1]))
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
            plot.under(share, f"{100 * share:g}{words.THIN}%")
        band = [p for p in points if p.get("low") is not None and p.get("high") is not None]
        if band:
            outline = [(float(p["share_of_leads"]), plot.y(float(p["high"]))) for p in band]
            outline += [
                (float(p["share_of_leads"]), plot.y(float(p["low"]))) for p in reversed(band)
            ]
            plot.area(outline, "f-pale")
        plot.path([(0, plot.bottom), (1, plot.top)], "l-line")
        for i, other in enumerate(others):
            plot.path(self._curve(other, plot), f"l-other-{min(i, 3)} line")
        plot.path(self._curve(points, plot), "l-model strong")
        if fifth is not None:
            at, level = plot.x(0.2), plot.y(fifth)
            plot.line(at, at, level, plot.bottom, "l-base")
            plot.dot(at, level, "f-model halo", r=4.5)
            plot.text(at, level + 18, f"top fifth: {words.chance(fifth)}", cls="t-model halo", dx=9)
        return plot.svg(label)

    def _curve(self, points: Sequence[Fact], plot: Plot) -> list[tuple[float, float]]:
        found = sorted(
            (float(p["share_of_leads"]), float(p["share_of_conversions"])) for p in points
        )
        if found and found[0][0] > 0:
            found.insert(0, (0.0, 0.0))
        return [(x, plot.y(y)) for x, y in found]

    def calibration(self, bins: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened."""
        positive = [float(b["predicted"]) for b in bins if float(b["predicted"]) > 0]
        seen = [float(b[k]) for b in bins for k in ("observed", "high") if b.get(k)]
        top = min(1.0, 1.12 * max([*positive, *seen, 0.01]))
        least = min(positive, default=0.01)
        log = max(positive, default=1.0) / least > 10
        if log:
            low = max(
                1e-4, 0.6 * min([least, *(float(b["observed"]) for b in bins if b["observed"])])
            )
            ticks = [t for t in _SHARES if low <= t <= top]
            if len(ticks) > 6:
                ticks = [t for t in ticks if f"{t:.0e}"[0] in "15"]
        else:
            low, ticks = 0.0, nice_ticks(top)
            top = ticks[-1]
        plot = Plot(260, low=low, high=top, log=log)

        def across(value: float) -> float:
            return (plot.bottom - plot.y(value)) / (plot.bottom - plot.top)

        plot.line(0, plot.right, plot.bottom, plot.bottom, "ax")
        for value, name in percent_ticks(ticks):
            at = plot.y(value)
            plot.line(0, plot.right, at, at, "g")
            plot.text(100, at + 3.5, name, anchor="end")
            plot.under(across(value), name)
        plot.path([(0, plot.bottom), (1, plot.top)], "l-model")
        for b in bins:
            x = plot.x(across(float(b["predicted"])))
            happened = float(b["observed"])
            if b.get("low") is not None and b.get("high") is not None:
                plot.line(x, x, plot.y(float(b["low"])), plot.y(float(b["high"])), "l-hap")
            title = f"predicted {words.chance(b['predicted'])}, happened {words.chance(happened)}"
            plot.dot(x, plot.y(happened), "f-hap", title=title)
        return plot.svg(label)

    def bands(self, bands: Sequence[Fact], *, base_rate: float, label: str) -> str:
        """Conversion by score."""
        rows = [b for b in bands if int(b["n"])]
        rates = [int(b["n_conversions"]) / int(b["n"]) for b in rows]
        plot = Plot(220, high=1.12 * (max(rates, default=0.0) or 1.0), right=100)
        wide = 1 / max(len(rows), 1)
        plot.line(0, 100, plot.bottom, plot.bottom, "ax")
        for i, (b, rate) in enumerate(zip(rows, rates, strict=True)):
            at = plot.y(rate)
            left = plot.x((i + 0.1) * wide)
            title = f"score {words.band(b)}: {b['n_conversions']} of {b['n']} converted"
            plot.rect(left, plot.x(0.8 * wide), at, plot.bottom - at, "f-hap", title=title)
            shown = words.chance(rate).replace(f"{words.THIN}%", "")
            middle = plot.x((i + 0.5) * wide)
            plot.text(middle, at - 5, shown, anchor="middle", cls="strong")
            plot.text(middle, plot.bottom + 16, words.band(b), anchor="middle", cls="tight")
        at = plot.y(base_rate)
        plot.line(0, 100, at, at, "l-cap")
        plot.text(0, at - 6, f"average {words.chance(base_rate)}", cls="t-warn halo")
        return plot.svg(label)

    def months(self, months: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened, month by month."""
        seen = [float(m[k]) for m in months for k in ("predicted", "observed", "high") if m.get(k)]
        ticks = nice_ticks(min(1.0, 1.02 * max(seen, default=0.1)))
        plot = Plot(220, high=ticks[-1])
        plot.axis(percent_ticks(ticks))
        n = len(months)
        every = max(1, math.ceil(n / 6))
        for i, m in enumerate(months):
            middle, half = (i + 0.5) / n, min(0.36 / n, 0.05)
            said, happened = float(m["predicted"]), float(m["observed"])
            at = plot.y(said)
            plot.line(plot.x(middle - half), plot.x(middle + half), at, at, "l-model")
            x = plot.x(middle)
            if m.get("low") is not None and m.get("high") is not None:
                plot.line(x, x, plot.y(float(m["low"])), plot.y(float(m["high"])), "l-hap")
            title = (
                f"{words.day(str(m['month']))}: predicted {words.chance(said)}, "
                f"happened {words.chance(happened)} of {words.count(m['n'])} leads"
            )
            plot.dot(x, plot.y(happened), "f-hap", title=title)
            if i % every == 0:
                plot.text(x, plot.bottom + 16, day_short(str(m["month"])), anchor="middle")
        return plot.svg(label)

    def labels(self, curve: Sequence[Fact], *, horizon_days: float | None, label: str) -> str:
        """Time to conversion."""
        last = max([float(p["day"]) for p in curve] + [horizon_days or 0.0]) or 1.0
        ticks = nice_ticks(max((float(p["share"]) for p in curve), default=1.0))
        plot = Plot(220, high=ticks[-1])
        plot.axis(percent_ticks(ticks))
        for day in nice_ticks(last, 6):
            if day <= last:
                plot.under(day / last, f"{day:g}")
        plot.text(100, plot.bottom + 16, "days", anchor="end")
        plot.steps([(float(p["day"]) / last, plot.y(float(p["share"]))) for p in curve], "l-hap")
        if horizon_days is not None:
            at, left = plot.x(horizon_days / last), horizon_days > last / 2
            plot.line(at, at, plot.top, plot.bottom, "l-cap")
            plot.text(
                at,
                plot.bottom - 10,
                f"horizon: {horizon_days:g} days",
                anchor="end" if left else "start",
                cls="t-warn halo",
                dx=-6 if left else 6,
            )
        return plot.svg(label)

    def effect(self, effect: Fact, *, domain: tuple[float, float], label: str, name: str) -> str:
        """How one number moves the odds, above the crowd of leads; empty without a curve."""
        points = drawable(effect.get("points", ()))
        rows, low, high = segments(points)
        if len(rows) < 2 or high <= low:
            return ""
        edges = [float(p[k]) for p in points for k in ("from", "to") if p.get(k) is not None]
        counts, n_cells = whole(edges), 48
        if counts and high - low <= COUNTS_DRAWN:
            steps = counted(rows, low, high)
            if len(steps) > 1:
                rows, low, high, n_cells = steps, steps[0]["x"], steps[-1]["x2"], len(steps)
        bend = _bend(rows, low, high)

        def place(value: float) -> float:
            return value if bend is None else math.log1p(max(value, 0.0) / bend)

        first, last = place(low), place(high)

        def across(value: float) -> float:
            return min(max((place(value) - first) / (last - first), 0.0), 1.0)

        plot = Plot(150, low=domain[0], high=domain[1], log=True, top=8, foot=22, right=88)
        for hill, cls in ((hills_of(rows, first, last, place, n_cells), "f-rest ground"),):
            outline = [((p["x"] - first) / (last - first), plot.bottom - 22 * p["d"]) for p in hill]
            plot.area([(0, plot.bottom), *outline, (1, plot.bottom)], cls)
        ticks = [t for t in _ODDS if domain[0] * 0.999 <= t <= domain[1] * 1.001]
        if len(ticks) > 5:
            ticks = [t for t in ticks if f"{t:.0e}"[0] == "1"]
        for tick in ticks:
            at = plot.y(tick)
            plot.line(0, plot.right, at, at, "ax" if tick == 1 else "g")
            plot.text(100, at + 3.5, f"{words.TIMES}{tick:g}", anchor="end")
        self._band(points, plot, across, low, high)
        line: list[tuple[float, float]] = []
        for row in rows:
            line += [
                (across(row["x"]), plot.y(math.exp(row["a"]))),
                (across(row["x2"]), plot.y(math.exp(row["b"]))),
            ]
        level = plot.y(1.0)
        ends = ((line[-1][0], level), (line[0][0], level))
        plot.area([*((x, min(y, level)) for x, y in line), *ends], "f-up shade")
        plot.area([*((x, max(y, level)) for x, y in line), *ends], "f-down shade")
        plot.path(line, "l-model")
        for value in number_ticks(low, high, bend, counts):
            plot.under(across(value), words.plain_number(value))
        return plot.svg(label)

    def _band(
        self,
        points: Sequence[Fact],
        plot: Plot,
        across: Callable[[float], float],
        low: float,
        high: float,
    ) -> None:
        """The interval of a curve, where its facts know one."""
        known = [
            p
            for p in points
            if p.get("low") is not None
            and p.get("high") is not None
            and p.get("from") is not None
            and p.get("to") is not None
            and float(p["to"]) >= low
            and float(p["from"]) <= high
        ]
        upper, lower = [], []
        for p in known:
            for side in ("from", "to"):
                x = across(min(max(float(p[side]), low), high))
                upper.append((x, plot.y(math.exp(float(p["high"])))))
                lower.append((x, plot.y(math.exp(float(p["low"])))))
        plot.area([*upper, *reversed(lower)], "f-pale")


def _bend(rows: Sequence[Mapping[str, float]], low: float, high: float) -> float | None:
    """Where leads crowd at one end the axis is bent (symlog); the constant, or None."""
    run, middle = 0.0, high
    for row in rows:
        run += row["share"]
        if run >= 0.5:
            middle = row["x2"]
            break
    if low >= 0 and middle > low and (high - middle) / (middle - low) > 6:
        return max((middle - low) / 2, 1e-9)
    return None
