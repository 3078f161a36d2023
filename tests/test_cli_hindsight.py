"""leadml.cli.hindsight: `leadml monitor` against a real memory and a real MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.cli.hindsight import _and_above
from leadml.settings import Settings
from tests import tracked
from tests.test_drift import moved
from tests.test_watching import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A memory whose clock is the real one."""
    found = World(f"sqlite:///{tmp_path / 'leadml.db'}", datetime.now(UTC))
    yield found
    found.memory.close()


def settings_of(folder: Path) -> Settings:
    """Everything in one folder."""
    return Settings(
        models_dir=str(folder / "models"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        database_url=f"sqlite:///{folder / 'leadml.db'}",
    )


def test_monitor_tells_and_tracks(tmp_path: Path, world: World) -> None:
    """A world that changed ends with 3; the run of the version in MLflow holds its figures."""
    registry = tracked.registry(tmp_path)
    made = tracked.train(registry)
    world.live(2000, (130, 61), factor=3.0)
    world.live(500, (20, 0), leads=moved(500), prefix="new")
    env = settings_of(tmp_path).environment()
    found = CliRunner().invoke(app, ["monitor", "--json"], env=env, catch_exceptions=False)
    assert found.exit_code == 3
    told = json.loads(found.stdout)
    assert told["needs_look"]
    assert told["model_version"] == f"leads@{made.version}"
    client = tracked.client(registry)
    run = client.get_run(told["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.tags["leadml.kind"] == "monitoring"
    assert run.data.tags["leadml.model_version"] == f"leads@{made.version}"
    assert run.data.metrics["live/roc_auc"] == told["metrics"]["roc_auc"]["value"]
    assert run.data.metrics["drift/industry"] > 0.25
    assert run.data.metrics["needs_look"] == 1
    assert [f.path for f in client.list_artifacts(told["run_id"])] == ["performance.json"]


def test_monitor_speaks_to_people(tmp_path: Path, world: World) -> None:
    """Verdict, tables by week and stage, drift and capacity, without a run if so asked."""
    registry = tracked.registry(tmp_path)
    tracked.train(registry)
    world.live(1200, (130, 61))
    env = settings_of(tmp_path).environment()
    found = CliRunner().invoke(app, ["monitor", "--no-mlflow"], env=env, catch_exceptions=False)
    assert found.exit_code in (0, 3)
    for part in ("ROC AUC", "promised 0.810", "week", "stage", "drift of", "happened (95 %)"):
        assert part in found.stdout
    assert "MLflow run" not in found.stdout


def test_figures_stand_where_mlflow_does_not_know_the_version(tmp_path: Path, world: World) -> None:
    """A version served from its folder alone is judged all the same, with a warning."""
    registry = tracked.registry(tmp_path)
    made = tracked.train(registry)
    world.live(1200, (130, 61))
    tracked.client(registry).delete_registered_model("leads")
    env = settings_of(tmp_path).environment()
    found = CliRunner().invoke(app, ["monitor"], env=env, catch_exceptions=False)
    assert found.exit_code in (0, 3)
    assert f"served          leads@{made.version}" in found.stdout
    assert "of model" in found.stdout
    assert "Warning: no run was written to MLflow" in found.stdout
    told = json.loads(CliRunner().invoke(app, ["monitor", "--json"], env=env).stdout)
    assert told["not_tracked"]["code"] == "version_unknown"
    assert all(0 <= one["importance"] <= 1 for one in told["drift"]["inputs"])


def test_stages_are_told_as_the_pages_tell_them() -> None:
    """Behind MQL stands what lies at or above its line; the other stages stay as they are."""
    stages = [
        {"stage": "sql", "n": 100, "n_conversions": 40, "predicted": 0.5},
        {"stage": "mql", "n": 300, "n_conversions": 60, "predicted": 0.1},
        {"stage": "cold", "n": 500, "n_conversions": 5, "predicted": 0.01},
    ]
    told = _and_above(stages)
    assert [one["stage"] for one in told] == ["sql", "mql", "mql and above", "cold"]
    assert (told[2]["n"], told[2]["n_conversions"], told[2]["observed"]) == (400, 100, 0.25)
    assert told[2]["predicted"] == pytest.approx(0.2)
    assert told[2]["low"] < 0.25 < told[2]["high"]
    assert _and_above(stages[1:]) == stages[1:]


def test_no_memory_is_said(tmp_path: Path) -> None:
    """Without a database there is nothing to look back on, and none is made."""
    env = settings_of(tmp_path).environment()
    found = CliRunner().invoke(app, ["monitor", "--no-mlflow"], env=env)
    assert found.exit_code == 2
    assert "there is no memory" in found.stderr
    assert not (tmp_path / "leadml.db").exists()
