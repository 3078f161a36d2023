"""Commands on the people who may sign in."""

from __future__ import annotations

import getpass
import sys
import warnings
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, failing_in_one_sentence, group, say, tell, warn
from leadml.cli.memory import opened_store
from leadml.errors import ConfigError

__all__ = ["app"]

app = group("Let people sign in to the pages.")

Name = Annotated[str, typer.Argument(help="Their name, such as an e-mail address.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]


def _password(from_stdin: bool) -> str:
    """What is typed twice without being shown, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(
                typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
            )
        except getpass.GetPassWarning as error:  # it would be shown as it is typed
            warn("")  # ends the line of the prompt
            raise ConfigError(
                "there is no terminal to ask for the password", fix="send it by --password-stdin"
            ) from error


def _told(user: dict[str, Any]) -> str:
    words = f"{user['name']}: {user['role']}; made {user['created_at'][:10]}"
    seen = user.get("seen_at")
    return words + (f"; signed in {seen[:16].replace('T', ' ')} UTC" if seen else "; never seen")


@app.command("add")
def add(
    name: Name,
    role: Annotated[
        str, typer.Option(help="viewer reads, manager also acts on leads and lines, admin does all")
    ] = "viewer",
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in; the password is asked for and kept as a hash only.

    The first person closes the server: from then on pages ask who it is, and programs
    need a key.

    \b
    Examples:
      leadml users add anna@example.com --role admin
      leadml users add ben --role manager --password-stdin < password.txt
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        from leadml.store.users import checked_role

        checked_role(role)  # before anybody types a password
        made = store.people.add(name, _password(password_stdin), role).as_dict()
        tell(made, lambda user: say(f"Added {_told(user)}"), as_json)


@app.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List who may sign in, with role and latest sign-in.

    \b
    Examples:
      leadml users list
      leadml users list --json
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        tell({"users": [user.as_dict() for user in store.people.listed()]}, _show_list, as_json)


def _show_list(found: dict[str, Any]) -> None:
    for user in found["users"]:
        say(_told(user))
    if not found["users"]:
        say("Nobody yet. Make the first account: leadml users add NAME --role admin")


@app.command("password")
def password(name: Name, password_stdin: FromStdin = False, as_json: AsJson = False) -> None:
    """Give a person a new password; ends their sessions and forgets failed sign-ins.

    \b
    Examples:
      leadml users password anna@example.com
      leadml users password ben --password-stdin < password.txt
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        found = store.people.set_password(name, _password(password_stdin)).as_dict()
        tell(found, lambda user: say(f"New password for {_told(user)}"), as_json)


@app.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help="viewer, manager or admin")],
    as_json: AsJson = False,
) -> None:
    """Change what a person may do; ends their sessions.

    \b
    Example:
      leadml users role ben manager
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        found = store.people.set_role(name, role).as_dict()
        tell(found, lambda user: say(f"Changed {_told(user)}"), as_json)


@app.command("remove")
def remove(name: Name, as_json: AsJson = False) -> None:
    """Delete a person; they are signed out everywhere at once.

    The server stays closed, also after the last one.

    \b
    Example:
      leadml users remove ben
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        store.people.remove(name)
        removed = {"removed": name.strip().lower()}
        tell(removed, lambda found: say(f"Removed {found['removed']}"), as_json)
