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
_FOUND = {"blocks": ("fail", "Failed"), "warns": ("warn", "Look"), "tip": ("note", "Note")}
_OTHERWISE = {"passed": ("pass", "Passed"), "silenced": ("note", "Silenced")}
_ORDER = {"blocks": 0, "warns": 1, "tip": 2}


def trust(facts: Fact) -> Section | None:
    """Lines of the gate, then checks by what they need; None without either.

    What people silenced stands in the open, behind what was found, with their reason.
    """
    lines = [
        {
            "name": str(line["name"]),
            "sentence": words.signed(str(line["sentence"])),
            **_GATE.get(str(line["status"]), _GATE["not_applicable"]),
        }
        for line in (facts.get("gate") or {}).get("lines") or ()
    ]
    rows: dict[str, list[dict[str, Any]]] = {}
    for check in sorted(
        facts.get("checks") or (), key=lambda c: (_ORDER.get(str(c.get("severity")), 3), c["code"])
    ):
        rows.setdefault(str(check.get("status")), []).append(_row(check))
    found = [*rows.pop("found", []), *rows.pop("silenced", [])]
    passed = rows.pop("passed", [])
    aside = [row for others in rows.values() for row in others]
    if not (found or passed or aside or lines):
        return None
    return Section(
        "Can it be trusted?",
        "trust",
        {"gate": lines, "found": found, "passed": passed, "aside": aside},
    )


def _row(check: Fact) -> dict[str, Any]:
    """A check in words, with the tone of its icon."""
    status = str(check.get("status"))
    tone, word = _OTHERWISE.get(status, ("note", "Not applicable"))
    if status == "found":
        tone, word = _FOUND.get(str(check.get("severity")), ("note", "Note"))
    silenced = status == "silenced"
    return {
        "code": str(check["code"]),
        "title": str(check["title"]),
        "detail": str(check.get("detail") or ""),
        "rows": [str(r) for r in list(check.get("rows") or ())[:ROWS_SHOWN]],
        "reason": (str(check.get("reason") or "") or "no reason was given") if silenced else "",
        "fix": str(check.get("fix") or "") if status == "found" else "",
        "page": str(check.get("page") or ""),
        "tone": tone,
        "word": word,
    }
