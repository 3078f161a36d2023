"""The commands on people and on the audit log."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadml.cli.app import app
from leadml.store import Store

PASSWORD = "three green apples"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database that the commands find."""
    found = f"sqlite:///{tmp_path / 'leadml.db'}"
    monkeypatch.setenv("LEADML_DATABASE_URL", found)
    return found


def run(*arguments: str, code: int = 0, typed: str = "") -> str:
    """What a command prints."""
    found = CliRunner().invoke(app, arguments, input=typed)
    assert found.exit_code == code, found.output
    return found.output


def test_the_life_of_an_account(url: str) -> None:
    """Added with a password from stdin, listed, changed and removed."""
    assert "users add NAME" in run("users", "list")
    stdin = f"{PASSWORD}\n"
    made = json.loads(
        run("users", "add", "Anna", "--role", "manager", "--password-stdin", "--json", typed=stdin)
    )
    assert (made["name"], made["role"]) == ("anna", "manager")
    assert "anna: manager; made 20" in run("users", "list")
    assert "admin" in run("users", "role", "anna", "admin")
    run("users", "password", "anna", "--password-stdin", typed="three red apples\r\n")
    store = Store(url)
    assert store.people.sign_in("anna", "three red apples")[1].role == "admin"
    store.close()
    [listed] = json.loads(run("users", "list", "--json"))["users"]
    assert set(listed) == {"name", "role", "created_at", "changed_at", "seen_at"}
    assert "Removed anna" in run("users", "remove", "Anna")
    assert json.loads(run("users", "list", "--json")) == {"users": []}


def test_a_typed_password_is_asked_for_twice_and_not_shown(url: str) -> None:
    """Without --password-stdin the password is prompted for; two different ones are not taken."""
    typed = f"{PASSWORD}\nsomething else\n{PASSWORD}\n{PASSWORD}\n"
    output = run("users", "add", "anna", typed=typed)
    assert PASSWORD not in output
    assert "do not match" in output
    assert "Added anna: viewer" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "anna", "--role", "owner"), "a role is one of: viewer, manager, admin"),
        (("add", "an na", "--password-stdin"), "a name has 1 to 100 letters"),
        (("add", "ben", "--password-stdin"), "a password has 10 to 512 characters"),
        (("password", "ben", "--password-stdin"), "a password has 10 to 512 characters"),
        (("role", "ben", "viewer"), "user_unknown: nobody has that name"),
        (("remove", "ben"), "leadml users list"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(url: str, arguments: tuple, said: str) -> None:
    """Wrong roles, names and passwords, and people who are not there."""
    typed = "short\n" if "ben" in arguments else f"{PASSWORD}\n"
    assert said in run("users", *arguments, code=2, typed=typed)


def test_the_audit_log_is_listed_and_verified(url: str, tmp_path: Path) -> None:
    """Entries are shown; an edit, and a log written anew, are found by exit code 3."""
    assert "No such entry" in run("audit", "list")
    for name in ("anna", "ben"):
        run("users", "add", name, "--password-stdin", typed=f"{PASSWORD}\n")
    run("keys", "create", "--scope", "read", "--name", "crm")
    listed = run("audit", "list")
    assert "cli  user.add  anna  (role: viewer)" in listed
    assert "user.add" not in run("audit", "list", "--action", "key")
    assert len(json.loads(run("audit", "list", "--json", "--last", "2"))["entries"]) == 2
    verified = run("audit", "verify")
    assert "The audit log holds: 3 entries" in verified
    head = verified.split()[-1]
    run("users", "add", "carl", "--password-stdin", typed=f"{PASSWORD}\n")
    assert json.loads(run("audit", "verify", "--head", head, "--json"))["holds"]
    for wrong in ("2:" + head.partition(":")[2], "99:0", "x", ""):
        said = run("audit", "verify", "--head", wrong, code=3)
        assert "does not hold the head" in said
    with sqlite3.connect(tmp_path / "leadml.db") as database:
        database.execute("UPDATE audit SET actor = 'somebody' WHERE seq = 2")
    found = json.loads(run("audit", "verify", "--json", code=3))
    assert found["broken"] == ["entry 2 was edited"]


def test_a_password_never_stands_in_the_process_list(url: str) -> None:
    """There is no option that takes a password; the real command reads a pipe."""
    found = subprocess.run(
        [sys.executable, "-m", "leadml", "users", "add", "dora", "--password-stdin"],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "Added dora: viewer" in found.stdout
    assert "--password " not in run("users", "add", "--help")


def test_without_a_terminal_no_password_is_asked_for(url: str) -> None:
    """A scheduler is told in one sentence how to send it; nothing could be hidden there."""
    done = subprocess.run(
        [sys.executable, "-m", "leadml", "users", "add", "dora"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == 2
    said = done.stderr.splitlines()[1]
    assert said.startswith("config_invalid: there is no terminal to ask for the password")
    assert "--password-stdin" in done.stderr
