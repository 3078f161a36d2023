"""The routes of webhooks in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from leadml.api.describing import (
    Piece,
    array,
    body_of,
    flag,
    moment,
    number,
    object_of,
    operation,
    parameter,
    ref,
    responses_of,
    text,
    whole,
)
from leadml.store.announcing import EVENTS
from leadml.webhooks import KINDS

__all__ = ["PIECE"]

_WRITING: Final = ("400", "408", "413", "415", "422")
_TAG: Final = "webhooks"
_ONE: Final = ("webhook_id",)
_ENABLED: Final = ["active", "disabled"]
_STATES: Final = ["waiting", "delivered", "dead", "withheld"]

_EXAMPLE: Final = {
    "url": "https://crm.example.com/hooks/leadml",
    "events": ["lead.became_mql", "lead.dropped"],
    "lead_fields": ["company", "country"],
    "note": "the sales desk",
}


def _optional(schema: str, example: Any) -> dict[str, Any]:
    """A JSON body that may be left out."""
    return {**body_of(schema, example, "One JSON object, or nothing."), "required": False}


def _names(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": {"type": "string"}, **more}


_EVENTS: Final[dict[str, Any]] = array(
    "Types of messages; if left out, those of docs/webhooks.md that the kind takes.",
    {"type": "string", "enum": list(EVENTS)},
    minItems=1,
)
_SETTABLE: Final[dict[str, Any]] = {
    "url": text("Address of the receiver, or the root of a CRM's API.", maxLength=2_000),
    "note": text("What people call it.", maxLength=500),
    "events": _EVENTS,
    "lead_fields": _names("Attributes of the lead that it is told.", maxItems=100),
    "options": {
        "type": "object",
        "description": "What the kind needs, as names of fields; see docs/webhooks.md.",
        "additionalProperties": True,
    },
    "credential": text("By which leadml signs in there; never shown again.", maxLength=10_000),
}
_KIND: Final = text("Shape of what is sent.", enum=list(KINDS))
_SHOWN: Final[dict[str, Any]] = {
    "id": text("Names the webhook."),
    "url": text(
        "Address of the receiver; once it is made, `…` stands for what may be secret in it: the "
        "path of a Slack URL, the values of any query."
    ),
    "kind": _KIND,
    "note": text("What people call it."),
    "events": _names("Types of messages that it is sent."),
    "lead_fields": _names("Attributes of the lead that it is told."),
    "options": {
        "type": "object",
        "description": "What the kind needs.",
        "additionalProperties": True,
    },
    "state": text("Disabled ones are sent nothing; it waits.", enum=_ENABLED),
    "state_reason": text("Why it is disabled."),
    "paused_until": moment("The receiver asked to be left alone until then."),
    "has_credential": flag("Whether leadml signs in there."),
    "active_secrets": whole("Secrets that sign; two in rotation."),
    "created_at": moment("When it was made."),
    "updated_at": moment("When it was changed last."),
}
_REQUIRED: Final = ("id", "url", "kind", "events", "state", "created_at")

PIECE: Final = Piece(
    paths={
        "/v1/webhooks": {
            "get": operation(
                "webhooks",
                _TAG,
                "manage",
                "All webhooks",
                "Oldest first, with how many deliveries wait or were given up.",
                responses_of("Webhooks", "All webhooks.", ("422",)),
            ),
            "post": operation(
                "addWebhook",
                _TAG,
                "manage",
                "Make a webhook",
                "Messages that are written from now on are sent to it, each at least once. The "
                "`secret` of the answer verifies them (standardwebhooks.com); it is shown this "
                "once. Addresses that lead inside are refused.",
                responses_of("NewWebhook", "The webhook with its secret.", _WRITING, "201"),
                body=body_of("WebhookGiven", _EXAMPLE),
            ),
        },
        "/v1/webhooks/{id}": {
            "get": operation(
                "webhook",
                _TAG,
                "manage",
                "One webhook",
                "Where it is and what it is sent.",
                responses_of("Webhook", "The webhook.", ("404",)),
                parameters=_ONE,
            ),
            "patch": operation(
                "changeWebhook",
                _TAG,
                "manage",
                "Change a webhook",
                "Changes what the body names. One that becomes `active` again gets what it missed.",
                responses_of("Webhook", "The webhook as it is now.", ("404", *_WRITING)),
                parameters=_ONE,
                body=body_of("WebhookChange", {"state": "active"}),
            ),
            "delete": operation(
                "removeWebhook",
                _TAG,
                "manage",
                "Delete a webhook",
                "Deletes it with its deliveries, those that wait included.",
                responses_of("WebhookRemoved", "What went.", ("404",)),
                parameters=_ONE,
            ),
        },
        "/v1/webhooks/{id}/rotate": {
            "post": operation(
                "rotateWebhookSecret",
                _TAG,
                "manage",
                "Make the next secret",
                "Until the overlap ends messages are signed by the old secret too, so that the "
                "receiver can change over. The new one is shown this once.",
                responses_of("NewWebhook", "The webhook with its new secret.", ("404", *_WRITING)),
                parameters=_ONE,
                body=_optional("WebhookRotation", {"overlap_hours": 24}),
            )
        },
        "/v1/webhooks/{id}/deliveries": {
            "get": operation(
                "webhookDeliveries",
                _TAG,
                "manage",
                "What was sent",
                "Deliveries of a webhook, newest first, each with the log of its attempts.",
                responses_of("Deliveries", "One page.", ("404", "422")),
                parameters=(*_ONE, "delivery_state", "delivery_limit", "delivery_cursor"),
            )
        },
        "/v1/webhooks/{id}/replay": {
            "post": operation(
                "replayDeliveries",
                _TAG,
                "manage",
                "Send again",
                "Sends the delivery that the body names, or all that were given up. The id of "
                "the message stays the same.",
                responses_of("Replayed", "How many will be sent.", ("404", *_WRITING)),
                parameters=_ONE,
                body=_optional("ReplayGiven", {"delivery_id": "dlv_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC"}),
            )
        },
        "/v1/webhooks/{id}/test": {
            "post": operation(
                "testWebhook",
                _TAG,
                "manage",
                "Try a webhook",
                "Sends one message now and says what came of it. Kinds that write into a CRM "
                "need the `lead_id` of a lead that the CRM has.",
                responses_of("WebhookTried", "What came of it.", ("404", *_WRITING)),
                parameters=_ONE,
                body=_optional("WebhookTrial", {"lead_id": "00Q5e000001xyz"}),
            )
        },
    },
    schemas={
        "WebhookGiven": object_of(
            "A webhook to be made.",
            {**_SETTABLE, "kind": {**_KIND, "default": "generic"}},
            ("url",),
            closed=True,
            example=_EXAMPLE,
        ),
        "WebhookChange": object_of(
            "What of a webhook changes.",
            {**_SETTABLE, "state": text("Whether it is sent anything.", enum=_ENABLED)},
            closed=True,
        ),
        "WebhookRotation": object_of(
            "How long both secrets sign.",
            {
                "overlap_hours": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": 720,
                    "default": 24,
                    "description": "Hours that the old secret goes on.",
                }
            },
            closed=True,
        ),
        "ReplayGiven": object_of(
            "What is sent again.",
            {"delivery_id": text("One delivery; all given up if left out.", maxLength=100)},
            closed=True,
        ),
        "WebhookTrial": object_of(
            "What it is tried with.",
            {"lead_id": text("Whose score is sent.", minLength=1, maxLength=255)},
            closed=True,
        ),
        "Webhook": object_of("A receiver of messages.", _SHOWN, _REQUIRED),
        "NewWebhook": object_of(
            "A receiver with its newest secret, shown this once.",
            {**_SHOWN, "secret": text("Verifies what it is sent, as the specification says.")},
            (*_REQUIRED, "secret"),
        ),
        "Webhooks": object_of(
            "All webhooks.",
            {
                "webhooks": array("Oldest first.", ref("Webhook")),
                "deliveries": ref("DeliveryStanding"),
            },
            ("webhooks", "deliveries"),
        ),
        "DeliveryStanding": object_of(
            "How far the deliveries of all webhooks are.",
            {
                "waiting": whole("To be made."),
                "dead": whole("Given up; a replay sends them."),
                "unsorted": whole("Messages that no worker has looked at."),
                "oldest_s": number("Age of the oldest message that waits, in seconds."),
            },
            ("waiting", "dead", "unsorted", "oldest_s"),
        ),
        "WebhookRemoved": object_of(
            "What went.",
            {
                "removed": text("Id of the webhook."),
                "waiting": whole("Deliveries that were waiting."),
            },
            ("removed", "waiting"),
        ),
        "Replayed": object_of(
            "What will be sent again.",
            {"replayed": whole("Deliveries.")},
            ("replayed",),
        ),
        "WebhookTried": object_of(
            "What came of a trial.",
            {
                "delivered": flag("Whether it was taken."),
                "message_id": text("The id that the message carried."),
                "status": whole("The receiver's HTTP status."),
                "error": text("What went wrong."),
                "fix": text("What would let a refused address be called."),
                "duration_ms": number("How long it took."),
            },
            ("delivered", "message_id", "duration_ms"),
        ),
        "Deliveries": object_of(
            "One page of deliveries.",
            {
                "deliveries": array("Newest first.", ref("Delivery")),
                "next_cursor": text("Where the next page begins; absent on the last."),
            },
            ("deliveries",),
        ),
        "Delivery": object_of(
            "One message for one webhook.",
            {
                "id": text("Names the delivery."),
                "message_id": text("The same each time the message is sent."),
                "type": text("The event."),
                "lead_id": text("The lead it is about, if any."),
                "sequence": whole("Grows with a lead's messages."),
                "state": text("Where it stands.", enum=_STATES),
                "attempts": whole("Made so far."),
                "created_at": moment("When it happened."),
                "next_attempt_at": moment("When it is tried again."),
                "finished_at": moment("When it was delivered or given up."),
                "last_status": whole("Status of the last answer."),
                "last_error": text("What went wrong last."),
                "log": array("Attempts, oldest first.", ref("DeliveryAttempt")),
            },
            ("id", "message_id", "type", "sequence", "state", "attempts", "created_at", "log"),
        ),
        "DeliveryAttempt": object_of(
            "One attempt.",
            {
                "at": moment("When it began."),
                "status": whole("The receiver's HTTP status."),
                "error": text("What went wrong."),
                "duration_ms": number("How long it took."),
            },
            ("at", "duration_ms"),
        ),
    },
    parameters={
        "webhook_id": parameter("id", "path", "Id of the webhook.", {"type": "string"}),
        "delivery_state": parameter(
            "state", "query", "Only those that stand there.", {"type": "string", "enum": _STATES}
        ),
        "delivery_limit": parameter(
            "limit",
            "query",
            "Most deliveries on a page.",
            {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        ),
        "delivery_cursor": parameter(
            "cursor", "query", "`next_cursor` of the page before.", {"type": "string"}
        ),
    },
)
