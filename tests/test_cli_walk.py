"""The commands end to end, as a newcomer types them in an empty folder."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.typist import typist

LEADS = 1_500


class Folder:
    """A folder in which somebody works with leadml."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def leadml(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command in the folder."""
        return typist().run(self.path, words)

    def answer(self, *words: str) -> dict[str, Any]:
        """Run one command with --json and read its one object."""
        said = self.leadml(*words, "--json")
        assert said.returncode == 0, said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def write(self, name: str, text: str) -> str:
        """Put a file into the folder."""
        (self.path / name).write_text(text, "utf-8")
        return name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with a simulated history."""
    folder = Folder(tmp_path_factory.mktemp("walk"))
    folder.answer("simulate", "history", "--leads", str(LEADS), "--seed", "3")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Folder) -> dict[str, Any]:
    """What the first training of the folder says."""
    return folder.answer("train", "history/leads.csv", "--target", "converted")


def test_training_says_all_that_a_script_needs(folder: Folder, trained: dict[str, Any]) -> None:
    """The object of `train --json` names model, data, metrics with intervals and protocol."""
    assert {
        "model",
        "version",
        "alias",
        "run_id",
        "bundle",
        "verdict",
        "n_leads",
        "n_conversions",
        "metrics",
        "policy",
        "checks",
        "seconds",
    } <= set(trained)
    for name in ("roc_auc", "log_loss", "brier", "ece"):
        figure = trained["metrics"][name]
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["protocol"]
    assert 0.6 < trained["metrics"]["roc_auc"]["value"] < 0.95
    assert trained["alias"] == "champion"
    assert (folder.path / trained["bundle"] / "manifest.json").is_file()


def test_a_file_is_scored_lead_by_lead(folder: Folder, trained: dict[str, Any]) -> None:
    """`score` writes one row per lead with probability, score, grade, stage and reasons."""
    said = folder.answer("score", "history/leads.csv", "--output", "scored.csv")
    with (folder.path / "scored.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    with (folder.path / "history/leads.csv").open(newline="", encoding="utf-8") as lines:
        ids = [row["lead_id"] for row in csv.DictReader(lines)]
    assert said["n_leads"] == len(rows) == len(ids)
    assert [row["lead_id"] for row in rows] == ids
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)
    assert all(0 <= int(row["score"]) <= 100 for row in rows)
    assert {row["grade"] for row in rows} <= set("ABCD")
    assert {"stage", "reason_1"} <= set(rows[0])


def test_no_person_stands_in_mlflow_or_in_a_bundle(folder: Folder, trained: dict[str, Any]) -> None:
    """Of 3,000 addresses, numbers and ids none is in MLflow's database, artefacts or models."""
    with (folder.path / "history" / "leads.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    people = {row[name] for row in rows for name in ("lead_id", "email", "phone") if row[name]}
    assert len(people) > 2 * LEADS
    forms = re.compile(rb"L\d{7}|person\d+@[a-z0-9.]+|\+49 30 \d+")
    searched, found = 0, set()
    places = [
        folder.path / "mlflow.db",
        *folder.path.glob("ml*/**/*"),
        *folder.path.glob("models/**/*"),
    ]
    for place in places:
        if place.is_file():
            searched += 1
            found |= {hit.decode() for hit in forms.findall(place.read_bytes())} & people
    assert searched > 20
    assert found == set()


def test_the_report_has_forms_for_slides_and_pull_requests(
    folder: Folder, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ending or --format: a PNG, the model card in Markdown; --open shows what was written."""
    shown = folder.path / "shown.txt"
    opener = folder.write("opener.sh", f'#!/bin/sh\necho "$1" > {shown}\n')
    (folder.path / opener).chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{folder.path / opener} %s")
    drawn = folder.answer("report", "--output", "slide.png", "--open")
    content = (folder.path / "slide.png").read_bytes()
    assert (drawn["form"], drawn["bytes"], content[:4]) == ("png", len(content), b"\x89PNG")
    assert shown.read_text().strip() == (folder.path / "slide.png").as_uri()
    told = folder.answer("report", "--format", "md")
    assert told["report"] == "report.md"
    card = (folder.path / "report.md").read_text("utf-8")
    assert card.startswith("# ")
    assert "| --- | ---: |" in card
    said = folder.leadml("report", "--output", "slide.pdf")
    assert said.returncode == 2
    assert "end the file in .html, .md or .png" in said.stderr


def test_the_report_is_one_file_without_network(folder: Folder, trained: dict[str, Any]) -> None:
    """`report` writes one HTML file that refers to nothing outside."""
    folder.answer("report", "--output", "page.html")
    page = (folder.path / "page.html").read_text("utf-8")
    assert "<svg" in page
    assert 'src="http' not in page
    assert 'rel="stylesheet"' not in page


@pytest.fixture(scope="module")
def second(folder: Folder, trained: dict[str, Any]) -> dict[str, Any]:
    """A second, worse version, trained by the configuration that init wrote."""
    folder.answer("init", "history/leads.csv")
    schema = json.loads((folder.path / trained["bundle"] / "schema.json").read_text("utf-8"))
    names = {column["name"].partition(".")[0] for column in schema["columns"]} - {"country"}
    blind = [word for name in sorted(names) for word in ("--drop", name)]
    words = ("train", "history/leads.csv", "--config", "leadml.toml", "--seed", "5", *blind)
    return folder.answer(*words)


def test_init_writes_a_configuration_that_train_reads(
    folder: Folder, second: dict[str, Any]
) -> None:
    """`init` guesses roles into leadml.toml, refuses to overwrite it, and train accepts it."""
    assert "created_at" in (folder.path / "leadml.toml").read_text("utf-8")
    assert second["alias"] == "challenger"
    again = folder.leadml("init", "history/leads.csv")
    assert again.returncode == 2
    assert "Fix: " in again.stderr
    assert "Traceback" not in again.stderr


def test_versions_are_listed_promoted_and_rolled_back(
    folder: Folder, trained: dict[str, Any], second: dict[str, Any]
) -> None:
    """Promote moves the champion to the challenger, rollback moves it back."""

    def champion() -> str:
        listed = folder.answer("models", "list")["versions"]
        (row,) = [row for row in listed if "champion" in row["aliases"]]
        return str(row["version"])

    assert champion() == str(trained["version"])
    folder.answer("models", "promote", str(second["version"]), "--overrule", "for the test")
    assert champion() == str(second["version"])
    folder.answer("models", "rollback", "--reason", "for the test")
    assert champion() == str(trained["version"])
    assert folder.answer("models", "show", "champion")["version"] == trained["version"]


def test_the_gate_has_the_last_word_unless_overruled(
    folder: Folder, second: dict[str, Any]
) -> None:
    """A version that failed its gate is refused with exit code 3; nothing moves."""
    assert not second["gate"]["passed"]
    said = folder.leadml("models", "promote", str(second["version"]))
    assert said.returncode == 3
    assert said.stderr.startswith("promotion_refused: ")
    assert folder.answer("models", "show", "champion")["version"] != second["version"]


def test_an_unknown_version_is_named(folder: Folder, trained: dict[str, Any]) -> None:
    """`models promote` and `models show` of a version that is not there exit with 2."""
    for command in ("promote", "show"):
        said = folder.leadml("models", command, "99")
        assert said.returncode == 2
        assert "version_unknown" in said.stderr
        assert "Traceback" not in said.stderr


def test_checks_run_without_training(folder: Folder) -> None:
    """`check` lists every numbered check; the simulated history has nothing that blocks."""
    found = folder.answer("check", "history/leads.csv", "--target", "converted")
    assert not found["blocked"]
    assert len({check["code"] for check in found["checks"]}) == len(found["checks"]) >= 15


def test_a_leak_blocks_and_is_overruled_by_a_reason(tmp_path: Path) -> None:
    """A copy of the outcome is a blocking find (exit code 3) until somebody says why not."""
    folder = Folder(tmp_path)
    rows = "".join(f"{i % 7},{(i * 7919) % 11},{i % 5 == 0:d},{i % 5 == 0:d}\n" for i in range(900))
    folder.write("leak.csv", f"size,visits,calls,won\n{rows}")
    said = folder.leadml("check", "leak.csv", "--target", "won", "--json")
    assert said.returncode == 3, said.stderr
    blocking = [
        check
        for check in json.loads(said.stdout)["checks"]
        if check["status"] == "found" and check["severity"] == "blocks"
    ]
    assert any("calls" in check["columns"] for check in blocking)
    words = [word for check in blocking for word in ("--silence", f"{check['code']}=for the test")]
    again = folder.answer("check", "leak.csv", "--target", "won", *words)
    assert not again["blocked"]
    unexplained = folder.leadml("check", "leak.csv", "--target", "won", "--silence", "LML001")
    assert unexplained.returncode == 2
    assert "say why" in unexplained.stderr


def registered(database: Path) -> int:
    """How many model versions an MLflow database holds; none where there is no database."""
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("select count(*) from model_versions").fetchone()[0])


HEADER = "size,source,won\n"
GOOD = "".join(f"{i % 7},web,{i % 2}\n" for i in range(60))
BAD = {
    "file_missing": (None, ["--target", "won"]),
    "table_empty": (HEADER, ["--target", "won"]),
    "target_missing": (HEADER + GOOD, ["--target", "converted"]),
    "target_one_class": (HEADER + "1,web,0\n" * 60, ["--target", "won"]),
    "too_few_conversions": (HEADER + "1,web,0\n" * 60 + "2,ad,1\n" * 9, ["--target", "won"]),
    "table_ragged": (HEADER + GOOD + "1,2\n", ["--target", "won"]),
    "column_missing": (HEADER + GOOD, ["--target", "won", "--drop", "nothing_of_that_name"]),
    "config_invalid": (HEADER + GOOD, ["--target", "won", "--config", "typo.toml"]),
}


@pytest.mark.parametrize("code", sorted(BAD))
def test_bad_input_is_one_sentence_with_the_fix(tmp_path: Path, code: str) -> None:
    """Each bad table ends with its code, a fix, exit code 2, no traceback, nothing registered."""
    folder = Folder(tmp_path)
    text, options = BAD[code]
    name = "absent.csv" if text is None else folder.write("bad.csv", text)
    folder.write("typo.toml", 'targt = "won"\n')
    said = folder.leadml("train", name, *options, "--json")
    assert said.returncode == 2, said.stderr
    sentence = said.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f"{code}: "), said.stderr
    assert "Fix: " in sentence
    assert "Traceback" not in said.stderr
    assert json.loads(said.stdout)["error"]["code"] == code
    assert not (tmp_path / "models").exists()
    assert registered(tmp_path / "mlflow.db") == 0


def test_a_wrong_delimiter_is_explained(tmp_path: Path) -> None:
    """A table whose cells hang together in one column is refused by name, not learned from."""
    folder = Folder(tmp_path)
    name = folder.write("bad.csv", (HEADER + GOOD).replace(",", "~"))
    said = folder.leadml("train", name, "--target", "won")
    assert said.returncode == 2
    assert said.stderr.strip().splitlines()[-1].split(":")[0] in {
        "file_unreadable",
        "target_missing",
    }
    assert "Traceback" not in said.stderr


def test_scoring_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    """`score` before any training names the code no_model and the command to run."""
    folder = Folder(tmp_path)
    name = folder.write("new.csv", HEADER + GOOD)
    said = folder.leadml("score", name, "--output", "out.csv")
    assert said.returncode != 0
    assert "no_model" in said.stderr
    assert "leadml train" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "out.csv").exists()


def test_an_unknown_data_set_is_named(tmp_path: Path) -> None:
    """`data get` of an unknown name lists the known ones."""
    said = Folder(tmp_path).leadml("data", "get", "nobody")
    assert said.returncode == 2
    assert "dataset_unknown" in said.stderr
    assert "bank" in said.stderr


def test_the_catalogue_is_listed(tmp_path: Path) -> None:
    """`data list` names the five public sets with their licence."""
    found = Folder(tmp_path).answer("data", "list")["datasets"]
    assert {row["name"] for row in found} >= {"bank", "xeducation", "coil2000", "olist", "bpic2012"}
    assert all(row["licence"] for row in found)
