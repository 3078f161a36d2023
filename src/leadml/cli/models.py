"""Commands on registered versions: list, show, edit, promote, rollback."""

from __future__ import annotations

import getpass
import json
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, answer, group, say
from leadml.cli.learning import show_training

__all__ = ["app"]

Version = Annotated[str, typer.Argument(help="Version number, such as 3, or an alias.")]

app = group("List, show, edit, promote and roll back registered versions.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the registered versions, newest first.

    \b
    Examples:
      leadml models list
      leadml models list --json
    """
    answer(lambda leadml, _: {"versions": leadml.models.listed()}, _show_list, as_json)


def _show_list(found: dict[str, Any]) -> None:
    versions = found["versions"]
    if not versions:
        say("No version is registered yet. Next: leadml train FILE --target COLUMN")
        return
    say(f"{'version':<9}{'alias':<12}{'ROC AUC':<9}{'log loss':<10}{'created':<21}verdict")
    for row in versions:
        metrics = row.get("metrics", {})
        auc, loss = metrics.get("roc_auc"), metrics.get("log_loss")
        say(
            f"{row['version']:<9}{','.join(row.get('aliases', ())) or '-':<12}"
            f"{'-' if auc is None else format(auc, '.3f'):<9}"
            f"{'-' if loss is None else format(loss, '.4f'):<10}"
            f"{str(row.get('created_at', ''))[:19]:<21}{row.get('verdict') or '-'}"
        )


@app.command("show")
def show(version: Version, as_json: AsJson = False) -> None:
    """Show all that is known of one version.

    \b
    Examples:
      leadml models show 3
      leadml models show champion --json
    """
    answer(
        lambda leadml, _: leadml.models.one(version),
        lambda found: say(json.dumps(found, indent=2, ensure_ascii=False)),
        as_json,
    )


@app.command("promote")
def promote(
    version: Version,
    reason: Annotated[str, typer.Option(help="Why; kept beside the version.")] = "",
    overrule: Annotated[
        str, typer.Option(help="Promote although the gate refuses, and why; kept too.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a version the champion; running servers pick it up by themselves.

    A version that failed the gate of its training is refused (exit code 3).

    \b
    Examples:
      leadml models promote 3 --reason "better on the March test"
      leadml models promote 4 --overrule "new market, the old champion does not know it"
    """
    answer(
        lambda leadml, _: leadml.models.promote(version, reason, overrule=overrule),
        _show_moved,
        as_json,
    )


@app.command("edit")
def edit(
    version: Version,
    file: Annotated[
        str, typer.Option(help="History with outcomes to test the result on: CSV, Parquet or URL.")
    ],
    reason: Annotated[str, typer.Option(help="Why; the model card keeps it.")],
    flatten: Annotated[
        list[str] | None, typer.Option(help="Columns that shall count for nothing: a,b.")
    ] = None,
    monotone: Annotated[
        list[str] | None,
        typer.Option(help="Numbers that shall only raise or lower the chance: a=up,b=down."),
    ] = None,
    cap: Annotated[
        list[str] | None, typer.Option(help="Bounds of an effect in log-odds: a=-0.5:0.5.")
    ] = None,
    outcomes: Annotated[
        str | None, typer.Option(help="Second table with outcomes and their dates.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who asks for it; the system's user if left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Change effects by hand; test the result and register it as a new version.

    The new version is held against the same gate as a training. Retraining keeps edits.

    \b
    Examples:
      leadml models edit 3 --flatten city --file leads.csv --reason "cities are guessed"
      leadml models edit champion --monotone visits=up --cap employees=-0.5:0.5 \\
        --file leads.csv --reason "agreed with sales"
    """
    edits = _edits(flatten or [], monotone or [], cap or [])
    answer(
        lambda leadml, steps: leadml.learning.edit(
            version,
            edits,
            file,
            reason=reason,
            by=by or _user(),
            outcomes=outcomes,
            progress=steps,
        ),
        show_training,
        as_json,
    )


def _edits(flatten: list[str], monotone: list[str], cap: list[str]) -> dict[str, str]:
    """Options as edits by column."""
    found: dict[str, list[str]] = {}
    for column in _parts(flatten):
        found.setdefault(column, []).append("flatten")
    for part in _parts(monotone):
        column, _, direction = part.rpartition("=")
        found.setdefault(_named(column, part), []).append(f"monotone {direction.strip()}")
    for part in _parts(cap):
        column, _, bounds = part.rpartition("=")
        low, _, high = bounds.partition(":")
        found.setdefault(_named(column, part), []).append(f"cap {low.strip()} {high.strip()}")
    return {column: ", ".join(words) for column, words in found.items()}


def _parts(options: list[str]) -> list[str]:
    return [part.strip() for option in options for part in option.split(",") if part.strip()]


def _named(column: str, part: str) -> str:
    if not column.strip():
        raise typer.BadParameter(f"'{part}' names no column: write COLUMN={part or 'up'}")
    return column.strip()


def _user() -> str:
    """The name the system knows the user by, if it knows one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@app.command("rollback")
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept beside the version.")] = "",
    as_json: AsJson = False,
) -> None:
    """Give the alias back to the champion before this one.

    \b
    Examples:
      leadml models rollback --reason "complaints from the east team"
    """
    answer(lambda leadml, _: leadml.models.rollback(reason), _show_moved, as_json)


def _show_moved(found: dict[str, Any]) -> None:
    before = f" (before: {found['previous']})" if found.get("previous") else ""
    say(f"Champion is now version {found['version']}{before}.")
