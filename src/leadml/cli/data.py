"""Commands that bring data: data list, data get, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, answer, group, say

__all__ = ["app", "simulate"]


app = group("Bring real public lead data, checked by digest.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the public data sets that leadml can bring.

    \b
    Example:
      leadml data list
    """

    def show(found: dict[str, Any]) -> None:
        for row in found["datasets"]:
            say(f"{row['name']:<12}{row['title']}  ({row['licence']})")
        say("Next: leadml data get NAME")

    answer(lambda leadml, _: {"datasets": leadml.data.listed()}, show, as_json)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="Name, as leadml data list gives it.")],
    into: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Bring one public data set from its publisher or the mirror directory.

    LEADML_DATA_MIRROR names a directory that holds the files already.

    \b
    Examples:
      leadml data get bank
      LEADML_DATA_MIRROR=~/mirror leadml data get olist --into history
    """

    def show(found: dict[str, Any]) -> None:
        for path in found["files"]:
            say(f"Wrote {path}")

    answer(lambda leadml, steps: leadml.data.get(name, into, progress=steps), show, as_json)


def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write the history into.")],
    leads: Annotated[int, typer.Option(min=1, help="Leads to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same history.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a realistic CRM history whose true chances are known.

    The true chances are kept apart, in FOLDER/truth, for tests.

    \b
    Examples:
      leadml simulate history
      leadml simulate history --leads 100000 --seed 3
    """

    def show(found: dict[str, Any]) -> None:
        for path in found["files"]:
            say(f"Wrote {path}")
        say(f"Next: leadml train {folder}/leads.csv --target converted")

    answer(lambda leadml, _: leadml.data.simulate(leads, folder, seed), show, as_json)
