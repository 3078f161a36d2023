"""All commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from leadml import __version__
from leadml.cli import data, learning, models, scoring
from leadml.cli.console import say

__all__ = ["app"]

app = typer.Typer(
    help="Honest, exactly explained, instant lead scores.",
    epilog="Start with: leadml demo. Own data: leadml train FILE --target COLUMN.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("init")(learning.init)
app.command("train")(learning.train)
app.command("report")(learning.report)
app.add_typer(models.app, name="models")
app.command("serve")(scoring.serve)
app.command("score")(scoring.score)
app.add_typer(data.app, name="data")
app.command("simulate")(data.simulate)


@app.command("demo")
def demo(
    folder: Annotated[str, typer.Option(help="Folder for all that the demo writes.")] = "demo",
    leads: Annotated[int, typer.Option(min=2000, help="Simulated leads.")] = 12_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation and the training.")] = 7,
) -> None:
    """Simulate a CRM, train, register, serve and score: the whole walk.

    \b
    Examples:
      leadml demo
      leadml demo --leads 50000 --seed 3
    """
    from pathlib import Path

    from leadml.cli.demo import walk

    walk(Path(folder), leads, seed)


@app.command("version")
def version() -> None:
    """Print the version of leadml.

    \b
    Example:
      leadml version
    """
    say(__version__)
