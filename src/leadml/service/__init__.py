"""All that leadml does, room by room."""

from leadml.service.service import Leadml

__all__ = ["Leadml"]
