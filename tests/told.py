"""Messages as the outbox holds them, for the tests of webhooks."""

from typing import Any

from leadml.webhooks import Guard, Message
from leadml.webhooks.wire import Wire

REASONS = [
    {"field": "visits", "text": "3 visits: odds 2.0 times a typical lead's"},
    {"field": "industry", "text": "industry <Health> & *Care*: odds 1.5 times"},
]


def told(lead_id: str = "101", sequence: int = 1, **more: Any) -> Message:
    """A lead that became MQL."""
    attributes = more.pop("attributes", {})
    kind = more.pop("type", "lead.became_mql")
    data = {
        "lead_id": lead_id,
        "stage": "mql",
        "previous_stage": "nurture",
        "probability": 0.1713,
        "score": 81,
        "grade": "B",
        "reasons": REASONS,
        "model_version": "leads@7",
        "policy_version": "3",
    } | more
    return Message(
        message_id=f"msg_{sequence}",
        sequence=sequence,
        payload={"type": kind, "timestamp": "2026-11-20T14:00:00Z", "data": data},
        lead_id=lead_id,
        attributes=attributes,
    )


def open_wire(timeout_s: float = 2.0) -> Wire:
    """A wire that may call this machine."""
    return Wire(Guard(["127.0.0.1"]), timeout_s=timeout_s)
