"""Signing in with a real browser, and what other sites can make it do."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from leadml.settings import Settings
from leadml.store import Store
from tests import held
from tests.http_server import serve
from tests.test_sign_in import PASSWORD, quick_hashes

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "chrome") if (found := shutil.which(name))),
    None,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system; the tests are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=CHROMIUM, args=[*root, "--disable-gpu", "--disable-quic"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with an administrator."""
    folder = tmp_path_factory.mktemp("browsed")
    url = f"sqlite:///{folder / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    settings = Settings(database_url=url, max_jobs=0, models_dir=str(folder), tracking_uri="")
    with quick_hashes():
        store.people.add("ada", PASSWORD, "admin")
        store.close()
        with serve(settings, held.serving()) as found:
            yield found


@pytest.fixture
def elsewhere(address: str) -> Iterator[str]:
    """Another site: it links to a page and posts a form by itself."""
    page = f"""<!doctype html><title>elsewhere</title>
        <a id="link" href="{address}/model">open in leadml</a>
        <form id="evil" method="post" action="{address}/v1/policy/preview" enctype="text/plain">
        <input name='{{"basis": "capacity", "x": "' value='"}}'></form>
        <form id="roll" method="post" action="{address}/versions/rollback">
        <input name="reason" value="because"></form>"""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"  # another site than 127.0.0.1
    server.shutdown()
    server.server_close()


def sign_in(page: Any, password: str = PASSWORD) -> None:
    """Fill the form and send it by the keyboard, as the focus stands."""
    if page.evaluate("document.activeElement.id") == "name":
        page.keyboard.type("ada")
        page.keyboard.press("Tab")
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_signing_in_and_out_by_keyboard(browser: Any, address: str) -> None:
    """Asked for a page, wrong at first, then right, then out; nothing is blocked or foreign."""
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/versions")
    assert page.url == f"{address}/sign-in?next=%2Fversions"
    sign_in(page, "a wrong password")
    assert page.get_by_role("alert").inner_text().startswith("Name and password do not")
    assert page.input_value("#name") == "ada"
    assert page.input_value("#password") == ""
    sign_in(page)
    assert page.url == f"{address}/versions"
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    session = cookies["leadml_session"]
    assert (session["httpOnly"], session["sameSite"], session["expires"]) == (True, "Strict", -1)
    assert "leadml_session" not in page.evaluate("document.cookie")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("status").inner_text() == "You are signed out."
    page.goto(f"{address}/model")
    assert "/sign-in" in page.url
    refused = [text for text in said if "403" not in text]  # Chromium tells of the wrong password
    assert refused == []
    assert all(url.startswith(address) for url in asked)
    context.close()


def test_other_sites_can_link_but_not_act(browser: Any, address: str, elsewhere: str) -> None:
    """A link finds the session although its cookie is strict; forms of other sites are refused."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/model")
    sign_in(page)
    page.goto(elsewhere)
    page.click("#link")
    page.wait_for_url(f"{address}/model")
    page.wait_for_selector("h1")
    assert "Model" in page.inner_text("h1")
    for form in ("evil", "roll"):
        page.goto(elsewhere)
        with page.expect_navigation() as found:
            page.evaluate(f"document.getElementById('{form}').submit()")
        assert found.value.status in (401, 403)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_is_for_everybody(browser: Any, address: str, scheme: str) -> None:
    """Axe finds nothing serious, with and without a fault; nothing scrolls sideways at 360 px."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = browser.new_page(viewport={"width": 360, "height": 760}, color_scheme=scheme)
    page.goto(f"{address}/sign-in")
    for _ in range(2):
        found = axe.Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        sign_in(page, "a wrong password")
    page.close()
