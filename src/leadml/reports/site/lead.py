"""What the page of one lead says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leadml.reports import words
from leadml.reports.site.live import day_short
from leadml.reports.site.people import name_of_lead, stage_name, who_of
from leadml.reports.site.plot import Plot
from leadml.reports.site.texts import TEXTS, say
from leadml.reports.story.estimates import logit
from leadml.reports.story.examples import explain
from leadml.reports.story.parts import Table

__all__ = ["lead_page"]

Fact = Mapping[str, Any]

REASONS_SHOWN = 9
HAPPENED_SHOWN = 60
_LADDER = ("cold", "nurture", "mql", "sal", "sql", "customer")
_BUTTONS = ("accepted", "opportunity", "won", "lost")
_REASONS = ("size", "budget", "person", "customer", "unreachable", "timing", "competitor")


def lead_page(told: Fact) -> dict[str, Any]:
    """Score, chance in words, its way, its reasons, its score through time, what happened."""
    attributes, lead_id = told["attributes"], str(told["lead_id"])
    latest, decision, explained = told.get("latest"), told["decision"], told["explained"]
    open_steps = set(told["open_steps"]) if told["stage"] != "customer" else set()
    scores = [entry for entry in told["history"] if entry["event"] == "scored"]
    stages = ["", *(str(entry["stage"]) for entry in told["history"])][:-1]
    return {
        "title": name_of_lead(attributes, lead_id),
        "lead_id": lead_id,
        "who": who_of(attributes),
        "consent": _consent(told),
        "score": latest.get("score") if latest else None,
        "plain": _plain(told) if latest else "",
        "way": _way(told),
        "why": _why(told) if explained else None,
        "unexplained": told.get("unexplained", ""),
        "parts": _parts(explained) if explained else [],
        "path": _path(scores, told) if scores else None,
        "buttons": [
            {"outcome": each, "said": say(f"outcome.{each}"), "first": i == 0}
            for i, each in enumerate(b for b in _BUTTONS if b in open_steps)
        ],
        "rejects": [say(f"reject.{each}") for each in _REASONS] if "rejected" in open_steps else [],
        "happened": [
            _happened(entry, before)
            for entry, before in reversed(list(zip(told["history"], stages, strict=True)))
        ][:HAPPENED_SHOWN],
        "n_more": max(0, len(told["history"]) - HAPPENED_SHOWN),
        "record": _record(told, decision),
        "attributes": [
            (words.name_of({"column": key}), str(value)[:200])
            for key, value in sorted(attributes.items())
            if value is not None
        ],
        "bant": [
            (say(f"bant.{key}"), str(value)[:200])
            for key, value in (told.get("bant") or {}).items()
        ],
    }


def _consent(told: Fact) -> str:
    if told.get("objection"):
        return say("lead.objects")
    consent = told.get("contact_consent")
    if consent is None:
        return say("lead.consent_unknown")
    return say("lead.consent_yes") if consent else say("lead.consent_no")


def _plain(told: Fact) -> str:
    """The chance as a sentence, against the usual one and against the lines."""
    latest, decision = told["latest"], told["decision"] or {}
    probability = float(latest["probability"])
    usual, horizon = told.get("base_rate"), told.get("horizon_days")
    said = say(
        "lead.plain_days" if horizon else "lead.plain",
        chance=words.chance_spoken(probability),
        days=horizon,
    )
    if usual:
        times = probability / float(usual)
        said += " " + say(
            "lead.times",
            times=f"{times:.1f}" if times < 9.95 else f"{times:.0f}",
            usual=words.chance(float(usual)),
        )
    lines = {name: decision.get(f"{name}_line") for name in ("mql", "sql")}
    if lines["mql"] is None or lines["sql"] is None:
        return said
    mql, sql = float(lines["mql"]), float(lines["sql"])
    key = "below" if probability < mql else "between" if probability < sql else "above"
    shown = {
        name: words.chance(line) if line <= 1 else say("thresholds.nobody")
        for name, line in (("mql", mql), ("sql", sql))
    }
    said += " " + say(f"lead.{key}", **shown)
    then, now = decision.get("policy_version"), told.get("policy_version")
    if now is not None and then != now:
        said += " " + say("lead.of_its_day", then=then, now=now)
    return said


def _way(told: Fact) -> list[dict[str, Any]]:
    """Its way through the stages: when it last entered each, where it stands."""
    entered: dict[str, str] = {}
    again: set[str] = set()
    before = ""
    for entry in told["history"]:
        if entry["stage"] != before:
            if entry["stage"] in entered:
                again.add(entry["stage"])
            entered[entry["stage"]] = entry["at"]
            before = entry["stage"]
    stage = str(told["stage"])
    ladder = [*_LADDER[:-1], "lost"] if stage == "lost" else list(_LADDER)
    here = ladder.index(stage) if stage in ladder else 0
    return [
        {
            "name": stage_name(each),
            "state": "now"
            if i == here
            else "todo"
            if i > here
            else "done"
            if each in entered
            else "passed",
            "at": entered.get(each, "") if i <= here else "",
            "note": say(f"way.{each}") if i > here else say("way.again") if each in again else "",
        }
        for i, each in enumerate(ladder)
    ]


def _why(told: Fact) -> dict[str, Any]:
    """The waterfall from a typical lead to this one."""
    explained = told["explained"]
    roles = {str(reason["role"]) for reason in explained["reasons"] if reason["log_odds"]}
    shown = explain(
        explained,
        start=float(explained["base_log_odds"]),
        roles={"fit", "engagement"} <= roles,
        most=REASONS_SHOWN,
    )
    usual = told.get("base_rate")
    place = shown.pop("place")
    at = place(logit(float(usual))) if usual else None
    return {
        **shown,
        "title": say("lead.why", chance=shown["probability"], base=shown["base"]),
        "usual": at if at is not None and 0 <= at <= 100 else None,
        "usual_said": words.chance(float(usual)) if usual else "",
        "start_note": say("lead.start_below", usual=words.chance(float(usual)))
        if usual and logit(float(usual)) > float(explained["base_log_odds"])
        else say("lead.start_note"),
        "other_model": ""
        if told["same_model"]
        else say(
            "lead.other_model",
            then=(told["decision"] or {}).get("model_version", ""),
            now=explained["model_version"],
            was=words.chance(float(told["latest"]["probability"])),
        ),
    }


def _parts(explained: Fact) -> list[dict[str, Any]]:
    """Fit and engagement: percentile and joint factor on the odds."""
    sums = {"fit": 0.0, "engagement": 0.0}
    for reason in explained["reasons"]:
        role = str(reason["role"])
        if role in sums:
            sums[role] += float(reason["log_odds"])
    if not any(reason["role"] == "engagement" for reason in explained["reasons"]):
        return []
    total = sum(sums.values())
    found = [
        {
            "name": say(f"lead.{role}"),
            "score": explained[f"{role}_score"],
            "note": say("lead.part_odds", odds=words.odds(sums[role])),
        }
        for role in sums
    ]
    found[-1]["note"] += say("lead.together", odds=words.odds(total))
    return found


def _path(scores: Sequence[Fact], told: Fact) -> dict[str, Any]:
    """Its score through time, as steps, with the lines of the latest decision."""
    moments = [datetime.fromisoformat(entry["at"]) for entry in scores]
    first, last = moments[0], moments[-1]
    span = (last - first).total_seconds() or 1.0
    values = [int(entry["score"]) for entry in scores]
    plot = Plot(160, high=100.0, top=10, foot=24)
    plot.axis([(0, "0"), (50, "50"), (100, "100")])
    places = [(moment - first).total_seconds() / span for moment in moments]
    if len(scores) > 1:
        plot.steps([(x, plot.y(v)) for x, v in zip(places, values, strict=True)], "l-model")
    end = places[-1] if len(scores) > 1 else 0.5
    for x, value, entry in list(zip(places, values, scores, strict=True))[:-1][-40:]:
        title = f"{words.day(entry['at'])}: {value}"
        plot.dot(plot.x(x), plot.y(value), "f-model", r=2.5, title=title)
    plot.dot(plot.x(end), plot.y(values[-1]), "f-model halo", r=5)
    plot.text(
        plot.x(end),
        plot.y(values[-1]) - 10,
        str(values[-1]),
        anchor="end" if end > 0.9 else "middle",
        cls="strong halo",
    )
    if len(scores) > 1 and first.date() != last.date():
        plot.under(0.0, day_short(scores[0]["at"]))
        plot.under(1.0, day_short(scores[-1]["at"]))
    else:
        plot.under(end, day_short(scores[-1]["at"]))
    moved = values[-1] - values[0]
    title = (
        say("lead.once")
        if len(values) == 1
        else say("lead.rose", n=moved)
        if moved > 2
        else say("lead.fell", n=-moved)
        if moved < -2
        else say("lead.steady")
    )
    label = say("lead.path_label", first=values[0], last=values[-1], n=len(values), title=title)
    return {
        "title": say("lead.path"),
        "subtitle": title,
        "key": (),
        "svg": plot.svg(label),
        "numbers": Table(
            head=(say("lead.col_at"), say("lead.col_score"), say("lead.col_chance")),
            rows=tuple(
                (words.day(e["at"]), str(e["score"]), words.chance(float(e["probability"])))
                for e in scores[-50:]
            ),
        ),
    }


def _happened(entry: Fact, before: str) -> dict[str, str]:
    """One line of what happened, with the stage that a score moved the lead to."""
    kind = str(entry["event"])
    if kind == "scored":
        said = say(
            "happened.scored",
            score=entry.get("score"),
            chance=words.chance(float(entry["probability"])),
        )
        stage = str(entry["stage"])
        if stage != before and (before or stage != "cold") and stage in _LADDER:
            back = before in _LADDER and _LADDER.index(stage) < _LADDER.index(before)
            key = "happened.back" if back else "happened.rose"
            said += say(key, stage=stage_name(stage))
        tag = say("tag.score")
    elif kind == "consent":
        said = say("happened.may" if entry.get("may_contact") else "happened.may_not")
        tag = say("tag.consent")
    elif kind == "did":
        said, tag = str(entry.get("what", "")).replace("_", " ")[:80], say("tag.did")
        said = said[:1].upper() + said[1:]
    else:
        key = f"happened.{kind}"
        said = say(key) if key in TEXTS else kind
        tag = say("tag.sales")
        more = [str(entry[name]) for name in ("reason", "by") if entry.get(name)]
        if more:
            said += f": {', '.join(more)}"
    return {
        "at": str(entry["at"]),
        "said": said,
        "tag": tag,
        "stage": str(entry["stage"]),
        "stage_name": stage_name(str(entry["stage"])),
    }


def _record(told: Fact, decision: Fact | None) -> list[tuple[str, str, str]]:
    """What is kept so that the score can be replayed: name, value, kind of value."""
    if decision is None:
        return []
    base = (told["explained"] or {}).get("base_log_odds")
    log_odds = float(decision["log_odds"])
    found = [
        (say("record.scored"), str(decision["at"]), "time"),
        (
            say("record.model"),
            f"{decision['model_version']}, {say('record.policy')} {decision['policy_version']}",
            "text",
        ),
    ]
    if base is not None and told["same_model"]:
        rest = log_odds - float(base)
        sign = "+" if rest >= 0 else words.MINUS
        found.append(
            (
                say("record.log_odds"),
                f"{words.digits(float(base), 2)} {sign} {words.digits(abs(rest), 2)} = "
                f"{words.digits(log_odds, 2)}",
                "text",
            )
        )
    else:
        found.append((say("record.log_odds"), words.digits(log_odds, 2), "text"))
    missing = [
        str(w["field"])
        for w in (told["explained"] or {}).get("warnings", ())
        if w.get("code") == "missing_field" and w.get("field")
    ]
    if missing:
        found.append((say("record.missing"), ", ".join(missing[:8]), "text"))
    found.append((say("record.decision"), str(decision["decision_id"]), "code"))
    return found
