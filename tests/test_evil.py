"""Bad files are refused or warned about by code, column, row and fix; never a traceback."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import ConfigError, DataError, LeadmlError
from leadml.service import Leadml
from leadml.service.models import served_of
from leadml.settings import Settings
from tests import tracked
from tests.evil.corpus import (
    CORPUS,
    Evil,
    Table,
    history,
    strange_names,
    strange_values,
    text_of_table,
)
from tests.typist import typist

REFUSED = sorted(name for name, evil in CORPUS.items() if evil.refused)
FOUND = sorted(name for name, evil in CORPUS.items() if not evil.refused)
BLOCKING = sorted(name for name in FOUND if CORPUS[name].severity == "blocks")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty MLflow database."""
    return tracked.template(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Path:
    """A folder with an empty MLflow database."""
    shutil.copy(template, tmp_path / "mlflow.db")
    return tmp_path


def leadml_in(folder: Path) -> Leadml:
    """The product at work in a folder."""
    return Leadml(
        Settings(models_dir=str(folder / "models"), tracking_uri=f"sqlite:///{folder}/mlflow.db")
    )


def laid(evil: Evil, folder: Path) -> str:
    """Write the bad file into a folder; its path."""
    path = folder / "leads.csv"
    content = evil.write()
    if content is not None:
        path.write_bytes(content)
    return str(path)


def asked(evil: Evil) -> dict[str, Any]:
    """What the user says beside the file."""
    return {"target": "won", **evil.options}


def nothing_registered(folder: Path) -> bool:
    """Whether MLflow holds neither run nor model, and no bundle was written."""
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        counts = [
            connection.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("runs", "registered_models", "model_versions")
        ]
    return counts == [0, 0, 0] and not (folder / "models").exists()


def test_the_corpus_is_as_large_as_promised() -> None:
    """At least thirty bad files, each with a code that exists."""
    from leadml.errors import all_errors
    from leadml.evaluation.checks import CHECKS

    assert len(CORPUS) >= 30
    known = {error.code for error in all_errors()} | set(CHECKS)
    assert {evil.code for evil in CORPUS.values()} <= known


@pytest.mark.parametrize("name", REFUSED)
def test_a_hopeless_file_is_refused(name: str, place: Path) -> None:
    """A training names code, column, rows and fix in one sentence, and registers nothing."""
    evil = CORPUS[name]
    with pytest.raises((DataError, ConfigError)) as refused:
        leadml_in(place).learning.train(laid(evil, place), asked(evil))
    error = refused.value
    assert error.code == evil.code
    assert error.fix
    assert not evil.column or error.column == evil.column
    assert error.rows[: len(evil.rows)] == evil.rows
    assert "\n" not in error.sentence()
    assert len(error.sentence()) < 600
    assert len(error.as_dict().get("rows", [])) <= 20
    assert nothing_registered(place)


@pytest.mark.parametrize("name", FOUND)
def test_a_doubtful_file_is_found_out(name: str, tmp_path: Path) -> None:
    """A numbered check names the column, the rows and the fix, with the severity it deserves."""
    evil = CORPUS[name]
    found = leadml_in(tmp_path).learning.check(laid(evil, tmp_path), asked(evil))
    json.dumps(found, allow_nan=False)
    (finding,) = [check for check in found["checks"] if check["code"] == evil.code]
    assert finding["status"] == "found", finding
    assert finding["severity"] == evil.severity
    assert finding["fix"]
    assert not evil.column or evil.column in finding["columns"]
    assert tuple(finding.get("rows", []))[: len(evil.rows)] == evil.rows
    assert len(finding.get("rows", [])) <= 20
    assert found["blocked"] == any(
        check["status"] == "found" and check["severity"] == "blocks" for check in found["checks"]
    )


def test_a_healthy_file_of_the_same_make_is_trusted(tmp_path: Path) -> None:
    """Without the evil the tables of the corpus get at most one warning, and none blocks."""
    for dated in (False, True):
        path = tmp_path / "leads.csv"
        path.write_text(text_of_table(history(dated=dated)), "utf-8")
        options = {"created_at": "created", "outcome_at": "won_at"} if dated else {}
        found = leadml_in(tmp_path).learning.check(str(path), {"target": "won", **options})
        assert not found["blocked"]
        warned = [
            c["code"]
            for c in found["checks"]
            if c["status"] == "found" and c["severity"] == "warns"
        ]
        assert warned == ["LML014"]  # 400 leads are few indeed


@pytest.fixture(scope="module")
def leaky(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A training on a table whose outcome was copied into a column."""
    folder = tmp_path_factory.mktemp("leaky")
    shutil.copy(template, folder / "mlflow.db")
    evil = CORPUS["target copied"]
    return folder, leadml_in(folder).learning.train(laid(evil, folder), asked(evil) | {"folds": 2})


def test_a_leak_never_serves(leaky: tuple[Path, dict[str, Any]]) -> None:
    """A training with a blocking find says do not use, and no model is served."""
    folder, found = leaky
    assert found["verdict"]["word"] == "no"
    assert found["alias"] == "challenger"
    assert not found["gate"]["passed"]
    with pytest.raises(LeadmlError) as nothing:
        served_of(leadml_in(folder).settings)
    assert nothing.value.code == "no_model"


COMMANDS = ("labels in two languages", "ragged rows", "utf 16")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_ends_without_a_traceback(name: str, tmp_path: Path) -> None:
    """`leadml check` ends with one sentence that names the code, or with the finding."""
    evil = CORPUS[name]
    laid(evil, tmp_path)
    said = typist().run(tmp_path, ["check", "leads.csv", "--target", "won", "--json"])
    assert "Traceback" not in said.stderr
    found = json.loads(said.stdout)
    if evil.refused:
        assert said.returncode == 2
        assert found["error"]["code"] == evil.code
        assert said.stderr.strip().splitlines()[-1].startswith(f"{evil.code}: ")
    else:
        assert said.returncode == 0
        assert evil.code in [c["code"] for c in found["checks"] if c["status"] == "found"]


@pytest.mark.parametrize("make", [strange_names, strange_values])
def test_strange_tables_are_learned_and_scored(make: Callable[[], Table], place: Path) -> None:
    """Odd names and values are no fault: trained, reported without running markup, served."""
    path = place / "leads.csv"
    path.write_text(text_of_table(make()), "utf-8")
    leadml = leadml_in(place)
    options = {"target": "won", "id": "lead", "folds": 2}
    if make is strange_names:
        options |= {"created_at": "created", "outcome_at": "won_at"}
    found = leadml.learning.train(str(path), options)
    json.dumps(found, allow_nan=False)
    page = place / "report.html"
    leadml.models.report(found["version"], page)
    text = page.read_text("utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    scored = place / "scored.csv"
    said = leadml.scoring.score_file(str(path), scored, model=found["version"])
    with scored.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert said["n_leads"] == len(rows) == 240
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    served = served_of(leadml.settings, found["version"]).scorer.schema
    assert len({column.name for column in served.columns}) == len(served.columns)
    assert "constant" not in served.sources
