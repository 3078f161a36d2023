"""Pictures of a report for the documentation: ``python docs/img/draw.py report.html``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
WIDTH = 880
SHOWN = [".titleblock", ".verdict", ".tiles", ".part-quality > h2", ".part-quality .side"]


def draw(report: Path) -> None:
    """Write the top of the page, in light and dark."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 100},
                color_scheme=scheme,
                device_scale_factor=1.5,
            )
            page.goto(report.resolve().as_uri())
            page.evaluate(
                """kept => {
                  const shown = new Set(kept.flatMap(k => [...document.querySelectorAll(k)]));
                  const near = e => [...shown].some(s => s.contains(e) || e.contains(s));
                  [...document.querySelectorAll("main *")].filter(e => !near(e))
                    .forEach(e => e.remove());
                  document.querySelectorAll("details").forEach(e => e.remove());
                }""",
                SHOWN,
            )
            tail = "" if scheme == "light" else "-dark"
            page.screenshot(path=HERE / f"report{tail}.png", full_page=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
