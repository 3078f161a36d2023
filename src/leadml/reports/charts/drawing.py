"""The one door to altair: colours, axes, then SVG or PNG.

Every chart is drawn once, 360 px wide, with sentinel colours: in an SVG they become
``var(--…)`` of the page's sheet, so that one drawing serves light, dark and print; in a
PNG they become the light palette. altair is imported inside the functions (0.2 s).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "DASHES",
    "LIGHT",
    "PERCENT",
    "WIDTH",
    "axis_of",
    "haloed",
    "ink",
    "ink_of",
    "picture",
    "png",
    "rows_of",
    "svg",
]

WIDTH = 360
"""Width of every drawing in px; text of 11 px stays 11 px on a phone."""

# token of the sheet -> its light value; the order gives each its sentinel colour
LIGHT: Final = {
    "model": "#2a5fc9",
    "model-soft": "#cfdef8",
    "happened": "#1a1e26",
    "up": "#2a5fc9",
    "down": "#a94d0a",
    "base-1": "#6b717d",
    "base-2": "#8b8f98",
    "rest": "#d9d6d0",
    "grid": "#e9e6e1",
    "line-strong": "#8d8f94",
    "ink": "#1a1e26",
    "ink-2": "#4d5461",
    "ink-3": "#656c79",
    "paper": "#ffffff",
}

_SENTINEL = {token: f"#5eed{i:02x}" for i, token in enumerate(LIGHT)}

PERCENT = "format(100 * datum.value, '~g') + '\u202f%'"

DASHES = ([6, 3], [3, 3], [1, 3], [8, 2, 2, 2])


def ink(token: str) -> str:
    """Colour that stands for a token of the sheet until the drawing is coloured."""
    return _SENTINEL[token]


def rows_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as one JSON text: altair copies a chart at every step, a text costs nothing."""
    import altair as alt

    return alt.Data(
        values=json.dumps([dict(row) for row in rows]), format=alt.JsonDataFormat(type="json")
    )


def axis_of(**kwargs: Any) -> Any:
    """An axis, without altair being imported by who asks for it."""
    import altair as alt

    return alt.Axis(**kwargs)


def haloed(base: Any, token: str, **mark: Any) -> list[Any]:
    """Text of the field ``t``, readable where it crosses a line."""
    around = base.mark_text(color=ink("paper"), stroke=ink("paper"), strokeWidth=4, **mark)
    return [around.encode(text="t:N"), base.mark_text(color=ink(token), **mark).encode(text="t:N")]


def _spec(chart: Any, *, title: str | None = None, subtitle: str | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a chart in the house style."""
    chart = chart.configure(
        aria=False,
        background="transparent" if title is None else ink("paper"),
        padding={"left": 2, "right": 8, "top": 8, "bottom": 2} if title is None else 16,
        font="sans-serif",
        view={"stroke": None},
        axis={
            "domain": False,
            "ticks": False,
            "gridColor": ink("grid"),
            "labelColor": ink("ink-2"),
            "labelFontSize": 11,
            "labelPadding": 6,
            "titleColor": ink("ink-2"),
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 6,
        },
        title={
            "anchor": "start",
            "fontSize": 15,
            "color": ink("ink"),
            "subtitleColor": ink("ink-2"),
            "offset": 12,
        },
    )
    if title is not None:
        chart = chart.properties(title={"text": title, "subtitle": subtitle or ""})
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found


_CLIP_ID = re.compile(r'(id="|url\(#)([A-Za-z]+\d+)')

_FONT = re.compile(r' font-family="[^"]*"')

_COLOUR = re.compile(r"#5eed([0-9a-f]{2})", re.IGNORECASE)

_TOKENS = tuple(LIGHT)


def svg(chart: alt.TopLevelMixin, *, label: str, name: str) -> str:
    """A chart as one inline SVG element that takes its colours from the page.

    Parameters
    ----------
    chart
        Any chart of this module.
    label
        Text alternative: what is drawn and what was found.
    name
        Unique on the page; prefixes the ids inside (clip paths).
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_spec(chart))
    ids: dict[str, int] = {}  # vega numbers them on and on; a page wants the same bytes again
    drawn = _CLIP_ID.sub(lambda m: f"{m[1]}{name}-{ids.setdefault(m[2], len(ids))}", drawn)
    drawn = _FONT.sub("", drawn)
    drawn = _COLOUR.sub(lambda m: f"var(--{_TOKENS[int(m[1], 16)]})", drawn)
    drawn = drawn.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "", 1)
    drawn = drawn.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)
    head = f'class="vega" role="img" aria-label="{html.escape(label, quote=True)}"'
    return drawn.replace('class="marks"', head, 1)


def png(chart: alt.TopLevelMixin, *, title: str, subtitle: str = "") -> bytes:
    """The same chart as a PNG at twice the size, on white, with its title."""
    import vl_convert

    text = json.dumps(_spec(chart, title=title, subtitle=subtitle))
    text = _COLOUR.sub(lambda m: LIGHT[_TOKENS[int(m[1], 16)]], text)
    drawn: bytes = vl_convert.vegalite_to_png(text, scale=2)
    return drawn


_TOKEN = re.compile(r"var\(--([a-z0-9-]+)\)")


def ink_of(token: str) -> str:
    """The light value of a token of the sheet, where no sheet colours the drawing."""
    return LIGHT[token]


def picture(drawing: str, *, scale: float) -> bytes:
    """An SVG as a PNG in the light palette; it may hold drawings of :func:`svg`.

    Parameters
    ----------
    drawing
        A complete SVG document.
    scale
        Pixels for each px of it.
    """
    import vl_convert

    lit = _TOKEN.sub(lambda m: LIGHT[m[1]], drawing)
    drawn: bytes = vl_convert.svg_to_png(lit, scale=scale)
    return drawn
