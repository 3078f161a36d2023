"""Plain JSON, signed, for any program that can receive HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from leadml.webhooks.parcel import Message, Receiver, Reception, invalid_option, reception_of
from leadml.webhooks.reply import CallFailed
from leadml.webhooks.signing import signed_headers
from leadml.webhooks.tokens import check_credential

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["LEADS_ONLY", "MOST", "body_of", "check", "send"]

MOST: Final = 1
LEADS_ONLY: Final = False


def check(receiver: Receiver) -> None:
    """No options; a credential is sent as a bearer token."""
    for name in receiver.options:
        raise invalid_option(name, "a generic webhook has no options")
    if receiver.credential is not None:
        check_credential(receiver)


def body_of(message: Message, lead_fields: Sequence[str] = ()) -> str:
    """The body: what happened, its place in the order, and the fields that were asked for."""
    data: dict[str, Any] = {**message.data, "sequence": message.sequence}
    known = {name: message.attributes[name] for name in lead_fields if name in message.attributes}
    if known:
        data["lead"] = known
    return json.dumps({**message.payload, "data": data}, ensure_ascii=False, separators=(",", ":"))


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Post each message by itself, signed by every active secret."""
    return [_send(wire, receiver, message) for message in messages]


def _send(wire: Wire, receiver: Receiver, message: Message) -> Reception:
    body = body_of(message, receiver.lead_fields)
    headers = signed_headers(receiver.secrets, message.message_id, datetime.now(UTC), body)
    headers["content-type"] = "application/json"
    if receiver.credential:
        headers["authorization"] = f"Bearer {receiver.credential}"
    try:
        return reception_of(wire.call("POST", receiver.url, headers=headers, content=body.encode()))
    except CallFailed as failed:
        return reception_of(failed)
