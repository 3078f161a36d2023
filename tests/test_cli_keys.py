"""The commands that make, list, rotate and revoke keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.store import Store


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database that the commands find."""
    found = f"sqlite:///{tmp_path / 'leadml.db'}"
    monkeypatch.setenv("LEADML_DATABASE_URL", found)
    return found


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints."""
    found = CliRunner().invoke(app, ["keys", *arguments])
    assert found.exit_code == code, found.output
    return found.output


def test_a_key_is_shown_once_and_opens_what_it_should(url: str) -> None:
    """The text printed is the key; lists show its prefix, name, scopes and end only."""
    output = run("create", "--scope", "score", "--scope", "read", "--name", "hubspot")
    text = output.split()[0]
    assert re.fullmatch(r"leadml_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    listed = run("list")
    assert "hubspot: read, score" in listed
    assert text not in listed
    store = Store(url)
    key = store.verify_key(text)
    assert key is not None
    assert key.scopes == {"score", "read"}
    store.close()


def test_a_key_stands_alone_on_stdout(url: str) -> None:
    """`KEY=$(leadml keys create …)` takes the key and nothing else; the note is for people."""
    asked = ["keys", "create", "--scope", "score", "--name", "crm"]
    found = CliRunner().invoke(app, asked)
    assert re.fullmatch(r"leadml_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n", found.stdout)
    assert "Shown this once" in found.stderr


def test_rotation_and_revocation(url: str) -> None:
    """A successor has the same scopes, and both end when they are told to."""
    made = json.loads(run("create", "--scope", "score", "--name", "crm", "--json"))
    after = json.loads(run("rotate", made["prefix"], "--overlap-hours", "1", "--json"))
    assert (after["replaces"], after["scopes"]) == (made["prefix"], ["score"])
    keys = json.loads(run("list", "--json"))["keys"]
    assert "expires_at" in keys[0]
    assert "Revoked" in run("revoke", after["prefix"])
    store = Store(url)
    assert store.verify_key(made["key"]) is not None
    assert store.verify_key(after["key"]) is None
    store.close()


def test_days_are_counted(url: str) -> None:
    """A key made for some days says when it ends."""
    made = json.loads(
        run("create", "--scope", "read", "--name", "x", "--expires-days", "30", "--json")
    )
    assert made["expires_at"] > made["created_at"]


def test_what_cannot_be_is_said_in_one_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown scope, an unknown prefix, a memory that is off: one sentence with a fix."""
    assert "a key needs scopes of: score" in run("create", "--scope", "x", "--name", "y", code=2)
    assert "leadml keys list" in run("revoke", "0" * 12, code=1)
    monkeypatch.setenv("LEADML_DATABASE_URL", "")
    assert "LEADML_DATABASE_URL" in run("list", code=2)


def test_empty_list_says_what_that_means(url: str) -> None:
    """Without any key the list says who may ask."""
    assert "this machine only" in run("list")
