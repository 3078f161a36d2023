"""LML003: a column whose name speaks of afterwards."""

from __future__ import annotations

import re
from typing import Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import shares_by
from leadml.evaluation.checks.signal import auc_alone
from leadml.evaluation.checks.table import CheckInput, listed

__all__ = ["CHECK", "run", "speaks_of_afterwards"]

CHECK = Check(
    "LML003",
    "Leak by name",
    "warns",
    "Ask whether the value is known when a lead is scored, not only now. If not, drop the"
    " column or set its availability to after.",
)

AFTERWARDS: Final = frozenset(
    {
        "activated", "amount", "churn", "close", "closed", "closing", "comment", "comments",
        "contract", "conversion", "converted", "deal", "disposition", "duration", "feedback",
        "final", "index", "invoice", "last", "latest", "lost", "modified", "note", "notes",
        "opportunity", "outcome", "profile", "quality", "reason", "remark", "resolution", "result",
        "revenue", "score", "scoring", "signed", "sla", "stage", "status", "tag", "tags",
        "updated", "won",
    }
)  # fmt: skip
"""Words that columns filled after the outcome are named with."""

_QUIET: Final = frozenset(
    {
        "account", "conf", "cons", "credit", "day", "days", "employment", "house", "marital",
        "price", "seen", "since", "visit",
    }
)  # fmt: skip
"""Words beside which the ones above mean something else (``days since last visit``)."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TELLS: Final = 0.55
_DRAWN: Final = 3


def speaks_of_afterwards(name: str) -> bool:
    """Whether a name holds a word of afterwards.

    >>> speaks_of_afterwards("Lead Quality"), speaks_of_afterwards("closeReason")
    (True, True)
    >>> speaks_of_afterwards("days_since_last_visit"), speaks_of_afterwards("country")
    (False, False)
    """
    words = {word.lower() for word in _WORDS.findall(name)}
    return bool(words & AFTERWARDS) and not words & _QUIET


def run(data: CheckInput) -> Finding:
    """Find learning columns named with words of afterwards that also tell something."""
    outcome = data.outcome
    judged = outcome.size > 0 and 0 < outcome.sum() < outcome.size
    named = [name for name in data.names if speaks_of_afterwards(name)]
    figures = []
    for name in named:
        figure: dict[str, str | float] = {"column": name}
        if judged:
            auc = auc_alone(data, name)
            if auc < _TELLS:
                continue
            figure["auc_alone"] = round(auc, 4)
        figures.append(figure)
    if not figures:
        return CHECK.passed("No column that tells something is named like things of afterwards.")
    names = [str(figure["column"]) for figure in figures]
    many = len(names) > 1
    return CHECK.found(
        f"The name{'s' if many else ''} {listed(names)} sound{'' if many else 's'} like something"
        " known only after a lead was worked.",
        columns=names,
        evidence={
            "figures": figures,
            "shares": [
                shares_by(data.reading(name), data.y, "converted", name)
                for name in (names[:_DRAWN] if judged else ())
            ],
        },
    )
