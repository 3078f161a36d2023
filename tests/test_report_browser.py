"""The report in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from facts_sample import facts_minimal, facts_sample

from leadml.reports.page import render_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    None,
)
LONG = "a_very_long_column_name_" * 6


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system; the tests are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield launched
        launched.close()


def harsh() -> dict[str, Any]:
    """Facts with names and levels that are long or hostile."""
    facts = facts_sample()
    facts["model"]["name"] = LONG
    facts["effects"][0]["label"] = LONG
    for effect in facts["effects"]:
        if effect["kind"] == "category":
            effect["points"][0]["level"] = LONG
            effect["points"][1]["level"] = "<script>document.title='x'</script>"
    facts["examples"][0]["lead_id"] = LONG
    facts["examples"][0]["reasons"][0]["text"] = f"{LONG}: odds 2.0 times a typical lead's"
    facts["data"]["dropped"][0] = {"column": LONG, "reason": LONG}
    facts["data"]["source"] = LONG
    facts["protocol"]["name"] = LONG
    facts["checks"][0]["detail"] = LONG
    facts["verdict"]["sentence"] = LONG
    facts["notes"] = [LONG]
    facts["baselines"][0]["name"] = LONG
    facts["pairs"][0]["columns"] = [LONG, LONG]
    return facts


PAGES = {"full": facts_sample, "tiny": facts_minimal, "harsh": harsh}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in PAGES}
    for name, file in found.items():
        file.write_text(render_report(PAGES[name]()), "utf-8")
    return found


WIDTHS = (360, 390, 820, 1280)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_and_is_quiet(browser: Any, files: dict[str, Path], name: str) -> None:
    """No console message, no policy violation, no request, no sideways scrolling, any width."""
    file = files[name]
    page = browser.new_page(viewport={"width": WIDTHS[0], "height": 800})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    wide = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wide[width] = page.evaluate("document.documentElement.scrollWidth")
    title = page.title()
    page.close()
    assert said == []
    assert asked == [file.as_uri()]
    assert all(found <= width for width, found in wide.items()), wide
    assert title.endswith("leadml")


def test_no_text_of_a_chart_is_cut_by_the_window(browser: Any, files: dict[str, Path]) -> None:
    """On a phone every label of every chart lies inside the window."""
    file = files["full"]
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(file.as_uri())
    outside = page.evaluate(
        """() => [...document.querySelectorAll("svg text")]
            .filter(t => t.textContent.trim())
            .map(t => [t.textContent, t.getBoundingClientRect()])
            .filter(([_, box]) => box.width > 0 && (box.left < 0 || box.right > innerWidth))
            .map(([text, box]) => `${text} ${box.left} ${box.right}`)"""
    )
    page.close()
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, files: dict[str, Path], scheme: str) -> None:
    """Body text has a contrast of at least 4.5 in both colour schemes (WCAG AA)."""
    file = files["full"]
    page = browser.new_page(color_scheme=scheme)
    page.goto(file.as_uri())
    pairs = page.evaluate(
        """() => [...document.querySelectorAll("h1,h2,h3,p,th,td,dd,dt,summary,.code,.sev,.ci,b")]
            .filter(e => e.textContent.trim() && !e.closest(".chip"))
            .map(e => { let g = e; let c;
              while ((c = getComputedStyle(g).backgroundColor) === "rgba(0, 0, 0, 0)")
                g = g.parentElement;
              return [getComputedStyle(e).color, c, e.textContent.slice(0, 30)]; })"""
    )
    page.close()

    def light(colour: str) -> float:
        parts = [float(p) / 255 for p in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert len(pairs) > 100
    for ink, ground, text in pairs:
        a, b = sorted((light(ink), light(ground)))
        assert (b + 0.05) / (a + 0.05) >= 4.5, (text, ink, ground)


def test_on_paper_nothing_lies_over_another(browser: Any, files: dict[str, Path]) -> None:
    """Printed on A4, what pages may end in is made of blocks, for grids overlap there."""
    page = browser.new_page()
    page.goto(files["full"].as_uri())
    page.emulate_media(media="print")
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".paper, .part, .lead, .side")]
            .map(e => getComputedStyle(e).display)"""
    )
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("details.data")]
            .every(e => getComputedStyle(e).display === "none")"""
    )
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    page.close()
    assert set(shown) == {"block"}
    assert hidden
    assert b"/MediaBox [0 0 594.9" in printed  # A4 in points
    assert 3 <= printed.count(b"/Type /Page\n") <= 20


def test_a_report_is_light_enough_to_send(files: dict[str, Path]) -> None:
    """The single file stays below 2 MB, also where names are long."""
    assert all(file.stat().st_size <= 2_000_000 for file in files.values())
