"""Commands on the policy: show, preview, set, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from leadml.cli.console import AsJson, answer, group, interval, lines_of, say

if TYPE_CHECKING:
    from leadml.cli.console import Steps
    from leadml.service import Leadml
    from leadml.service.policies import Policies

__all__ = ["app"]

app = group("See, try and change who is proposed to sales.")

FIGURES: Final = (
    *("capacity_per_week", "sql_capacity_per_week", "mql_precision", "sql_precision"),
    *("value", "cost_mql", "cost_sql", "leads_per_week"),
)
Capacity = Annotated[float | None, typer.Option(help="Leads that sales can work in a week.")]
SqlCapacity = Annotated[float | None, typer.Option(help="Leads that can be met in a week.")]
MqlPrecision = Annotated[float | None, typer.Option(help="Wanted share of MQLs that convert.")]
SqlPrecision = Annotated[float | None, typer.Option(help="Wanted share of SQLs that convert.")]
Value = Annotated[float | None, typer.Option(help="What one conversion is worth.")]
CostMql = Annotated[float | None, typer.Option(help="What working one MQL costs.")]
CostSql = Annotated[float | None, typer.Option(help="What working one SQL costs.")]
LeadsPerWeek = Annotated[
    float | None, typer.Option(help="Leads that come in; the last weeks tell if left out.")
]
Anew = Annotated[bool, typer.Option("--anew", help="Keep no figure of the plan in force.")]
Basis = Annotated[
    str | None,
    typer.Option(help="capacity, precision or value; by the figures given if left out."),
]


def _asked(context: typer.Context, policies: Policies) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan that a command line asks for, and which of its figures are kept.

    The figures given are taken from the context, where they stand under the names of the
    command's parameters. Without a basis they mean one; where that is the basis in force,
    figures that were left out are those of the plan in force, unless it is drawn anew.
    """
    options = context.params
    given = {name: options[name] for name in FIGURES if options[name] is not None}
    precise = given.keys() & {"mql_precision", "sql_precision"}
    worth = {"value", "cost_mql"} <= given.keys() and "capacity_per_week" not in given
    basis = options["basis"] or ("precision" if precise else "value" if worth else "capacity")
    now = policies.current()["plan"]
    kept = {}
    if not options["anew"] and now.get("basis", "capacity") == basis:
        # leads_per_week is left to the last weeks: nobody knows whether it was given or counted
        kept = {n: now[n] for n in now if n not in {*given, "basis", "leads_per_week"}}
    return {**kept, **given, "basis": basis}, kept


def _tell_kept(found: dict[str, Any]) -> None:
    if found["kept"]:
        said = ", ".join(f"{name} {figure:g}" for name, figure in found["kept"].items())
        say(f"Kept of the plan in force: {said} (--anew leaves that out).")


def _expected(setting: dict[str, Any]) -> None:
    for one in setting["expected"]:
        words = [
            f"{interval(one['volume_per_week'], 0)} leads a week",
            f"{interval(one['precision'], 0, percent=True)} convert",
        ]
        if "value_per_week" in one:
            words.append(f"worth {interval(one['value_per_week'], 0)} a week")
        say(f"  {one['stage'].upper()}  {', '.join(words)}")


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """Show the lines in force, the plan they were drawn by and what to expect.

    \b
    Examples:
      leadml policy show
      leadml policy show --json
    """

    def told(found: dict[str, Any]) -> None:
        who = f", {found['author']} on {found['at'][:10]}" if "author" in found else ""
        say(f"Version {found['policy_version']} for {found['model_version']}{who}.")
        if found.get("note"):
            say(f"  {found['note']}")
        say(f"{lines_of(found)}. {found['reason']}")
        say("Expected on the leads that the model was tested on:")
        _expected(found)
        if "problem" in found:
            say(f"  not applied: {found['problem']}")

    def work(leadml: Leadml, _: Steps) -> dict[str, Any]:
        with leadml.policies() as policies:
            return policies.current()

    answer(work, told, as_json)


@app.command("preview")
def preview(
    context: typer.Context,
    basis: Basis = None,
    capacity_per_week: Capacity = None,
    sql_capacity_per_week: SqlCapacity = None,
    mql_precision: MqlPrecision = None,
    sql_precision: SqlPrecision = None,
    value: Value = None,
    cost_mql: CostMql = None,
    cost_sql: CostSql = None,
    leads_per_week: LeadsPerWeek = None,
    anew: Anew = False,
    as_json: AsJson = False,
) -> None:
    """Say what another plan would have meant, beside the one in force. Nothing changes.

    Where the basis stays, figures that are left out are those of the plan in force.

    \b
    Examples:
      leadml policy preview --capacity-per-week 60
      leadml policy preview --value 4000 --cost-mql 90
    """

    def told(found: dict[str, Any]) -> None:
        say(f"Counted on {found['looked_at']['sentence']}")
        _tell_kept(found)
        for name in ("setting", "current"):
            say(f"{'This plan' if name == 'setting' else 'In force'}: {lines_of(found[name])}.")
            _expected(found[name])

    def work(leadml: Leadml, _: Steps) -> dict[str, Any]:
        with leadml.policies() as policies:
            plan, kept = _asked(context, policies)
            return {**policies.preview(plan), "kept": kept}

    answer(work, told, as_json)


@app.command("set")
def put(
    context: typer.Context,
    note: Annotated[str, typer.Option(help="Why; the history of the policy keeps it.")],
    by: Annotated[str, typer.Option(help="Who changes it.")] = "command line",
    basis: Basis = None,
    capacity_per_week: Capacity = None,
    sql_capacity_per_week: SqlCapacity = None,
    mql_precision: MqlPrecision = None,
    sql_precision: SqlPrecision = None,
    value: Value = None,
    cost_mql: CostMql = None,
    cost_sql: CostSql = None,
    leads_per_week: LeadsPerWeek = None,
    anew: Anew = False,
    as_json: AsJson = False,
) -> None:
    """Write a new version of the policy; servers on the same memory follow within a second.

    Where the basis stays, figures that are left out are those of the plan in force.

    \b
    Examples:
      leadml policy set --capacity-per-week 60 --note "Two more people." --by Anna
      leadml policy set --mql-precision 0.2 --capacity-per-week 80 --note "Fewer misses."
    """

    def told(found: dict[str, Any]) -> None:
        say(f"Version {found['policy_version']}: {lines_of(found)}. {found['reason']}")
        _tell_kept(found)
        _expected(found)

    def work(leadml: Leadml, _: Steps) -> dict[str, Any]:
        with leadml.policies() as policies:
            plan, kept = _asked(context, policies)
            return {**policies.put(plan, author=by, note=note), "kept": kept}

    answer(work, told, as_json)


@app.command("versions")
def versions(as_json: AsJson = False) -> None:
    """List who changed the policy, when and why, newest first.

    \b
    Example:
      leadml policy versions
    """

    def told(found: dict[str, Any]) -> None:
        for one in found["versions"]:
            say(f"{one['policy_version']:>4}  {one['at'][:16]}  {one['author']}: {one['note']}")
            say(f"      {lines_of(one)}")
        if not found["versions"]:
            say("The lines are those of the training; nobody changed them.")

    def work(leadml: Leadml, _: Steps) -> dict[str, Any]:
        with leadml.policies() as policies:
            return {"versions": policies.versions()}

    answer(work, told, as_json)
