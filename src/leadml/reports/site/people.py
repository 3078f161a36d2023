"""How leads are named, dated and placed on every page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from leadml.reports import words
from leadml.reports.site.texts import say
from leadml.reports.story.examples import said_of

__all__ = ["STAGE_NAMES", "address_of", "lead_row", "name_of_lead", "stage_name", "who_of"]

Fact = Mapping[str, Any]

STAGE_NAMES: Final = {
    "cold": "stage.cold",
    "nurture": "stage.nurture",
    "mql": "stage.mql",
    "sal": "stage.sal",
    "sql": "stage.sql",
    "customer": "stage.customer",
    "lost": "stage.lost",
}

_NAMES: Final = ("company", "company_name", "organisation", "organization", "account", "name")
_WHO: Final = ("job_title", "job_level", "title", "industry", "employees", "city", "country")
WHO_SHOWN: Final = 3


def stage_name(stage: str) -> str:
    """A stage as people read it."""
    return say(STAGE_NAMES[stage]) if stage in STAGE_NAMES else stage


def name_of_lead(attributes: Fact, lead_id: str) -> str:
    """Company or name if the lead carries one, else its id."""
    for key in _NAMES:
        value = attributes.get(key)
        if isinstance(value, str) and value.strip():
            return words.short(value.strip()[:80], 60)
    return lead_id


def who_of(attributes: Fact) -> str:
    """Up to three things that tell who the lead is."""
    found: list[str] = []
    for key in _WHO:
        value = attributes.get(key)
        if value is None or value == "" or len(found) == WHO_SHOWN:
            continue
        if key == "employees":
            try:
                found.append(say("lead.people", n=words.count(float(value))))
            except (TypeError, ValueError):
                continue
        else:
            found.append(str(value)[:40])
    return " · ".join(found)


def address_of(lead_id: str) -> str:
    """Where the page of a lead is."""
    return f"/lead?id={quote(lead_id, safe='')}"


def lead_row(lead: Fact) -> dict[str, Any]:
    """One row of a list of leads."""
    attributes, lead_id = lead.get("attributes") or {}, str(lead["lead_id"])
    name = name_of_lead(attributes, lead_id)
    who = who_of(attributes)
    score, probability = lead.get("score"), lead.get("probability")
    reasons = [said_of(reason) for reason in (lead.get("reasons") or ())[:2]]
    proposed = str(lead.get("proposed_stage") or "")
    stage = str(lead.get("stage") or "")
    is_mql = "mql" in (proposed, stage) or stage in ("sal", "customer")
    return {
        "address": address_of(lead_id),
        "name": name,
        "who": who if name == lead_id else f"{lead_id} · {who}" if who else lead_id,
        "score": "" if score is None else str(score),
        "wide": 0 if score is None else int(score),
        "fill": "f-sql" if "sql" in (proposed, stage) else "f-mql" if is_mql else "f-line",
        "stage": stage if stage in STAGE_NAMES else "",
        "stage_name": stage_name(stage),
        "why": ", ".join(
            reason if i == 0 else reason[:1].lower() + reason[1:]
            for i, reason in enumerate(reasons)
        ),
        "chance": words.chance(probability) if probability is not None else words.EN,
        "worth": worth_of(lead),
        "owner": str(attributes.get("owner") or "")[:60],
        "since": str(lead.get("stage_since") or lead.get("updated") or ""),
    }


def worth_of(lead: Fact) -> str:
    """What a lead is expected to bring; empty where that is its chance alone."""
    expected, probability = lead.get("expected_value"), lead.get("probability")
    if expected is None or probability is None or abs(expected - probability) < 1e-12:
        return ""
    return words.plain_number(float(f"{float(expected):.3g}"))
