"""Commands that come back with new data: check, recalibrate, retrain."""

from __future__ import annotations

from typing import Any

import typer

from leadml.cli.console import NEEDS_LOOK, AsJson, answer, say
from leadml.cli.learning import (
    Config,
    CreatedAt,
    Drop,
    File,
    HorizonDays,
    Name,
    OrderBy,
    OutcomeAt,
    Outcomes,
    Positive,
    Query,
    Seed,
    Silence,
    Target,
    asked,
    show_checks,
    show_training,
)

__all__ = ["check", "recalibrate", "retrain"]


def check(
    file: File,
    outcomes: Outcomes = None,
    target: Target = None,
    positive: Positive = None,
    drop: Drop = None,
    created_at: CreatedAt = None,
    outcome_at: OutcomeAt = None,
    horizon_days: HorizonDays = None,
    order_by: OrderBy = None,
    config: Config = None,
    query: Query = None,
    silence: Silence = None,
    as_json: AsJson = False,
) -> None:
    """Run the numbered checks on a history, without training.

    Exit code 0: nothing blocks; 3: a blocking check found something.

    \b
    Examples:
      leadml check leads.csv --target converted
      leadml check leads.csv --config leadml.toml --silence "LML003=the name is older than the lead"
    """
    options = asked(
        outcomes=outcomes,
        target=target,
        positive=positive,
        drop=drop,
        created_at=created_at,
        outcome_at=outcome_at,
        horizon_days=horizon_days,
        order_by=order_by,
        config=config,
        query=query,
        silence=silence,
    )

    def show(found: dict[str, Any]) -> None:
        checks = found["checks"]
        hits = sum(one["status"] == "found" for one in checks)
        say(f"{found['n_rows']:,} rows, {len(checks)} checks, {hits} found something.")
        show_checks(checks)
        say("Do not use it like this." if found["blocked"] else "Nothing blocks a training.")

    found = answer(lambda leadml, steps: leadml.learning.check(file, options, steps), show, as_json)
    if found["blocked"]:
        raise typer.Exit(NEEDS_LOOK)


def recalibrate(
    file: File,
    outcomes: Outcomes = None,
    config: Config = None,
    name: Name = None,
    query: Query = None,
    as_json: AsJson = False,
) -> None:
    """Move the champion's chances to the newest known outcomes; ranks stay.

    Only the intercept moves. The result is a new version, held against the gate.

    \b
    Examples:
      leadml recalibrate leads.csv
      leadml recalibrate leads.csv outcomes.csv --json
    """
    options = asked(outcomes=outcomes, config=config, name=name, query=query)
    answer(
        lambda leadml, steps: leadml.learning.recalibrate(file, options, steps),
        lambda found: show_training(found, "recalibrate again, or retrain"),
        as_json,
    )


def retrain(
    file: File,
    outcomes: Outcomes = None,
    config: Config = None,
    seed: Seed = None,
    name: Name = None,
    query: Query = None,
    as_json: AsJson = False,
) -> None:
    """Train on newer data as the champion was; promote what passes the gate.

    For schedulers: one line of summary. Exit code 0: promoted, or nothing new since the
    champion was trained; 3: the champion stays, and the line says why; 2: the data has to
    change; 1: something else failed.

    \b
    Examples:
      leadml retrain leads.csv
      leadml retrain leads.csv --config leadml.toml --json
    """
    options = asked(outcomes=outcomes, config=config, seed=seed, name=name, query=query)
    found = answer(
        lambda leadml, steps: leadml.learning.retrain(file, options, steps),
        lambda found: say(found["summary"]),
        as_json,
    )
    if not found["promoted"] and not found["nothing_new"]:
        raise typer.Exit(NEEDS_LOOK)
