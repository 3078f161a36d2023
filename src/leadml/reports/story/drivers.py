"""What drives conversion, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.charts.drawing import svg
from leadml.reports.charts.effect import effect_chart
from leadml.reports.charts.reach import odds_domain
from leadml.reports.story.estimates import two_roles
from leadml.reports.story.parts import Section, Table
from leadml.reports.story.ranges import effect_names, named_points

__all__ = ["drivers"]

Fact = Mapping[str, Any]

EFFECTS_DRAWN = 10

LEVELS_DRAWN = 8

LEVELS_LISTED = 40

RANKED = 12


def drivers(facts: Fact) -> Section | None:
    """How much each column carries, what each value does; None where nothing does."""
    effects = [e for e in facts.get("effects") or () if float(e.get("importance") or 0.0) > 0]
    if not effects:
        return None
    strongest = max(float(e["importance"]) for e in effects)
    roles = two_roles(facts)
    ranking = [
        {
            "name": words.name_of(e),
            "role": str(e.get("role") or ""),
            "wide": round(100 * float(e["importance"]) / strongest, 1),
            "share": words.chance(float(e["importance"])),
        }
        for e in effects[:RANKED]
    ]
    shown = effects[:EFFECTS_DRAWN]
    domain = odds_domain(shown)
    low, high = math.log(domain[0]), math.log(domain[1])
    drawn = []
    for i, effect in enumerate(shown):
        missing = effect.get("missing") or {}
        empty = ""
        if missing and float(missing.get("share") or 0.0) >= 0.0005:
            empty = (
                f"Empty in {words.chance(float(missing['share']))} of leads: "
                f"{words.odds(float(missing['log_odds']))}"
            )
        panel: dict[str, Any] = {
            "name": words.name_of(effect),
            "role": str(effect.get("role") or "") if roles else "",
            "share": words.chance(float(effect["importance"])),
            "empty": empty,
            "svg": "",
            "bars": [],
            "more": 0,
            "say": "",
        }
        named = named_points(effect)
        if effect.get("kind") == "number":
            best, worst = effect_names(effect)
            panel["say"] = f"best {best}, worst {worst}" if best else ""
            chart = effect_chart(effect, domain=domain)
            if chart is not None:
                panel["svg"] = svg(
                    chart,
                    label=f"Effect of {panel['name']} on the odds: {panel['say']}",
                    name=f"effect{i}",
                )
            panel["numbers"] = Table(
                head=("Value", "Leads", "Odds, on average"),
                rows=tuple((n, words.chance(share), words.odds(lo)) for n, lo, share in named),
            )
        else:
            loud = sorted(named, key=lambda point: -point[2])
            panel["bars"] = [
                {
                    "name": words.short(name),
                    "odds": words.odds(lo),
                    "share": words.chance(share),
                    **_bar(lo, low, high),
                }
                for name, lo, share in sorted(loud[:LEVELS_DRAWN], key=lambda point: -point[1])
            ]
            panel["more"] = max(0, len(named) - LEVELS_DRAWN)
            panel["numbers"] = Table(
                head=("Value", "Leads", "Odds"),
                rows=tuple(
                    (name, words.chance(share), words.odds(lo))
                    for name, lo, share in sorted(loud[:LEVELS_LISTED], key=lambda p: -p[1])
                ),
                caption=f"The {LEVELS_LISTED} most frequent values."
                if len(named) > LEVELS_LISTED
                else "",
            )
        drawn.append(panel)
    pairs = [p for p in facts.get("pairs") or () if float(p.get("importance") or 0.0) > 0][:8]
    labels = {str(e["column"]): words.name_of(e) for e in effects}
    pair_table = None
    if pairs:
        pair_table = Table(
            head=("Together", "Usual change of the odds"),
            rows=tuple(
                (
                    " and ".join(
                        labels.get(str(c), words.name_of({"column": c})) for c in p["columns"]
                    ),
                    words.odds(float(p["importance"])),
                )
                for p in pairs
            ),
            caption="Pairs of columns that matter beyond the sum of their parts, strongest first: "
            "the factor by which a pair usually changes the odds (one standard deviation).",
        )
    return Section(
        "What drives conversion",
        "effects",
        {
            "roles": roles,
            "ranking": ranking,
            "more": max(0, len(effects) - len(ranking)),
            "panels": drawn,
            "pairs": pair_table,
        },
    )


def _bar(log_odds: float, low: float, high: float) -> dict[str, Any]:
    """A bar from ×1 to the factor, in percent across, on the shared odds axis."""
    wide = high - low
    zero = 100 * (0.0 - low) / wide
    to = 100 * (min(max(log_odds, low), high) - low) / wide
    return {
        "zero": round(zero, 2),
        "x": round(min(zero, to), 2),
        "wide": round(max(abs(to - zero), 0.4), 2),
        "tone": "up" if log_odds >= 0 else "down",
    }
