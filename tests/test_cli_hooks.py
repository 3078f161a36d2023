"""leadml.cli.hooks: webhooks and their worker by command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from receiver import Answer, receiver
from stored import decision
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.store import Store

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, with a memory there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADML_DATABASE_URL", "sqlite:///leadml.db")
    monkeypatch.setenv("LEADML_WEBHOOK_ALLOW", "127.0.0.1")


def run(*words: str, code: int = 0, **more: Any) -> str:
    """What a command prints."""
    found = RUNNER.invoke(app, list(words), **more)
    assert found.exit_code == code, found.output + str(found.exception)
    return found.stdout


def told(*words: str, **more: Any) -> dict[str, Any]:
    """The one JSON object that a command prints."""
    answer: dict[str, Any] = json.loads(run(*words, "--json", **more))
    return answer


def test_a_webhook_from_first_to_last() -> None:
    """Added, listed, shown, disabled, enabled, rotated, removed: each says what it did."""
    added = told("webhooks", "add", "https://crm.example.com/x", "--note", "desk")
    hook, secret = added["id"], added["secret"]
    assert hook in run("webhooks", "list")
    assert secret not in run("webhooks", "list", "--json")
    assert "lead.became_mql" in run("webhooks", "show", hook)
    assert told("webhooks", "disable", hook)["state"] == "disabled"
    assert told("webhooks", "enable", hook)["state"] == "active"
    rotated = run("webhooks", "rotate", hook)
    assert rotated.startswith("whsec_")
    assert secret not in rotated
    assert "Removed" in run("webhooks", "remove", hook)
    assert "No webhook yet" in run("webhooks", "list")
    assert "webhook_unknown" in run("webhooks", "show", hook, "--json", code=2)


def test_credentials_come_from_stdin() -> None:
    """A token is read from stdin and shown nowhere; options are names and values."""
    words = ["add", "https://api.hubapi.com", "--kind", "hubspot", "--credential-stdin"]
    options = ["--option", "id_property=email", "--option", 'fields={"score": "lead_score"}']
    added = told("webhooks", *words, *options, input="pat-secret\n")
    assert added["has_credential"] is True
    assert added["options"] == {"id_property": "email", "fields": {"score": "lead_score"}}
    assert "pat-secret" not in run("webhooks", "list", "--json")
    run("webhooks", *words, "--option", "nonsense", code=2, input="pat-secret")
    run("webhooks", *words, "--option", "fields={", code=2, input="pat-secret")


def test_inner_addresses_are_refused() -> None:
    """Without the list of open addresses nothing inside can be named."""
    said = run("webhooks", "add", "https://192.168.0.1/x", "--json", code=2)
    assert "address_refused" in said


def test_a_trial_says_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that is not taken ends with an exit code for scripts, and says what would help."""
    with receiver(lambda call: Answer(200 if call.path == "/ok" else 404)) as there:
        good = told("webhooks", "add", there.url + "/ok")["id"]
        bad = told("webhooks", "add", there.url + "/no")["id"]
        assert "Delivered" in run("webhooks", "test", good)
        assert "404" in run("webhooks", "test", bad, code=1)
        assert "  1 attempt  " not in run("webhooks", "show", bad)  # a trial is no delivery
        monkeypatch.delenv("LEADML_WEBHOOK_ALLOW")
        assert "open this one by LEADML_WEBHOOK_ALLOW" in run("webhooks", "test", good, code=1)


def test_a_worker_of_its_own_delivers_and_stops() -> None:
    """`leadml deliver` sends what waits and ends on SIGTERM; dead letters are replayed."""
    with receiver() as there:
        hook = told("webhooks", "add", there.url, "--event", "lead.became_mql")["id"]
        store = Store("sqlite:///leadml.db")
        store.record_decisions([decision("L1", 0.2)])
        worker = subprocess.Popen(
            [sys.executable, "-m", "leadml", "deliver"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ},
            text=True,
        )
        assert there.wait(lambda: len(there.calls) == 1, 30)
        took = []
        for n in (2, 3, 4):
            start = time.monotonic()
            store.record_decisions([decision(f"L{n}", 0.2)])
            assert there.wait(lambda n=n: len(there.calls) == n, 30)
            took.append(time.monotonic() - start)
        assert min(took) < 1.0
        store.close()
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=20)
        assert worker.returncode == 0
        assert said.strip() == "4 delivered"
        shown = told("webhooks", "show", hook, "--state", "delivered")["deliveries"]
        assert [delivery["lead_id"] for delivery in shown] == ["L4", "L3", "L2", "L1"]
        replayed = told("webhooks", "replay", hook, "--delivery", shown[0]["id"])
        assert replayed == {"replayed": 1}
        assert run("deliver", "--until-idle").strip().endswith("1 delivered")
        assert len(there.calls) == 5
