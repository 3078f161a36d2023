"""What the first page says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from leadml.reports import words
from leadml.reports.site.live import Live, day_short, whole_ticks
from leadml.reports.site.people import STAGE_NAMES, lead_row, stage_name
from leadml.reports.site.plot import Plot
from leadml.reports.site.texts import say
from leadml.reports.story.estimates import amount
from leadml.reports.story.opening import emphasised, verdict_of
from leadml.reports.story.parts import Table

__all__ = ["overview_page"]

Fact = Mapping[str, Any]

FEWEST_SEEN = 100
"""Matured leads from which what happened here speaks louder than the training."""

FEWEST_IN_WEEK = 10

FEWEST_SLOTS = 6
"""Weeks that a chart has room for, so that the first ones are no walls."""

LONG_WAIT_S = 900.0
"""A message that waits longer is worth a look, in seconds."""

_TONES = {"trust": "pass", "rank": "warn", "provisional": "warn", "no": "fail"}
_FILLS = (("sql", "f-sql"), ("mql", "f-mql"), ("nurture", "f-pale"), ("cold", "f-rest"))
_DO = {
    "capacity_exceeded": ("/thresholds", "overview.do_lines"),
    "shifted": ("/model#drivers", "overview.do_model"),
    "ranks_worse": ("/model", "overview.do_model"),
}


def overview_page(told: Fact) -> dict[str, Any]:
    """Verdict, alarms, last week, traffic against capacity, promises, who is next."""
    trained, live = told["trained"], told["live"]
    over = [week for week in told["weeks"] if week["is_over"]]
    stages = told["stages"]
    n_leads = sum(stages.values())
    most = max(stages.values(), default=0) or 1
    answers = told["answers"]
    return {
        "lead": _lead(told, over),
        "said": _verdict(trained, live, told["model"]) if trained else None,
        "alarms": _alarms(told),
        "headline": _tiles(told, over) if trained else [],
        "charts": _charts(told),
        "traffic": _traffic(told) if told["weeks"] else None,
        "rows": [lead_row(lead) for lead in told["next"]],
        "stages": [
            {
                "stage": stage,
                "name": stage_name(stage),
                "n": words.count(stages[stage]),
                "wide": round(100 * stages[stage] / most, 1),
            }
            for stage in STAGE_NAMES
            if stages.get(stage)
        ],
        "n_leads": words.count(n_leads),
        "answers": _answers(answers) if answers and answers["proposed"] else None,
        "answers_sub": say(
            "overview.answers_sub",
            n=words.count(answers["proposed"]),
            days=answers["days"],
        )
        if answers
        else "",
        "hints": _hints(told, n_leads),
    }


def _lead(told: Fact, over: Sequence[Fact]) -> str:
    today = words.day(told["today"])
    if not over:
        return today
    return say("overview.lead", today=today, week=day_short(over[-1]["week"]))


def _verdict(trained: Fact, live: Fact | None, model: Fact) -> dict[str, Any]:
    """What happened here where enough has matured, else what the training found.

    Both may differ; each line says what it judges.
    """
    checks = trained["checks"]
    found = [check for check in checks if check["status"] == "found"]
    link = {
        "address": "/model#checks",
        "said": say(
            "overview.checks",
            passed=sum(check["status"] == "passed" for check in checks),
            look=sum(check["severity"] != "tip" for check in found),
            notes=sum(check["severity"] == "tip" for check in found),
        ),
    }
    if live and live["n_leads"] >= FEWEST_SEEN and live["metrics"]:
        said, why = live["verdict"], [_judged(live)]
        before = str(trained["verdict"].get("word", ""))
        if before in _TONES and before != said.get("word"):
            word = say(f"word.{before}")
            why.append(say("overview.but_trained", version=model["version"], word=word))
    else:
        said, protocol = trained["verdict"], trained["protocol"]
        n, name = words.count(protocol.get("n_test")), str(protocol.get("name", ""))
        why = [say("overview.trained", n=n, protocol=name)]
    word, sentence, _ = verdict_of({"verdict": said})
    tone = _TONES.get(str(said.get("word")), "warn")
    return {"word": word, "tone": tone, "parts": emphasised(sentence), "why": why, "link": link}


def _judged(live: Fact) -> str:
    """On which leads scored here a verdict rests."""
    return say(
        "overview.live",
        n=words.count(live["n_leads"]),
        first=day_short(str(live["from"])),
        last=words.day(str(live["to"])),
        days=live["horizon_days"],
    )


def _alarms(told: Fact) -> list[dict[str, str]]:
    found = []
    for signal in (told["live"] or {}).get("signals") or ():
        if str(signal["code"]).startswith("verdict_"):
            continue  # the verdict itself stands above
        address, todo = _DO.get(str(signal["code"]), ("", ""))
        found.append(
            {
                "tone": "warn",
                "said": str(signal["sentence"]),
                "address": address,
                "todo": say(todo) if todo else "",
            }
        )
    if told["is_counting"]:
        said = say("overview.counting")
        found.append({"tone": "note", "said": said, "address": "/", "todo": say("overview.reload")})
    found += _undelivered(told.get("deliveries") or {})
    if told["memory"] not in ("on", "off"):
        said = say("overview.memory_down", why=told["memory"])
        found.append({"tone": "fail", "said": said, "address": "", "todo": ""})
    return found


def _undelivered(deliveries: Fact) -> list[dict[str, str]]:
    """Messages to other systems that were given up or wait for long."""
    said = []
    if deliveries.get("dead"):
        said.append(say("overview.dead_letters", n=words.count(deliveries["dead"])))
    waited_s = deliveries.get("oldest_s", 0.0)
    if waited_s > LONG_WAIT_S:
        minutes = words.count(int(waited_s // 60))
        n = words.count(deliveries["waiting"] + deliveries["unsorted"])
        said.append(say("overview.undelivered", n=n, minutes=minutes))
    return [{"tone": "warn", "said": text, "address": "", "todo": ""} for text in said]


def _tiles(told: Fact, over: Sequence[Fact]) -> list[dict[str, str]]:
    """Last week's leads and proposals, then what MQLs are worth."""
    trained, live = told["trained"], told["live"]
    found: list[dict[str, str]] = []
    if over:
        last = over[-1]["scored"]
        note = say("overview.no_week_before")
        if len(over) > 1:
            change = last - over[-2]["scored"]
            sign = "+" if change >= 0 else words.MINUS
            note = say("overview.week_before", n=f"{sign}{words.count(abs(change))}")
        found.append({"label": say("overview.scored"), "value": words.count(last), "note": note})
        proposals = [week for week in told["proposals"] if week["is_over"]]
        if proposals:
            n, capacity = proposals[-1]["proposals"], trained["capacity_per_week"]
            tile = {"label": say("overview.proposed"), "value": words.count(n)}
            room = (live or {}).get("capacity")
            if capacity is None:
                tile["note"] = say("overview.no_capacity")
            elif room is not None and not room["weeks"]:
                version, anew = live["policy_version"], live.get("recounted")
                tile["note"] = (
                    say("overview.by_policy", n=words.count(anew[-1]), version=version)
                    if anew
                    else say("overview.before_policy", version=version)
                )
            elif n > capacity:
                tile["over"] = say("overview.more", n=words.count(n - capacity))
                tile["note"] = say("overview.than", n=words.per_week(capacity))
            else:
                tile["note"] = say("overview.of", n=words.per_week(capacity))
            found.append(tile)
    return found + _worth_tiles(trained, live)


def _worth_tiles(trained: Fact, live: Fact | None) -> list[dict[str, str]]:
    """How many MQLs become customers, and how many customers were MQLs."""
    above = (live or {}).get("above")
    if live and live["n_leads"] >= FEWEST_SEEN and above:
        precision, recall = above["precision"], above["recall"]
        usual, share, source = above["usual"], above["share_of_leads"], "live"
    else:
        expected = {str(e["stage"]): e for e in trained["policy"].get("expected") or ()}
        if "mql" not in expected:
            return []
        precision, recall = (amount(expected["mql"][k]) for k in ("precision", "recall"))
        usual, share, source = trained["base_rate"], None, "trained"
    interval = words.chance_range(precision.get("low"), precision.get("high"))
    return [
        {
            "label": say("overview.become"),
            "value": words.chance(precision["value"]),
            "note": say(
                f"overview.become_note_{source}", range=interval, usual=words.chance(usual)
            ),
        },
        {
            "label": say("overview.among"),
            "value": words.chance(recall["value"]),
            "note": say("overview.among_note", share=words.chance(share))
            if share is not None
            else words.chance_range(recall.get("low"), recall.get("high")),
        },
    ]


def _charts(told: Fact) -> list[dict[str, Any]]:
    if not told["weeks"]:
        return []
    return [_proposals(told), _promises(told)]


def _proposals(told: Fact) -> dict[str, Any]:
    """Leads that became MQL by a score, week by week, against what sales can work."""
    weeks, capacity = told["proposals"], (told["trained"] or {}).get("capacity_per_week")
    if not weeks:
        return {"title": say("overview.no_proposals"), "body": say("overview.no_proposals_body")}
    ticks = whole_ticks(float(max([week["proposals"] for week in weeks] + [capacity or 0])))
    plot = Plot(220, high=ticks[-1][0], top=12)
    plot.axis(ticks)
    n = max(len(weeks), FEWEST_SLOTS)
    every = max(1, round(n / 5))
    for i, week in enumerate(weeks, n - len(weeks)):
        at = plot.y(float(week["proposals"]))
        title = say(
            "overview.proposals_title",
            week=day_short(week["week"]),
            n=words.count(week["proposals"]),
        )
        fill = "f-mql" if week["is_over"] else "f-pale"
        left, wide = plot.x((i + 0.12) / n), plot.x(0.76 / n)
        plot.rect(left, wide, at, plot.bottom - at, fill, title=title)
        _week_label(plot, i, n, every, week["week"])
    over = [week for week in weeks if week["is_over"]]
    if capacity is not None:
        at = plot.y(float(capacity))
        plot.line(0, plot.right, at, at, "l-cap")
        plot.text(100, at + 3.5, words.per_week(capacity), anchor="end", cls="t-warn halo")
    room, subtitle = (told["live"] or {}).get("capacity"), say("overview.proposals_sub")
    if capacity is None or not over or room is None:
        title = say("overview.title_proposals")
    elif not room["weeks"]:
        version, anew = told["live"]["policy_version"], told["live"].get("recounted")
        title = say("overview.title_early", version=version)
        if anew:
            beyond = sum(anew) > capacity * len(anew)
            title = say(f"overview.title_anew_{'over' if beyond else 'within'}")
            weeks_said = ", ".join(words.count(n) for n in anew)
            subtitle = say("overview.anew_sub", n=len(anew), version=version, weeks=weeks_said)
    else:
        title = say(f"overview.title_{'over' if room['exceeded'] else 'within'}")
    return {
        "title": title,
        "subtitle": subtitle,
        "key": (
            ("f-mql", say("overview.key_week")),
            ("f-pale", say("overview.key_running")),
            *((("cap", say("overview.key_capacity")),) if capacity is not None else ()),
        ),
        "svg": plot.svg(say("overview.proposals_label", n=len(weeks), title=title)),
        "numbers": Table(
            head=(say("overview.col_week"), say("overview.col_new")),
            rows=tuple((_week_name(week), words.count(week["proposals"])) for week in weeks),
        ),
    }


def _week_label(plot: Plot, i: int, n: int, every: int, week: str) -> None:
    """Every so many weeks its day under the bar, counted from the newest."""
    if (n - 1 - i) % every == 0:
        last = i == n - 1
        at = plot.x(1.0) if last else plot.x((i + 0.5) / n)
        anchor = "end" if last else "middle" if i else "start"
        plot.text(at, plot.bottom + 16, day_short(week), anchor=anchor)


def _week_name(week: Fact) -> str:
    running = "" if week["is_over"] else f" {say('overview.running')}"
    return day_short(week["week"]) + running


def _traffic(told: Fact) -> dict[str, Any]:
    """Scores by week and proposed stage."""
    weeks = told["weeks"]
    ticks = whole_ticks(float(max(week["scored"] for week in weeks)))
    plot = Plot(200, high=ticks[-1][0], top=12)
    plot.axis(ticks)
    n = max(len(weeks), FEWEST_SLOTS)
    every = max(1, round(n / 5))
    for i, week in enumerate(weeks, n - len(weeks)):
        said = say(
            "overview.week_title",
            week=day_short(week["week"]),
            scored=words.count(week["scored"]),
            mql=words.count(week["mql"] + week["sql"]),
            sql=words.count(week["sql"]),
        )
        bottom = plot.bottom
        for stage, fill in _FILLS:
            tall = plot.bottom - plot.y(float(week[stage]))
            if tall > 0.3:
                top, left = bottom - tall, plot.x((i + 0.12) / n)
                plot.rect(left, plot.x(0.76 / n), top, max(tall - 0.8, 0.4), fill, title=said)
                bottom -= tall
        _week_label(plot, i, n, every, week["week"])
    title = say("overview.title_traffic")
    return {
        "title": title,
        "subtitle": say("overview.traffic_sub"),
        "key": tuple((fill, stage_name(stage)) for stage, fill in _FILLS),
        "svg": plot.svg(say("overview.traffic_label", n=len(weeks), title=title)),
        "numbers": Table(
            head=(
                say("overview.col_week"),
                say("overview.col_scored"),
                say("overview.col_above"),
                stage_name("sql"),
            ),
            rows=tuple(
                (
                    _week_name(week),
                    words.count(week["scored"]),
                    words.count(week["mql"] + week["sql"]),
                    words.count(week["sql"]),
                )
                for week in weeks
            ),
        ),
    }


def _promises(told: Fact) -> dict[str, Any]:
    """Predicted beside what happened: by week here, by month of the test before that."""
    live, trained = told["live"], told["trained"] or {}
    weeks = [
        {**week, "month": week["week"]}
        for week in (live or {}).get("weeks") or ()
        if int(week["n"]) >= FEWEST_IN_WEEK and _is_whole(week, live or {})
    ]
    horizon = trained.get("horizon_days")
    if len(weeks) >= 2:
        points, subtitle, first = weeks, "overview.promises_sub", "overview.col_week"
    else:
        points = [m for m in trained.get("months") or () if int(m["n"]) >= 20]
        subtitle, first = "overview.promises_tested", "overview.col_month"
    if len(points) < 2:
        return {
            "title": say("overview.no_promises"),
            "body": say("overview.no_promises_body", days=horizon),
        }
    known = [p for p in points if p.get("low") is not None and p.get("high") is not None]
    inside = sum(float(p["low"]) <= float(p["predicted"]) <= float(p["high"]) for p in known)
    kept = known and inside >= 0.8 * len(known)
    unit = say("overview.unit_week" if first == "overview.col_week" else "overview.unit_month")
    title = (
        say("overview.kept", unit=unit)
        if kept
        else say("overview.kept_in", inside=inside, n=len(known), unit=unit)
    )
    return {
        "title": title,
        "subtitle": say(subtitle, days=horizon),
        "key": (("model", say("overview.key_said")), ("dot", say("overview.key_happened"))),
        "svg": Live().months(points, label=title),
        "numbers": Table(
            head=(
                say(first),
                say("nav.leads"),
                say("overview.col_said"),
                say("overview.col_happened"),
                say("overview.col_interval"),
            ),
            rows=tuple(
                (
                    day_short(str(p["month"])),
                    words.count(p["n"]),
                    words.chance(float(p["predicted"])),
                    words.chance(float(p["observed"])),
                    words.chance_range(p.get("low"), p.get("high")),
                )
                for p in points
            ),
        ),
    }


def _is_whole(week: Fact, live: Fact) -> bool:
    """Whether all seven days have matured."""
    first = date.fromisoformat(str(week["week"])[:10])
    return (first + timedelta(days=7)).isoformat() <= str(live["to"])[:10]


def _answers(answers: Fact) -> Table:
    """What sales said, with the share of each."""
    total = int(answers["proposed"])
    rejected = list(answers["rejected"].items())
    rows = [(say("overview.accepted"), int(answers["accepted"]))]
    rows += [
        (say("overview.rejected", why=why or say("overview.no_reason")), n)
        for why, n in rejected[:4]
    ]
    others = sum(n for _, n in rejected[4:])
    if others:
        rows.append((say("overview.rejected", why=say("overview.other")), others))
    rows.append((say("overview.unanswered"), int(answers["unanswered"])))
    return Table(
        head=(say("overview.col_answer"), say("nav.leads"), say("overview.col_share")),
        rows=tuple((name, words.count(n), words.chance(n / total)) for name, n in rows),
    )


def _hints(told: Fact, n_leads: int) -> list[dict[str, Any]]:
    """What is missing, why it matters, and the one thing to do."""
    if told["memory"] == "off":
        return [
            {
                "title": say("overview.memory_off"),
                "body": say("overview.memory_off_body"),
                "code": "LEADML_DATABASE_URL=sqlite:///leadml.db leadml serve",
            }
        ]
    if told["memory"] == "on" and not n_leads:
        return [
            {
                "title": say("overview.no_leads"),
                "body": say("overview.no_leads_body"),
                "code": say("leads.none_code"),
            }
        ]
    return []
