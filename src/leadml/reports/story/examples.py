"""A few leads explained, step by step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import STAGES, logit, sigmoid, two_roles
from leadml.reports.story.parts import Section

__all__ = ["examples", "explain", "said_of"]

Fact = Mapping[str, Any]

REASONS_SHOWN = 6
TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)

_SAID = re.compile(r": odds [^:]*$")


def said_of(reason: Fact) -> str:
    """The sentence of a reason without its odds, which have a column of their own."""
    field_name = str(reason["field"])
    text = _SAID.sub("", str(reason.get("text") or field_name)) or field_name
    return text[:1].upper() + text[1:]


def _spread(answers: list[Fact], most: int = 3) -> list[Fact]:
    """First, last, and one between: the strong, the middling, the weak."""
    return answers if len(answers) <= most else [answers[0], answers[1], answers[-1]]


def examples(facts: Fact) -> Section | None:
    """Up to three leads from a typical one to their chance; None where none is known."""
    found = [
        _lead(facts, answer)
        for answer in _spread(list(facts.get("examples") or ()))
        if "probability" in answer and answer.get("reasons")
    ]
    if not found:
        return None
    many = {1: "One lead", 2: "Two leads", 3: "Three leads"}[len(found)]
    return Section(f"{many}, explained", "examples", {"leads": found})


def _lead(facts: Fact, answer: Fact) -> dict[str, Any]:
    """One lead of the facts, explained."""
    start = (
        logit(float(answer["base_probability"]))
        if "base_probability" in answer
        else float(facts["base_log_odds"])
    )
    return explain(answer, start=start, roles=two_roles(facts))


def explain(
    answer: Fact, *, start: float, roles: bool, most: int = REASONS_SHOWN
) -> dict[str, Any]:
    """One lead: its answer, then the steps that lead to it, in percent across.

    Parameters
    ----------
    answer
        As the API gives it, with all or some reasons.
    start
        Log-odds of a typical lead.
    roles
        Whether fit and engagement are told apart.
    most
        Reasons told one by one; the others are one step.
    """
    probability = float(answer["probability"])
    end = logit(probability)
    steps = _steps(answer, roles, most)
    path = [start, *(start + run for run in accumulate(step["log_odds"] for step in steps))]
    low, high = min(*path, end), max(*path, end)
    pad = 0.06 * (high - low) + 0.05
    low, high = low - pad, high + pad

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    for step, (a, b) in zip(steps, pairwise(path), strict=True):
        step.update(
            x=place(min(a, b)),
            wide=max(round(abs(place(b) - place(a)), 2), 0.5),
            was=place(a),
            now=place(b),
            tone="up" if step["log_odds"] >= 0 else "down",
            odds=words.odds(step["log_odds"]),
            after=words.chance(sigmoid(b)),
        )
    stage, score = str(answer.get("proposed_stage") or ""), answer.get("score")
    return {
        "lead": str(answer.get("lead_id") or "example"),
        "score": "" if score is None else str(score),
        "grade": str(answer.get("grade") or ""),
        "stage": STAGES.get(stage, stage),
        "stage_class": stage if stage in STAGES else "",
        "spoken": words.chance_spoken(probability),
        "probability": words.chance(probability),
        "total": words.odds(end - start),
        "fit": answer.get("fit_score") if roles else None,
        "engagement": answer.get("engagement_score") if roles else None,
        "base": words.chance(sigmoid(start)),
        "start": place(start),
        "end": place(end),
        "place": place,
        "steps": steps,
        "ticks": [
            (place(logit(t)), f"{100 * t:g}{words.THIN}%") for t in TICKS if low < logit(t) < high
        ],
    }


def _steps(answer: Fact, roles: bool, most: int) -> list[dict[str, Any]]:
    """The strongest reasons, then all others in one step."""
    reasons = sorted(answer["reasons"], key=lambda r: -abs(float(r["log_odds"])))
    steps: list[dict[str, Any]] = [
        {
            "say": said_of(r),
            "note": str(r.get("role") or "") if roles else "",
            "log_odds": float(r["log_odds"]),
        }
        for r in reasons[:most]
    ]
    smaller = reasons[most:]
    rest = sum(float(r["log_odds"]) for r in smaller) + float(answer.get("other_log_odds") or 0.0)
    if smaller or abs(rest) > 5e-5:
        say = f"{len(smaller)} smaller reasons together"
        say = say if len(smaller) > 1 else "All else together"
        steps.append({"say": say, "note": "", "log_odds": rest})
    return steps
