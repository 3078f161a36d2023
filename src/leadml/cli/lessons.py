"""Commands on what the memory teaches: import, outcomes export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, answer, group, say

__all__ = ["app", "bring"]


app = group("Take what became of leads out of the memory.")


@app.command("export")
def export(
    output: Annotated[Path, typer.Option(help="Table to write: .csv, .csv.gz or .parquet.")] = Path(
        "next.csv"
    ),
    config: Annotated[
        Path | None, typer.Option(help="Configuration to write; beside the table if left out.")
    ] = None,
    horizon_days: Annotated[
        int | None,
        typer.Option(min=1, help="Days within which a conversion counts; the champion's."),
    ] = None,
    as_of: Annotated[
        datetime | None, typer.Option(help="The present of the table (UTC); now if left out.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="What counts: accepted, opportunity, won; the champion's.")
    ] = None,
    every_decision: Annotated[
        bool, typer.Option("--every-decision", help="A row for each decision of a lead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the next training table: inputs as of each decision, labels within the horizon.

    Leads whose horizon has not passed are unknown, never negative.

    \b
    Examples:
      leadml outcomes export --output next.csv
      leadml outcomes export --output next.parquet --horizon-days 60
    """

    def show(found: dict[str, Any]) -> None:
        say(
            f"Wrote {found['n_rows']:,} rows to {found['output']}: {found['n_conversions']:,} "
            f"converted within {found['horizon_days']} days, {found['n_immature']:,} unknown yet."
        )
        for reason, n in found["n_left_out"].items():
            say(f"  left out: {n:,} ({reason})")
        for name in found["clashes"]:
            say(f"  left out: the field {name}, whose name the table needs")
        if found["n_rows"]:
            say(f"Next: leadml train {found['output']} --config {found['config']}")
        else:
            say("Nothing is remembered yet. Next: leadml serve, or leadml import FILE")

    moment = None if as_of is None else as_of.replace(tzinfo=as_of.tzinfo or UTC)
    answer(
        lambda leadml, steps: leadml.lessons.export_outcomes(
            output,
            config=config,
            horizon_days=horizon_days,
            as_of=moment,
            outcome=outcome,
            every_decision=every_decision,
            progress=steps,
        ),
        show,
        as_json,
    )


def bring(
    leads: Annotated[str, typer.Argument(help="Leads: CSV, Parquet or database URL.")],
    outcomes: Annotated[str | None, typer.Argument(help="What became of them, with dates.")] = None,
    key: Annotated[str | None, typer.Option("--id", help="Column that names the lead.")] = None,
    created_at: Annotated[
        str | None, typer.Option(help="Column with the time a lead was created.")
    ] = None,
    outcome_at: Annotated[
        str | None, typer.Option(help="Column with the time of the outcome.")
    ] = None,
    consent: Annotated[
        str, typer.Option(help="Column that says whether a lead may be contacted.")
    ] = "",
    config: Annotated[
        Path | None, typer.Option(help="leadml.toml naming the columns; the champion's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a history into the memory: leads as known at their creation, and outcomes.

    The champion scores them. Nobody is told, no model is judged by them, and a repeat
    changes nothing. Columns dropped in training stay out.

    \b
    Examples:
      leadml import leads.csv outcomes.csv
      leadml import bank.csv --id client --created-at first_contact --outcome-at signed_at
    """

    def show(found: dict[str, Any]) -> None:
        for kind in ("leads", "outcomes"):
            counts = found[kind]
            say(
                f"{counts['accepted']:,} {kind} brought in, {counts['duplicates']:,} were there, "
                f"{counts['refused']:,} refused."
            )
        for error in found["errors"]:
            say(f"  {error['kind']} {error.get('lead_id', '')}: {error['code']}: {error['detail']}")

    answer(
        lambda leadml, steps: leadml.lessons.import_history(
            leads,
            outcomes,
            key=key,
            created_at=created_at,
            outcome_at=outcome_at,
            consent=consent,
            config=config,
            progress=steps,
        ),
        show,
        as_json,
    )
