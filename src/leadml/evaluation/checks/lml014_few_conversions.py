"""LML014: fewer conversions than a full judgement needs."""

from __future__ import annotations

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput
from leadml.evaluation.verdict import LEARNS_FROM, TRUSTS_FROM

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML014",
    "Too few conversions",
    "warns",
    "Bring a longer history, or learn an earlier stage that more leads reach.",
)


def run(data: CheckInput) -> Finding:
    """Compare conversions (or the rarer outcome) with what learning needs."""
    outcome = data.outcome
    won = int(outcome.sum())
    rarer = min(won, outcome.size - won)
    evidence = {
        "figures": [{"n": int(outcome.size), "n_conversions": won}],
        "limit": {"learns_from": LEARNS_FROM, "trusts_from": TRUSTS_FROM},
    }
    what = "conversions" if won <= outcome.size - won else "leads that did not convert"
    if rarer < LEARNS_FROM:
        return CHECK.found(
            f"There are {rarer} {what}; below {LEARNS_FROM} every lead gets the base rate.",
            evidence=evidence,
        )
    if rarer < TRUSTS_FROM:
        return CHECK.found(
            f"There are {rarer} {what}; below {TRUSTS_FROM} the verdict is provisional.",
            evidence=evidence,
        )
    return CHECK.passed(f"{won:,} conversions are enough to learn from.", evidence)
