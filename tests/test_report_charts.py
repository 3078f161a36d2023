"""Charts of the facts."""

from __future__ import annotations

import re
import struct
from typing import Any
from xml.etree import ElementTree

import pytest
from facts_sample import facts_minimal, facts_sample

from leadml.reports.charts.bands import score_bands_chart
from leadml.reports.charts.calibration import calibration_chart
from leadml.reports.charts.drawing import WIDTH, svg
from leadml.reports.charts.effect import effect_chart
from leadml.reports.charts.gains import gains_chart
from leadml.reports.charts.importance import importance_chart
from leadml.reports.charts.labels import labels_chart
from leadml.reports.charts.months import months_chart
from leadml.reports.charts.reach import counted, hills_of, odds_domain, segments
from leadml.reports.pictures import figures


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """Complete facts of a simulated run."""
    return facts_sample()


def drawn(chart: Any) -> str:
    """A chart as SVG, proven to be well-formed."""
    text = svg(chart, label="what is drawn", name="a")
    ElementTree.fromstring(text)
    return text


def all_charts(facts: dict[str, Any]) -> dict[str, Any]:
    """Every kind of chart, from the same facts."""
    domain = odds_domain(facts["effects"])
    numbers = [e for e in facts["effects"] if e["kind"] == "number"]
    return {
        "gains": gains_chart(facts["gains"], fifth=0.48, others=[facts["gains"]]),
        "calibration": calibration_chart(facts["calibration"]),
        "bands": score_bands_chart(facts["score_bands"], base_rate=0.06),
        "months": months_chart(facts["months"]),
        "labels": labels_chart(facts["labels"]["curve"], horizon_days=90),
        "importance": importance_chart(facts["effects"]),
        **{e["column"]: effect_chart(e, domain=domain) for e in numbers},
    }


@pytest.fixture(scope="module")
def drawings(facts: dict[str, Any]) -> dict[str, str]:
    """Every kind of chart as SVG."""
    return {name: drawn(chart) for name, chart in all_charts(facts).items()}


def test_every_chart_is_one_safe_svg(drawings: dict[str, str]) -> None:
    """Each SVG is well-formed, labelled, free of scripts, styles, links and fixed colours."""
    for name, text in drawings.items():
        assert 'role="img" aria-label="what is drawn"' in text, name
        assert not re.search(r"<script|<style|style=|href|url\(h|https?:", text), name
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!\))", text), name
        assert "font-family" not in text, name


def test_colours_are_tokens_of_the_sheet(drawings: dict[str, str]) -> None:
    """Every colour of a chart is defined in the sheet of the page."""
    from leadml.reports.page import _sheet

    used = set()
    for text in drawings.values():
        used |= set(re.findall(r"var\(--([a-z0-9-]+)\)", text))
    assert used >= {"model", "happened", "down", "grid", "ink-2"}
    assert all(f"--{token}:" in _sheet() for token in used)


def test_text_fits_the_drawing(drawings: dict[str, str]) -> None:
    """No chart is wider than a phone's column."""
    for name, text in drawings.items():
        if name == "importance":  # a picture for MLflow only
            continue
        wide = float(re.search(r'width="([\d.]+)"', text)[1])  # type: ignore[index]
        assert wide <= WIDTH + 8, name


def test_labels_cannot_break_out() -> None:
    """A label with markup stays a label."""
    chart = labels_chart([{"day": 0, "share": 0.0}, {"day": 9, "share": 1.0}])
    text = svg(chart, label='"><script>alert(1)</script>&', name="a")
    element = ElementTree.fromstring(text)
    assert element.get("aria-label") == '"><script>alert(1)</script>&'
    assert "<script" not in text


@pytest.mark.parametrize(
    "bins",
    [
        [{"n": 5, "predicted": 0.0, "observed": 0.0}, {"n": 5, "predicted": 0.0, "observed": 0.2}],
        [{"n": 9, "predicted": 0.2, "observed": 0.1, "low": None, "high": None}] * 2,
        [
            {"n": 9, "predicted": 1e-5, "observed": 0.0, "low": 0.0, "high": 0.01},
            {"n": 9, "predicted": 0.999, "observed": 1.0, "low": 0.7, "high": 1.0},
        ],
    ],
)
def test_calibration_of_odd_bins(bins: list[dict[str, Any]]) -> None:
    """Zeros, certainties and absent intervals are drawn, not refused."""
    assert "NaN" not in drawn(calibration_chart(bins))


def number(*points: tuple[float | None, float | None, float, float, float]) -> dict[str, Any]:
    """An effect of a number from (from, to, log-odds, log-odds, share)."""
    names = ("from", "to", "log_odds_from", "log_odds_to", "share")
    return {
        "column": "x",
        "kind": "number",
        "points": [dict(zip(names, point, strict=True)) for point in points],
    }


@pytest.mark.parametrize(
    "effect",
    [
        number((None, 0.5, -1, -1, 0.5), (0.5, None, 1, 1, 0.5)),
        number((None, -1e300, 0, 0, 0.5), (-1e300, 1e300, 0, 1, 0.2), (1e300, None, 1, 1, 0.3)),
        number((None, -1e308, 0, 0, 0.5), (-1e308, 1e308, 0, 1, 0.2), (1e308, None, 1, 1, 0.3)),
        number((None, 0.0, 0, 0, 0.5), (0.0, 8.5e307, 0, 1, 0.2), (8.5e307, None, 1, 1, 0.3)),
        number((None, 0.0, 0, 0, 0.5), (0.0, 5e-324, 0, 1, 0.2), (5e-324, None, 1, 1, 0.3)),
        number((None, 1e-12, 0, 0, 0.5), (1e-12, 2e-12, -9, 9, 0.0), (2e-12, None, 1, 1, 0.5)),
        number((None, 3.0, 0, 0, 1.0), (3.0, 3.0, 1, 1, 0.0), (3.0, None, 1, 1, 0.0)),
        number((None, 0.0, 30, 30, 0.98), (0.0, 1.0, 30, -30, 0.01), (1.0, None, -30, -30, 0.01)),
        number((0, 10, -1, 1, 0.4), (10, 1e6, 1, 2, 0.6)),
    ],
)
def test_effects_of_any_shape_are_drawn(effect: dict[str, Any]) -> None:
    """Huge, tiny, empty and steep bins give a finite curve inside the drawing."""
    chart = effect_chart(effect, domain=odds_domain([effect]))
    assert chart is not None
    text = drawn(chart)
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_single_bin_has_no_curve() -> None:
    """A number that is never cut has nothing to draw."""
    assert effect_chart(number((None, None, 0, 0, 1.0)), domain=(0.5, 2.0)) is None
    assert effect_chart({"points": []}, domain=(0.5, 2.0)) is None


def test_odds_axis_is_shared_and_bounded(facts: dict[str, Any]) -> None:
    """One axis holds every loud effect, is never tighter than ×0.5 to ×2, never absurd."""
    low, high = odds_domain(facts["effects"])
    import math

    loud = [
        p["log_odds"]
        for e in facts["effects"]
        if e["kind"] == "category"
        for p in e["points"]
        if p["share"] >= 0.005
    ]
    assert math.log(low) <= min(loud)
    assert max(loud) <= math.log(high)
    assert odds_domain([]) == pytest.approx((0.5, 2.0))
    wild = number((None, 0, -400, -400, 0.5), (0, None, 400, 400, 0.5))
    assert odds_domain([wild]) == pytest.approx((0.02, 50.0))


def test_figures_are_png_files(facts: dict[str, Any]) -> None:
    """Every figure is a PNG at twice the size; absent facts leave theirs out."""
    found = figures(facts)
    assert set(found) == {
        "gains.png",
        "calibration.png",
        "score_bands.png",
        "months.png",
        "importance.png",
    }
    for name, data in found.items():
        assert data.startswith(b"\x89PNG\r\n"), name
        wide, high = struct.unpack(">II", data[16:24])
        assert wide > 600, name
        assert high > 200, name
    assert figures(facts_minimal()) == {}


def test_counts_are_drawn_as_steps_with_all_their_leads() -> None:
    """Whole numbers get one level each, the crowd at zero its hill, whatever the bins' ends."""
    tiny = 1.0000000180025095e-35
    effect = number(
        (0.0, 0.0, -0.3, -0.3, 0.66), (0.0, tiny, -0.3, -0.3, 0.0), (tiny, 1.5, 0.1, 0.5, 0.3)
    )
    effect["points"] += number((1.5, 3.0, 0.8, 0.9, 0.04))["points"]
    rows, low, high = segments(effect["points"])
    steps = counted(rows, low, high)
    assert [(step["x"] + step["x2"]) / 2 for step in steps] == [0, 1, 2, 3]
    assert all(step["a"] == step["b"] for step in steps)
    assert [round(step["share"], 3) for step in steps] == [0.66, 0.3, 0.02, 0.02]
    assert steps[0]["a"] == pytest.approx(-0.3)
    assert steps[1]["a"] == pytest.approx(0.1 + 0.4 / 1.5)


def test_hills_hold_every_lead() -> None:
    """The outline of the crowd adds up to all leads drawn, spikes without width included."""
    rows = [
        {"x": 0.0, "x2": 0.0, "a": 0.0, "b": 0.0, "share": 0.5},
        {"x": 0.0, "x2": 4.0, "a": 0.0, "b": 0.0, "share": 0.3},
        {"x": 4.0, "x2": 10.0, "a": 0.0, "b": 0.0, "share": 0.2},
    ]
    outline = hills_of(rows, 0.0, 10.0, lambda x: x)
    cells = [point["d"] ** 2 for point in outline[::2]]
    assert max(cells) == 1.0
    assert sum(cells) / cells[0] == pytest.approx(1 / (0.5 + 0.3 * (10 / 48) / 4), rel=0.01)
