"""A few leads explained, step by step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import STAGES, logit, sigmoid, two_roles
from leadml.reports.story.parts import Section

__all__ = ["examples"]

Fact = Mapping[str, Any]

REASONS_SHOWN = 6

_SAID = re.compile(r": odds [^:]*$")


def _said(reason: Fact) -> str:
    """The sentence of a reason without its odds, which have a column of their own."""
    field_name = str(reason["field"])
    text = _SAID.sub("", str(reason.get("text") or field_name)) or field_name
    return text[:1].upper() + text[1:]


def _spread(answers: list[Fact], most: int = 3) -> list[Fact]:
    """First, last, and one between: the strong, the middling, the weak."""
    return answers if len(answers) <= most else [answers[0], answers[1], answers[-1]]


def examples(facts: Fact) -> Section | None:
    """Up to three leads from a typical one to their chance; None where none is known."""
    found = []
    roles = two_roles(facts)
    for answer in _spread(list(facts.get("examples") or ())):
        if "probability" not in answer or not answer.get("reasons"):
            continue
        start = (
            logit(float(answer["base_probability"]))
            if "base_probability" in answer
            else float(facts["base_log_odds"])
        )
        reasons = list(answer["reasons"])
        reasons.sort(key=lambda r: -abs(float(r["log_odds"])))
        rest = sum(float(r["log_odds"]) for r in reasons[REASONS_SHOWN:])
        rest += float(answer.get("other_log_odds") or 0.0)
        n_rest = len(reasons[REASONS_SHOWN:])
        steps: list[dict[str, Any]] = [
            {
                "say": _said(r),
                "note": str(r.get("role") or "") if roles else "",
                "log_odds": float(r["log_odds"]),
            }
            for r in reasons[:REASONS_SHOWN]
        ]
        if n_rest or abs(rest) > 5e-5:
            say = f"{n_rest} smaller reasons together" if n_rest > 1 else "All else together"
            steps.append({"say": say, "note": "", "log_odds": rest})
        at, path = start, [start]
        for step in steps:
            at += step["log_odds"]
            path.append(at)
        end = logit(float(answer["probability"]))
        low, high = min(*path, end), max(*path, end)
        pad = 0.06 * (high - low) + 0.05
        low, high = low - pad, high + pad

        def place(value: float, low: float = low, high: float = high) -> float:
            return round(100 * (value - low) / (high - low), 2)

        for i, step in enumerate(steps):
            a, b = path[i], path[i + 1]
            step.update(
                x=place(min(a, b)),
                wide=max(round(abs(place(b) - place(a)), 2), 0.5),
                was=place(a),
                now=place(b),
                tone="up" if step["log_odds"] >= 0 else "down",
                odds=words.odds(step["log_odds"]),
                after=words.chance(sigmoid(b)),
            )
        ticks = [t for t in (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95) if low < logit(t) < high]
        probability = float(answer["probability"])
        score = answer.get("score")
        found.append(
            {
                "lead": str(answer.get("lead_id") or "example"),
                "score": "" if score is None else str(score),
                "grade": str(answer.get("grade") or ""),
                "stage": STAGES.get(
                    str(answer.get("proposed_stage")), str(answer.get("proposed_stage") or "")
                ),
                "stage_class": str(answer.get("proposed_stage") or "")
                if answer.get("proposed_stage") in STAGES
                else "",
                "spoken": words.chance_spoken(probability),
                "probability": words.chance(probability),
                "total": words.odds(end - start),
                "fit": answer.get("fit_score") if roles else None,
                "engagement": answer.get("engagement_score") if roles else None,
                "base": words.chance(sigmoid(start)),
                "start": place(start),
                "end": place(end),
                "steps": steps,
                "ticks": [(place(logit(t)), f"{100 * t:g}{words.THIN}%") for t in ticks],
            }
        )
    if not found:
        return None
    many = {1: "One lead", 2: "Two leads", 3: "Three leads"}[len(found)]
    return Section(f"{many}, explained", "examples", {"leads": found})
