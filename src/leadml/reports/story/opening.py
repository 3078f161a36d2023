"""The top of a report: its verdict, its headline figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import amount, estimate, expected_of, tested, week

__all__ = ["tiles", "verdict", "verdict_of"]

Fact = Mapping[str, Any]

_VERDICTS = {
    "trust": ("Trust it.", "pass"),
    "rank": ("Rank only.", "warn"),
    "provisional": ("Provisional.", "warn"),
    "no": ("Do not use.", "fail"),
}

_NUMBER = re.compile(r"([×±<]?\s?\d[\d,.]*\d(?:\s?%)?|[×±<]?\d(?:\s?%)?)")


def emphasised(sentence: str) -> list[tuple[str, bool]]:
    """A sentence in parts; the parts that are numbers are marked."""
    parts = _NUMBER.split(sentence)
    return [(part, i % 2 == 1) for i, part in enumerate(parts) if part]


def verdict_of(facts: Fact) -> tuple[str, str, str]:
    """Word of the verdict as people read it, its sentence without that word, its rule."""
    verdict = facts["verdict"]
    word, _ = _VERDICTS.get(str(verdict["word"]), (str(verdict["word"]), ""))
    sentence = str(verdict.get("sentence", "")).strip()
    if sentence.lower().startswith(word.lower()):
        sentence = sentence[len(word) :].strip()
    return word, sentence, str(verdict.get("rule") or "")


def verdict(facts: Fact) -> dict[str, Any]:
    """The verdict with its tone, its numbers marked, its reasons."""
    word, sentence, rule = verdict_of(facts)
    _, tone = _VERDICTS.get(str(facts["verdict"]["word"]), ("", "warn"))
    why = [tested(facts)] if tested(facts) else []
    if rule and not rule.isidentifier():
        why.append(f"Rule: {rule}")
    return {"word": word, "tone": tone, "parts": emphasised(sentence), "why": why}


def tiles(facts: Fact) -> list[dict[str, str]]:
    """Two to four headline figures: ``label``, ``value``, ``note``."""
    tiles = []
    fifth = estimate(facts, "top_fifth_share")
    if fifth:
        tiles.append(
            {
                "label": "Top fifth holds",
                "value": words.chance(fifth["value"]),
                "note": words.chance_range(fifth["low"], fifth["high"]) or "of conversions",
            }
        )
    auc = estimate(facts, "roc_auc")
    if auc:
        interval = words.range_of(auc["low"], auc["high"])
        tiles.append(
            {
                "label": "ROC AUC",
                "value": words.digits(auc["value"]),
                "note": interval or "0.5 is a coin, 1 is perfect",
            }
        )
    ece = estimate(facts, "ece")
    if ece:
        low, high = ece["low"], ece["high"]
        interval = ""
        if low is not None and high is not None:
            interval = f"{words.range_of(100 * low, 100 * high, 1)}, "
        tiles.append(
            {
                "label": "Points off",
                "value": words.digits(100 * ece["value"], 1),
                "note": f"{interval}chance against what happened",
            }
        )
    mql = next((e for e in expected_of(facts) if e.get("stage") == "mql"), None)
    if mql:
        volume, won = amount(mql.get("volume_per_week")), amount(mql.get("conversions_per_week"))
        precision = amount(mql.get("precision"))
        if won["value"] is not None and volume["value"] is not None:
            unit = week(facts)
            tiles.append(
                {
                    "label": f"Working {words.per_week(volume['value'])} leads {unit}",
                    "value": f"{words.per_week(won['value'])} won",
                    "note": f"{words.chance(precision['value'])} of those worked",
                }
            )
    if len(tiles) < 2:
        data = facts["data"]
        tiles.insert(
            0,
            {
                "label": "Leads",
                "value": words.count(data["n_leads"]),
                "note": f"{words.count(data['n_conversions'])} converted",
            },
        )
        tiles.insert(
            1,
            {
                "label": "Base rate",
                "value": words.chance(data["base_rate"]),
                "note": "of leads converted",
            },
        )
    return tiles[:4]
