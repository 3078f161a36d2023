"""Platform events of Salesforce, for flows that do the rest there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from leadml.webhooks.parcel import Message, Receiver, Reception
from leadml.webhooks.records import check_options, fields_of, require_client
from leadml.webhooks.shapes.salesforce import OPTIONS, object_type, with_session
from leadml.webhooks.tokens import check_credential

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["EVENT", "FIELDS", "LEADS_ONLY", "MOST", "check", "send"]

MOST: Final = 1
LEADS_ONLY: Final = True

EVENT: Final = "leadml_Lead__e"
"""The event, unless the option ``object`` says otherwise."""

FIELDS: Final = {
    "event": "Event__c",
    "lead_id": "Lead_Id__c",
    "stage": "Stage__c",
    "score": "Score__c",
    "probability": "Probability__c",
    "reasons": "Reasons__c",
    "message_id": "Message_Id__c",
    "sequence": "Sequence__c",
    "occurred_at": "Occurred_At__c",
}
"""What is told, and the field that holds it, unless the option ``fields`` says otherwise."""


def check(receiver: Receiver) -> None:
    """A token, or an application that fetches one; the URL is that of My Domain."""
    require_client("simple_salesforce")
    check_credential(receiver)
    allowed = {name: OPTIONS[name] for name in ("object", "version")}
    check_options(receiver, allowed)


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Publish one event for each message; its id lets a flow skip repeats."""
    return [_send(wire, receiver, message) for message in messages]


def _send(wire: Wire, receiver: Receiver, message: Message) -> Reception:
    fields = fields_of(message, receiver.options.get("fields", FIELDS))
    name = str(receiver.options.get("object", EVENT))

    def act(session: Any) -> int:
        object_type(session, receiver, name).create(fields)
        return 201

    return with_session(wire, receiver, act)
