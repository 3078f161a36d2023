"""Then against now: what was promised and what happened, drift, room for proposals."""

from leadml.monitoring.drift import Drift, input_drift, score_drift
from leadml.monitoring.performance import Performance, performance
from leadml.monitoring.room import Room, room_for_proposals

__all__ = [
    "Drift",
    "Performance",
    "Room",
    "input_drift",
    "performance",
    "room_for_proposals",
    "score_drift",
]
