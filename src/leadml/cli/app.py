"""All commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from leadml import __version__
from leadml.cli import (
    audit,
    data,
    habits,
    hindsight,
    hooks,
    keys,
    learning,
    lessons,
    models,
    people,
    policy,
    scoring,
    signing,
)
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

app.command("init", short_help="Guess what the columns of a table mean.")(learning.init)
app.command("check", short_help="Look for leaks and other faults, without training.")(habits.check)
app.command("train", short_help="Learn, test, track and register a scorecard.")(learning.train)
app.command("recalibrate", short_help="Move the champion's chances to the newest outcomes.")(
    habits.recalibrate
)
app.command("retrain", short_help="Train on newer data; promote what passes the gate.")(
    habits.retrain
)
app.command("report", short_help="Write a version's report as one HTML file.")(learning.report)
app.add_typer(models.app, name="models")
app.add_typer(signing.app, name="signing-key")
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="users")
app.add_typer(audit.app, name="audit")
app.add_typer(hooks.app, name="webhooks")
app.command("deliver", short_help="Send webhooks: a worker of its own.")(hooks.deliver)
app.command("serve", short_help="Serve the champion over HTTP.")(scoring.serve)
app.command("score", short_help="Score a file of leads.")(scoring.score)
app.add_typer(policy.app, name="policy")
app.command("import", short_help="Bring a history into the memory.")(lessons.bring)
app.add_typer(lessons.app, name="outcomes")
app.command("monitor", short_help="Hold what was predicted against what happened.")(
    hindsight.monitor
)
app.command("replay", short_help="Compute past decisions again, bit for bit.")(hindsight.replay)
app.add_typer(data.app, name="data")
app.command("simulate", short_help="Write a CRM history whose true chances are known.")(
    data.simulate
)


@app.command("demo", short_help="The whole walk on simulated leads.")
def demo(
    folder: Annotated[str, typer.Option(help="Folder for all that the demo writes.")] = "demo",
    leads: Annotated[int, typer.Option(min=2000, help="Simulated leads.")] = 12_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation and the training.")] = 7,
    serve: Annotated[bool, typer.Option("--serve", help="Go on serving the pages.")] = False,
) -> None:
    """Simulate a CRM, train, register, serve and score: the whole walk.

    \b
    Examples:
      leadml demo
      leadml demo --serve
      leadml demo --leads 50000 --seed 3
    """
    from pathlib import Path

    from leadml.cli.demo import walk

    walk(Path(folder), leads, seed, stay=serve)


@app.command("version")
def version() -> None:
    """Print the version of leadml.

    \b
    Example:
      leadml version
    """
    say(__version__)
