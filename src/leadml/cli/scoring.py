"""Commands that use a model: serve, score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, answer, failing_in_one_sentence, say

__all__ = ["score", "serve"]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve together.")
    ] = None,
) -> None:
    """Serve the champion over HTTP until told to stop.

    \b
    Examples:
      leadml serve
      leadml serve --port 9000 --workers 4
      curl -s localhost:8000/v1/score -d '{"lead_id": "1", "lead": {"country": "DE"}}'
    """
    with failing_in_one_sentence():
        from leadml.api.server import run
        from leadml.settings import Settings

        given = {"host": host, "port": port, "workers": workers}
        run(Settings(**{key: value for key, value in given.items() if value is not None}))


def score(
    file: Annotated[str, typer.Argument(help="Leads to score: CSV or Parquet.")],
    output: Annotated[Path, typer.Option(help="Where to write: .csv or .parquet (.gz too).")],
    model: Annotated[
        str | None, typer.Option(help="Version to score with; the champion if left out.")
    ] = None,
    reasons: Annotated[int, typer.Option(min=0, max=50, help="Reasons per lead.")] = 3,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score columns that the file lacks as missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a file of leads: the same answers as the API, to the same digits.

    \b
    Examples:
      leadml score new_leads.csv --output scored.csv
      leadml score new_leads.parquet --output scored.parquet --model 3 --reasons 5
    """

    def show(found: dict[str, Any]) -> None:
        say(f"Scored {found['n_leads']:,} leads with {found['model_version']}: {output}")

    answer(
        lambda leadml, steps: leadml.scoring.score_file(
            file,
            output,
            model=model,
            reasons=reasons,
            allow_missing=allow_missing,
            progress=steps,
        ),
        show,
        as_json,
    )
