"""The top of a report: its verdict, its origin, its headline figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import amount, estimate, expected_of, tested, week

__all__ = ["origin", "tiles", "verdict", "verdict_of"]

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


def origin(facts: Fact) -> list[str]:
    """Sentences on a version that was not simply learned: recalibrated, edited by hand."""
    told = []
    champion = facts.get("recalibrated_from")
    if champion:
        told.append(
            f"Recalibrated from {champion}: only the chance of a typical lead moved, with the "
            "newest outcomes; every effect is as it was."
        )
    edited = dict.fromkeys(words.name_of(edit) for edit in facts.get("edits") or ())
    if edited:
        before = (facts.get("recipe") or {}).get("edited_from")
        source = f" from {before}" if before else " after learning"
        plural = "effects" if len(edited) > 1 else "effect"
        told.append(f"Edited by hand{source}, in the {plural} of {', '.join(edited)}.")
    return told


def tiles(facts: Fact) -> list[dict[str, str]]:
    """Two to four headline figures: ``label``, ``value``, ``note``."""
    told = (_top_fifth(facts), _ranking(facts), _points_off(facts), _work(facts))
    found = [tile for tile in told if tile is not None]
    if len(found) < 2:
        data = facts["data"]
        converted = f"{words.count(data['n_conversions'])} converted"
        found = [
            _tile("Leads", words.count(data["n_leads"]), converted),
            _tile("Base rate", words.chance(data["base_rate"]), "of leads converted"),
            *found,
        ]
    return found


def _tile(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def _top_fifth(facts: Fact) -> dict[str, str] | None:
    fifth = estimate(facts, "top_fifth_share")
    if not fifth:
        return None
    note = words.chance_range(fifth["low"], fifth["high"]) or "of conversions"
    return _tile("Top fifth holds", words.chance(fifth["value"]), note)


def _ranking(facts: Fact) -> dict[str, str] | None:
    auc = estimate(facts, "roc_auc")
    if not auc:
        return None
    note = words.range_of(auc["low"], auc["high"]) or "0.5 is a coin, 1 is perfect"
    return _tile("ROC AUC", words.digits(auc["value"]), note)


def _points_off(facts: Fact) -> dict[str, str] | None:
    ece = estimate(facts, "ece")
    if not ece:
        return None
    low, high = ece["low"], ece["high"]
    interval = ""
    if low is not None and high is not None:
        interval = f"{words.range_of(100 * low, 100 * high, 1)}, "
    note = f"{interval}chance against what happened"
    return _tile("Points off", words.digits(100 * ece["value"], 1), note)


def _work(facts: Fact) -> dict[str, str] | None:
    """What working every lead from the MQL threshold on brings."""
    mql = next((e for e in expected_of(facts) if e.get("stage") == "mql"), {})
    volume, won = amount(mql.get("volume_per_week")), amount(mql.get("conversions_per_week"))
    if won["value"] is None or volume["value"] is None:
        return None
    return _tile(
        f"Working {words.per_week(volume['value'])} leads {week(facts)}",
        f"{words.per_week(won['value'])} won",
        f"{words.chance(amount(mql.get('precision'))['value'])} of those worked",
    )
