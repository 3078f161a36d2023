"""What a section is made of: cells, tables, charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Cell", "Chart", "Drawer", "Section", "Table", "thinned"]

Fact = Mapping[str, Any]


class Drawer(Protocol):
    """Who draws the charts of a story: altair for paper, own layouts for served pages.

    Every method returns one SVG element that carries ``label`` as its text alternative.
    """

    def gains(
        self,
        points: Sequence[Fact],
        *,
        fifth: float | None,
        others: Sequence[Sequence[Fact]],
        label: str,
    ) -> str:
        """Conversions found when the best leads are worked first."""
        ...

    def calibration(self, bins: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened."""
        ...

    def bands(self, bands: Sequence[Fact], *, base_rate: float, label: str) -> str:
        """Conversion by score."""
        ...

    def months(self, months: Sequence[Fact], *, label: str) -> str:
        """Predicted chances against what happened, month by month."""
        ...

    def labels(self, curve: Sequence[Fact], *, horizon_days: float | None, label: str) -> str:
        """Time to conversion."""
        ...

    def effect(self, effect: Fact, *, domain: tuple[float, float], label: str, name: str) -> str:
        """How one number moves the odds; empty where it has no curve."""
        ...


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
