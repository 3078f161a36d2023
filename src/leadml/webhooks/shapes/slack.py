"""Messages in a Slack channel, by an incoming webhook and the official client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from leadml.webhooks.parcel import Message, Receiver, Reception, invalid_option, reception_of
from leadml.webhooks.records import require_client
from leadml.webhooks.reply import CallFailed

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["LEADS_ONLY", "MOST", "check", "lines_of", "send"]

MOST: Final = 1
LEADS_ONLY: Final = False

_LONGEST: Final = 2_900  # a section holds 3,000 characters
_MARKS: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HEADS: Final = {
    "lead.became_mql": "{lead} is ready for sales",
    "lead.became_sql": "{lead} was qualified by sales",
    "lead.dropped": "{lead} is no longer with sales",
    "lead.outcome": "{lead}: {outcome}",
    "model.promoted": "A new model is served: {model_version}",
    "policy.changed": "The thresholds changed: policy {policy_version}",
    "capacity.exceeded": "More leads are ready than sales can work",
    "webhook.test": "leadml reaches this channel",
}


def check(receiver: Receiver) -> None:
    """No options and no credential: the URL of a Slack webhook is its secret."""
    require_client("slack_sdk")
    for name in receiver.options:
        raise invalid_option(name, "a Slack webhook has no options")


def lines_of(message: Message, lead_fields: Sequence[str] = ()) -> list[str]:
    """The lines of the message, nothing of which Slack reads as its own marks."""
    data = message.data
    known = {name: _plain(value) for name, value in data.items()}
    lead = known.get("lead_id", "a lead")
    head = _HEADS.get(message.type, "{lead}: " + message.type.rpartition(".")[2])
    try:
        lines = ["*" + head.format(lead=lead, **known) + "*"]
    except KeyError:
        lines = ["*" + _plain(message.type) + "*"]
    if "probability" in data:
        lines.append(
            f"chance {100 * float(data['probability']):.1f} %, score {known.get('score', '–')}, "
            f"stage {known.get('stage', '–')} (was {known.get('previous_stage', '–')})"
        )
    lines += [f"• {_plain(reason['text'])}" for reason in data.get("reasons", ())]
    lines += [
        f"{_plain(name)}: {_plain(message.attributes[name])}"
        for name in lead_fields
        if name in message.attributes
    ]
    return lines


def _plain(value: Any) -> str:
    text = " ".join(str(value).split())[:500]
    for mark, written in _MARKS.items():
        text = text.replace(mark, written)
    return text.replace("*", "∗").replace("`", "'")


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Post each message by itself."""
    require_client("slack_sdk")
    return [_send(wire, receiver, message) for message in messages]


def _send(wire: Wire, receiver: Receiver, message: Message) -> Reception:
    text = "\n".join(lines_of(message, receiver.lead_fields))[:_LONGEST]
    try:
        answer = _client(wire, receiver.url).send(
            text=text,
            blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
            unfurl_links=False,
            unfurl_media=False,
        )
    except CallFailed as failed:
        return reception_of(failed)
    found: Reception = answer
    return found


def _client(wire: Wire, url: str) -> Any:
    """The official client over our own wire."""
    from slack_sdk.webhook import WebhookClient

    class Client(WebhookClient):
        def _perform_http_request(self, *, body: Any, headers: Any) -> Any:
            return reception_of(
                wire.call(
                    "POST",
                    self.url,
                    headers={**headers, "Content-Type": "application/json;charset=utf-8"},
                    content=json.dumps(body).encode(),
                )
            )

    return Client(url)
