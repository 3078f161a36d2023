"""Comparisons of two versions as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.site.texts import say
from leadml.reports.story.parts import Cell, Table

__all__ = ["effects_table", "side_table"]

Fact = Mapping[str, Any]

EFFECTS_LISTED = 12


def _share(found: Fact) -> Cell | str:
    if found.get("value") is None:
        return words.EN
    return Cell(
        words.chance(float(found["value"])),
        words.chance_range(found.get("low"), found.get("high")),
    )


def _figure(found: Fact, places: int = 3, scale: float = 1.0) -> Cell | str:
    if found.get("value") is None:
        return words.EN
    low, high = found.get("low"), found.get("high")
    interval = (
        words.range_of(scale * float(low), scale * float(high), places)
        if low is not None and high is not None
        else ""
    )
    return Cell(words.digits(scale * float(found["value"]), places), interval)


def _period(data: Fact) -> str:
    period = data.get("period") or {}
    if not period.get("from"):
        return words.EN
    return f"{words.day(period['from'])} {words.EN} {words.day(period.get('to'))}"


def _line(chance: float | None) -> str:
    """From which chance on; a line above 1 lets nobody through."""
    return say("thresholds.nobody") if chance is not None and chance > 1 else words.chance(chance)


def _word(verdict: Fact) -> str:
    word = str(verdict.get("word", ""))
    return say(f"word.{word}") if word in ("trust", "rank", "provisional", "no") else word


def side_table(changes: Fact) -> Table:
    """Two versions, one a column: what they learned from, how good, where they cut."""
    metrics, sides = changes["metrics"], ("new", "old")
    moved = [e for e in changes["effects"] if e["moved"] > 0.005]
    rows: list[tuple[Any, ...]] = [
        (
            say("side.trained"),
            *(
                say(
                    "side.leads",
                    leads=words.count(changes["data"][side].get("n_leads")),
                    won=words.count(changes["data"][side].get("n_conversions")),
                )
                for side in sides
            ),
        ),
        (say("side.period"), *(_period(changes["data"][side]) for side in sides)),
        (say("side.verdict"), *(_word(changes["verdict"][side]) for side in sides)),
        (
            say("side.fifth"),
            *(_share(metrics["top_fifth_share"].get(side) or {}) for side in sides),
        ),
        (say("side.auc"), *(_figure(metrics["roc_auc"].get(side) or {}) for side in sides)),
        (say("side.log_loss"), *(_figure(metrics["log_loss"].get(side) or {}) for side in sides)),
        (
            say("side.ece"),
            *(_figure(metrics["ece"].get(side) or {}, 1, 100.0) for side in sides),
        ),
        (say("side.mql"), *(_line(changes["policy"][side].get("mql")) for side in sides)),
        (say("side.sql"), *(_line(changes["policy"][side].get("sql")) for side in sides)),
        (say("side.protocol"), *(changes["protocol"][side] or words.EN for side in sides)),
    ]
    added, removed = changes["columns"]["added"], changes["columns"]["removed"]
    if added or removed:
        rows.append((say("side.added"), ", ".join(added) or say("side.none"), ""))
        rows.append((say("side.removed"), "", ", ".join(removed) or say("side.none")))
    if moved:
        most = moved[0]
        said = say("side.moved_by", column=words.name_of(most), odds=words.odds(most["moved"]))
        rows.append((say("side.moved"), said, ""))
    return Table(
        head=(
            say("side.measure"),
            say("side.new", version=changes["version"]),
            say("side.new", version=changes["before"]),
        ),
        rows=tuple(rows),
        text_columns=frozenset({1, 2}),
    )


def effects_table(changes: Fact) -> Table | None:
    """How far the effect of each column moved; None where no column stands in both."""
    if not changes["effects"]:
        return None
    return Table(
        head=(
            say("side.effect"),
            say("side.weight", version=changes["version"]),
            say("side.weight", version=changes["before"]),
            say("side.shift"),
        ),
        rows=tuple(
            (
                words.name_of(e),
                words.chance(e["importance"]["new"]),
                words.chance(e["importance"]["old"]),
                words.odds(e["moved"]),
            )
            for e in changes["effects"][:EFFECTS_LISTED]
        ),
        caption=say("side.effects_caption"),
    )
