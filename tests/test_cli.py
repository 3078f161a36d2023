"""The command line: help, errors, progress, one JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from leadml import __version__
from leadml.cli import demo
from leadml.cli.app import app
from leadml.cli.console import Steps, failing_in_one_sentence, interval
from leadml.errors import TargetMissing
from leadml.settings import Settings

COMMANDS = {
    " ".join((*group, name)): command
    for group, commands in [
        ((), typer.main.get_command(app).commands),
        (("models",), typer.main.get_command(app).commands["models"].commands),
        (("data",), typer.main.get_command(app).commands["data"].commands),
    ]
    for name, command in commands.items()
    if not hasattr(command, "commands")
}


def leadml(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the command line as people do, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "leadml", *words], capture_output=True, text=True, timeout=timeout
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_shows_an_example(name: str) -> None:
    """The help of each command ends with an example that begins with its own name."""
    said = COMMANDS[name].help or ""
    assert "Example" in said
    assert f"leadml {name}" in said.split("Example")[1]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_does(name: str) -> None:
    """No option or argument of a command is without a help text."""
    silent = [parameter.name for parameter in COMMANDS[name].params if not parameter.help]
    assert not silent


def test_help_answers_at_once() -> None:
    """`leadml --help` takes less than half a second of processor time (best of three)."""
    seconds = []
    for _ in range(3):
        started = os.times()
        assert leadml("--help").returncode == 0
        ended = os.times()
        seconds.append(
            ended.children_user
            - started.children_user
            + (ended.children_system - started.children_system)
        )
    assert min(seconds) < 0.5


def test_the_command_line_imports_nothing_heavy() -> None:
    """Showing help loads no data, learning, tracking, settings or web library."""
    program = (
        "import sys, leadml.cli.app\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'scipy', 'lightgbm', 'mlflow', 'altair',"
        " 'pydantic', 'fastapi', 'rich', 'orjson'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout.strip() == "[]"


def test_version_is_that_of_the_package() -> None:
    """`leadml version` prints the version and nothing else."""
    assert leadml("version").stdout == f"{__version__}\n"


def test_an_unknown_option_is_named() -> None:
    """A typing error in an option exits with 2 and names the option, without a traceback."""
    said = leadml("train", "leads.csv", "--targt", "y")
    assert said.returncode == 2
    assert "--targt" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_named_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the tree becomes one line on stderr and its exit code; stdout stays empty."""
    with pytest.raises(typer.Exit) as exit_, failing_in_one_sentence():
        raise TargetMissing("there is no column 'won'", column="won", fix="name one of: y")
    said = capsys.readouterr()
    assert exit_.value.exit_code == TargetMissing.exit_code
    assert said.err == "target_missing: there is no column 'won'. Fix: name one of: y\n"
    assert said.out == ""


def test_a_named_error_is_one_object_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the same error is also exactly one object on stdout."""
    with pytest.raises(typer.Exit), failing_in_one_sentence(as_json=True):
        raise TargetMissing("there is no column 'won'", column="won")
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "target_missing"


@pytest.mark.parametrize("command", [["simulate"], ["demo", "--folder"]])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, command: list[str]) -> None:
    """A folder below a file is refused by its name, with exit code 2 and no traceback."""
    (tmp_path / "file").write_text("")
    said = leadml(*command, str(tmp_path / "file" / "folder"))
    assert said.returncode == 2
    sentence = said.stderr.strip().splitlines()[-1]
    assert sentence.startswith("file_unwritable: ")
    assert str(tmp_path / "file") in sentence
    assert "Traceback" not in said.stderr


def test_a_bug_keeps_its_traceback() -> None:
    """An error that leadml does not name is not dressed up as a sentence."""
    with pytest.raises(ZeroDivisionError), failing_in_one_sentence():
        _ = 1 / 0


def test_progress_without_a_terminal_is_one_line_a_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where stderr is no terminal each finished step is one line; stdout stays empty."""
    with Steps() as steps:
        for done in range(4):
            steps("learn", done, 3)
        steps("write")
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["learn", "write"]


def test_progress_says_where_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """A step ended by an error is not called done."""
    with pytest.raises(TargetMissing), Steps() as steps:
        steps("learn", 1, 3)
        raise TargetMissing("gone")
    assert "learn: stopped after" in capsys.readouterr().err


def test_an_interval_is_left_out_where_none_is_known() -> None:
    """An estimate without bounds is shown alone, one with bounds with both."""
    assert interval({"value": 0.5, "low": None, "high": None}, 2) == "0.50"
    assert interval({"value": 0.5, "low": 0.4, "high": 0.6}, 2) == "0.50 (0.40 to 0.60)"


def a_training() -> dict[str, Any]:
    """What a training found, as far as it is shown."""
    figure = {"value": 0.5, "low": None, "high": None, "protocol": "5 folds"}
    return {
        "verdict": {"sentence": "Trust it."},
        "n_leads": 100,
        "n_conversions": 30,
        "metrics": dict.fromkeys(("roc_auc", "log_loss", "brier", "ece"), figure),
        "policy": {"mql": 0.2, "sql": 0.4, "reason": "None."},
        "checks": [],
        "model": "leads",
        "version": "1",
        "alias": "champion",
        "bundle": "models/leads/1",
        "gate": {"passed": False, "sentence": "Not promoted: Log loss is worse."},
        "seconds": 1.0,
    }


def test_a_first_champion_that_failed_the_gate_says_both(capsys: pytest.CaptureFixture[str]):
    """The first version serves at once; its gate does not claim that it was not promoted."""
    from leadml.cli.learning import show_training

    found = a_training()
    show_training(found)
    said = "".join(capsys.readouterr())
    assert "Failed, but the first version serves all the same: Log loss is worse." in said
    assert "Not promoted" not in said
    show_training(found | {"alias": "challenger"})
    assert "Not promoted: Log loss is worse." in "".join(capsys.readouterr())


def test_a_model_of_another_name_says_how_it_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """Other commands take the model of the settings, so a training of another one says how."""
    from leadml.cli.learning import show_training

    show_training(a_training())
    assert "LEADML_MODEL_NAME" not in "".join(capsys.readouterr())
    show_training(a_training() | {"model": "b2b"})
    assert "export LEADML_MODEL_NAME=b2b" in "".join(capsys.readouterr())


def test_the_demo_sends_consent_as_a_crm_does(tmp_path: Path) -> None:
    """The leads that the demo scores say whether they may be contacted, so pages offer them."""
    history = tmp_path / "leads.csv"
    history.write_text("lead_id,created_at,contact_consent,converted\nL1,2026-01-01,true,\n")
    (lead,) = demo._open_leads(history)
    assert lead["contact_consent"] is True


def test_the_demo_counts_the_leads_it_asked_for_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Leads lived through and leads scored over HTTP are told, as the pages count both."""
    lived = {"leads": 4_800, "decisions": 7_203, "outcomes": 900}
    demo._tell_next(Path("demo"), Settings(), lived, 200)
    said = "".join(capsys.readouterr())
    assert "7,203 scores of 4,800 leads" in said
    assert "and the 200 open leads scored just now" in said
