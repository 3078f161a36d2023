"""Commands on the keys of callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadml.cli.console import AsJson, failing_in_one_sentence, group, say, tell, warn
from leadml.cli.memory import opened_store

if TYPE_CHECKING:
    from leadml.store import Key

__all__ = ["app"]

app = group("Make, list, rotate, revoke the keys of callers.")

Prefix = Annotated[str, typer.Argument(help="The key's prefix, as `leadml keys list` shows it.")]


def _tell_made(made: tuple[str, Key], as_json: bool) -> None:
    text, key = made
    tell({"key": text, **key.as_dict()}, _show_made, as_json)


def _show_made(found: dict[str, Any]) -> None:
    say(found["key"])
    warn(f"Shown this once. {_told(found)}")


def _told(key: dict[str, Any]) -> str:
    words = f"{key['prefix']}  {key['name']}: {', '.join(key['scopes'])}"
    words += f"; made {key['created_at'][:10]}"
    if "replaces" in key:
        words += f"; replaces {key['replaces']}"
    if "revoked_at" in key:
        return words + f"; revoked {key['revoked_at'][:10]}"
    return words + (f"; ends {key['expires_at'][:16]}" if "expires_at" in key else "")


@app.command("create")
def create(
    scope: Annotated[
        list[str],
        typer.Option(help="What it opens: score, outcomes, read or manage; may be repeated."),
    ],
    name: Annotated[str, typer.Option(help="Whose it is, as lists and the audit log say.")],
    expires_days: Annotated[
        float | None, typer.Option(min=0.001, max=36_500, help="Days until it ends.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept.

    The first key closes the API: from then on every caller needs one, and the server may
    listen on an address that other machines reach.

    \b
    Examples:
      leadml keys create --scope score --name hubspot
      leadml keys create --scope score --scope outcomes --name salesforce --expires-days 365
      curl -H "Authorization: Bearer leadml_…" localhost:8000/v1/model
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        from datetime import UTC, datetime, timedelta

        ends = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
        _tell_made(store.create_key(name, scope, expires_at=ends), as_json)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, oldest first; no secret is shown, for none is kept.

    \b
    Examples:
      leadml keys list
      leadml keys list --json
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        tell({"keys": [key.as_dict() for key in store.list_keys()]}, _show_list, as_json)


def _show_list(found: dict[str, Any]) -> None:
    for key in found["keys"]:
        say(_told(key))
    if not found["keys"]:
        say("No key yet: the API answers this machine only, and everybody on it.")


@app.command("rotate")
def rotate(
    prefix: Prefix,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=8_784, help="Hours that the old key goes on.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Make the successor of a key and show it; the old key goes on for a while.

    \b
    Examples:
      leadml keys rotate 1f2e3d4c5b6a
      leadml keys rotate 1f2e3d4c5b6a --overlap-hours 168
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        _tell_made(store.rotate_key(prefix, overlap_s=3_600 * overlap_hours), as_json)


@app.command("revoke")
def revoke(prefix: Prefix, as_json: AsJson = False) -> None:
    """Close a key for good: within two seconds in every running server.

    \b
    Example:
      leadml keys revoke 1f2e3d4c5b6a
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        revoked = store.revoke_key(prefix).as_dict()
        tell(revoked, lambda key: say(f"Revoked {_told(key)}"), as_json)
