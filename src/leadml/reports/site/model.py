"""What the page of a model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.site.live import Live
from leadml.reports.site.tables import side_table
from leadml.reports.site.texts import say
from leadml.reports.story.cuts import cuts
from leadml.reports.story.drivers import drivers
from leadml.reports.story.everyone import everyone
from leadml.reports.story.history import history
from leadml.reports.story.method import method
from leadml.reports.story.opening import origin, tiles, verdict
from leadml.reports.story.parts import Section
from leadml.reports.story.quality import quality
from leadml.reports.story.trust import trust

__all__ = ["model_page"]

Fact = Mapping[str, Any]

_STEPS = (0.02, 0.07, 0.15)  # log-odds at which a cell of a map grows darker


def model_page(told: Fact) -> dict[str, Any]:
    """Verdict, checks, quality, drivers, pairs, history and changes of one version."""
    facts, drawer = told["facts"], Live()
    good, checked = quality(facts, drawer), trust(facts)
    charts = good.body["charts"] if good else []
    driven = drivers(facts, drawer)
    if driven is not None and told["pairs"]:
        driven.body["pairs"] = None  # the maps say it better
    horizon = (facts.get("labels") or {}).get("horizon_days")
    leads = words.count(facts["data"]["n_leads"])
    held = everyone(facts)
    past = history(facts, drawer)
    jumps = [
        ("checks", checked.title if checked else ""),
        ("quality", say("model.quality") if charts else ""),
        ("rivals", say("model.rivals") if good and good.body["table"] else ""),
        ("everyone", held.title if held else ""),
        ("drivers", driven.title if driven else ""),
        ("pairs", say("model.pairs") if told["pairs"] else ""),
        ("history", past.title),
        ("run", say("model.run")),
    ]
    return {
        "version": told["version"],
        "jumps": [(address, title) for address, title in jumps if title],
        "is_served": told["is_served"],
        "promise": say("model.promise_days", days=f"{horizon:g}", leads=leads)
        if horizon
        else say("model.promise", leads=leads),
        "said": verdict(facts),
        "headline": tiles(facts),
        "origin": origin(facts),
        "trust": checked,
        "notes": _set_aside(checked),
        "tally": _tally(facts),
        "charts": [charts[i : i + 2] for i in range(0, len(charts), 2)],
        "rivals": good.body["table"] if good else None,
        "cuts": cuts(facts),
        "everyone": held,
        "drivers": driven,
        "maps": [_map(each) for each in told["pairs"]],
        "history": past,
        "changes": {**told["changes"], "table": side_table(told["changes"])}
        if told["changes"]
        else None,
        "method": method(facts),
        "run": told["run"],
    }


def _set_aside(checked: Section | None) -> list[dict[str, Any]]:
    """Take the tips from what was found; what people silenced stays in the open."""
    if checked is None:
        return []
    found = checked.body["found"]
    tips = [row for row in found if row["tone"] == "note" and not row["reason"]]
    checked.body["found"] = [row for row in found if row not in tips]
    return tips


def _tally(facts: Fact) -> str:
    checks = facts.get("checks") or ()
    found = [c for c in checks if c.get("status") == "found"]
    return say(
        "model.tally",
        passed=sum(c.get("status") == "passed" for c in checks),
        look=sum(c.get("severity") == "warns" for c in found),
        notes=sum(c.get("severity") == "tip" for c in found),
        failed=sum(c.get("severity") == "blocks" for c in found),
    )


def _map(pair: Fact) -> dict[str, Any]:
    """A pair as a table of factors, tinted by how far they are from 1."""
    first, second = (words.name_of({"column": label}) for label in pair["labels"])
    return {
        "title": say("model.pair", first=first, second=second[:1].lower() + second[1:]),
        "caption": say("model.pair_caption", first=first, second=second),
        "first": first,
        "cols": _names(pair["cols"]),
        "rows": [
            {
                "name": name,
                "cells": [
                    {"odds": words.odds(cell), "cls": _tint(cell, share)}
                    for cell, share in zip(cells, shares, strict=True)
                ],
            }
            for name, cells, shares in zip(
                _names(pair["rows"]), pair["cells"], pair["share"], strict=True
            )
        ],
    }


def _tint(cell: float, share: float) -> str:
    depth = sum(abs(cell) >= step for step in _STEPS)
    tint = f"{'up' if cell > 0 else 'down'}-{depth}" if depth else ""
    return f"{tint} few".strip() if share < 0.01 else tint


def _names(sides: Sequence[Fact]) -> list[str]:
    """Values along one side of a map; ranges of counts as the whole numbers they hold."""
    cuts = [float(s[k]) for s in sides for k in ("from", "to") if s.get(k) is not None]
    counts = bool(cuts) and all(abs(2 * cut - round(2 * cut)) < 1e-9 for cut in cuts)
    found = []
    for side in sides:
        if side.get("missing"):
            found.append(say("model.empty"))
        elif "level" in side:
            found.append(words.short(str(side["level"])))
        else:
            found.append(_range(side.get("from"), side.get("to"), counts))
    return found


def _range(low: float | None, high: float | None, counts: bool) -> str:
    """The values in (low, high]."""
    if counts:
        first = None if low is None else int(low // 1) + 1
        last = None if high is None else int(high // 1)
        if first is not None and first == last:
            return words.plain_number(first)
        low, high = first, last
    if low is None:
        if high is None:
            return say("model.any")
        return "0" if counts and high == 0 else say("model.at_most", n=words.plain_number(high))
    if high is None:
        key = "model.at_least" if counts else "model.over"
        return say(key, n=words.plain_number(low))
    between = words.EN if low >= 0 else say("model.to")
    return f"{words.plain_number(low)}{between}{words.plain_number(high)}"
