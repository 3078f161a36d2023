"""Whether a model holds for every kind of lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.evidence import shares_chart
from leadml.reports.story.parts import Cell, Chart, Section, Table

__all__ = ["everyone", "level_table"]

Fact = Mapping[str, Any]

_FEW = "too few to judge"


def everyone(facts: Fact) -> Section | None:
    """Groups that people named, then the strongest columns; None without either.

    A level whose interval of what happened leaves out the prediction is named; of twenty
    levels that are right one is expected to stray by chance, which the caption says.
    """
    groups = [_told(column) for column in facts.get("groups") or ()]
    segments = [_told(column) for column in facts.get("segments") or ()]
    if not groups and not segments:
        return None
    return Section(
        "Does it hold for everyone?",
        "everyone",
        {
            "groups": groups,
            "segments": segments,
            "note": _note([*(facts.get("groups") or ()), *(facts.get("segments") or ())]),
        },
    )


def _told(column: Fact) -> dict[str, Any]:
    levels = list(column["levels"])
    title = _title(str(column["column"]), levels)
    drawn = [
        {
            "name": level["group"],
            "rate": level["observed"],
            "low": level["low"],
            "high": level["high"],
            "predicted": level["predicted"],
        }
        for level in levels
    ]
    return {
        "chart": Chart(
            title=title,
            subtitle="Share that converted, with 95 % interval, beside the average prediction",
            svg=shares_chart(drawn, label=f"By {column['column']}: {title}"),
            key=(("model", "predicted"), ("dot", "happened")),
            numbers=level_table(column),
        )
    }


def _title(name: str, levels: Sequence[Fact]) -> str:
    """What was found for a column, levels to look at by name."""
    named = words.name_of({"column": name})
    judged = [level for level in levels if level["word"] != _FEW]
    look = [str(level["group"]) for level in judged if level["word"] == "look"]
    if not judged:
        return f"{named}: too few conversions to judge"
    if not look:
        return f"{named}: as predicted in {_all(len(judged))}"
    shown = ", ".join(words.short(level) for level in look[:3])
    more = f" and {len(look) - 3} more" if len(look) > 3 else ""
    return f"{named}: look at {shown}{more} ({len(look)} of {len(judged)} differ)"


def _all(n: int) -> str:
    return {1: "the only level judged", 2: "both levels"}.get(n, f"all {n} levels judged")


def _note(columns: Sequence[Fact]) -> str:
    levels = [level for column in columns for level in column["levels"]]
    judged = [level for level in levels if level["word"] != _FEW]
    off = sum(level["word"] == "look" for level in judged)
    said = "No level holds enough conversions to judge."
    if judged:
        said = (
            f"{words.count(off) if off else 'None'} of the {words.count(len(judged))} levels that "
            f"can be judged {'differs from its' if off == 1 else 'differ from their'} prediction by"
            f" more than chance; about {max(1, round(len(judged) / 20))} would do so by luck alone."
        )
    few = len(levels) - len(judged) if judged else 0
    return said + (f" {words.count(few)} hold too few conversions to judge." if few else "")


def level_table(column: Fact) -> Table:
    """Every figure of every level of a column."""
    rows = []
    for level in column["levels"]:
        auc = level.get("roc_auc")
        found = level.get("found")
        rows.append(
            (
                str(level["group"]) or "(blank)",
                words.count(level["n"]),
                words.count(level["n_conversions"]),
                words.chance(level["predicted"]),
                Cell(
                    words.chance(level["observed"]),
                    words.chance_range(level["low"], level["high"]),
                ),
                f"{words.TIMES}{words.digits(level['lift'], 2)}",
                Cell(words.digits(auc["value"], 2), words.range_of(auc["low"], auc["high"], 2))
                if auc
                else _FEW,
                words.chance(level["chosen"]),
                Cell(
                    words.chance(found),
                    words.chance_range(level.get("found_low"), level.get("found_high")),
                )
                if found is not None
                else words.EN,
                str(level["word"]),
            )
        )
    return Table(
        head=(
            words.name_of(column),
            "Leads",
            "Converted",
            "Predicted",
            "Happened",
            "Lift",
            "ROC AUC",
            "MQL or better",
            "of its conversions",
            "Judged",
        ),
        rows=tuple(rows),
        caption="Tested leads; small figures are 95 % intervals.",
        text_columns=frozenset({9}),
    )
