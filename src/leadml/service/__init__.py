"""All that leadml does, as one object."""

from leadml.service.service import Leadml

__all__ = ["Leadml"]
