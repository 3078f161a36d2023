"""LML017: leads to be scored that differ from the history."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, counted, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML017",
    "Training and serving differ",
    "blocks",
    "Rename or fill the fields in the CRM so that they match the history, or train on a fresh"
    " export.",
)

_UNSEEN: Final = 0.1
_EMPTIER: Final = 0.2


def run(data: CheckInput) -> Finding:
    """Compare columns, kinds, texts and gaps of incoming leads with the history."""
    if data.incoming is None:
        return CHECK.not_applicable("No leads to be scored were given.")
    figures: list[dict[str, Any]] = []
    severity = "warns"
    for name in data.names:
        if name not in data.incoming:
            figures.append({"column": name, "difference": "missing"})
            severity = "blocks"
            continue
        before, now = data.reading(name), data.reading_incoming(name)
        if now.numbers.size == 0 or before.missing.all():
            continue
        if not now.missing.all() and before.kind != now.kind:
            # codes that happen to be all digits today are no change of kind
            if not (before.kind == "category" and now.kind == "number"):
                figures.append(
                    {"column": name, "difference": "kind", "was": before.kind, "is": now.kind}
                )
                severity = "blocks" if now.kind == "category" else severity
                continue
        elif before.kind == "category":
            strange = [i for i, level in enumerate(now.levels) if level not in set(before.levels)]
            share = float(np.isin(now.numbers, strange).mean())
            if share > _UNSEEN:
                figures.append({"column": name, "difference": "unseen", "share": round(share, 4)})
        grown = float(now.missing.mean() - before.missing.mean())
        if grown > _EMPTIER:
            figures.append({"column": name, "difference": "emptier", "share": round(grown, 4)})
    extra = [n for n in data.incoming if n not in data.columns]
    if not figures:
        more = f" {counted(len(extra), 'field')} beyond it stay unread." if extra else ""
        return CHECK.passed(f"Leads to be scored look like the history.{more}")
    names = list(dict.fromkeys(figure["column"] for figure in figures))
    return CHECK.found(
        _sentence(figures) + (f" New fields are {listed(extra)}." if extra else ""),
        columns=names,
        evidence={"figures": figures},
        severity="blocks" if severity == "blocks" else "warns",
    )


def _sentence(figures: list[dict[str, Any]]) -> str:
    words = {
        "missing": "is missing in the leads to be scored",
        "kind": "changed its kind",
        "unseen": "holds texts never seen in the history",
        "emptier": "is empty far more often than in the history",
    }
    first = figures[0]
    share = f" ({percent(first['share'])} of the leads)" if "share" in first else ""
    text = f"'{first['column']}' {words[first['difference']]}{share}"
    more = len(figures) - 1
    return f"{text}; {more} more difference{'s' if more > 1 else ''}." if more else f"{text}."
