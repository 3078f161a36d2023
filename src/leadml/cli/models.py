"""Commands on registered versions: list, show, promote, rollback."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from leadml.cli.console import answer, say
from leadml.errors import VersionUnknown

__all__ = ["app"]

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Version = Annotated[str, typer.Argument(help="Version number, such as 3, or an alias.")]

app = typer.Typer(
    help="List, show, promote and roll back registered versions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the registered versions, newest first.

    \b
    Examples:
      leadml models list
      leadml models list --json
    """
    answer(lambda leadml, _: {"versions": leadml.models()}, _show_list, as_json)


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
def show(version: Version, as_json: Json = False) -> None:
    """Show all that is known of one version.

    \b
    Examples:
      leadml models show 3
      leadml models show champion --json
    """

    def find(leadml: Any, _: Any) -> dict[str, Any]:
        versions = leadml.models()
        for row in versions:
            if str(row["version"]) == version or version in row.get("aliases", ()):
                return dict(row)
        known = ", ".join(str(row["version"]) for row in versions) or "none"
        raise VersionUnknown(f"there is no version '{version}'", fix=f"registered are: {known}")

    answer(find, lambda found: say(json.dumps(found, indent=2, ensure_ascii=False)), as_json)


@app.command("promote")
def promote(
    version: Version,
    reason: Annotated[str, typer.Option(help="Why; kept beside the version.")] = "",
    overrule: Annotated[
        str, typer.Option(help="Promote although the gate refuses, and why; kept too.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a version the champion; running servers pick it up by themselves.

    A version that failed the gate of its training is refused (exit code 3).

    \b
    Examples:
      leadml models promote 3 --reason "better on the March test"
      leadml models promote 4 --overrule "new market, the old champion does not know it"
    """
    answer(
        lambda leadml, _: leadml.promote(version, reason, overrule=overrule), _show_moved, as_json
    )


@app.command("rollback")
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept beside the version.")] = "",
    as_json: Json = False,
) -> None:
    """Give the alias back to the champion before this one.

    \b
    Examples:
      leadml models rollback --reason "complaints from the east team"
    """
    answer(lambda leadml, _: leadml.rollback(reason), _show_moved, as_json)


def _show_moved(found: dict[str, Any]) -> None:
    before = f" (before: {found['previous']})" if found.get("previous") else ""
    say(f"Champion is now version {found['version']}{before}.")
