"""Commands on the policy: show, preview, set, versions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadml.cli.console import answer, interval, lines_of, say

__all__ = ["app"]

app = typer.Typer(
    help="See, try and change who is proposed to sales.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
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


def _plan(**figures: Any) -> dict[str, Any]:
    """The figures given, with the basis that they mean."""
    given = {name: figure for name, figure in figures.items() if figure is not None}
    if "basis" not in given:
        precise = given.keys() & {"mql_precision", "sql_precision"}
        worth = "value" in given and "cost_mql" in given and "capacity_per_week" not in given
        given["basis"] = "precision" if precise else "value" if worth else "capacity"
    return given


def _kept(plan: dict[str, Any], policies: Any) -> dict[str, Any]:
    """Figures of the plan in force that stand where the basis stays and none was given."""
    now = policies.current()["plan"]
    if now.get("basis", "capacity") != plan["basis"]:
        return {}
    # leads_per_week is left to the last weeks: nobody knows whether it was given or counted
    return {name: now[name] for name in now if name not in {*plan, "leads_per_week"}}


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
def show(as_json: Json = False) -> None:
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

    def work(leadml: Any, _: Any) -> dict[str, Any]:
        with leadml.policies() as policies:
            found: dict[str, Any] = policies.current()
            return found

    answer(work, told, as_json)


@app.command("preview")
def preview(
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
    as_json: Json = False,
) -> None:
    """Say what another plan would have meant, beside the one in force. Nothing changes.

    Where the basis stays, figures that are left out are those of the plan in force.

    \b
    Examples:
      leadml policy preview --capacity-per-week 60
      leadml policy preview --value 4000 --cost-mql 90
    """
    plan = _plan(
        basis=basis,
        capacity_per_week=capacity_per_week,
        sql_capacity_per_week=sql_capacity_per_week,
        mql_precision=mql_precision,
        sql_precision=sql_precision,
        value=value,
        cost_mql=cost_mql,
        cost_sql=cost_sql,
        leads_per_week=leads_per_week,
    )

    def told(found: dict[str, Any]) -> None:
        say(f"Counted on {found['looked_at']['sentence']}")
        _tell_kept(found)
        for name in ("setting", "current"):
            say(f"{'This plan' if name == 'setting' else 'In force'}: {lines_of(found[name])}.")
            _expected(found[name])

    def work(leadml: Any, _: Any) -> dict[str, Any]:
        with leadml.policies() as policies:
            kept = {} if anew else _kept(plan, policies)
            return {**policies.preview({**kept, **plan}), "kept": kept}

    answer(work, told, as_json)


@app.command("set")
def put(
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
    as_json: Json = False,
) -> None:
    """Write a new version of the policy; servers on the same memory follow within a second.

    Where the basis stays, figures that are left out are those of the plan in force.

    \b
    Examples:
      leadml policy set --capacity-per-week 60 --note "Two more people." --by Anna
      leadml policy set --mql-precision 0.2 --capacity-per-week 80 --note "Fewer misses."
    """
    plan = _plan(
        basis=basis,
        capacity_per_week=capacity_per_week,
        sql_capacity_per_week=sql_capacity_per_week,
        mql_precision=mql_precision,
        sql_precision=sql_precision,
        value=value,
        cost_mql=cost_mql,
        cost_sql=cost_sql,
        leads_per_week=leads_per_week,
    )

    def told(found: dict[str, Any]) -> None:
        say(f"Version {found['policy_version']}: {lines_of(found)}. {found['reason']}")
        _tell_kept(found)
        _expected(found)

    def work(leadml: Any, _: Any) -> dict[str, Any]:
        with leadml.policies() as policies:
            kept = {} if anew else _kept(plan, policies)
            return {**policies.put({**kept, **plan}, author=by, note=note), "kept": kept}

    answer(work, told, as_json)


@app.command("versions")
def versions(as_json: Json = False) -> None:
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

    def work(leadml: Any, _: Any) -> dict[str, Any]:
        with leadml.policies() as policies:
            return {"versions": policies.versions()}

    answer(work, told, as_json)
