"""Commands around a training: init, train, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadml.cli.console import answer, interval, say

__all__ = ["init", "report", "show_training", "train"]

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]


def init(
    file: Annotated[str, typer.Argument(help="History of leads: CSV, Parquet or database URL.")],
    output: Annotated[Path, typer.Option(help="Where to write the configuration.")] = Path(
        "leadml.toml"
    ),
    force: Annotated[bool, typer.Option(help="Overwrite a configuration that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Guess what the columns mean; write a commented leadml.toml to edit.

    \b
    Examples:
      leadml init leads.csv
      leadml init leads.parquet --output b2b.toml
    """

    def show(found: dict[str, Any]) -> None:
        say(f"Wrote {found.get('config', output)}.")
        for doubt in found.get("doubts", ()):
            say(f"  doubt: {doubt}")
        say(f"Read and correct it, then: leadml train {file} --config {output}")

    answer(lambda leadml, _: leadml.init(file, output=output, force=force), show, as_json)


def train(
    file: Annotated[str, typer.Argument(help="History of leads: CSV, Parquet or database URL.")],
    outcomes: Annotated[
        str | None, typer.Argument(help="Second table with outcomes and their dates.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column that says who converted.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Value of the target that means converted, such as yes.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Columns known only after the outcome: a,b (may be repeated)."),
    ] = None,
    created_at: Annotated[
        str | None, typer.Option(help="Column with the time a lead was created.")
    ] = None,
    outcome_at: Annotated[
        str | None, typer.Option(help="Column with the time of the outcome.")
    ] = None,
    horizon_days: Annotated[
        int | None, typer.Option(min=1, help="Days within which a conversion counts.")
    ] = None,
    order_by: Annotated[
        str | None,
        typer.Option(help="Column that orders leads in time, or 'rows' for the order of the file."),
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Separate file to test on, never learned from.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="leadml.toml; options given here go before it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same data, same seed, same model.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the registered model.")] = None,
    query: Annotated[
        str | None, typer.Option(help="Query to run where FILE is a database URL.")
    ] = None,
    capacity_per_week: Annotated[
        float | None, typer.Option(min=0, help="Leads that sales can work in a week.")
    ] = None,
    mql_precision: Annotated[
        float | None, typer.Option(min=0, max=1, help="Wanted share of MQLs that convert.")
    ] = None,
    sql_precision: Annotated[
        float | None, typer.Option(min=0, max=1, help="Wanted share of SQLs that convert.")
    ] = None,
    value: Annotated[
        float | None, typer.Option(min=0, help="What one conversion is worth.")
    ] = None,
    cost_mql: Annotated[
        float | None, typer.Option(min=0, help="What working one MQL costs, in the same money.")
    ] = None,
    cost_sql: Annotated[
        float | None, typer.Option(min=0, help="What working one SQL costs, in the same money.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn a scorecard from a history of leads; test, track and register it.

    \b
    Examples:
      leadml train leads.csv --target converted
      leadml train bank.csv --target y --positive yes --drop duration,campaign
      leadml train leads.csv outcomes.csv --created-at created --horizon-days 60
      leadml train leads.csv --target won --capacity-per-week 50 --json
    """
    options: dict[str, Any] = {
        "outcomes": outcomes,
        "target": target,
        "positive": positive,
        "drop": [column.strip() for part in drop or () for column in part.split(",")] or None,
        "created_at": created_at,
        "outcome_at": outcome_at,
        "horizon_days": horizon_days,
        "order_by": order_by,
        "test": test,
        "config": config,
        "seed": seed,
        "name": name,
        "query": query,
        "capacity_per_week": capacity_per_week,
        "mql_precision": mql_precision,
        "sql_precision": sql_precision,
        "value": value,
        "cost_mql": cost_mql,
        "cost_sql": cost_sql,
    }
    given = {option: chosen for option, chosen in options.items() if chosen is not None}
    answer(lambda leadml, steps: leadml.train(file, given, steps), show_training, as_json)


def show_training(found: dict[str, Any]) -> None:
    """Print what a training found, for people."""
    verdict = found["verdict"]
    say()
    say(verdict["sentence"] if isinstance(verdict, dict) else str(verdict))
    say()
    say(f"  leads           {found['n_leads']:,}, of which {found['n_conversions']:,} converted")
    shown = {
        "roc_auc": "ROC AUC",
        "log_loss": "log loss",
        "brier": "Brier score",
        "ece": "calibration err",
    }
    for key, label in shown.items():
        say(f"  {label:<15} {interval(found['metrics'][key])}")
    say(f"  measured on     {found['metrics']['roc_auc']['protocol']}")
    policy = found["policy"]
    say(f"  thresholds      MQL from {policy['mql']:.1%}, SQL from {policy['sql']:.1%}")
    say(f"                  {policy['reason']}")
    for check in found["checks"]:
        if check["status"] == "found":
            say(f"  {check['severity']:<15} {check['code']} {check['detail']}")
            if check.get("fix"):
                say(f"                  Fix: {check['fix']}")
    alias = f", alias {found['alias']}" if found.get("alias") else ""
    say(f"  registered      {found['model']} version {found['version']}{alias}")
    say(f"  bundle          {found['bundle']}")
    if found.get("report"):
        say(f"  report          {found['report']}")
    say(f"  took            {found['seconds']:.0f} s")
    say()
    say("Next: leadml serve   or   leadml score FILE --output scored.csv")


def report(
    version: Annotated[
        str | None, typer.Argument(help="Version to report on; the champion if left out.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Write the report of a version as one HTML file that works offline.

    \b
    Examples:
      leadml report
      leadml report 3 --output march.html
    """
    answer(
        lambda leadml, _: leadml.report(version, output),
        lambda found: say(f"Wrote {found.get('report', output)}."),
        as_json,
    )
