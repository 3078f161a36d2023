"""What drives conversion, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.reach import odds_domain
from leadml.reports.story.estimates import two_roles
from leadml.reports.story.parts import Drawer, Section, Table
from leadml.reports.story.ranges import effect_names, named_points

__all__ = ["drivers"]

Fact = Mapping[str, Any]

EFFECTS_DRAWN = 10
LEVELS_DRAWN = 8
LEVELS_LISTED = 40
PAIRS_LISTED = 8
RANKED = 12


def drivers(facts: Fact, drawer: Drawer) -> Section | None:
    """How much each column carries, what each value does; None where nothing does."""
    effects = [e for e in facts.get("effects") or () if float(e.get("importance") or 0.0) > 0]
    if not effects:
        return None
    strongest = max(float(e["importance"]) for e in effects)
    roles = two_roles(facts)
    edited = {str(edit["column"]) for edit in facts.get("edits") or ()}
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
    panels = []
    for i, effect in enumerate(shown):
        panel = _panel(effect)
        panel["role"] = str(effect.get("role") or "") if roles else ""
        panel["edited"] = str(effect.get("column")) in edited
        if effect.get("kind") == "number":
            panel |= _curve(effect, domain, f"effect{i}", drawer)
        else:
            panel |= _bars(effect, domain)
        panels.append(panel)
    return Section(
        "What drives conversion",
        "drivers",
        {
            "roles": roles,
            "ranking": ranking,
            "more": max(0, len(effects) - len(ranking)),
            "panels": panels,
            "pairs": _pairs(facts, effects),
            "edits": _edits(facts),
        },
    )


def _panel(effect: Fact) -> dict[str, Any]:
    """What every effect shows, whether a curve or bars follow."""
    missing = effect.get("missing") or {}
    empty = ""
    if missing and float(missing.get("share") or 0.0) >= 0.0005:
        empty = (
            f"Empty in {words.chance(float(missing['share']))} of leads: "
            f"{words.odds(float(missing['log_odds']))}"
        )
    return {
        "name": words.name_of(effect),
        "share": words.chance(float(effect["importance"])),
        "empty": empty,
        "svg": "",
        "bars": [],
        "more": 0,
        "say": "",
    }


def _curve(effect: Fact, domain: tuple[float, float], name: str, drawer: Drawer) -> dict[str, Any]:
    """The effect of a number: its curve, its best and worst range, its numbers."""
    best, worst = effect_names(effect)
    say = f"best {best}, worst {worst}" if best else ""
    label = f"Effect of {words.name_of(effect)} on the odds: {say}"
    return {
        "say": say,
        "svg": drawer.effect(effect, domain=domain, label=label, name=name),
        "numbers": Table(
            head=("Value", "Leads", "Odds, on average"),
            rows=tuple(
                (value, words.chance(share), words.odds(log_odds))
                for value, log_odds, share in named_points(effect)
            ),
        ),
    }


def _bars(effect: Fact, domain: tuple[float, float]) -> dict[str, Any]:
    """The effect of a category: bars of the most frequent values, its numbers."""
    low, high = math.log(domain[0]), math.log(domain[1])
    frequent = sorted(named_points(effect), key=lambda point: -point[2])
    return {
        "bars": [
            {
                "name": words.short(value),
                "odds": words.odds(log_odds),
                "share": words.chance(share),
                **_bar(log_odds, low, high),
            }
            for value, log_odds, share in sorted(frequent[:LEVELS_DRAWN], key=lambda p: -p[1])
        ],
        "more": max(0, len(frequent) - LEVELS_DRAWN),
        "numbers": Table(
            head=("Value", "Leads", "Odds"),
            rows=tuple(
                (value, words.chance(share), words.odds(log_odds))
                for value, log_odds, share in sorted(frequent[:LEVELS_LISTED], key=lambda p: -p[1])
            ),
            caption=f"The {LEVELS_LISTED} most frequent values."
            if len(frequent) > LEVELS_LISTED
            else "",
        ),
    }


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


def _pairs(facts: Fact, effects: Sequence[Fact]) -> Table | None:
    pairs = [p for p in facts.get("pairs") or () if float(p.get("importance") or 0.0) > 0]
    if not pairs:
        return None
    labels = {str(e["column"]): words.name_of(e) for e in effects}
    return Table(
        head=("Together", "Usual change of the odds"),
        rows=tuple(
            (
                " and ".join(
                    labels.get(str(c), words.name_of({"column": c})) for c in pair["columns"]
                ),
                words.odds(float(pair["importance"])),
            )
            for pair in pairs[:PAIRS_LISTED]
        ),
        caption="Pairs of columns that matter beyond the sum of their parts, strongest first: "
        "the factor by which a pair usually changes the odds (one standard deviation).",
    )


def _edits(facts: Fact) -> Table | None:
    """What people changed after learning; their reason stands among the notes."""
    edits = facts.get("edits") or ()
    if not edits:
        return None
    return Table(
        head=("Edited by hand", "Usual change of the odds"),
        rows=tuple(
            (_opened(str(edit["sentence"])), words.odds(abs(float(edit["moved"]))))
            for edit in edits
        ),
        caption="Effects that people changed after learning, and by which factor this usually "
        "moves the odds of a lead. The test above was made with these changes.",
    )


def _opened(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
