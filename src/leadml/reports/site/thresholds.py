"""What the page of thresholds says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.site.live import whole_ticks
from leadml.reports.site.plot import Plot
from leadml.reports.site.texts import say
from leadml.reports.story.estimates import amount
from leadml.reports.story.parts import Cell, Table

__all__ = ["SLIDERS", "amount_of", "thresholds_page"]

Fact = Mapping[str, Any]

NOBODY = 1.0

# name of a plan's figure, bases it is shown for, least, most, step; shares in percent
SLIDERS = (
    ("capacity_per_week", ("capacity", "precision", "value")),
    ("sql_capacity_per_week", ("capacity",)),
    ("mql_precision", ("precision",)),
    ("sql_precision", ("precision",)),
    ("value", ("value",)),
    ("cost_mql", ("value",)),
    ("cost_sql", ("value",)),
)
"""What can be moved, and for which ways of setting the lines."""


def thresholds_page(told: Fact) -> dict[str, Any]:
    """Sliders, what the lines mean, where they cut, who moved them."""
    preview = told["preview"]
    plan = (preview["setting"] if preview else told["policy"])["plan"]
    return {
        "controls": _controls(told, plan) if preview else [],
        "basis": plan.get("basis", "capacity"),
        "asked": [
            (name, f"{100 * value:g}" if name.endswith("precision") else value)
            for name, value in told["asked"].items()
        ],
        "after": told["policy"]["policy_version"],
        "is_written": "at" in told["policy"],
        "next": _next(told),
        "can_save": told["can_save"],
        "problem": told["problem"],
        "result": _result(told) if preview else None,
        "history": _history(told),
    }


def _next(told: Fact) -> str:
    versions = [int(v["version"]) for v in told["history"]]
    return str(max(versions, default=int(_digits(told["policy"]["policy_version"]))) + 1)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit()) or "0"


def _controls(told: Fact, plan: Fact) -> list[dict[str, Any]]:
    """Sliders with ends that fit the leads that come in."""
    looked = told["preview"]["looked_at"]
    weekly = float(looked["leads_per_week"])
    most = max(10.0, float(plan.get("capacity_per_week") or 0.0), weekly)
    worth = float(plan.get("value") or 1000.0)
    cost = float(plan.get("cost_mql") or worth / 20)
    expected = {e["stage"]: e for e in told["preview"]["setting"]["expected"]}
    volume = amount(expected.get("mql", {}).get("volume_per_week"))["value"] or weekly / 5
    best = amount(expected.get("sql", {}).get("volume_per_week"))["value"] or weekly / 20
    ranges: dict[str, tuple[float, float, float, float]] = {
        "capacity_per_week": (1, round(most), 1, round(volume)),
        "sql_capacity_per_week": (1, max(2, round(most / 2)), 1, max(1, round(best))),
        "mql_precision": (1, 90, 1, 25),
        "sql_precision": (1, 95, 1, 45),
        "value": (max(1, round(worth / 10)), round(worth * 5), max(1, round(worth / 50)), worth),
        "cost_mql": (max(1, round(worth / 500)), round(worth), max(1, round(worth / 500)), cost),
        "cost_sql": (
            max(1, round(worth / 500)),
            round(2 * worth),
            max(1, round(worth / 500)),
            4 * cost,
        ),
    }
    found = []
    for name, bases in SLIDERS:
        low, high, step, usual = ranges[name]
        given = plan.get(name)
        share = name.endswith("precision")
        value = usual if given is None else (100 * float(given) if share else float(given))
        value = min(max(value, low), high)
        found.append(
            {
                "name": name,
                "bases": bases,
                "label": say(f"thresholds.{name}"),
                "low": low,
                "high": high,
                "step": step,
                "value": f"{value:g}" if not share else f"{round(value)}",
                "said": _said(name, value),
                "unit": say(f"thresholds.unit_{name}"),
                "left_out": name == "capacity_per_week"
                and plan.get("basis", "capacity") != "capacity"
                and given is None,
                "ends": (_said(name, low), _said(name, high)),
            }
        )
    return found


def _said(name: str, value: float) -> str:
    shown = f"{value:.0f}" if name.endswith("precision") else words.count(value)
    return say(f"thresholds.unit_{name}").replace("{}", shown)


def _result(told: Fact) -> dict[str, Any]:
    """What the asked lines mean, drawn, as tiles and as a table."""
    preview, scores = told["preview"], told["scores"]["setting"]
    setting, current = preview["setting"], preview["current"]
    expected = {e["stage"]: e for e in setting["expected"]}
    now = {e["stage"]: e for e in current["expected"]}
    mql, sql = expected["mql"], expected["sql"]
    capacity = setting["plan"].get("capacity_per_week")
    volume = amount(mql["volume_per_week"])["value"]
    same = (setting["mql"], setting["sql"]) == (current["mql"], current["sql"])
    more = (
        amount(mql["conversions_per_week"])["value"]
        - (amount(now["mql"]["conversions_per_week"])["value"])
    )
    return {
        "same": same,
        "moved": say("thresholds.same")
        if same
        else say(
            "thresholds.moved",
            mql=told["scores"]["current"]["mql"],
            sql=told["scores"]["current"]["sql"],
            to_mql=scores["mql"],
            to_sql=scores["sql"],
            more=f"{'+' if more >= 0 else words.MINUS}{words.per_week(abs(more))}",
        ),
        "reason": setting["reason"],
        "tiles": _tiles(mql, sql, capacity, volume),
        "lately": say(f"thresholds.on_{setting['expected_on']}") + " " + _lately(told["lately"]),
        "chart": _chart(told, scores),
        "numbers": _bins_table(told["bins"]),
        "table": _table(told, mql, sql, scores),
        "looked": preview["looked_at"]["sentence"],
    }


def _lately(room: Fact | None) -> str:
    """What the saved lines brought, beside what lines would bring at the first score."""
    weeks = room["weeks"] if room else ()
    anew = room.get("recounted") if room else None
    if not weeks and anew:
        mean = words.per_week(sum(anew) / len(anew))
        return say("thresholds.recounted", n=mean, weeks=len(anew))
    if not weeks:
        return say("thresholds.at_first")
    mean = words.per_week(sum(weeks) / len(weeks))
    return say("thresholds.lately", n=mean, weeks=len(weeks))


def _tiles(mql: Fact, sql: Fact, capacity: float | None, volume: float) -> list[dict[str, str]]:
    precision, won = amount(mql["precision"]), amount(mql["conversions_per_week"])
    recall = amount(mql["recall"])
    over = ""
    if capacity is None:
        fits = say("thresholds.no_capacity")
    elif volume <= capacity + 0.5:
        fits = say("thresholds.fits", capacity=words.per_week(capacity))
    else:
        over = say("thresholds.more", n=words.per_week(volume - capacity))
        fits = say("thresholds.than", capacity=words.per_week(capacity))
    found = [
        {
            "label": say("thresholds.proposed"),
            "value": words.per_week(volume),
            "over": over,
            "note": fits,
        },
        {
            "label": say("thresholds.become"),
            "value": words.chance(precision["value"]),
            "note": say(
                "thresholds.interval",
                range=words.chance_range(precision["low"], precision["high"]),
            ),
        },
        {
            "label": say("thresholds.won"),
            "value": words.per_week(won["value"]),
            "note": say(
                "thresholds.won_note",
                share=words.chance(recall["value"]),
                range=words.per_week_range(won["low"], won["high"]),
            ),
        },
    ]
    value = mql.get("value_per_week")
    if value is not None:
        part = amount(value)
        found.append(
            {
                "label": say("thresholds.value_week"),
                "value": amount_of(part["value"]),
                "note": say(
                    "thresholds.usual",
                    range=f"{amount_of(part['low'])} to {amount_of(part['high'])}",
                ),
            }
        )
    else:
        best = amount(sql["volume_per_week"])
        found.append(
            {
                "label": say("thresholds.hottest"),
                "value": words.per_week(best["value"]),
                "note": say(
                    "thresholds.hottest_note",
                    share=words.chance(amount(sql["precision"])["value"]),
                ),
            }
        )
    return found


def amount_of(value: float | None) -> str:
    """An amount of money in few digits, without a currency.

    >>> amount_of(50912.0), amount_of(812.4), amount_of(-1500.0)
    ('50.9k', '812', '−1,500')
    """
    if value is None:
        return words.EN
    if abs(value) >= 9950:
        return f"{value / 1000:,.1f}k".replace("-", words.MINUS)
    return words.count(value)


def _chart(told: Fact, scores: Fact) -> str:
    bins, right = told["bins"], 92.0
    ticks = whole_ticks(max((b["leads_per_week"] for b in bins), default=1.0))
    plot = Plot(268, high=ticks[-1][0], top=32, foot=38, right=right)
    plot.axis(ticks)
    wide = 1 / len(bins)
    for i, b in enumerate(bins):
        left, across = plot.x((i + 0.06) * wide), plot.x(0.88 * wide)
        all_, won = plot.y(b["leads_per_week"]), plot.y(b["conversions_per_week"])
        said = say(
            "thresholds.bin",
            band=f"{b['from']}{words.EN}{b['to'] - 1}",
            leads=words.per_week(b["leads_per_week"]),
            won=words.per_week(b["conversions_per_week"]),
        )
        plot.rect(left, across, all_, plot.bottom - all_, "f-rest", title=said)
        plot.rect(left, across, won, plot.bottom - won, "f-model", title=said)
    mql, sql = scores["mql"], scores["sql"]
    plot.raw(
        f'<rect class="cover" x="0" y="{plot.top:.0f}" width="{plot.x(mql / 100):.2f}%" '
        f'height="{plot.bottom - plot.top - 1:.0f}"/>'
    )
    for point in told["chances"]:
        if point["score"] % 20 == 0:
            plot.under(point["score"] / 100, str(point["score"]))
            plot.under(point["score"] / 100, words.chance(point["chance"]), row=1)
    plot.text(100, plot.bottom + 16, say("thresholds.axis_score"), anchor="end", cls="only-wide")
    plot.text(100, plot.bottom + 30, say("thresholds.axis_chance"), anchor="end", cls="only-wide")
    for name, score, top in (("MQL", mql, 2.0), ("SQL", sql, 16.0)):
        at = plot.x(score / 100)
        plot.line(at, at, top, plot.bottom, "l-mql")
        plot.text(at, top + 9, f"{name} {score}", cls="strong halo", dx=5)
    label = say("thresholds.chart_label", mql=mql, sql=sql)
    return plot.svg(label)


def _bins_table(bins: Sequence[Fact]) -> Table:
    rows = []
    for i in range(0, len(bins), 5):
        part = bins[i : i + 5]
        leads = sum(b["leads_per_week"] for b in part)
        won = sum(b["conversions_per_week"] for b in part)
        n, k = sum(b["leads"] for b in part), sum(b["conversions"] for b in part)
        band = f"{part[0]['from']}{words.EN}{part[-1]['to'] - (part[-1]['to'] < 100)}"
        rows.append(
            (band, words.per_week(leads), words.per_week(won), words.chance(k / n if n else None))
        )
    return Table(
        head=(
            say("thresholds.col_score"),
            say("thresholds.col_leads"),
            say("thresholds.col_won"),
            say("thresholds.col_share"),
        ),
        rows=tuple(rows),
    )


def _table(told: Fact, mql: Fact, sql: Fact, scores: Fact) -> list[dict[str, Any]]:
    """Rows of what each line means: a label, what it is, a cell for MQL and for SQL."""
    setting = told["preview"]["setting"]
    lines = {"mql": mql, "sql": sql}

    def share(found: Any) -> Cell:
        part = amount(found)
        return Cell(words.chance(part["value"]), words.chance_range(part["low"], part["high"]))

    def week(found: Any) -> Cell:
        part = amount(found)
        return Cell(words.per_week(part["value"]), words.per_week_range(part["low"], part["high"]))

    def money(found: Any) -> Cell:
        part = amount(found)
        return Cell(
            amount_of(part["value"]), f"{amount_of(part['low'])} to {amount_of(part['high'])}"
        )

    def start(line: str) -> Cell:
        if setting[line] > NOBODY:
            return Cell(say("thresholds.nobody"))
        chance = say("thresholds.chance", chance=words.chance(setting[line]))
        return Cell(str(scores[line]), chance)

    def each(line: str) -> Cell:
        volume = amount(lines[line]["volume_per_week"])["value"]
        won = amount(lines[line]["conversions_per_week"])["value"]
        return Cell(f"{volume / won:.1f}" if won and won > 0.05 else words.EN)

    rows: list[tuple[str, list[Cell]]] = [
        ("from", [start(line) for line in lines]),
        ("leads", [week(e["volume_per_week"]) for e in lines.values()]),
        ("precision", [share(e["precision"]) for e in lines.values()]),
        ("conversions", [week(e["conversions_per_week"]) for e in lines.values()]),
        ("recall", [share(e["recall"]) for e in lines.values()]),
        ("each", [each(line) for line in lines]),
    ]
    if all("value_per_week" in e for e in lines.values()):
        rows.append(("value", [money(e["value_per_week"]) for e in lines.values()]))
    return [
        {
            "name": say(f"thresholds.row_{key}"),
            "note": say(f"thresholds.row_{key}_note"),
            "cells": cells,
        }
        for key, cells in rows
    ]


def _history(told: Fact) -> list[dict[str, Any]]:
    found = []
    for version in told["history"]:
        plan = version.get("plan") or version
        found.append(
            {
                "version": version["version"],
                "at": version["at"],
                "mql": version["mql_score"],
                "sql": version["sql_score"],
                "by": version["author"],
                "basis": _basis(plan),
                "note": version["note"],
                "is_current": version["version"] == told["policy"]["policy_version"],
            }
        )
    return found


def _basis(plan: Fact) -> str:
    basis = str(plan.get("basis", "capacity"))
    if basis == "capacity" and plan.get("capacity_per_week") is not None:
        return say("thresholds.by_capacity", n=words.per_week(plan["capacity_per_week"]))
    if basis == "capacity":
        return say("thresholds.by_fifth")
    if basis == "precision":
        shares = [plan.get(name) for name in ("mql_precision", "sql_precision")]
        said = ", ".join(words.chance(share) for share in shares if share is not None)
        return say("thresholds.by_precision", shares=said)
    return say(
        "thresholds.by_value",
        value=amount_of(plan.get("value")),
        cost=amount_of(plan.get("cost_mql")),
    )
