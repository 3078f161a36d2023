"""Whether a model can be trusted: its gate, its numbered checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.evidence import shares_chart
from leadml.reports.story.parts import Chart, Section, Table

__all__ = ["trust"]

Fact = Mapping[str, Any]

ROWS_SHOWN = 20
FIGURES_SHOWN = 10

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
    evidence = check.get("evidence") or {}
    shown = status in ("found", "silenced")
    return {
        "code": str(check["code"]),
        "title": str(check["title"]),
        "detail": str(check.get("detail") or ""),
        "rows": [str(r) for r in list(check.get("rows") or ())[:ROWS_SHOWN]],
        "reason": (str(check.get("reason") or "") or "no reason was given") if silenced else "",
        "fix": str(check.get("fix") or "") if status == "found" else "",
        "figures": _figures(evidence) if shown else None,
        "charts": [
            _drawn(str(check["code"]), part)
            for part in (evidence.get("shares") or () if shown else ())
            if len(part["points"]) > 1
        ],
        "page": str(check.get("page") or ""),
        "tone": tone,
        "word": word,
    }


_SAID = {"auc": "AUC", "psi": "PSI", "n": "leads"}


def _figures(evidence: Fact) -> Table | None:
    """What was measured, one column or case a row; None where the sentence says it all."""
    figures = [f for f in evidence.get("figures") or () if isinstance(f, Mapping)]
    keys = list(dict.fromkeys(str(key) for figure in figures for key in figure))
    if not figures or keys in ([], ["column"], ["note"]):
        return None
    more = len(figures) - FIGURES_SHOWN
    return Table(
        head=tuple(_head(key) for key in keys),
        rows=tuple(
            tuple(_value(key, figure.get(key)) for key in keys)
            for figure in figures[:FIGURES_SHOWN]
        ),
        caption=f"The first {FIGURES_SHOWN} of {words.count(len(figures))}." if more > 0 else "",
    )


def _head(key: str) -> str:
    said = " ".join(_SAID.get(word, word) for word in key.split("_"))
    return said[:1].upper() + said[1:]


def _value(key: str, value: Any) -> str:
    """A figure as people read it: shares in percent, lists with commas."""
    if value is None:
        return words.EN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if key.startswith(("share", "rate")) and 0 <= value <= 1:
            return words.chance(float(value))
        return words.count(value) if float(value).is_integer() else words.digits(float(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return str(value)


def _drawn(code: str, part: Fact) -> Chart:
    """Shares by value as a small chart; what was found stands in the check's sentence."""
    points: Sequence[Fact] = part["points"]
    what, among = str(part["what"]), str(part.get("among") or "")
    column = str(part.get("column") or "")
    title = f"{column}: share {what}" if column else f"Share {what}, in order of time"
    before = any("before" in point for point in points)
    tick = "before" if before else "predicted"
    head = ("Value" if column else "Period", "Leads", f"Share {what}", "95 % interval")
    return Chart(
        title=title,
        subtitle="With 95 % interval" + (f", among {among}" if among else ""),
        svg=shares_chart(
            points,
            label=f"{code}, {title}",
            other=tick,
            base=None if before else part.get("base"),
        ),
        key=(("model", "before"), ("dot", among))
        if before
        else (("dot", what), ("other-1", "all leads" if column else "before")),
        numbers=Table(
            head=(*head, "Before") if before else head,
            rows=tuple(
                (
                    str(point["name"]) or "(blank)",
                    words.count(point["n"]),
                    words.chance(point["rate"]),
                    words.chance_range(point.get("low"), point.get("high")),
                    *((words.chance(point.get("before")),) if before else ()),
                )
                for point in points
            ),
        ),
    )
