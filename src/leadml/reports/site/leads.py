"""What the list of leads says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from leadml.reports import words
from leadml.reports.site.people import STAGE_NAMES, lead_row, stage_name
from leadml.reports.site.texts import say

__all__ = ["leads_page"]

Fact = Mapping[str, Any]


def leads_page(told: Fact) -> dict[str, Any]:
    """Filters, rows, where the next page is, what to do where nothing is found."""
    asked = told["asked"]
    stage = asked["stage"]
    rows = [lead_row(lead) for lead in told["leads"]]
    total = sum(told["stages"].values())
    filtered = any(asked[name] for name in ("q", "source", "owner"))
    following = ""
    if told["next"]:
        kept = {name: value for name, value in asked.items() if value}
        following = f"/leads?{urlencode({**kept, 'after': told['next']})}"
    return {
        "title": say("leads.title_queue")
        if stage == "queue"
        else say("leads.title_all")
        if stage == "all"
        else say("leads.title_stage", stage=stage_name(stage)),
        "lead": _lead(told, stage, total),
        "asked": asked,
        "choices": [
            {"value": "queue", "said": say("leads.queue"), "on": stage == "queue"},
            {
                "value": "all",
                "said": say("leads.every", n=words.count(total)),
                "on": stage == "all",
            },
            *(
                {
                    "value": each,
                    "said": say(
                        "leads.in_stage",
                        stage=stage_name(each),
                        n=words.count(told["stages"].get(each, 0)),
                    ),
                    "on": stage == each,
                }
                for each in STAGE_NAMES
            ),
        ],
        "sources": told["sources"],
        "owners": told["owners"],
        "rows": rows,
        "has_worth": any(row["worth"] for row in rows),
        "has_owner": any(row["owner"] for row in rows),
        "following": following,
        "is_first": told["is_first"],
        "first": f"/leads?{urlencode({name: value for name, value in asked.items() if value})}",
        "shown": _shown(len(rows), told, stage, filtered),
        "nothing": _nothing(asked, filtered, total),
    }


def _lead(told: Fact, stage: str, total: int) -> str:
    if stage != "queue":
        return say("leads.lead_all", n=words.count(total))
    capacity, taken = told["capacity_per_week"], told["taken"]
    if capacity is not None and taken is not None:
        key = "leads.lead_full" if taken >= capacity else "leads.lead_capacity"
        return say(key, taken=words.count(taken), n=words.per_week(capacity))
    return say("leads.lead_queue")


def _shown(n: int, told: Fact, stage: str, filtered: bool) -> str:
    """How many rows stand here, of how many where that is known."""
    if filtered or stage == "queue":
        return say("leads.shown", n=n)
    total = sum(told["stages"].values()) if stage == "all" else told["stages"].get(stage, 0)
    return say("leads.shown_of", n=n, total=words.count(total))


def _nothing(asked: Fact, filtered: bool, total: int) -> dict[str, Any]:
    """What to do where no lead is shown."""
    if total == 0:
        return {
            "title": say("leads.none"),
            "body": say("leads.none_body"),
            "code": say("leads.none_code"),
        }
    if filtered:
        kept = {"stage": "all", "q": asked["q"]} if asked["q"] else {"stage": "all"}
        return {
            "title": say("leads.no_match", q=asked["q"])
            if asked["q"]
            else say("leads.no_match_plain"),
            "body": say("leads.no_match_body"),
            "link": {"address": f"/leads?{urlencode(kept)}", "said": say("leads.search_all")},
        }
    return {
        "title": say("leads.nobody"),
        "body": say("leads.nobody_body"),
        "link": {"address": "/leads?stage=all", "said": say("leads.see_all")},
    }
