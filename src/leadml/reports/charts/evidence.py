"""Small charts of shares by value: plain SVG that takes its colours from the page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from leadml.reports import words

__all__ = ["shares_chart"]

Fact = Mapping[str, Any]

_WIDE: Final = 460
_ROW: Final = 24
_NAMES: Final = 168
_VALUES: Final = 58
_LONGEST: Final = 26


def shares_chart(
    points: Sequence[Fact], *, label: str, other: str = "predicted", base: float | None = None
) -> str:
    """A dot with its interval for every value, and a tick where something else is told.

    Parameters
    ----------
    points
        ``name``, ``rate`` in [0, 1], ``low`` and ``high`` or neither, and what ``other`` names.
    label
        Text alternative: what is drawn, what was found.
    other
        Key of a second share, drawn as a tick.
    base
        A share drawn as a line through all rows.

    Returns
    -------
    str
        One SVG element without colours, styles or scripts of its own.
    """
    top = max(
        [float(p[key]) for p in points for key in ("rate", "high", other) if p.get(key) is not None]
        + ([base] if base is not None else [])
        + [1e-9]
    )
    span = _WIDE - _NAMES - _VALUES

    def x(share: float) -> str:
        return f"{_NAMES + span * min(share / top, 1.0):.1f}"

    height = _ROW * len(points)
    said = html.escape(label, quote=True)
    parts = [
        f'<svg class="plot evidence" viewBox="0 0 {_WIDE} {height}"'
        f' role="img" aria-label="{said}">',
        f'<line class="g" x1="{_NAMES}" x2="{_NAMES}" y1="0" y2="{height}"/>',
    ]
    if base is not None:
        parts.append(
            f'<line class="l-other-1" x1="{x(base)}" x2="{x(base)}" y1="0" y2="{height}"/>'
        )
    for i, p in enumerate(points):
        y = _ROW * i + _ROW / 2
        name = str(p["name"])
        short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        parts.append(
            f'<text x="{_NAMES - 8}" y="{y + 4:g}" text-anchor="end">{html.escape(short)}</text>'
        )
        if p.get("low") is not None and p.get("high") is not None:
            ends = f'x1="{x(float(p["low"]))}" x2="{x(float(p["high"]))}"'
            parts.append(f'<line class="l-hap" {ends} y1="{y:g}" y2="{y:g}"/>')
        if p.get(other) is not None:
            at = x(float(p[other]))
            parts.append(
                f'<line class="l-model" x1="{at}" x2="{at}" y1="{y - 7:g}" y2="{y + 7:g}"/>'
            )
        rate = float(p["rate"])
        parts.append(f'<circle class="f-hap" cx="{x(rate)}" cy="{y:g}" r="4"/>')
        parts.append(
            f'<text class="strong" x="{_WIDE}" y="{y + 4:g}" text-anchor="end">'
            f"{words.chance(rate)}</text>"
        )
    return "".join(parts) + "</svg>"
