"""Options of a training, and edits by hand, as people type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leadml.cli.models import _edits
from tests.test_cli_walk import Folder

WORDS = ("accepted", "rejected")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with a simulated history, its outcomes in a second table."""
    folder = Folder(tmp_path_factory.mktemp("options"))
    folder.answer("simulate", "history", "--leads", "1500", "--seed", "6")
    return folder


@pytest.fixture(scope="module")
def accepted(folder: Folder) -> dict[str, Any]:
    """A model of acceptance by sales, among the leads that sales decided on."""
    return folder.answer(
        "train",
        "history/leads.csv",
        "history/outcomes.csv",
        "--outcome",
        "accepted",
        "--among",
        "accepted,rejected",
        "--search-seconds",
        "1",
    )


def test_a_stage_of_its_own_is_learned(folder: Folder, accepted: dict[str, Any]) -> None:
    """Leads and conversions are those that sales accepted, of those it decided on."""
    rows = (folder.path / "history/outcomes.csv").read_text("utf-8").splitlines()
    ids = {word: {r.split(",")[0] for r in rows if f",{word}," in r} for word in WORDS}
    assert 0.5 * len(ids["accepted"]) < accepted["n_conversions"] <= len(ids["accepted"])
    assert accepted["n_leads"] <= len(ids["accepted"] | ids["rejected"])


def test_a_stage_without_a_second_table_is_refused(folder: Folder) -> None:
    """`--outcome accepted` on one table says where outcomes are looked for."""
    said = folder.leadml("train", "history/leads.csv", "--outcome", "accepted")
    assert said.returncode == 2
    assert "second table of outcomes" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.fixture(scope="module")
def edited(folder: Folder, accepted: dict[str, Any]) -> dict[str, Any]:
    """That model with two effects changed by hand."""
    return folder.answer(
        "models",
        "edit",
        accepted["version"],
        "--flatten",
        "country",
        "--cap",
        "employees=-0.1:0.1",
        "--file",
        "history/leads.csv",
        "--outcomes",
        "history/outcomes.csv",
        "--reason",
        "countries were guessed",
        "--by",
        "Ada",
    )


def test_an_edit_is_a_new_version_that_says_why(
    folder: Folder, accepted: dict[str, Any], edited: dict[str, Any]
) -> None:
    """The card names edits, reason and person; the flattened column moves nothing."""
    assert int(edited["version"]) == int(accepted["version"]) + 1
    assert edited["alias"] == "challenger"
    assert edited["gate"]["lines"]
    bundle = folder.path / edited["bundle"]
    card = (bundle / "card.md").read_text("utf-8")
    assert "country: no longer counts" in card
    assert "countries were guessed (by Ada)" in card
    schema = json.loads((bundle / "schema.json").read_text("utf-8"))
    assert "country" in [column["name"] for column in schema["columns"]]
    facts = json.loads((bundle / "metrics.json").read_text("utf-8"))
    (effect,) = [one for one in facts["effects"] if one["column"] == "country"]
    assert {point["log_odds"] for point in effect["points"]} == {0.0}
    assert facts["config"]["edits"] == {"country": "flatten", "employees": "cap -0.1 0.1"}
    assert facts["protocol"]["kind"] == "forward"
    assert facts["protocol"]["n_test"] < facts["protocol"]["n_train"]


def test_an_edit_nobody_can_do_registers_nothing(folder: Folder, edited: dict[str, Any]) -> None:
    """An unknown column is refused in one sentence with the way out."""
    said = folder.leadml(
        "models", "edit", "1", "--flatten", "colour", "--file", "history/leads.csv", "--reason", "x"
    )
    assert said.returncode == 2
    assert said.stderr.strip().splitlines()[-1].startswith("column_missing: ")
    assert "Traceback" not in said.stderr
    newest = folder.answer("models", "list")["versions"][0]
    assert newest["version"] == edited["version"]


def test_options_become_edits_by_column() -> None:
    """Several options for one column are done in the order flatten, monotone, cap."""
    assert _edits(["a,b"], ["c=up", "d x=down"], ["c=-0.5:1"]) == {
        "a": "flatten",
        "b": "flatten",
        "c": "monotone up, cap -0.5 1",
        "d x": "monotone down",
    }


def test_a_search_is_told_in_the_notes(folder: Folder, accepted: dict[str, Any]) -> None:
    """`--search-seconds` says how long it took, what was tried and what came of it."""
    facts = json.loads(Path(folder.path, accepted["bundle"], "metrics.json").read_text("utf-8"))
    found = facts["recipe"]["search"]
    assert found["sentence"] in accepted["notes"]
    assert found["seconds"] < 60
    assert found["better"] == ("replaced" in found["sentence"])
