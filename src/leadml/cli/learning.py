"""Commands around a training: init, train, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from leadml.cli.console import AsJson, answer, interval, lines_of, say, warn

__all__ = ["asked", "init", "report", "show_checks", "show_training", "train"]

File = Annotated[str, typer.Argument(help="History of leads: CSV, Parquet or database URL.")]
Outcomes = Annotated[str | None, typer.Argument(help="Second table with outcomes and their dates.")]
Target = Annotated[str | None, typer.Option(help="Column that says who converted.")]
Positive = Annotated[
    str | None, typer.Option(help="Value of the target that means converted, such as yes.")
]
Drop = Annotated[
    list[str] | None,
    typer.Option(help="Columns known only after the outcome: a,b (may be repeated)."),
]
CreatedAt = Annotated[str | None, typer.Option(help="Column with the time a lead was created.")]
OutcomeAt = Annotated[str | None, typer.Option(help="Column with the time of the outcome.")]
HorizonDays = Annotated[
    int | None, typer.Option(min=1, help="Days within which a conversion counts.")
]
OrderBy = Annotated[
    str | None,
    typer.Option(help="Column that orders leads in time, or 'rows' for the order of the file."),
]
Config = Annotated[Path | None, typer.Option(help="leadml.toml; options given here go before it.")]
Query = Annotated[str | None, typer.Option(help="Query to run where FILE is a database URL.")]
Silence = Annotated[
    list[str] | None,
    typer.Option(help="Overrule a check: 'LML001=why' (may be repeated); the report shows it."),
]
Name = Annotated[str | None, typer.Option(help="Name of the registered model.")]
Seed = Annotated[int | None, typer.Option(help="Same data, same seed, same model.")]


def init(
    file: File,
    output: Annotated[Path, typer.Option(help="Where to write the configuration.")] = Path(
        "leadml.toml"
    ),
    force: Annotated[bool, typer.Option(help="Overwrite a configuration that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Guess what the columns mean; write a commented leadml.toml to edit.

    \b
    Examples:
      leadml init leads.csv
      leadml init leads.parquet --output b2b.toml
    """

    def show(found: dict[str, Any]) -> None:
        say(f"Wrote {found['config']}.")
        for doubt in found["doubts"]:
            say(f"  doubt: {doubt}")
        say(f"Read and correct it, then: leadml train {file} --config {output}")

    answer(lambda leadml, _: leadml.learning.init(file, output=output, force=force), show, as_json)


def train(
    file: File,
    outcomes: Outcomes = None,
    target: Target = None,
    positive: Positive = None,
    drop: Drop = None,
    created_at: CreatedAt = None,
    outcome_at: OutcomeAt = None,
    horizon_days: HorizonDays = None,
    order_by: OrderBy = None,
    test: Annotated[
        str | None, typer.Option(help="Separate file to test on, never learned from.")
    ] = None,
    config: Config = None,
    seed: Seed = None,
    name: Name = None,
    query: Query = None,
    silence: Silence = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="Which outcome of the second table counts: accepted, opportunity, won."),
    ] = None,
    among: Annotated[
        list[str] | None,
        typer.Option(help="Learn only from leads that had one of these outcomes: a,b."),
    ] = None,
    search_seconds: Annotated[
        int | None,
        typer.Option(min=1, help="Search that long for better parameters of the trees."),
    ] = None,
    recency: Annotated[
        str | None,
        typer.Option(help="Learn from all leads, the newest part, or auto: tries both."),
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
    as_json: AsJson = False,
) -> None:
    """Learn a scorecard from a history of leads; test, track and register it.

    Exit code 0 says that a version was registered, also where its verdict is "Do not use":
    read "verdict" and "alias" in --json, or run leadml check before, which ends with 3.

    \b
    Examples:
      leadml train leads.csv --target converted
      leadml train bank.csv --target y --positive yes --drop duration,campaign
      leadml train leads.csv outcomes.csv --created-at created --horizon-days 60
      leadml train leads.csv outcomes.csv --outcome accepted --among accepted,rejected
      leadml train leads.csv --target won --search-seconds 120
      leadml train leads.csv --target won --capacity-per-week 50 --json
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
        test=test,
        config=config,
        seed=seed,
        name=name,
        query=query,
        silence=silence,
        outcome=outcome,
        among=among,
        search_seconds=search_seconds,
        recency=recency,
        capacity_per_week=capacity_per_week,
        mql_precision=mql_precision,
        sql_precision=sql_precision,
        value=value,
        cost_mql=cost_mql,
        cost_sql=cost_sql,
    )
    answer(
        lambda leadml, steps: leadml.learning.train(file, options, steps), show_training, as_json
    )


def asked(**options: Any) -> dict[str, Any]:
    """Options as the service takes them: only those given, names split, reasons by code.

    Raises
    ------
    typer.BadParameter
        An overruled check comes without its reason.
    """
    given = {option: chosen for option, chosen in options.items() if chosen not in (None, [])}
    for key in ("drop", "among"):
        if key in given:
            given[key] = [name.strip() for part in given[key] for name in part.split(",")]
    if "silence" in given:
        pairs = [part.partition("=") for part in given["silence"]]
        if not all(code.strip() and reason.strip() for code, _, reason in pairs):
            raise typer.BadParameter("say why: --silence 'LML001=known when the lead is created'")
        given["silence"] = {code.strip(): reason.strip() for code, _, reason in pairs}
    return given


def show_checks(checks: list[dict[str, Any]]) -> None:
    """Print what the numbered checks found, for people."""
    for check in checks:
        if check["status"] in ("found", "silenced"):
            word = check["severity"] if check["status"] == "found" else "silenced"
            say(f"  {word:<15} {check['code']} {check['title']}: {check['detail']}")
            if check.get("fix"):
                say(f"                  Fix: {check['fix']}")


def show_training(found: dict[str, Any], again: str = "train again") -> None:
    """Print what a training found, for people, and what to do where it failed."""
    from leadml.settings import Settings

    say()
    say(found["verdict"]["sentence"])
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
    say(f"  thresholds      {lines_of(policy)}")
    say(f"                  {policy['reason']}")
    show_checks(found["checks"])
    say(f"  registered      {found['model']} version {found['version']}, alias {found['alias']}")
    say(f"  bundle          {found['bundle']}")
    gate, serves = found["gate"], found["alias"] == "champion"
    sentence = gate["sentence"]
    if serves and not gate["passed"]:
        reasons = sentence.removeprefix("Not promoted: ")
        sentence = f"Failed, but the first version serves all the same: {reasons}"
    say(f"  gate            {sentence}")
    say(f"  took            {found['seconds']:.0f} s")
    say()
    if found["model"] != Settings().model_name:
        say(f"Other commands find it after: export LEADML_MODEL_NAME={found['model']}")
    if serves:
        say("Next: leadml report, leadml serve, leadml score FILE --output scored.csv")
    elif gate["passed"]:
        say(f"Next: leadml report {found['version']}, leadml models promote {found['version']}")
    else:
        say(f"Next: leadml report {found['version']}; mend what failed, then {again}")


def report(
    version: Annotated[
        str | None, typer.Argument(help="Version to report on; the champion if left out.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; report.html (or .md, .png) by itself.")
    ] = None,
    form: Annotated[
        Literal["html", "md", "png"] | None,
        typer.Option(
            "--format",
            help="html: the whole report; md: the model card for pull requests; png: a slide. "
            "By the ending of --output if left out.",
        ),
    ] = None,
    look: Annotated[bool, typer.Option("--open", help="Open it once it is written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report of a version as one file that works offline.

    \b
    Examples:
      leadml report --open
      leadml report 3 --output march.html
      leadml report --format md
      leadml report --output slide.png
    """
    target = output or Path(f"report.{form or 'html'}")
    found = answer(
        lambda leadml, _: leadml.models.report(version, target, form),
        lambda found: say(f"Wrote {found['report']}."),
        as_json,
    )
    if look:
        _look_at(Path(found["report"]))


def _look_at(file: Path) -> None:
    """Open a file as the system does; where nothing can, its address is told."""
    import webbrowser

    address = file.resolve().as_uri()
    if not webbrowser.open(address):
        warn(f"Nothing here opens it; it lies at {address}")
