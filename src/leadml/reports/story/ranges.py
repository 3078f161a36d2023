"""Values of a column as ranges with names, with what they do to the odds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.reach import whole

__all__ = ["effect_groups", "effect_names", "named_points"]

Fact = Mapping[str, Any]


def effect_groups(effect: Fact, most: int = 12) -> list[dict[str, Any]]:
    """Neighbouring bins of a number joined to at most ``most`` ranges of leads.

    Returns
    -------
    list of dict
        ``from``, ``to`` (None where open), ``log_odds`` (average over the leads of the
        range), ``share``.
    """
    points = list(effect.get("points") or ())
    total = sum(float(p.get("share") or 0.0) for p in points)
    goal = total / most if len(points) > most else 0.0
    groups: list[dict[str, Any]] = []
    for p in points:
        share = float(p.get("share") or 0.0)
        middle = (float(p["log_odds_from"]) + float(p["log_odds_to"])) / 2
        last = groups[-1] if groups else None
        if last is not None and share == 0:
            last["to"] = p.get("to")
        elif last is not None and goal and last["share"] < goal:
            joint = last["share"] + share
            last["log_odds"] = (
                (last["log_odds"] * last["share"] + middle * share) / joint if joint else middle
            )
            last["share"], last["to"] = joint, p.get("to")
        else:
            groups.append(
                {"from": p.get("from"), "to": p.get("to"), "log_odds": middle, "share": share}
            )
    return groups


def _range_name(groups: Sequence[Fact], i: int, counts: bool) -> str:
    """A bin (from, to] in words; of counts as the whole numbers inside it."""
    low, high = groups[i].get("from"), groups[i].get("to")
    opens, closes = i == 0 or low is None, i == len(groups) - 1 or high is None
    if opens and closes:
        return "any"
    if counts:
        first = None
        if low is not None:
            first = math.ceil(float(low)) if i == 0 else math.floor(float(low) + 1e-9) + 1
        last = math.floor(float(high) + 1e-9) if high is not None else None
        if first is not None and last is not None and first >= last:
            return words.plain_number(last)
        if opens and last is not None:
            return f"up to {words.plain_number(last)}"
        if closes and first is not None:
            return f"{words.plain_number(first)} or more"
        if first is not None and last is not None:
            return f"{words.plain_number(first)}{words.EN}{words.plain_number(last)}"
    if opens:
        return f"up to {words.plain_number(float(high or 0.0))}"
    if closes:
        return f"over {words.plain_number(float(low or 0.0))}"
    start, end = words.plain_number(float(low or 0.0)), words.plain_number(float(high or 0.0))
    return f"{start}{words.EN}{end}"


def named_points(effect: Fact) -> list[tuple[str, float, float]]:
    """Name, log-odds, share of each range or level."""
    if effect.get("kind") == "number":
        groups = effect_groups(effect)
        edges = [
            float(p[k]) for p in effect["points"] for k in ("from", "to") if p.get(k) is not None
        ]
        counts = whole(edges)
        return [
            (_range_name(groups, i, counts), float(g["log_odds"]), float(g["share"]))
            for i, g in enumerate(groups)
        ]
    return [
        (str(p["level"]) or "(blank)", float(p["log_odds"]), float(p.get("share") or 0.0))
        for p in effect.get("points") or ()
    ]


def effect_names(effect: Fact) -> tuple[str, str]:
    """What raises and what lowers the odds most, among values of at least 1 % of leads."""
    seen = [point for point in named_points(effect) if point[2] >= 0.01]
    if len(seen) < 2:
        return "", ""
    best, worst = max(seen, key=lambda p: p[1]), min(seen, key=lambda p: p[1])
    return f"{best[0]} ({words.odds(best[1])})", f"{worst[0]} ({words.odds(worst[1])})"
