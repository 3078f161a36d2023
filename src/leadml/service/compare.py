"""Two versions of a model, told apart."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["compare", "effect_moved"]

Fact = Mapping[str, Any]

_MEASURES = (
    "top_fifth_share",
    "roc_auc",
    "log_loss",
    "brier",
    "ece",
    "predicted_rate",
    "base_rate",
)


def compare(new: Fact, old: Fact) -> dict[str, Any]:
    """What differs between two versions, each as ``Shelf.facts`` tells it.

    Returns
    -------
    dict
        ``data`` (leads, conversions, period of each), ``metrics`` (estimates by name, one
        of each version), ``policy`` (lines of each), ``columns`` (``added``, ``removed``),
        ``effects`` (columns of both, by how far their effect moved, in log-odds), and
        ``recipe``; sides are called ``new`` and ``old``.
    """
    a, b = new["metrics"], old["metrics"]
    ours = {str(e["column"]): e for e in a.get("effects") or ()}
    theirs = {str(e["column"]): e for e in b.get("effects") or ()}
    moved = [
        {
            "column": name,
            "label": str(effect.get("label") or name),
            "moved": effect_moved(effect, theirs[name]),
            "importance": {
                "new": float(effect.get("importance") or 0.0),
                "old": float(theirs[name].get("importance") or 0.0),
            },
        }
        for name, effect in ours.items()
        if name in theirs
    ]
    return {
        "data": {side: _data(facts) for side, facts in (("new", a), ("old", b))},
        "metrics": {
            name: {
                side: dict(facts["metrics"][name])
                for side, facts in (("new", a), ("old", b))
                if isinstance((facts.get("metrics") or {}).get(name), Mapping)
            }
            for name in _MEASURES
        },
        "protocol": {
            side: str((facts.get("protocol") or {}).get("name", ""))
            for side, facts in (("new", a), ("old", b))
        },
        "policy": {
            side: {key: told["policy"].get(key) for key in ("mql", "sql", "nurture", "basis")}
            for side, told in (("new", new), ("old", old))
        },
        "verdict": {
            side: dict(facts.get("verdict") or {}) for side, facts in (("new", a), ("old", b))
        },
        "columns": {
            "added": sorted(ours.keys() - theirs.keys()),
            "removed": sorted(theirs.keys() - ours.keys()),
        },
        "effects": sorted(moved, key=lambda e: (-e["moved"], e["column"])),
    }


def effect_moved(new: Fact, old: Fact) -> float:
    """How far an effect moved: root mean square over leads, in log-odds.

    Leads are those of the newer version: each of its bins counts by its share, at the
    middle of the bin; a level the older one did not know counts nothing there.
    """
    total = weight = 0.0
    if new.get("kind") == "number":
        points = [p for p in old.get("points") or () if p.get("to") is not None]
        tops = [float(p["to"]) for p in points]
        for p in new.get("points") or ():
            middle = (float(p["from"]) + float(p["to"])) / 2
            ours = (float(p["log_odds_from"]) + float(p["log_odds_to"])) / 2
            share = float(p.get("share") or 0.0)
            total += share * (ours - _at(points, tops, middle)) ** 2
            weight += share
    else:
        before = {str(p["level"]): float(p["log_odds"]) for p in old.get("points") or ()}
        for p in new.get("points") or ():
            share = float(p.get("share") or 0.0)
            total += share * (float(p["log_odds"]) - before.get(str(p["level"]), 0.0)) ** 2
            weight += share
    return math.sqrt(total / weight) if weight > 0 else 0.0


def _at(points: Sequence[Fact], tops: Sequence[float], value: float) -> float:
    """The effect of a number at a value, straight between the ends of its bin."""
    if not points:
        return 0.0
    p = points[min(bisect_right(tops, value), len(points) - 1)]
    start, end = float(p["from"]), float(p["to"])
    a, b = float(p["log_odds_from"]), float(p["log_odds_to"])
    share = (value - start) / (end - start) if end > start else 0.0
    return a + (b - a) * min(max(share, 0.0), 1.0)


def _data(facts: Fact) -> dict[str, Any]:
    data = facts.get("data") or {}
    found = {key: data.get(key) for key in ("n_leads", "n_conversions", "base_rate")}
    return {**found, "period": dict(data.get("period") or {})}
