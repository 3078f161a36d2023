"""A model's verdict as one picture, for slides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from leadml.reports import words
from leadml.reports.charts.calibration import calibration_chart
from leadml.reports.charts.drawing import LIGHT, ink_of, picture, svg
from leadml.reports.charts.gains import gains_chart
from leadml.reports.charts.importance import importance_chart
from leadml.reports.story.estimates import tested
from leadml.reports.story.opening import tiles, verdict_of

__all__ = ["HEIGHT", "WIDTH", "slide"]

Fact = Mapping[str, Any]

WIDTH: Final = 1280
HEIGHT: Final = 720
"""In px of the drawing; the picture has one and a half times as many, 1,920 by 1,080."""

_MARGIN: Final = 48
_GAP: Final = 28
_FONT: Final = 'font-family="Liberation Sans, DejaVu Sans, Helvetica, Arial, sans-serif"'
_TONES: Final = {"trust": "#15693a", "no": "#b3261e"}
_LOOK: Final = "#8a5a00"
_SIZE: Final = re.compile(r'width="([\d.]+)" height="([\d.]+)"')
_EM: Final = 0.53  # width of a usual character of a sans-serif font, in ems


def slide(facts: Fact) -> bytes:
    """Verdict, headline figures and up to three charts on one 16:9 picture.

    Parameters
    ----------
    facts
        Facts of a training run; charts whose facts are absent are left out.

    Returns
    -------
    bytes
        A PNG of 1,920 by 1,080 pixels on white.
    """
    word, sentence, _ = verdict_of(facts)
    tone = _TONES.get(str(facts["verdict"]["word"]), _LOOK)
    model = facts["model"]
    version = f"@{model['version']}" if model.get("version") else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" {_FONT}>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT["paper"]}"/>',
        _text(_MARGIN, 54, f"{model.get('name')}{version}", 15, ink_of("ink-3")),
        _text(_MARGIN, 100, word, 34, tone, bold=True),
    ]
    y = 138
    for line in _lines(words.tidy(sentence), WIDTH - 2 * _MARGIN, 21, most=3):
        parts.append(_text(_MARGIN, y, line, 21, ink_of("ink")))
        y += 29
    top = y + 18
    parts += _tiles(facts, top)
    parts += _charts(facts, top + 148)
    foot = tested(facts)
    if foot:
        [line, *_] = _lines(words.tidy(foot), WIDTH - 2 * _MARGIN, 12, most=1)
        parts.append(_text(_MARGIN, HEIGHT - 22, line, 12, ink_of("ink-3")))
    parts.append("</svg>")
    return picture("".join(parts), scale=1.5)


def _tiles(facts: Fact, top: float) -> list[str]:
    told = tiles(facts)[:4]
    room = (WIDTH - 2 * _MARGIN - _GAP * (len(told) - 1)) / len(told)
    parts = []
    for i, tile in enumerate(told):
        x = _MARGIN + i * (room + _GAP)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x + room:.1f}" y1="{top}" y2="{top}" '
            f'stroke="{ink_of("rest")}"/>'
        )
        for y, key, size, token in ((22, "label", 13, "ink-2"), (82, "note", 12, "ink-3")):
            [line, *_] = _lines(words.tidy(tile[key]), room, size, most=1)
            parts.append(_text(x, top + y, line, size, ink_of(token)))
        parts.append(_text(x, top + 58, words.tidy(tile["value"]), 29, ink_of("ink"), bold=True))
    return parts


def _charts(facts: Fact, top: float) -> list[str]:
    told: list[tuple[str, str]] = []
    if len(facts.get("gains") or ()) > 1:
        fifth = (facts.get("metrics") or {}).get("top_fifth_share") or {}
        share = fifth.get("value")
        title = (
            f"A fifth of the work finds {words.chance(share)} of conversions"
            if share is not None
            else "Conversions found by working the best leads first"
        )
        told.append((title, svg(gains_chart(facts["gains"], fifth=share), label="", name="gains")))
    if facts.get("calibration"):
        drawn = svg(calibration_chart(facts["calibration"]), label="", name="cal")
        told.append(("Predicted chance against what happened", drawn))
    if facts.get("effects"):
        drawn = svg(importance_chart(facts["effects"], limit=9), label="", name="weight")
        told.append(("Strongest columns, by their share of the model", drawn))
    room = (WIDTH - 2 * _MARGIN - 2 * _GAP) / 3
    height = HEIGHT - top - 58
    parts = []
    for i, (title, drawn) in enumerate(told):
        x = _MARGIN + i * (room + _GAP)
        [line, *_] = _lines(words.tidy(title), room, 14.5, most=1)
        parts.append(_text(x, top - 14, line, 14.5, ink_of("ink"), bold=True))
        size = _SIZE.search(drawn)
        if size is None:
            continue
        scale = min(room / float(size[1]), height / float(size[2]))
        parts.append(f'<g transform="translate({x:.1f} {top:.1f}) scale({scale:.4f})">')
        parts.append(f"{drawn}</g>")
    return parts


def _text(x: float, y: float, text: str, size: float, fill: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{weight}>'
        f"{escape(text)}</text>"
    )


def _lines(text: str, room: float, size: float, *, most: int) -> list[str]:
    """Text broken into lines of about a width; what does not fit ends in an ellipsis."""
    length = max(8, int(room / (_EM * size)))
    found = [""]
    for word in text.split(" "):
        grown = f"{found[-1]} {word}".strip()
        if len(grown) <= length or not found[-1]:
            found[-1] = grown
        else:
            found.append(word)
    shown = [line if len(line) <= length else line[: length - 1] + "…" for line in found[:most]]
    if len(found) > most and not shown[-1].endswith("…"):
        shown[-1] = shown[-1][: length - 1].rstrip(" .,;") + "…"
    return shown
