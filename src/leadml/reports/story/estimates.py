"""Figures of the facts with their intervals and units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.story.parts import Cell

__all__ = [
    "STAGES",
    "amount",
    "estimate",
    "expected_of",
    "logit",
    "share_cell",
    "sigmoid",
    "tested",
    "two_roles",
    "week",
    "week_cell",
]

Fact = Mapping[str, Any]

STAGES = {"sql": "SQL", "mql": "MQL", "nurture": "Nurture", "cold": "Cold"}


def estimate(facts: Fact, name: str) -> dict[str, Any] | None:
    """A measured figure as ``value``, ``low``, ``high``; None where it is not known."""
    found = (facts.get("metrics") or {}).get(name)
    if isinstance(found, Mapping) and found.get("value") is not None:
        value = float(found["value"])
        if math.isfinite(value):
            return {"value": value, "low": found.get("low"), "high": found.get("high")}
    return None


def amount(found: Any) -> dict[str, Any]:
    """An estimate of the policy, whether it carries an interval or not."""
    if isinstance(found, Mapping):
        return {"value": found.get("value"), "low": found.get("low"), "high": found.get("high")}
    if isinstance(found, Sequence) and not isinstance(found, str):
        value, low, high = (*found, None, None)[:3]
        return {"value": value, "low": low, "high": high}
    return {"value": found, "low": None, "high": None}


def share_cell(found: Any) -> Cell:
    """A share in percent with its interval."""
    part = amount(found)
    return Cell(words.chance(part["value"]), words.chance_range(part["low"], part["high"]))


def week_cell(found: Any) -> Cell:
    """Leads in a week with their interval."""
    part = amount(found)
    return Cell(words.per_week(part["value"]), words.per_week_range(part["low"], part["high"]))


def week(facts: Fact) -> str:
    """The unit of volumes: a week, or so many leads where no time is known."""
    data = facts["data"]
    if data.get("leads_per_week_known", True):
        return "a week"
    return f"of every {words.count(data.get('leads_per_week'))}"


def expected_of(facts: Fact) -> list[Fact]:
    """What the policy promises, stage by stage."""
    policy = facts.get("policy") or {}
    return list(policy.get("expected") or ())


def tested(facts: Fact) -> str:
    """One sentence: on how many leads it was tested, and how."""
    protocol = facts.get("protocol") or {}
    if not protocol.get("n_test"):
        return ""
    n = words.count(protocol["n_test"])
    name = str(protocol.get("name", ""))
    tail = f" ({name})" if name else ""
    if protocol.get("kind") == "forward":
        return f"Tested forward in time on {n} leads, none used in training{tail}."
    if protocol.get("kind") == "folds":
        return f"Tested on {n} leads, each by a model that had not seen it{tail}."
    return f"Tested on {n} leads held back from training{tail}."


def two_roles(facts: Fact) -> bool:
    """Whether both fit and engagement carry weight, so that telling them apart says something."""
    carrying = {
        e.get("role") for e in facts.get("effects") or () if float(e.get("importance") or 0.0) > 0
    }
    return carrying >= {"fit", "engagement"}


def sigmoid(x: float) -> float:
    """Chance of these log-odds."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def logit(p: float) -> float:
    """Log-odds of this chance, finite at 0 and 1."""
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))
