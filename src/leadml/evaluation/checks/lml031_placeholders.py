"""LML031: words that a form leaves where nobody answered."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import LEVEL_FROM, shares_of
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML031",
    "Placeholders in place of answers",
    "tip",
    "Export these cells empty if they mean the same as empty ones; where they convert otherwise"
    " (a form that was opened and left, say), keep them: the word is a value of its own, which"
    " reasons tell as not given.",
)

_FEWEST_SHARE: Final = 0.01
_DRAWN: Final = 3


def run(data: CheckInput) -> Finding:
    """Name columns where at least 1 % of the cells hold a word such as *Select* or *unknown*."""
    figures: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    known, outcome = data.known, data.outcome
    categories = [name for name in data.names if data.reading(name).kind == "category"]
    if not categories:
        return CHECK.not_applicable("No column holds words.")
    for name in categories:
        reading = data.reading(name)
        held = reading.empty & ~reading.missing
        share = float(held.sum()) / max(1, held.size)
        if share < _FEWEST_SHARE:
            continue
        codes = np.bincount(reading.numbers[held].astype(np.intp), minlength=len(reading.levels))
        words = [reading.levels[i] for i in np.argsort(-codes, kind="stable") if codes[i]]
        figures.append(
            {
                "column": name,
                "words": ", ".join(words[:3]),
                "share": round(share, 4),
                "share_missing": round(float(reading.missing.mean()), 4),
            }
        )
        masks = [~reading.empty[known], held[known], reading.missing[known]]
        shares.append(
            {
                "what": "converted",
                "column": name,
                "base": round(float(outcome.mean()), 4) if outcome.size else 0.0,
                "points": shares_of(["answered", words[0], "empty"], masks, outcome, LEVEL_FROM),
            }
        )
    if not figures:
        return CHECK.passed("No column holds words that stand for no answer.")
    order = sorted(range(len(figures)), key=lambda i: -figures[i]["share"])
    figures = [figures[i] for i in order]
    first = figures[0]
    detail = f"{percent(first['share'])} of the cells of '{first['column']}' say {first['words']}"
    if len(figures) > 1:
        rest = listed([figure["column"] for figure in figures[1:]])
        detail += f"; {rest} {'holds' if len(figures) == 2 else 'hold'} such words too"
    return CHECK.found(
        f"{detail}.",
        columns=[figure["column"] for figure in figures],
        evidence={
            "figures": figures,
            "limit": {"share": _FEWEST_SHARE},
            "shares": [shares[i] for i in order[:_DRAWN]],
        },
    )
