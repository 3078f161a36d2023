"""Whether a model can be trusted: its gate, its numbered checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.parts import Section

__all__ = ["trust"]

Fact = Mapping[str, Any]

ROWS_SHOWN = 20

_GATE = {
    "passed": {"tone": "pass", "word": "Passed"},
    "failed": {"tone": "fail", "word": "Failed"},
    "not_applicable": {"tone": "note", "word": "Not applicable"},
}

_TONES = {"blocks": ("fail", "Failed"), "warns": ("warn", "Look"), "tip": ("note", "Note")}


def trust(facts: Fact) -> Section | None:
    """Lines of the gate, then checks by what they need; None without either."""
    found, passed, aside = [], [], []
    order = {"blocks": 0, "warns": 1, "tip": 2}
    for check in sorted(
        facts.get("checks") or (), key=lambda c: (order.get(str(c.get("severity")), 3), c["code"])
    ):
        row = {
            "code": str(check["code"]),
            "title": str(check["title"]),
            "detail": str(check.get("detail") or ""),
            "columns": [str(c) for c in check.get("columns") or ()],
            "rows": [str(r) for r in list(check.get("rows") or ())[:ROWS_SHOWN]],
            "fix": str(check.get("fix") or ""),
        }
        status = check.get("status")
        if status == "found":
            row["tone"], row["word"] = _TONES.get(str(check.get("severity")), ("note", "Note"))
            found.append(row)
        elif status == "passed":
            row["tone"], row["word"] = "pass", "Passed"
            passed.append(row)
        else:
            row["tone"] = "note"
            row["word"] = "Silenced" if status == "silenced" else "Not applicable"
            aside.append(row)
    gate = facts.get("gate") or {}
    lines = [
        {
            "name": str(line["name"]),
            "sentence": words.signed(str(line["sentence"])),
            **_GATE.get(str(line["status"]), _GATE["not_applicable"]),
        }
        for line in gate.get("lines") or ()
    ]
    if not (found or passed or aside or lines):
        return None
    return Section(
        "Can it be trusted?",
        "checks",
        {"gate": lines, "found": found, "passed": passed, "aside": aside},
    )
