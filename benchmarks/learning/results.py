"""Figures that were measured, kept as a file and as tables of the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.learning.measuring import Result
from benchmarks.learning.protocols import PROTOCOLS
from benchmarks.learning.recipes import RECIPES

__all__ = ["BEGIN", "END", "keep", "kept", "table", "write_table"]

FILE: Final = Path(__file__).with_name("results.json")
README: Final = Path(__file__).parents[1] / "README.md"
BEGIN: Final = "<!-- learning: written by python -m benchmarks.learning.run --write -->"
END: Final = "<!-- /learning -->"
TITLES: Final = {
    "bank-folds": "bank 5-fold",
    "bank-forward": "bank forward",
    "xeducation-folds": "X Education 5-fold",
    "xeducation-forward": "X Education forward",
    "coil": "COIL official",
    "olist": "Olist forward",
}


def kept(file: Path = FILE) -> list[Result]:
    """All results kept, in the order of recipes and protocols."""
    if not file.exists():
        return []
    found = [Result(**entry) for entry in json.loads(file.read_text("utf-8"))]
    recipes, protocols = list(RECIPES), list(PROTOCOLS)
    return sorted(found, key=lambda one: (recipes.index(one.recipe), protocols.index(one.protocol)))


def keep(result: Result, file: Path = FILE) -> None:
    """Keep a result in place of the older one of the same recipe and protocol."""
    others = [
        one for one in kept(file) if (one.recipe, one.protocol) != (result.recipe, result.protocol)
    ]
    entries = [one.as_dict() for one in [*others, result]]
    text = ",\n".join(json.dumps(entry) for entry in entries)
    file.write_text(f"[\n{text}\n]\n", "utf-8")


def table(results: list[Result]) -> str:
    """Markdown: ranking and log loss, then calibration and lift, then seconds.

    A figure measured on fewer folds than the protocol has bears their number.
    """
    found = {(one.recipe, one.protocol): one for one in results}
    protocols = [name for name in PROTOCOLS if any(one.protocol == name for one in results)]
    recipes = [name for name in RECIPES if any(one.recipe == name for one in results)]

    def rows(title: str, cell: Any) -> list[str]:
        lines = [
            f"| {title} | " + " | ".join(TITLES[name] for name in protocols) + " |",
            "|---" * (len(protocols) + 1) + "|",
        ]
        for recipe in recipes:
            cells = [
                cell(found[recipe, name]) if (recipe, name) in found else "–" for name in protocols
            ]
            lines.append(f"| {RECIPES[recipe].title} | " + " | ".join(cells) + " |")
        return lines

    def part(one: Result) -> str:
        return f" ({one.splits} of {one.of})" if one.splits < one.of else ""

    def ranking(one: Result) -> str:
        top = "" if one.in_top is None else f", {one.in_top} buyers"
        return f"{one.roc_auc:.4f} / {one.log_loss:.4f}{top}{part(one)}"

    def chances(one: Result) -> str:
        return f"{one.ece:.3f} / {one.lift_top_decile:.2f}"

    dates = sorted({one.date for one in results})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return "\n".join(
        [
            f"Measured {when}, one core, one thread per fit:",
            "",
            *rows("ROC AUC / log loss", ranking),
            "",
            *rows("ECE / lift of the best tenth", chances),
            "",
            *rows("seconds of one fit", lambda one: f"{one.cpu_s:.1f}"),
        ]
    )


def write_table(file: Path = FILE, readme: Path = README) -> None:
    """Put the tables of all results kept between the marks of the README."""
    text = readme.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{table(kept(file))}\n\n{END}{after}", "utf-8")
