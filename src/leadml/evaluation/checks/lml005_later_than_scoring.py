"""LML005: a timestamp that lies after the moment of scoring."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML005",
    "Timestamps after as-of",
    "blocks",
    "Drop the column, or everything counted up to that time: it was written after the lead"
    " would have been scored.",
)

_SLACK_S: Final = 86_400.0
_SHARE: Final = 0.01


def run(data: CheckInput) -> Finding:
    """Find timestamps more than a day after the creation of their lead."""
    created = data.created_at
    if created is None:
        return CHECK.not_applicable("It is not known when each lead was created.")
    figures: list[dict[str, Any]] = []
    worst: np.ndarray[Any, Any] | None = None
    names = [name for name in data.candidates if data.reading(name).kind == "moment"]
    for name in names:
        seconds = data.reading(name).numbers
        filled = ~np.isnan(seconds) & ~np.isnan(created)
        later = filled & (seconds > created + _SLACK_S)
        share = float(later.sum() / max(1, filled.sum()))
        if share < _SHARE:
            continue
        worst = later if worst is None else worst
        figures.append(
            {"column": name, "share_later": round(share, 4), "learned": name in data.names}
        )
    if not figures:
        looked = f"{len(names)} timestamp columns" if names else "No timestamp column"
        return CHECK.passed(
            f"{looked} beside the creation; none lies after it."
            if names
            else "There is no timestamp beside the creation."
        )
    figures.sort(key=lambda figure: not figure["learned"])
    found = [figure["column"] for figure in figures]
    learned = any(figure["learned"] for figure in figures)
    assert worst is not None
    first = next(f for f in figures if f["column"] == found[0])
    return CHECK.found(
        f"{listed(found)} hold{'s' if len(found) == 1 else ''} times after the lead was created"
        f" ({percent(first['share_later'])} of '{found[0]}')"
        + ("." if learned else "; leadml left them out, so nothing is learned from them."),
        columns=found,
        rows=np.flatnonzero(worst),
        evidence={"figures": figures},
        severity="blocks" if learned else "tip",
    )
