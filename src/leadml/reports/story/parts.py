"""What a section is made of: cells, tables, charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell", "Chart", "Section", "Table", "thinned"]


@dataclass(frozen=True)
class Cell:
    """A figure with its interval in small print."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """Cells as text: a head, rows whose first cell names them; ``us`` rows are tinted."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""
    us: frozenset[int] = frozenset()
    text_columns: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    """A drawing, what it found, and the numbers behind it."""

    title: str
    subtitle: str
    svg: str
    numbers: Table
    key: tuple[tuple[str, str], ...] = ()
    foot: str = ""


@dataclass
class Section:
    """A numbered part of the page; ``kind`` names its module, its template, ``body`` fills it."""

    title: str
    kind: str
    body: dict[str, Any] = field(default_factory=dict)


def thinned(points: Sequence[Any], most: int) -> list[Any]:
    """At most ``most`` of these, evenly spaced, ends included."""
    if len(points) <= most:
        return list(points)
    picks = sorted({round(i * (len(points) - 1) / (most - 1)) for i in range(most)})
    return [points[i] for i in picks]
