"""Where to cut, with what each threshold promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import STAGES, expected_of, share_cell, week, week_cell
from leadml.reports.story.parts import Section, Table

__all__ = ["cuts", "threshold_table"]

Fact = Mapping[str, Any]

_GRADES = {"sql": "A", "mql": "B", "nurture": "C"}

_BASIS = {
    "capacity": "from what sales can work",
    "precision": "from the precision asked for",
    "value": "from value and cost",
}


def threshold_table(facts: Fact) -> Table | None:
    """What each threshold promises: volume, precision, conversions, with intervals."""
    policy = facts.get("policy")
    if not policy:
        return None
    unit = week(facts)
    expected = {str(e.get("stage")): e for e in expected_of(facts)}
    known = [s for s in ("sql", "mql", "nurture") if policy.get(s) is not None]
    stages = [s for s in known if s in expected] or known
    others = "".join(
        f" {STAGES[s]} (grade {_GRADES[s]}) starts at a chance of {words.chance(policy[s])}."
        for s in known
        if s not in stages and not (s == "nurture" and policy[s] == policy.get("mql"))
    )
    measures = (
        (f"Leads {unit}", "volume_per_week", week_cell),
        ("Of these won", "precision", share_cell),
        (f"Won {unit}", "conversions_per_week", week_cell),
        ("Of all won", "recall", share_cell),
    )
    rows: list[tuple[Any, ...]] = [
        ("Chance from", *(words.chance(float(policy[s])) for s in stages)),
    ]
    rows += [
        (name, *(cell(expected[s].get(key)) if s in expected else words.EN for s in stages))
        for name, key, cell in measures
        if any(s in expected for s in stages)
    ]
    basis = _BASIS.get(str(policy.get("basis")), str(policy.get("basis", "")))
    if policy.get("basis") == "capacity" and policy.get("capacity_per_week") is None:
        basis = "by default a fifth of the leads and a twentieth"
    return Table(
        head=("", *(f"{STAGES[s]}, grade {_GRADES[s]}" for s in stages)),
        rows=tuple(rows),
        caption=f"Policy {policy.get('version', '')}, {basis}. Each column counts every lead at or "
        f"above its threshold; small figures are 95 % intervals.{others}",
    )


def cuts(facts: Fact) -> Section | None:
    """The thresholds, why they lie there, what they promise; None without a policy."""
    policy, table = facts.get("policy"), threshold_table(facts)
    if not policy or table is None:
        return None
    return Section(
        "Where to cut", "cuts", {"reason": str(policy.get("reason") or ""), "table": table}
    )
