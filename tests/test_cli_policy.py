"""leadml.cli.policy: the policy from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.settings import Settings
from tests import hand_made


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The hand-made champion and an empty memory."""
    models = tmp_path / "models"
    digest = hand_made.bundle(models / "leads" / "1")
    write_pointer(models, "leads", Named("1", digest))
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    return Settings(models_dir=str(models), tracking_uri="", database_url=url).environment()


def run(env: dict[str, str], *words: str) -> str:
    """What a command that must succeed says."""
    found = CliRunner().invoke(app, ["policy", *words], env=env, catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    return found.stdout


def told(env: dict[str, str], *words: str) -> dict[str, Any]:
    """The same as data."""
    found: dict[str, Any] = json.loads(run(env, *words, "--json"))
    return found


def test_a_plan_is_tried_then_written(env: dict[str, str]) -> None:
    """What the preview says is what setting it does; the history names who and why."""
    assert "nobody changed them" in run(env, "versions")
    assert told(env, "show")["policy_version"] == "1"
    tried = told(env, "preview", "--capacity-per-week", "9")["setting"]
    words = ("--capacity-per-week", "9", "--note", "Fewer people.", "--by", "Anna")
    made = told(env, "set", *words)
    assert (made["mql"], made["policy_version"]) == (tried["mql"], "2")
    shown = run(env, "show")
    assert "Version 2 for leads@1, Anna on" in shown
    assert "Fewer people." in shown
    assert "leads a week" in shown
    listed = run(env, "versions")
    assert "Anna: Fewer people." in listed
    assert "training: as trained" in listed


@pytest.mark.parametrize(
    ("words", "basis"),
    [
        (("--mql-precision", "0.3"), "precision"),
        (("--value", "900", "--cost-mql", "50"), "value"),
        (("--value", "900", "--capacity-per-week", "9"), "capacity"),
        (("--basis", "value", "--value", "900", "--cost-mql", "50"), "value"),
    ],
)
def test_basis_is_what_the_figures_mean(
    env: dict[str, str], words: tuple[str, ...], basis: str
) -> None:
    """The figures say what decides; a worth is told wherever it is given."""
    assert told(env, "preview", *words)["setting"]["basis"] == basis
    said = run(env, "preview", *words)
    assert "Counted on 2,000 leads" in said
    assert ("worth" in said) == ("--value" in words)


def test_figures_left_out_are_those_in_force(env: dict[str, str]) -> None:
    """Another capacity keeps the meetings of a week, says so, and forgets them if asked."""
    words = ("--capacity-per-week", "9", "--sql-capacity-per-week", "3", "--note", "Start.")
    assert told(env, "set", *words)["kept"] == {}
    tried = told(env, "preview", "--capacity-per-week", "12")
    assert tried["kept"] == {"sql_capacity_per_week": 3.0}
    assert tried["setting"]["plan"]["sql_capacity_per_week"] == 3.0
    assert tried["setting"]["sql"] == tried["current"]["sql"]
    assert "Kept of the plan in force: sql_capacity_per_week 3" in run(
        env, "preview", "--capacity-per-week", "12"
    )
    anew = told(env, "preview", "--capacity-per-week", "12", "--anew")
    assert "sql_capacity_per_week" not in anew["setting"]["plan"]
    assert told(env, "preview", "--mql-precision", "0.3")["kept"] == {}
    made = told(env, "set", "--capacity-per-week", "12", "--note", "More people.")
    assert made["plan"]["sql_capacity_per_week"] == 3.0


def test_a_foreign_plan_is_one_sentence(env: dict[str, str]) -> None:
    """What is no plan changes nothing and says how to mend it."""
    found = CliRunner().invoke(app, ["policy", "set", "--basis", "luck", "--note", "x"], env=env)
    assert found.exit_code != 0
    assert "there is no such basis" in found.stderr
    assert told(env, "versions") == {"versions": []}


def test_files_are_scored_under_the_same_lines(env: dict[str, str], tmp_path: Path) -> None:
    """A file gets the stages and the policy version that the API answers with."""
    run(env, "set", "--capacity-per-week", "4", "--note", "Holidays.")
    line = told(env, "show")["mql"]
    table = tmp_path / "leads.csv"
    pd.DataFrame(hand_made.leads(200)).to_csv(table, index=False)
    scored = tmp_path / "scored.csv"
    words = ["score", str(table), "--output", str(scored)]
    found = CliRunner().invoke(app, words, env=env, catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    made = pd.read_csv(scored)
    assert set(made["policy_version"].astype(str)) == {"2"}
    assert ((made["stage"] == "mql") == (made["probability"] >= line)).all()
    without = CliRunner().invoke(app, words, env=env | {"LEADML_DATABASE_URL": ""})
    assert without.exit_code == 0
    assert set(pd.read_csv(scored)["policy_version"].astype(str)) == {"1"}
