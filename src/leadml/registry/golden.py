"""Golden rows: leads with their expected answers, carried inside a bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from leadml.errors import BundleRejected
from leadml.leads.vocabulary import Kind
from leadml.registry.layout import canonical
from leadml.scorecard import Scorecard, Scorer, digits4
from leadml.thresholds.policy import Policy

__all__ = ["golden_rows", "prove_golden"]

GOLDEN_LIMIT: Final = 100
"""Most golden rows that are tried: a bundle cannot keep its reader busy."""

GOLDEN_TOLERANCE: Final = 1e-9


def golden_rows(
    scorecard: Scorecard, policy: Policy, leads: Sequence[Mapping[str, Any]], limit: int = 32
) -> list[dict[str, Any]]:
    """Leads with their expected answers, for ``golden.json``.

    Each field of a row is taken from another lead, so that no person stands in a bundle;
    fields the model does not read are left out, and two rows are made up (an empty lead,
    and one whose categories were never seen).

    Parameters
    ----------
    scorecard, policy
        What answers.
    leads
        Rows of the training table; values as they were read.
    limit
        At most this many of them.
    """
    sources = sorted(scorecard.schema.sources)
    chosen = [leads[i * len(leads) // limit] for i in range(limit)] if len(leads) > limit else leads
    mixed: list[dict[str, Any]] = [{}]
    mixed.append(
        {
            column.source: "a level that training never saw"
            for column in scorecard.schema.columns
            if column.kind is Kind.CATEGORY and not column.derive
        }
    )
    for i in range(len(chosen)):
        row = {}
        for j, source in enumerate(sources):
            value = _sendable(chosen[(i + j) % len(chosen)].get(source))
            if value is not None:
                row[source] = value
        mixed.append(row)
    scorer = Scorer(scorecard)
    found = []
    for row in mixed:
        lead = orjson.loads(canonical(row))  # as a reader will see it
        found.append({"lead": lead, "expected": _expected(scorer, policy, lead)})
    return found


def _sendable(value: Any) -> Any:
    """A value as a caller would send it in JSON; None for a missing one."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, int) or abs(value) < 2**53 else float(value)
    spelled = getattr(value, "isoformat", None)
    text = spelled() if spelled is not None else str(value)
    return None if text in ("NaT", "<NA>") else text


def _expected(scorer: Scorer, policy: Policy, lead: Mapping[str, Any]) -> dict[str, Any]:
    scored = scorer.one(lead)
    fit, engagement = scorer.fit_engagement(scored.contributions)
    return {
        "log_odds": scored.log_odds,
        "probability": digits4(scored.probability),
        "score": scorer.score_of(scored.log_odds),
        "fit_score": fit,
        "engagement_score": engagement,
        "grade": policy.grade_of(scored.probability),
        "stage": str(policy.stage_of(scored.probability)),
    }


def prove_golden(scorecard: Scorecard, policy: Policy, golden: Sequence[Mapping[str, Any]]) -> None:
    """Score the golden rows again and compare with the expected answers.

    Raises
    ------
    BundleRejected
        There is no row, or too many, or an answer differs: log-odds by more than 1e-9, or any
        score, grade or stage at all; ``rows`` (from 1) says which.
    """
    if not golden:
        raise BundleRejected("the bundle has no golden rows, so nothing proves its answers")
    if len(golden) > GOLDEN_LIMIT:
        raise BundleRejected(f"the bundle has more than {GOLDEN_LIMIT:,} golden rows")
    scorer = Scorer(scorecard)
    wrong: list[int] = []
    first = ""
    for row, item in enumerate(golden, start=1):
        found = _expected(scorer, policy, item["lead"])
        expected = item["expected"]
        if found.keys() != expected.keys():
            raise BundleRejected("the golden rows expect answers of another kind", rows=[row])
        differing = [key for key in found if not _same(found[key], expected[key])]
        if differing:
            wrong.append(row)
            key = differing[0]
            first = first or f"{key} is {found[key]} instead of {expected[key]}"
    if wrong:
        raise BundleRejected(
            f"{len(wrong)} of {len(golden)} golden rows get another answer than in training: "
            f"{first}",
            rows=wrong,
            fix="train again with this version of leadml",
        )


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, float):
        number = type(expected) in (int, float)
        return number and abs(found - expected) <= GOLDEN_TOLERANCE * max(1.0, abs(found))
    return bool(found == expected)
