"""How far a long work is, told to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, float, float], None]
"""Called with a step, what is done of it, the total; 0 where the total is not known."""


def silent(step: str, done: float = 0.0, total: float = 0.0) -> None:
    """The progress of nobody."""
