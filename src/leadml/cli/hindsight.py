"""Commands that look back: monitor, replay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from leadml.cli.console import NEEDS_LOOK, AsJson, answer, interval, say
from leadml.leads.estimate import wilson

__all__ = ["monitor", "replay"]


DIFFERENT = 1


def monitor(
    weeks: Annotated[
        int, typer.Option(min=1, max=104, help="How many matured weeks to look back.")
    ] = 12,
    no_mlflow: Annotated[
        bool, typer.Option("--no-mlflow", help="Write no run of the served version to MLflow.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What was predicted of leads whose horizon has passed, and what happened.

    For schedulers: exit code 0: nothing needs a look; 3: something does, and the lines under
    "Look at" say what; 2: the settings have to change; 1: something else failed.

    \b
    Examples:
      leadml monitor
      leadml monitor --weeks 26 --json
    """
    found = answer(
        lambda leadml, steps: leadml.hindsight.monitor(weeks, track=not no_mlflow, progress=steps),
        _show,
        as_json,
    )
    if found["needs_look"]:
        raise typer.Exit(NEEDS_LOOK)


def _show(found: dict[str, Any]) -> None:
    say(found["verdict"]["sentence"])
    say()
    say(f"  served          {found['model_version']}, policy {found['policy_version']}")
    say(f"  leads           {found['n_leads']:,} matured, {found['n_conversions']:,} converted")
    names = {"roc_auc": "ROC AUC", "lift_top_decile": "lift, top tenth", "ece": "calibration err"}
    for name, label in names.items():
        if name in found["metrics"]:
            promised = found["promised"].get(name)
            before = f"   promised {interval(promised)}" if promised else ""
            say(f"  {label:<15} {interval(found['metrics'][name])}{before}")
    for part, key in (("week", "weeks"), ("stage", "stages"), ("model version", "versions")):
        if found[key]:
            _table(part, key, found)
    drift = found["drift"]
    judged = [drift["probability"]] if "probability" in drift else []
    judged += drift["inputs"]
    say()
    say("  drift of                        PSI    luck  of model   now")
    for one in judged[:12]:
        name = one["name"] if len(one["name"]) <= 28 else one["name"][:27] + "…"
        share = f"{one['importance']:.1%}" if "importance" in one else ""
        say(f"  {name:<28} {one['psi']:>6.3f}  {one['chance']:>6.3f}  {share:>8}   {one['word']}")
    say()
    say(f"  {found['capacity']['sentence']}")
    if "run_id" in found:
        say(f"  MLflow run      {found['run_id']}")
    if found["signals"]:
        say()
        say("Look at:")
        for signal in found["signals"]:
            say(f"  {signal['code']}: {signal['sentence']}")
    if "not_tracked" in found:
        say()
        say(f"Warning: no run was written to MLflow: {found['not_tracked']['detail']}")


def _table(part: str, key: str, found: dict[str, Any]) -> None:
    say()
    say(f"  {part:<14} {'leads':>7} {'won':>6}  predicted  happened (95 %)")
    name = part.replace(" ", "_")
    for one in _and_above(found[key]) if key == "stages" else found[key]:
        say(
            f"  {one[name]:<14} {one['n']:>7,} {one['n_conversions']:>6,}  "
            f"{one['predicted']:>8.1%}   {one['observed']:.1%}"
            f" ({one['low']:.1%} to {one['high']:.1%})  {one['word']}"
        )


def _and_above(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stages, and behind MQL what lies at or above its line, as the pages tell it."""
    above = [one for one in stages if one["stage"] in ("sql", "mql")]
    if len(above) < 2:
        return stages
    n, won = (sum(one[key] for one in above) for key in ("n", "n_conversions"))
    low, high = wilson(won, n)
    both = {
        "stage": "mql and above",
        "n": n,
        "n_conversions": won,
        "predicted": sum(one["predicted"] * one["n"] for one in above) / n,
        "observed": won / n,
        "low": low,
        "high": high,
        "word": "",
    }
    return [*above, both, *(one for one in stages if one not in above)]


def replay(
    decision_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of decisions, as answers give them.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many at random; 100 if nothing is said.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="All made from this day (or moment, UTC) on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute past decisions again from their records and bundles, bit for bit.

    Exit code 0: every bit is the same; 1: a decision differs, or its bundle is gone.

    \b
    Examples:
      leadml replay dec_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
      leadml replay --sample 1000
      leadml replay --since 2026-11-01 --json
    """
    ids = decision_ids or []
    if not ids and sample is None and since is None:
        sample = 100
    begin = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since

    def show(found: dict[str, Any]) -> None:
        say(found["sentence"])
        for one in found["different"]:
            said = one.get("problem") or ", ".join(one.get("differences", {}))
            say(f"  {one['decision_id']} ({one['model_version']}): {said}")

    found = answer(
        lambda leadml, steps: leadml.hindsight.replay(
            ids, sample=sample, since=begin, progress=steps
        ),
        show,
        as_json,
    )
    if not found["same"]:
        raise typer.Exit(DIFFERENT)
