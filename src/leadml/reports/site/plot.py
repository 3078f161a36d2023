"""An SVG laid out in percent across and pixels down."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["RIGHT", "Plot", "nice_ticks"]

RIGHT = 91.0
"""Percent of the width that the plot takes; the labels of its axis stand right of it."""

Point = tuple[float, float]


def nice_ticks(top: float, most: int = 4) -> list[float]:
    """Round values from 0 to at least ``top``, at most ``most`` steps.

    >>> nice_ticks(131), nice_ticks(0.37)
    ([0.0, 50.0, 100.0, 150.0], [0.0, 0.1, 0.2, 0.3, 0.4])
    """
    if not (math.isfinite(top) and top > 0):
        return [0.0, 1.0]
    unit = 10.0 ** math.floor(math.log10(top / most))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10, 20) if m * unit * most >= top * (1 - 1e-9))
    n = math.ceil(top / step - 1e-9)
    return [round(k * step, 12) for k in range(n + 1)]


def _n(value: float) -> str:
    """A coordinate with as few digits as a screen shows."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Plot:
    """Collects the parts of one drawing.

    Parameters
    ----------
    height
        In pixels, labels under the plot included.
    low, high
        Ends of the upright axis.
    log
        Whether that axis is logarithmic; ``low`` is then above 0.
    top, foot
        Pixels kept above the plot and under it.
    right
        Percent of the width that the plot takes.
    """

    def __init__(
        self,
        height: int,
        *,
        low: float = 0.0,
        high: float = 1.0,
        log: bool = False,
        top: float = 14.0,
        foot: float = 24.0,
        right: float = RIGHT,
    ) -> None:
        self.height, self.top, self.right, self.log = height, top, right, log
        self.bottom = height - foot
        self.low, self.high = low, high if high > low else low + 1.0
        self._parts: list[str] = []

    # --- places ---------------------------------------------------------------------

    def y(self, value: float) -> float:
        """Pixels down of a value, kept inside the plot."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            share = (math.log(max(value, 1e-300)) - low) / (high - low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top)

    def x(self, share: float) -> float:
        """Percent across of a share of the plot's width."""
        return share * self.right

    # --- marks ----------------------------------------------------------------------

    def raw(self, part: str) -> None:
        """Markup of our own making."""
        self._parts.append(part)

    def text(
        self, x: float, y: float, said: str, *, anchor: str = "start", cls: str = "", dx: float = 0
    ) -> None:
        """A label at percent across and pixels down."""
        more = (f' class="{cls}"' if cls else "") + (f' dx="{_n(dx)}"' if dx else "")
        self._parts.append(
            f'<text x="{_n(x)}%" y="{_n(y)}" text-anchor="{anchor}"{more}>'
            f"{html.escape(said)}</text>"
        )

    def rect(
        self, x: float, wide: float, y: float, tall: float, cls: str, *, title: str = ""
    ) -> None:
        """A bar; ``title`` is shown where a pointer rests on it."""
        inner = f"<title>{html.escape(title)}</title>" if title else ""
        self._parts.append(
            f'<rect x="{_n(x)}%" width="{_n(max(wide, 0))}%" y="{_n(y)}" '
            f'height="{_n(max(tall, 0))}" class="{cls}"' + (f">{inner}</rect>" if inner else "/>")
        )

    def line(self, x1: float, x2: float, y1: float, y2: float, cls: str) -> None:
        """A straight line."""
        self._parts.append(
            f'<line x1="{_n(x1)}%" x2="{_n(x2)}%" y1="{_n(y1)}" y2="{_n(y2)}" class="{cls}"/>'
        )

    def dot(self, x: float, y: float, cls: str, *, r: float = 4.0, title: str = "") -> None:
        """A point."""
        inner = f"<title>{html.escape(title)}</title>" if title else ""
        self._parts.append(
            f'<circle cx="{_n(x)}%" cy="{_n(y)}" r="{_n(r)}" class="{cls}"'
            + (f">{inner}</circle>" if inner else "/>")
        )

    def axis(self, ticks: Iterable[tuple[float, str]], *, ground: bool = True) -> None:
        """Hairlines across with their labels at the right; the lowest is the ground line."""
        for i, (value, name) in enumerate(ticks):
            at = self.y(value)
            self.line(0, self.right, at, at, "ax" if ground and i == 0 else "g")
            self.text(100, at + 3.5, name, anchor="end")

    def under(self, share: float, name: str, *, cls: str = "", row: int = 0) -> None:
        """A label under the plot; at its ends it stays inside."""
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        self.text(self.x(share), self.bottom + 16 + 14 * row, name, anchor=anchor, cls=cls)

    def path(self, points: Sequence[Point], cls: str) -> None:
        """A line through points: share across, pixels down."""
        self._shape(points, cls, close=False)

    def area(self, points: Sequence[Point], cls: str) -> None:
        """A filled outline through points: share across, pixels down."""
        self._shape(points, cls, close=True)

    def steps(self, points: Sequence[Point], cls: str) -> None:
        """A line that keeps its height until the next point."""
        if not points:
            return
        walked: list[Point] = [points[0]]
        for (_, y), (x2, y2) in pairwise(points):
            walked += [(x2, y), (x2, y2)]
        self.path(walked, cls)

    def _shape(self, points: Sequence[Point], cls: str, *, close: bool) -> None:
        if len(points) < 2:
            return
        tall = self.bottom - self.top
        said = "L".join(f"{_n(100 * x)},{_n(100 * (y - self.top) / tall)}" for x, y in points)
        self._parts.append(
            f'<svg x="0" y="{_n(self.top)}" width="{_n(self.right)}%" height="{_n(tall)}" '
            'viewBox="0 0 100 100" preserveAspectRatio="none" overflow="visible">'
            f'<path class="{cls}" d="M{said}{"Z" if close else ""}"/></svg>'
        )

    def svg(self, label: str, *, name: str = "") -> str:
        """The whole drawing; ``label`` is its text alternative."""
        more = f' id="{name}"' if name else ""
        return (
            f'<svg class="plot" height="{self.height}" role="img"{more} '
            f'aria-label="{html.escape(label, quote=True)}">{"".join(self._parts)}</svg>'
        )
