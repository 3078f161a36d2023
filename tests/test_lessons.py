"""leadml.service.lessons: what is fed over HTTP comes back as the table the files make."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from leadml.api.app import create_app
from leadml.cli.app import app
from leadml.datasets.join import join_outcomes
from leadml.datasets.read import read_table
from leadml.datasets.simulate import END, simulate, write_history
from leadml.errors import ColumnMissing
from leadml.leads import text_of
from leadml.leads.values import BAD, number_of
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.service import Leadml
from leadml.service.importing import arrivals_of, reports_of
from leadml.service.models import served_of
from leadml.settings import Settings
from leadml.store import Store
from leadml.training.config import TrainConfig, load_config
from leadml.training.labels import Labels, label
from tests import hand_made

LEAKS = ("last_activity", "call_duration_s", "lead_quality")
HORIZON = 90


class World:
    """One folder with files, models, MLflow and memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            models_dir=str(folder / "models"),
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            database_url=f"sqlite:///{folder / 'leadml.db'}",
            max_jobs=0,
        )
        self.leadml = Leadml(self.settings)

    def serve_hand_made(self) -> None:
        """Make the hand-made model the champion, without MLflow."""
        models = self.folder / "models"
        digest = hand_made.bundle(models / "leads" / "1")
        write_pointer(models, "leads", Named("1", digest))
        self.settings = self.settings.model_copy(update={"tracking_uri": ""})
        self.leadml = Leadml(self.settings)

    def config(self, as_of: datetime) -> TrainConfig:
        """What the files are trained with."""
        return TrainConfig(
            target="converted", positive="1", id="lead_id", created_at="created_at",
            outcome_at="converted_at", horizon_days=HORIZON, drop=LEAKS, as_of=as_of.isoformat(),
        )  # fmt: skip

    def feed(
        self,
        leads: pd.DataFrame,
        outcomes: pd.DataFrame,
        drop: set[str],
        key: str = "lead_id",
        created_at: str = "created_at",
        outcome_at: str = "occurred_at",
    ) -> dict[str, int]:
        """Send leads and outcomes of the past over HTTP, a thousand at a time."""
        arrivals = list(
            arrivals_of(leads, key=key, created_at=created_at, consent="", left_out=drop)
        )
        reports = list(reports_of(outcomes, key=key, outcome_at=outcome_at))
        counts: dict[str, int] = {}
        with TestClient(create_app(self.settings)) as client:
            for name, items in (
                ("leads", [_sent(a) for a in arrivals]),
                ("outcomes", [_told(r) for r in reports]),
            ):
                for start in range(0, len(items), 1000):
                    found = client.post("/v1/history", json={name: items[start : start + 1000]})
                    assert found.status_code == 200, found.text
                    for word, n in found.json()[name].items():
                        counts[f"{name} {word}"] = counts.get(f"{name} {word}", 0) + n
        return counts

    def run(self, *words: str) -> dict[str, Any]:
        """The answer of a command that must succeed."""
        found = CliRunner().invoke(
            app, [*words, "--json"], env=self.settings.environment(), catch_exceptions=False
        )
        assert found.exit_code == 0, found.stderr
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer


def _sent(arrival: Any) -> dict[str, Any]:
    as_of = arrival.as_of.isoformat()
    return {"lead_id": arrival.lead_id, "lead": arrival.lead, "as_of": as_of}


def _told(report: Any) -> dict[str, Any]:
    at = report.occurred_at.isoformat()
    return {"lead_id": report.lead_id, "outcome": str(report.outcome), "occurred_at": at}


def rows_of(frame: pd.DataFrame, labels: Labels, names: list[str]) -> dict[str, tuple[Any, ...]]:
    """By lead: label, and every input as any surface would read it."""
    columns = [[_read(value) for value in frame[name]] for name in names]
    ids = [str(text_of(value)) for value in frame["lead_id"]]
    marks = ["unknown" if np.isnan(y) else str(int(y)) for y in labels.converted]
    return {key: row for key, *row in zip(ids, marks, *columns, strict=True)}


def _read(value: Any) -> Any:
    number = number_of(value)
    return text_of(value) if number is BAD else number


def compare(
    world: World,
    frame: pd.DataFrame,
    config: TrainConfig,
    as_of: datetime,
    left_out: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Export, read as `leadml train` would, and hold against the files row by row.

    ``left_out`` are leads that the memory leaves out and the files do not.
    """
    told = world.run(
        "outcomes", "export", "--output", str(world.folder / "next.csv"),
        "--as-of", f"{as_of:%Y-%m-%d %H:%M:%S}", "--horizon-days", str(config.horizon_days),
    )  # fmt: skip
    made = load_config(world.folder / "next.toml")
    again = read_table(str(world.folder / "next.csv"), text=made.as_text)
    ours, theirs = label(again, made), label(frame, config)
    special = {config.target, config.outcome_at, config.id, *config.dropped}
    names = [str(name) for name in frame.columns if str(name) not in special]
    assert {"scored_at", "lead_id", "converted", "converted_at", *names} >= set(again.columns)
    found, expected = rows_of(again, ours, names), rows_of(frame, theirs, names)
    differing = [key for key in expected if found.get(key) != expected[key]]
    assert set(differing) == left_out
    assert found.keys() == expected.keys() - left_out
    counts = pd.Series([row[0] for row in expected.values()]).value_counts().to_dict()
    assert told["n_immature"] == ours.n_immature == theirs.n_immature
    return {"rows": len(found), **counts, "immature": told["n_immature"]}


def fed(world: World, n: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """Simulated files, fed over HTTP; gives the table that the files make, and the counts."""
    leads = read_table(str(world.folder / "leads.csv"))
    outcomes = read_table(str(world.folder / "outcomes.csv"))
    counts = world.feed(leads, outcomes, {"converted", "converted_at", *LEAKS})
    assert (counts["leads accepted"], counts["leads refused"]) == (n, 0)
    joined = join_outcomes(leads, outcomes, "lead_id", created_at="created_at")
    assert len(joined.frame) == n  # outcomes were recorded from the beginning
    return joined.frame, counts


def walk(world: World, n: int) -> dict[str, Any]:
    """Simulate, train, feed, export, compare, train again from that."""
    write_history(simulate(n, seed=21, leaks=True), world.folder)
    files, raw = str(world.folder / "leads.csv"), str(world.folder / "outcomes.csv")
    world.leadml.learning.train(
        files, {"outcomes": raw, "created_at": "created_at", "horizon_days": HORIZON, "drop": LEAKS}
    )
    frame, counts = fed(world, n)
    found = compare(world, frame, world.config(END), END)
    trained = world.leadml.learning.train(
        str(world.folder / "next.csv"), {"config": world.folder / "next.toml"}
    )
    assert trained["gate"]["passed"], trained["gate"]["sentence"]
    return {**counts, **found, "gate": trained["gate"], "auc": trained["metrics"]["roc_auc"]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty folder."""
    return World(tmp_path)


def test_simulated_history_comes_back_row_for_row(world: World) -> None:
    """5,000 simulated leads fed over HTTP make the table of the files, quietly, and once."""
    write_history(simulate(5_000, seed=21, leaks=True), world.folder)
    world.serve_hand_made()
    frame, counts = fed(world, 5_000)
    found = compare(world, frame, world.config(END), END)
    assert found["immature"] == found["unknown"] > 100
    assert counts["outcomes accepted"] > 4_000
    store = Store(world.settings.database_url)
    assert store.messages() == []  # nobody was told
    assert store.counts()["decisions"] == 5_000
    store.close()
    leads = read_table(str(world.folder / "leads.csv")).head(500)
    outcomes = read_table(str(world.folder / "outcomes.csv")).head(400)
    again = world.feed(leads, outcomes, {"converted", "converted_at", *LEAKS})
    assert (again["leads duplicates"], again["leads accepted"]) == (500, 0)
    assert again["outcomes accepted"] == 0


def test_files_are_brought_in_by_command(world: World) -> None:
    """`leadml import` does the same with files, and tells what it did."""
    write_history(simulate(600, seed=3), world.folder)
    world.serve_hand_made()
    files = [str(world.folder / name) for name in ("leads.csv", "outcomes.csv")]
    found = world.run("import", *files, "--consent", "contact_consent")
    assert found["leads"] == {"accepted": 600, "duplicates": 0, "refused": 0}
    assert found["outcomes"]["accepted"] > 400
    assert world.run("import", *files)["leads"]["duplicates"] == 600
    store = Store(world.settings.database_url)
    known = store.lives.lead("L0000001")
    assert known is not None
    assert known["contact_consent"] in (True, False)
    store.close()
    told = world.run("outcomes", "export", "--output", str(world.folder / "next.parquet"))
    assert told["n_rows"] + sum(told["n_left_out"].values()) == 600
    assert load_config(world.folder / "next.toml").horizon_days == 60  # the champion's


def test_one_table_with_its_outcomes_is_brought_in(world: World) -> None:
    """Outcomes that stand beside the leads are reports of wins, late ones too."""
    history = simulate(600, seed=3)
    write_history(history, world.folder)
    world.serve_hand_made()
    Store(world.settings.database_url).migrate()
    (world.folder / "one.toml").write_text(
        'target = "converted"\npositive = "1"\nid = "lead_id"\ncreated_at = "created_at"\n'
        'outcome_at = "converted_at"\ndrop = ["phone"]\n'
    )
    found = world.run(
        "import", str(world.folder / "leads.csv"), "--config", str(world.folder / "one.toml")
    )
    wins = int(history.leads["converted_at"].notna().sum())
    assert found["leads"]["accepted"] == 600
    assert found["outcomes"] == {"accepted": wins, "duplicates": 0, "refused": 0}
    store = Store(world.settings.database_url)
    [record] = store.decisions(sample=1)
    store.close()
    assert not {"lead_id", "phone", "converted", "converted_at"} & record["inputs"].keys()
    assert "created_at" in record["inputs"]


def test_a_history_without_dates_of_its_outcomes_is_refused(world: World) -> None:
    """Which option names the missing column is said; nothing is brought in."""
    write_history(simulate(600, seed=3), world.folder)
    world.serve_hand_made()
    Store(world.settings.database_url).migrate()
    for left_out in ("id", "outcome_at"):
        given = {"id": "lead_id", "created_at": "created_at", "outcome_at": "converted_at"}
        del given[left_out]
        lines = [f'{name} = "{column}"\n' for name, column in given.items()]
        (world.folder / "one.toml").write_text(
            'target = "converted"\npositive = "1"\n' + "".join(lines)
        )
        with pytest.raises(ColumnMissing) as refused:
            world.leadml.lessons.import_history(
                str(world.folder / "leads.csv"), config=world.folder / "one.toml"
            )
        assert refused.value.code == "column_missing"
        assert "--id" in refused.value.fix
        assert "--outcome-at" in refused.value.fix


def test_live_truth_leaves_the_past_aside(world: World) -> None:
    """No model is judged by a past that was brought in, and no setting is tried on it."""
    write_history(simulate(600, seed=3), world.folder)
    world.serve_hand_made()
    Store(world.settings.database_url).migrate()
    world.run("import", *(str(world.folder / name) for name in ("leads.csv", "outcomes.csv")))
    found = world.leadml.hindsight.monitor(104, track=False)
    assert (found["n_leads"], found["drift"]["inputs"][0]["n_now"]) == (0, 0)
    assert found["capacity"]["weeks"] == []


@pytest.mark.slow
def test_a_model_of_the_memory_passes_the_gate(world: World) -> None:
    """A champion trained on files, its export equal to them, and a model retrained from it."""
    walk(world, 5_000)


@pytest.mark.slow
def test_a_hundred_thousand_come_back_row_for_row(world: World) -> None:
    """The same with 100,000 leads, of which a first model is learned."""
    first = World(world.folder)
    write_history(simulate(100_000, seed=21, leaks=True), world.folder)
    world.serve_hand_made()
    frame, counts = fed(world, 100_000)
    found = compare(world, frame, world.config(END), END)
    print(json.dumps({**counts, **found}), flush=True)
    first.settings = first.settings.model_copy(
        update={"models_dir": str(world.folder / "learned"), "database_url": ""}
    )
    trained = Leadml(first.settings).learning.train(
        str(world.folder / "next.csv"), {"config": world.folder / "next.toml"}
    )
    print(trained["gate"]["sentence"], trained["metrics"]["roc_auc"], flush=True)
    assert trained["gate"]["passed"], trained["gate"]["sentence"]


@pytest.mark.slow
def test_olist_comes_back_row_for_row(world: World, mirror: Path) -> None:
    """8,000 real leads and 842 deals: trained, fed over HTTP, exported, trained again."""
    files = [
        str(mirror / f"olist_{name}_dataset.csv.gz")
        for name in ("marketing_qualified_leads", "closed_deals")
    ]
    world.leadml.learning.train(files[0], {"outcomes": files[1], "horizon_days": HORIZON})
    champion = served_of(world.settings).facts["config"]
    leads, deals = map(read_table, files)
    joined = join_outcomes(leads, deals)
    counts = world.feed(
        leads,
        deals,
        set(),
        key="mql_id",
        created_at=joined.created_at,
        outcome_at=joined.outcome_at,
    )
    assert (counts["leads accepted"], counts["leads refused"]) == (len(leads), 0)
    assert (counts["outcomes accepted"], counts["outcomes refused"]) == (len(deals), 0)
    config = TrainConfig.from_dict(champion)
    as_of = datetime.fromisoformat("2018-11-15T00:00:00+00:00")
    frame = joined.frame.rename(columns={"mql_id": "lead_id"})
    config = replace(config, id="lead_id", as_of=as_of.isoformat())
    was_won = pd.to_datetime(frame["converted_at"]) < pd.to_datetime(frame[joined.created_at])
    before = frozenset(frame["lead_id"][was_won])
    assert len(before) < 5  # deals dated before the first contact: nothing was left to foresee
    found = compare(world, frame, config, as_of, before)
    print(json.dumps({**counts, **found}))
    again = world.leadml.learning.train(
        str(world.folder / "next.csv"), {"config": world.folder / "next.toml"}
    )
    print(again["gate"]["sentence"], again["metrics"]["roc_auc"])
    assert again["gate"]["passed"], again["gate"]["sentence"]
