"""The door for outbound HTTP: guarded, signed, in the shape a receiver expects.

The wire itself is not imported here: a scorer that sends nothing needs no HTTP client.
"""

from leadml.webhooks.guard import Guard
from leadml.webhooks.parcel import Message, Receiver, Reception
from leadml.webhooks.schedule import Schedule
from leadml.webhooks.shapes import KINDS, shape_of

__all__ = [
    "KINDS",
    "Guard",
    "Message",
    "Receiver",
    "Reception",
    "Schedule",
    "shape_of",
]
