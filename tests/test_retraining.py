"""Retraining as a habit: what a scheduler sees."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learned import table
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.service.learning import is_unchanged, rival_of
from leadml.settings import Settings
from leadml.training.config import TrainConfig
from tests import tracked


def run(*words: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    found = CliRunner().invoke(app, list(words))
    return found.exit_code, found.output


def test_unchanged_data_make_no_new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The line says that nothing is new and the exit code is 0; data and wishes both count."""
    monkeypatch.chdir(tmp_path)
    frame, y = table(260)
    frame.assign(won=np.where(y > 0, "yes", "no")).to_csv("leads.csv", index=False)
    Path("leadml.toml").write_text('target = "won"\nfolds = 2\n', "utf-8")
    tracked.template(tmp_path)
    assert run("train", "leads.csv", "--config", "leadml.toml")[0] == 0
    code, said = run("retrain", "leads.csv", "--json")
    assert code == 0
    assert '"nothing_new":true' in said.replace(" ", "")
    assert "nothing new" in said
    assert [folder.name for folder in Path("models/leads").iterdir() if folder.is_dir()] == ["1"]
    champion = rival_of(Settings(), "leads")
    assert champion is not None
    frame.attrs["digest"] = champion.digest
    asked = TrainConfig.from_dict(champion.config)
    assert is_unchanged(champion, frame, asked)
    assert not is_unchanged(champion, frame, replace(asked, seed=1))
    assert not is_unchanged(replace(champion, made_by="0.0.1"), frame, asked)
    frame.attrs["digest"] = "0" * 64
    assert not is_unchanged(champion, frame, asked)
    assert not is_unchanged(replace(champion, digest=""), frame.drop(columns="city"), asked)


def test_a_model_of_another_name_is_recalibrated_with_its_own_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`--name` chooses the champion and what its training found, also where no other is there."""
    monkeypatch.chdir(tmp_path)
    frame, y = table(260)
    frame.assign(won=np.where(y > 0, "yes", "no")).to_csv("leads.csv", index=False)
    Path("leadml.toml").write_text('target = "won"\nfolds = 2\n', "utf-8")
    tracked.template(tmp_path)
    assert run("train", "leads.csv", "--config", "leadml.toml", "--name", "b2b")[0] == 0
    code, said = run("recalibrate", "leads.csv", "--name", "b2b")
    assert code == 0, said
    assert "b2b version 2" in said
