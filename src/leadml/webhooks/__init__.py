"""The door for outbound HTTP: guarded, signed, in the shape a receiver expects."""

from leadml.webhooks.guard import Guard
from leadml.webhooks.parcel import Message, Receiver, Reception
from leadml.webhooks.schedule import Schedule
from leadml.webhooks.shapes import KINDS, shape_of
from leadml.webhooks.wire import Wire

__all__ = [
    "KINDS",
    "Guard",
    "Message",
    "Receiver",
    "Reception",
    "Schedule",
    "Wire",
    "shape_of",
]
