"""What of a number's effect is drawn: its range, steps, ticks, crowd."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = [
    "COUNTS_DRAWN",
    "counted",
    "drawable",
    "hills_of",
    "number_ticks",
    "odds_domain",
    "segments",
    "whole",
]

Fact = Mapping[str, Any]


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
    return all(abs(edge) < 1e15 and abs(2 * edge - round(2 * edge)) < 1e-9 for edge in edges)


def drawable(points: Sequence[Fact]) -> list[dict[str, Any]]:
    """The points with ends that a drawing can subtract: none beyond a one with 100 zeros."""
    return [
        {**p}
        | {k: min(max(float(p[k]), -1e100), 1e100) for k in ("from", "to") if p.get(k) is not None}
        for p in points
    ]


def segments(points: Sequence[Fact]) -> tuple[list[dict[str, float]], float, float]:
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


def counted(rows: list[dict[str, float]], low: float, high: float) -> list[dict[str, float]]:
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


def number_ticks(low: float, high: float, bend: float | None, whole: bool) -> list[float]:
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


def hills_of(
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
