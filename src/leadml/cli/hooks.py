"""Commands on webhooks, and the worker that sends them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadml.cli.console import AsJson, failing_in_one_sentence, group, say, tell, warn

if TYPE_CHECKING:
    from leadml.service.handoff import Handoff

__all__ = ["app", "deliver"]

app = group("Tell other systems what happens to leads.")

BY = "cli"

Named = Annotated[
    str, typer.Argument(help="Id of the webhook, as `leadml webhooks list` shows it.")
]


@contextmanager
def _handoff() -> Iterator[Handoff]:
    """Webhooks of the memory that the settings name."""
    from leadml.service.handoff import handoff_of
    from leadml.service.opening import opened_memory
    from leadml.settings import Settings

    settings = Settings()
    with opened_memory(settings) as memory:
        yield handoff_of(settings, memory)


def _told(found: dict[str, Any]) -> str:
    words = f"{found['id']}  {found['kind']}  {found['state']}  {found['url']}"
    if found.get("note"):
        words += f"  ({found['note']})"
    if "state_reason" in found:
        words += f"  {found['state_reason']}"
    return words


def _show_secret(found: dict[str, Any]) -> None:
    say(found["secret"])
    warn(f"Shown this once; the receiver verifies by it. {_told(found)}")


def _options(texts: list[str]) -> dict[str, Any]:
    """Options as NAME=VALUE; a value that is a JSON object counts as one."""
    from leadml.errors import ConfigError

    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError("an option is written NAME=VALUE", fix="--option object=Lead")
        if value.startswith("{"):
            try:
                found[name] = json.loads(value)
            except ValueError:
                raise ConfigError(f"the option {name} is no JSON object") from None
        else:
            found[name] = value
    return found


def _attempts(n: int) -> str:
    return "1 attempt" if n == 1 else f"{n} attempts"


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Address of the receiver, or root of a CRM's API.")],
    kind: Annotated[
        str,
        typer.Option(help="generic, hubspot, salesforce, salesforce_event, dynamics or slack."),
    ] = "generic",
    event: Annotated[
        list[str] | None, typer.Option(help="Type of message; may be repeated; else the usual.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Attribute of the lead that is told; may be repeated.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE that the kind needs; may be repeated.")
    ] = None,
    credential_stdin: Annotated[
        bool, typer.Option("--credential-stdin", help="Read the CRM's token from stdin.")
    ] = False,
    note: Annotated[str, typer.Option(help="What people call it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a webhook and show its secret, this once.

    Addresses that lead inside are refused unless LEADML_WEBHOOK_ALLOW names them. A
    credential is read from stdin, for arguments can be seen by others.

    \b
    Examples:
      leadml webhooks add https://crm.example.com/hooks/leadml --note "sales desk"
      leadml webhooks add https://api.hubapi.com --kind hubspot --credential-stdin < token.txt
      leadml webhooks add https://hooks.slack.com/services/T/B/X --kind slack --field company
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.add(
            url=url,
            kind=kind,
            note=note,
            events=event or None,
            lead_fields=field or (),
            options=_options(option or []),
            credential=sys.stdin.read().strip() if credential_stdin else None,
            by=BY,
        )
        tell(found, _show_secret, as_json)


@app.command("list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List all webhooks and how many messages wait.

    \b
    Examples:
      leadml webhooks list
      leadml webhooks list --json
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        tell(handoff.listed(), _show_list, as_json)


def _show_list(found: dict[str, Any]) -> None:
    for webhook in found["webhooks"]:
        say(_told(webhook))
    counts = found["deliveries"]
    say(
        f"{counts['waiting'] + counts['unsorted']} waiting "
        f"(oldest {counts['oldest_s']:.0f} s), {counts['dead']} given up"
        if found["webhooks"]
        else "No webhook yet: make one with `leadml webhooks add URL`."
    )


@app.command("show")
def show(
    webhook: Named,
    state: Annotated[
        str | None, typer.Option(help="Only waiting, delivered, dead or withheld ones.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most deliveries shown.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show a webhook and its newest deliveries with their attempts.

    \b
    Examples:
      leadml webhooks show whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
      leadml webhooks show whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC --state dead --json
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.one(webhook) | handoff.deliveries(webhook, state=state, limit=limit)
        tell(found, _show_one, as_json)


def _show_one(found: dict[str, Any]) -> None:
    say(_told(found))
    say(f"events: {', '.join(found['events'])}")
    for delivery in found["deliveries"]:
        words = f"{delivery['id']}  {delivery['state']}  {delivery['type']}"
        words += f"  {delivery.get('lead_id', '')}  {_attempts(delivery['attempts'])}"
        if "last_error" in delivery:
            words += f"  {delivery['last_error']}"
        say(words)


@app.command("enable")
def enable(webhook: Named, as_json: AsJson = False) -> None:
    """Let a disabled webhook be sent messages again, and what it missed.

    \b
    Example:
      leadml webhooks enable whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
    """
    _set_state(webhook, "active", as_json)


@app.command("disable")
def disable(webhook: Named, as_json: AsJson = False) -> None:
    """Send a webhook nothing until it is enabled; messages wait for it meanwhile.

    \b
    Example:
      leadml webhooks disable whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
    """
    _set_state(webhook, "disabled", as_json)


def _set_state(webhook: str, state: str, as_json: bool) -> None:
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.change(webhook, {"state": state}, by=BY)
        tell(found, lambda changed: say(_told(changed)), as_json)


@app.command("rotate")
def rotate(
    webhook: Named,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="Hours that the old secret signs too.")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Make the next secret of a webhook and show it; both sign for a while.

    \b
    Example:
      leadml webhooks rotate whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC --overlap-hours 48
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.rotate(webhook, overlap_s=3_600 * overlap_hours, by=BY)
        tell(found, _show_secret, as_json)


@app.command("remove")
def remove(webhook: Named, as_json: AsJson = False) -> None:
    """Delete a webhook with its deliveries, those that wait included.

    \b
    Example:
      leadml webhooks remove whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        tell(handoff.remove(webhook, by=BY), _show_removed, as_json)


def _show_removed(found: dict[str, Any]) -> None:
    say(f"Removed {found['removed']}; {found['waiting']} deliveries were waiting.")


@app.command("replay")
def replay(
    webhook: Named,
    delivery: Annotated[
        str | None, typer.Option(help="One delivery; all that were given up if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send again what was given up, or one delivery whatever came of it.

    \b
    Examples:
      leadml webhooks replay whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
      leadml webhooks replay whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC --delivery dlv_01KAN2Y7Q6W3V8ZQ4T5R9M
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.replay(webhook, delivery, by=BY)
        tell(found, lambda again: say(f"{again['replayed']} will be sent again."), as_json)


@app.command("test")
def try_webhook(
    webhook: Named,
    lead: Annotated[
        str | None, typer.Option(help="Whose score is sent; CRMs need one that they have.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send one signed message now and say what came of it.

    \b
    Examples:
      leadml webhooks test whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC
      leadml webhooks test whk_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC --lead 00Q5e000001xyz
    """
    with failing_in_one_sentence(as_json), _handoff() as handoff:
        found = handoff.test(webhook, lead)
        tell(found, _show_trial, as_json)
    if not found["delivered"]:
        raise typer.Exit(1)


def _show_trial(found: dict[str, Any]) -> None:
    if found["delivered"]:
        say(f"Delivered in {found['duration_ms']:.0f} ms (status {found.get('status', '–')}).")
        return
    error = found.get("error", "no reason known")
    fix = f" Fix: {found['fix']}." if "fix" in found else ""
    say(f"Not delivered: {error}.{fix}")


def deliver(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End once nothing is due.")
    ] = False,
) -> None:
    """Send webhooks until told to stop: a worker of its own beside PostgreSQL or SQLite.

    Any number may run at once. Servers send by themselves unless LEADML_DELIVER=false.

    \b
    Examples:
      leadml deliver
      leadml deliver --until-idle
    """
    with failing_in_one_sentence():
        import signal
        import threading

        from leadml.service.delivering import deliverer_of
        from leadml.service.opening import opened_memory
        from leadml.settings import Settings

        settings = Settings()
        stopping = threading.Event()
        before = {
            number: signal.signal(number, lambda *_: stopping.set())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            with opened_memory(settings) as memory:
                worker = deliverer_of(settings, memory)
                worker.start()
                warn("Delivering; Ctrl-C or SIGTERM stops it.")
                while not stopping.wait(0.2):
                    if until_idle and worker.is_idle():
                        break
                worker.stop(settings.webhook_timeout_s)
            done = worker.results
            say(", ".join(f"{n} {what}" for what, n in sorted(done.items())) or "Nothing was due.")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
