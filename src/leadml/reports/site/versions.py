"""What the page of all versions says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.site.tables import effects_table, side_table
from leadml.reports.site.texts import say

__all__ = ["versions_page"]

Fact = Mapping[str, Any]

_WORDS = ("trust", "rank", "provisional", "no")


def versions_page(told: Fact) -> dict[str, Any]:
    """Champion, challengers, two side by side, what may be promoted."""
    history = set(told["history"])
    rows = [_row(each, history) for each in told["versions"]]
    n = len(rows)
    champion = told["champion"]
    promotable = [
        {
            "version": row["version"],
            "said": say(
                "versions.choice" if row["passed"] else "versions.choice_failed",
                version=row["version"],
                state=row["state"],
            ),
        }
        for row in rows
        if not row["champion"] and (row["local"] or row["registered"])
    ]
    return {
        "lead": say("versions.lead", version=champion, since=words.day(told["since"]))
        if champion
        else say("versions.lead_none"),
        "headline": say("versions.count_one") if n == 1 else say("versions.count", n=n),
        "told_at": told["told_at"],
        "rows": rows,
        "choices": told["local"],
        "asked": told["asked"],
        "side": _side(told["compared"]) if told["compared"] else None,
        "promotable": promotable,
        "some_failed": any(not row["passed"] for row in rows if not row["champion"]),
        "rollback_to": told["rollback_to"],
    }


def _row(each: Fact, history: set[str]) -> dict[str, Any]:
    metrics, version = each.get("metrics") or {}, str(each["version"])
    verdict = str(each.get("verdict", ""))
    fifth, auc = metrics.get("top_fifth_share"), metrics.get("roc_auc")
    promoted = each["champion"] or version in history or bool(each.get("promoted_at"))
    if each.get("fault"):
        state = say("versions.damaged", fault=each["fault"])
    elif each["champion"]:
        state = say("versions.champion")
    elif "challenger" in (each.get("aliases") or ()):
        state = say("versions.challenger")
    elif version in history:
        state = say("versions.before")
    else:
        state = say("versions.resting")
    return {
        "version": version,
        "champion": each["champion"],
        "local": each["local"] and not each.get("fault"),
        "registered": bool(each.get("digest")),
        "state": state,
        "promoted_at": each.get("promoted_at", ""),
        "verdict": say(f"word.{verdict}") if verdict in _WORDS else verdict,
        "passed": verdict != "no" and each.get("gate_passed", True),
        "fifth": words.chance(fifth) if fifth is not None else words.EN,
        "auc": words.digits(auc) if auc is not None else words.EN,
        "why": str(each.get("reason") or "")
        or say("versions.not_told" if promoted else "versions.not_promoted"),
        "created_at": each.get("created_at", ""),
    }


def _side(compared: Fact) -> dict[str, Any]:
    names = {"new": compared["version"], "old": compared["before"]}
    shares = [
        words.chance(found["value"])
        for found in (compared["metrics"]["top_fifth_share"].get(key) for key in ("new", "old"))
        if found
    ]
    if len(shares) < 2:
        sentence = say("versions.sentence_plain", **names)
    elif shares[0] == shares[1]:
        sentence = say("versions.sentence_same", share=shares[0], **names)
    else:
        sentence = say("versions.sentence", a=shares[0], b=shares[1], **names)
    return {
        "sentence": sentence,
        "table": side_table(compared),
        "effects": effects_table(compared),
    }
