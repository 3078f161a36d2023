"""Pictures of the pages for the documentation: ``python docs/img/pages.py ADDRESS``."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent


def draw(address: str) -> None:
    """Write the top of four pages, one of them dark, one on a phone."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with urllib.request.urlopen(f"{address}/leads?format=json") as answer:  # noqa: S310 - given by hand
        lead = json.load(answer)["leads"][1]["lead_id"]
    shots = (
        ("pages-overview", "/", 1180, 860, "light"),
        ("pages-lead", f"/lead?id={lead}", 1180, 900, "light"),
        ("pages-thresholds-dark", "/thresholds", 1180, 760, "dark"),
        ("pages-phone", f"/lead?id={lead}", 390, 844, "dark"),
    )
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for name, path, width, height, scheme in shots:
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(f"{address}{path}")
            page.screenshot(path=HERE / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    draw(sys.argv[1].rstrip("/"))
