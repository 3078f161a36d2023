"""leadml.reports.slide: a verdict as one picture."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from facts_sample import facts_minimal, facts_sample
from hypothesis import given
from hypothesis import strategies as st

from leadml.reports.slide import HEIGHT, WIDTH, _lines, slide

LONG = "a_very_long_column_name_" * 6


def harsh() -> dict[str, Any]:
    """Facts with texts that are long, or markup."""
    facts = facts_sample()
    facts["model"]["name"] = "<script>&amp;"
    facts["verdict"]["sentence"] = f"Rank only. {'The top fifth <b> & more ' * 40} {LONG}."
    facts["effects"][0]["label"] = LONG
    facts["effects"][1]["label"] = "</svg><rect/>"
    return facts


@pytest.mark.parametrize("facts", [facts_sample, facts_minimal, harsh])
def test_a_slide_is_a_picture_of_one_size(facts: Any) -> None:
    """Full, tiny and hostile facts give a PNG of 1,920 by 1,080 pixels of at most 2 MB."""
    drawn = slide(facts())
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", drawn[16:24]) == (1.5 * WIDTH, 1.5 * HEIGHT)
    assert 20_000 < len(drawn) < 2_000_000


def test_the_same_facts_give_the_same_slide() -> None:
    """Nothing of the moment is drawn."""
    assert slide(facts_sample()) == slide(facts_sample())


def test_charts_without_facts_are_left_out() -> None:
    """A slide without calibration and effects is another picture, and still one."""
    facts = facts_sample()
    whole = slide(facts)
    for name in ("calibration", "effects"):
        del facts[name]
    assert len(slide(facts)) < len(whole)


@given(st.text(max_size=400), st.floats(60, 1200), st.floats(10, 30), st.integers(1, 4))
def test_lines_fit(text: str, room: float, size: float, most: int) -> None:
    """No line is longer than its room has characters, and no more lines come than asked."""
    lines = _lines(text, room, size, most=most)
    assert 1 <= len(lines) <= most
    assert all(len(line) <= max(8, room / (0.53 * size)) for line in lines)
