"""The whole walk on simulated leads, told as it happens."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadml.cli.console import Steps, failing_in_one_sentence, interval, lines_of, say
from leadml.errors import NoModel

if TYPE_CHECKING:
    from leadml.settings import Settings

__all__ = ["walk"]

READY_WITHIN_S = 30.0
ANSWER_WITHIN_S = 10.0
ASKED_LEADS = 200
CAPACITY = 40
"""Leads that the simulated sales team can work in a week."""

LIVED = 0.4
"""Leads of the seven months that are lived through, for each lead of the history."""

NOT_SENT = ("lead_id", "email", "phone", "converted", "converted_at")


def walk(folder: Path, n_leads: int, seed: int, *, stay: bool = False) -> None:
    """Simulate, train, register, serve, score, report; then stop the server.

    Parameters
    ----------
    folder
        Everything is written below it; what an earlier walk left there is built upon.
    n_leads
        Leads in the simulated history.
    seed
        Of the simulation and the training.
    stay
        Go on serving the pages until Ctrl-C; at once where an earlier walk has ended.
    """
    with failing_in_one_sentence():
        from leadml.service import Leadml
        from leadml.service.seeding import seed_memory
        from leadml.settings import Settings

        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            models_dir=str(folder / "models"),
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            database_url=f"sqlite:///{folder / 'leadml.db'}",
            jobs_dir=str(folder / "jobs"),
        )
        leadml = Leadml(settings)
        if stay and (folder / "leadml.db").exists() and (folder / "models").exists():
            _stay(settings)
            return
        say(f"leadml demo: everything it writes stays in {folder}/")
        say()
        with Steps() as steps, contextlib.redirect_stdout(sys.stderr):
            steps(f"1/5 simulate a CRM with {n_leads:,} leads")
            leadml.data.simulate(n_leads, folder / "history", seed)
            history = folder / "history" / "leads.csv"

            def training(step: str, done: float = 0.0, total: float = 0.0) -> None:
                steps(f"2/5 train: {step}", done, total)

            found = leadml.learning.train(
                str(history),
                {
                    "target": "converted",
                    "created_at": "created_at",
                    "outcome_at": "converted_at",
                    "horizon_days": 90,
                    "capacity_per_week": CAPACITY,
                    "seed": seed,
                },
                training,
            )
            if found["alias"] != "champion":
                leadml.models.promote(
                    str(found["version"]), overrule="the demo shows its newest training"
                )
            steps("3/5 write the report")
            leadml.models.report(str(found["version"]), folder / "report.html")
            steps("4/5 live through seven months of business")
            lived = seed_memory(settings, max(1, round(LIVED * n_leads)), seed + 1)
            steps("5/5 serve and ask over HTTP")
            open_leads = _open_leads(history)
            with _server(settings) as address:
                started = time.perf_counter()
                ranked = _post(f"{address}/v1/scores", {"leads": open_leads})["results"]
                seconds = time.perf_counter() - started
                asked = [
                    _post(f"{address}/v1/score?reasons=3", lead)
                    for lead in _three(ranked, open_leads)
                ]
        _tell_training(found)
        _tell_answers(asked, _truth(folder / "history" / "truth"))
        say(
            f"{len(ranked)} open leads were scored in one request in {seconds * 1000:.0f} ms, "
            "and the server has stopped again."
        )
        say()
        _tell_next(folder, settings, lived, len(ranked))
        if stay:
            _stay(settings)


def _open_leads(history: Path) -> list[dict[str, Any]]:
    """The newest leads whose outcome nobody knows yet, as a CRM would send them."""
    with history.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if not row["converted"]]
    rows.sort(key=lambda row: row["created_at"], reverse=True)
    return [
        {
            "lead_id": row["lead_id"],
            "lead": {key: cell for key, cell in row.items() if cell and key not in NOT_SENT},
            "contact_consent": row["contact_consent"] == "true",
        }
        for row in rows[:ASKED_LEADS]
    ]


def _three(ranked: list[dict[str, Any]], sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The requests of a strong, a middling and a weak lead."""
    order = sorted(
        (index for index, result in enumerate(ranked) if "error" not in result),
        key=lambda index: -ranked[index]["probability"],
    )
    return [sent[order[place]] for place in (0, len(order) // 4, len(order) - 1)]


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[str]:
    """A real server in a process of its own, ready to answer; stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "LEADML_MODELS_DIR": settings.models_dir,
        "LEADML_TRACKING_URI": settings.tracking_uri,
        "LEADML_DATABASE_URL": settings.database_url,
        "LEADML_JOBS_DIR": settings.jobs_dir,
        "LEADML_LOG_LEVEL": "error",
        "LEADML_DRAIN_S": "0",
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
        [sys.executable, "-m", "leadml", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_ready(process, address)
        yield address
    finally:
        process.terminate()
        try:
            process.communicate(timeout=ANSWER_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_ready(process: subprocess.Popen[str], address: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (process.communicate()[1] or "nothing").strip().splitlines()[-1:]
            raise NoModel(f"the server stopped at once and said: {' '.join(said)}")
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=1):  # noqa: S310
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)
    raise NoModel(
        f"the server was not ready within {READY_WITHIN_S:.0f} s",
        fix="look at what leadml serve says",
    )


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - always http://127.0.0.1
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as response:  # noqa: S310
        found: dict[str, Any] = json.load(response)
    return found


def _truth(folder: Path) -> dict[str, float]:
    """Lead ids with the chances that the simulation drew outcomes from."""
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as lines:
        return {row["lead_id"]: float(row["true_probability"]) for row in csv.DictReader(lines)}


def _stay(settings: Settings) -> None:
    """Serve the pages until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server is stopped on the way out
    with _server(settings) as address, contextlib.suppress(KeyboardInterrupt):
        say()
        say(f"The pages:  {address}/  (Ctrl-C stops the server)")
        while True:
            time.sleep(3600)


def _tell_next(folder: Path, settings: Settings, lived: dict[str, int], n_asked: int) -> None:
    command = "leadml"
    if not shutil.which(command):
        command = os.path.relpath(Path(sys.executable).with_name(command))
    where = "" if folder == Path("demo") else f" --folder {folder}"
    if lived["decisions"]:
        say(
            f"The memory holds {lived['decisions']:,} scores of {lived['leads']:,} leads and "
            f"{lived['outcomes']:,} reports of sales from seven simulated months, for the pages, "
            f"and the {n_asked:,} open leads scored just now."
        )
        say(
            "The overview judges the model by what became of those leads, the verdict above by "
            "the training's test: the two may differ, and the page says both."
        )
        say()
    say("What to try next")
    say(f"  the pages in a browser:    {command} demo --serve{where}")
    say(f"  the report in a browser:   {folder / 'report.html'}")
    say(f"  your own leads:            {command} train leads.csv --target COLUMN")


def _tell_training(found: dict[str, Any]) -> None:
    policy = found["policy"]
    say()
    say(found["verdict"]["sentence"])
    say(
        f"Learned from {found['n_leads']:,} leads, {found['n_conversions']:,} of them converted. "
        f"ROC AUC {interval(found['metrics']['roc_auc'])}, "
        f"calibration error {interval(found['metrics']['ece'])}, "
        f"measured on {found['metrics']['roc_auc']['protocol']}."
    )
    say()
    say(f"Thresholds: {lines_of(policy)}.")
    say(f"  Why: {policy['reason']}")
    say()


def _tell_answers(asked: list[dict[str, Any]], truth: dict[str, float]) -> None:
    for answered in asked:
        say(
            f"Lead {answered['lead_id']}: a chance of {_of_100(answered['probability'])}, "
            f"score {answered['score']}, grade {answered['grade']}, "
            f"proposed stage {answered['proposed_stage']}."
        )
        for reason in answered["reasons"]:
            say(f"  {'+' if reason['log_odds'] >= 0 else '-'} {reason['text']}")
        if (chance := truth.get(answered["lead_id"])) is not None:
            say(f"  (the simulation knows the true chance: {_of_100(chance)})")
        say()


def _of_100(chance: float) -> str:
    """A chance as people say it.

    >>> _of_100(0.314), _of_100(0.004), _of_100(0.9999)
    ('31 in 100', 'less than 1 in 100', 'more than 99 in 100')
    """
    if chance < 0.005:
        return "less than 1 in 100"
    return "more than 99 in 100" if chance > 0.995 else f"{100 * chance:.0f} in 100"
