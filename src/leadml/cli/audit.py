"""Commands on the audit log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadml.cli.console import NEEDS_LOOK, AsJson, failing_in_one_sentence, group, say, tell
from leadml.cli.memory import opened_store

__all__ = ["app"]

app = group("Read the audit log; see whether somebody edited it.")


@app.command("list")
def list_entries(
    last: Annotated[int, typer.Option(min=1, help="So many entries, the newest ones.")] = 50,
    action: Annotated[
        str | None, typer.Option(help="Only actions that begin so, such as key or policy.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List who changed what, oldest first.

    \b
    Examples:
      leadml audit list
      leadml audit list --action policy --last 10
      leadml audit list --json
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        found = [e for e in store.audit_log() if e["action"].startswith(action or "")][-last:]
        tell({"entries": found}, _show_entries, as_json)


def _show_entries(found: dict[str, Any]) -> None:
    for entry in found["entries"]:
        detail = ", ".join(f"{name}: {value}" for name, value in entry["detail"].items())
        said = f"{entry['at'][:19].replace('T', ' ')}  {entry['actor']}  {entry['action']}"
        say(f"{said}  {entry['subject']}{f'  ({detail})' if detail else ''}")
    if not found["entries"]:
        say("No such entry.")


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(help="What an earlier verify printed: the log must still hold it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """See whether every entry is as it was written; exit code 3 if not.

    Each entry is linked to the one before it by a hash. Keep the printed head elsewhere:
    it also shows whether somebody wrote the whole log anew.

    \b
    Examples:
      leadml audit verify
      leadml audit verify --head 41:5a0e…
    """
    with failing_in_one_sentence(as_json), opened_store() as store:
        broken = store.broken_audit_links()
        if head is not None and not store.holds_audit_head(head):
            broken.append("the log does not hold the head that was kept")
        head = store.audit_head()
        tell({"holds": not broken, "head": head, "broken": broken}, _show_links, as_json)
    if broken:
        raise typer.Exit(NEEDS_LOOK)


def _show_links(found: dict[str, Any]) -> None:
    for line in found["broken"]:
        say(line)
    if found["holds"]:
        count = found["head"].partition(":")[0]
        entries = "entry" if count == "1" else "entries"
        say(f"The audit log holds: {count} {entries}. Head {found['head']}")
