"""The pages in a real browser: what people do on them, and what hostile text cannot do."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from leadml.datasets.catalog import get
from leadml.datasets.read import read_table
from leadml.reports import words
from leadml.service import Leadml
from leadml.service.memory import Memory
from leadml.service.seeding import seed_memory
from leadml.service.serving import Serving
from leadml.settings import Settings
from leadml.store import Report
from leadml.store.records import Outcome
from tests import company
from tests.http_server import serve

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name))
    ),
    None,
)
PAGES = ("/", "/leads", "/leads?stage=all", "/lead?id=L0007", "/thresholds", "/model", "/versions")

FORMS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    '"><svg onload={}>',
    "'><script>{}</script>",
    "</title><script>{}</script>",
    "</textarea><script>{}</script>",
    "</style><script>{}</script>",
    "<iframe srcdoc='<script>parent.{}</script>'>",
    "javascript:{}",
    "<a href=javascript:{}>x</a>",
    "{{{{7*7}}}}<script>{}</script>",
    "{{% raw %}}<script>{}</script>",
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<math><mtext><script>{}</script>",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "&lt;script&gt;{}&lt;/script&gt;",
    "<!--><script>{}</script>-->",
    "<input autofocus onfocus={}>",
    "<style>@import '//evil.example/{}'</style>",
)
HOSTILE = tuple(form.format(f"window.xss=({i}+1)") for i, form in enumerate(FORMS * 10))
"""Two hundred texts that are scripts somewhere."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system; the tests are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=CHROMIUM,
            args=[*root, "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """A real server for these settings."""
    with serve(settings, Serving.of(settings, trial=False)) as address:
        yield address


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A company with two versions and half a year of leads."""
    with served(company.found(tmp_path_factory.mktemp("browsed"))) as found:
        yield found


class Watched:
    """A page whose console, requests and script dialogues are kept."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path: str) -> Any:
        """Open a page of the server."""
        self.page.goto(f"{self.address}{path}", wait_until="load")
        return self.page

    @property
    def strayed(self) -> list[str]:
        """Requests that left the origin."""
        return [url for url in self.asked if not url.startswith((self.address, "data:"))]

    def close(self) -> None:
        """End it."""
        self.context.close()


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    """A desk's window on the company."""
    found = Watched(browser, address, viewport={"width": 1280, "height": 900})
    yield found
    found.close()


def test_the_slider_shows_what_the_preview_says(watched: Watched) -> None:
    """Moving the slider changes volume and precision to what the API's preview gives."""
    page = watched.go("/thresholds")
    before = page.inner_text("#result .tile:nth-child(1) dd.v")
    for capacity in (5, 11):
        page.evaluate(
            """n => { const i = document.querySelector('#capacity_per_week');
                      i.value = n; i.dispatchEvent(new Event('input', {bubbles: true})); }""",
            capacity,
        )
        page.wait_for_url(re.compile(rf"[?&]capacity_per_week={capacity}(&|$)"))
        meetings = page.input_value("#sql_capacity_per_week")
        asked = {
            "basis": "capacity",
            "capacity_per_week": capacity,
            "sql_capacity_per_week": float(meetings),
        }
        said = httpx.post(f"{watched.address}/v1/policy/preview", json=asked).json()
        mql = said["setting"]["expected"][0]
        volume = page.inner_text("#result .tile:nth-child(1) dd.v")
        precision = page.inner_text("#result .tile:nth-child(2) dd.v")
        assert volume == words.per_week(mql["volume_per_week"]["value"])
        assert precision == words.chance(mql["precision"]["value"])
        assert volume != before
        assert page.inner_text("#capacity_per_week-out") == f"{capacity} a week"
    assert watched.said == []


def test_saving_a_policy_by_hand(watched: Watched) -> None:
    """Another capacity is saved with its note, and the scorer uses it."""
    page = watched.go("/thresholds")
    page.focus("#capacity_per_week")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#save:enabled")
    page.fill("#note", "A colleague left")
    page.click("#save")
    page.wait_for_selector(".flash")
    said = page.inner_text(".flash")
    version = re.search(r"Policy (\d+)", said)
    assert version is not None
    assert "A colleague left" in page.inner_text("#history")
    assert page.is_disabled("#save")  # these are the saved lines
    scored = httpx.post(
        f"{watched.address}/v1/score", json={"lead_id": "B1", "lead": {"industry": "Software"}}
    ).json()
    assert scored["policy_version"] == version[1]
    assert watched.said == []


def test_two_tabs_move_the_lines(watched: Watched) -> None:
    """A double click saves once; who comes second loses nothing of what was set and written."""
    first = watched.go("/thresholds?basis=capacity&capacity_per_week=7")
    second = watched.context.new_page()
    second.goto(f"{watched.address}/thresholds?basis=capacity&capacity_per_week=21")
    before = len(httpx.get(f"{watched.address}/thresholds?format=json").json()["history"])
    first.fill("#note", "one of us")
    first.dblclick("#save")
    first.wait_for_selector(".flash.pass")
    second.fill("#note", "the other")
    second.click("#save")
    second.wait_for_selector(".flash.warn")
    assert second.input_value("#note") == "the other"
    assert second.input_value("#capacity_per_week") == "21"
    second.click("#save")
    second.wait_for_selector(".flash.pass")
    history = httpx.get(f"{watched.address}/thresholds?format=json").json()["history"]
    notes = [version["note"] for version in history]
    assert notes[:2] == ["the other", "one of us"]
    assert len(notes) - before in (2, 3)  # the lines as trained become a version with the first
    assert watched.said == []


def test_without_script_everything_is_done(browser: Any, address: str) -> None:
    """On a phone without script leads are filtered, lines are tried and saved."""
    watched = Watched(
        browser, address, viewport={"width": 390, "height": 800}, java_script_enabled=False
    )
    page = watched.go("/leads?stage=all")
    page.select_option("#stage", "customer")
    page.click(".filters button")
    assert "stage=customer" in page.url
    page = watched.go("/thresholds")
    page.check("input[value=precision]", force=True)
    page.click("#controls button")
    assert page.is_visible("#mql_precision")
    page.fill("#note", "no script")
    page.click("#save")
    page.wait_for_selector(".flash.pass")
    assert "precision" in page.inner_text("#history tr.us")
    watched.close()


def test_an_answer_that_does_not_come_is_told(watched: Watched) -> None:
    """Without the server a slider says so, and the figures of before stay."""
    page = watched.go("/thresholds?basis=capacity&capacity_per_week=9")
    page.route("**/thresholds?part=*", lambda route: route.abort())
    page.focus("#capacity_per_week")
    page.keyboard.press("ArrowRight")
    page.locator("#moved", has_text="does not answer").wait_for()
    assert page.is_visible("#result .tile")


def test_finding_a_lead_and_saying_what_became_of_it(watched: Watched) -> None:
    """A lead is found by its company, its factors multiply to its chance, it is accepted."""
    open_leads = httpx.get(f"{watched.address}/leads?stage=nurture&format=json").json()["leads"]
    company_name = open_leads[0]["attributes"]["company"]
    page = watched.go("/leads?stage=all")
    page.fill("#q", company_name)
    page.press("#q", "Enter")
    page.wait_for_selector(f"a.name:has-text('{company_name}')")
    page.click("a.name")
    page.wait_for_selector("table.wf")
    odds = [
        float(text.removeprefix("×").replace(",", ""))
        for text in page.locator(
            "table.wf tbody td.odds, table.wf tfoot .ends td.odds"
        ).all_inner_texts()
        if text.startswith("×")
    ]
    product = 1.0
    for factor in odds[:-1]:
        product *= factor
    assert abs(product / odds[-1] - 1) < 0.05
    chance = page.inner_text("table.wf tfoot .ends td.after")
    assert chance in page.inner_text("#why h2")
    page.click("button:has-text('Accept')")
    page.wait_for_selector(".flash")
    assert "SAL" in page.inner_text(".flash")
    assert "SAL" in page.inner_text(".way li.now")
    assert "Accepted by sales" in page.inner_text(".feed")
    assert watched.said == []


def test_promoting_and_going_back_by_hand(watched: Watched) -> None:
    """The other version is promoted with a reason, serves, and is replaced again."""
    for version in ("2", "1"):
        page = watched.go("/versions")
        page.select_option("#version", version)
        page.fill("#reason", f"by hand {version}")
        page.click("#promote button[type=submit]")
        page.wait_for_selector(".flash")
        assert f"Version {version} is the champion" in page.inner_text(".flash")
        ready = httpx.get(f"{watched.address}/health/ready").json()
        assert ready["model_version"] == f"leads@{version}"
    assert watched.said == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "light")])
def test_axe_finds_nothing_serious(browser: Any, address: str, width: int, scheme: str) -> None:
    """No page has a serious or critical fault of accessibility, open tables included."""
    assert faults(browser, address, width, scheme) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), (1280, "dark"), (1280, "light"), (360, "light")]
)
def test_axe_finds_nothing_serious_elsewhere(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    """The same in the other colours and on the narrowest phone."""
    assert faults(browser, address, width, scheme) == []


def faults(browser: Any, address: str, width: int, scheme: str) -> list[str]:
    """Serious and critical faults of all pages."""
    watched = Watched(
        browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    found = []
    for path in (*PAGES, "/leads?stage=all&q=nothingatall", "/lead?id=nobody", "/lost", "/account"):
        page = watched.go(path)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        for fault in axe.Axe().run(page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [node["html"][:120] for node in fault["nodes"][:3]]
                found.append(f"{path}: {fault['id']} {nodes}")
    watched.close()
    return found


@pytest.mark.parametrize("width", [360, 390, 1600])
def test_pages_fit_and_are_quiet(browser: Any, address: str, width: int) -> None:
    """No page scrolls sideways, violates its policy, says anything or asks elsewhere."""
    watched = Watched(browser, address, viewport={"width": width, "height": 900})
    wide = {}
    for path in PAGES:
        page = watched.go(path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
        if width == 390:
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            wide[path] = page.evaluate("document.documentElement.scrollWidth")
    said, strayed = watched.said, watched.strayed
    watched.close()
    assert said == []
    assert strayed == []
    assert all(found <= width for found in wide.values()), wide


def test_narrow_tables_break_no_figure_and_show_that_they_scroll(
    browser: Any, address: str
) -> None:
    """On a phone a figure of a pair stands in one line, and tables that go on have a shadow."""
    watched = Watched(browser, address, viewport={"width": 390, "height": 900})
    page = watched.go("/model")
    lines = page.evaluate(
        """[...document.querySelectorAll('.map td')].map(cell => {
            const range = document.createRange(); range.selectNodeContents(cell);
            return range.getClientRects().length })"""
    )
    shadows = page.evaluate(
        """[...document.querySelectorAll('.card .scroll')]
            .map(part => getComputedStyle(part).backgroundImage)"""
    )
    watched.close()
    assert lines
    assert set(lines) <= {0, 1}
    assert shadows
    assert all("gradient" in shadow for shadow in shadows)


def test_colours_change_and_stay(watched: Watched) -> None:
    """The button changes the colours; the next page comes in them from the server."""
    page = watched.go("/versions")
    page.click("#theme")
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == "dark"
    page = watched.go("/leads")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert 'data-theme="dark"' in page.request.get(f"{watched.address}/leads").text()


def test_everything_is_reached_by_keyboard(watched: Watched) -> None:
    """Tab reaches the skip link first and later every control, each visibly focused."""
    page = watched.go("/thresholds?basis=capacity&capacity_per_week=9")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"capacity_per_week", "sql_capacity_per_week", "note"} <= seen


def test_two_hundred_scripts_are_text_everywhere(browser: Any, tmp_path: Path) -> None:
    """Hostile ids, fields, reasons, notes and searches run nowhere and stay readable."""
    settings = company.found(tmp_path, n_leads=0)
    memory = Memory(settings)
    company.remember(settings, 40, {"source": HOSTILE[0], "industry": HOSTILE[2]})
    with served(settings) as address:
        batch = [
            {
                "lead_id": text[:200],
                "lead": {"company": text, "owner": text, "source": text, "industry": text},
                "contact_consent": True,
            }
            for text in HOSTILE
        ]
        for lead in batch:
            lead["lead"]["pricing_page_views_30d"] = 30  # type: ignore[index]
        answer = httpx.post(f"{address}/v1/scores", json={"leads": batch}, timeout=60)
        assert answer.status_code == 200
        store = memory.open()
        store.record_reports(
            [
                Report(text[:200], Outcome.REJECTED, reason=text, by=text)
                for text in dict.fromkeys(HOSTILE)
            ]
        )
        store.put_policy(
            {
                "mql": 0.2,
                "sql": 0.4,
                "nurture": 0.1,
                "basis": "capacity",
                "plan": {"basis": "capacity", "capacity_per_week": 9},
                "model_version": "leads@1",
                "expected": [],
                "reason": HOSTILE[1],
            },
            author=HOSTILE[0],
            note=HOSTILE[3],
        )
        memory.close()
        watched = Watched(browser, address)
        paths = [*PAGES[:3], *PAGES[4:], "/leads?stage=nurture"]
        paths += [f"/lead?id={httpx.QueryParams(x=text[:200])!s}".replace("id=x=", "id=")
                  for text in HOSTILE[:20]]  # fmt: skip
        paths += [f"/leads?stage=all&q={httpx.QueryParams(x=text)!s}".replace("q=x=", "q=")
                  for text in HOSTILE[:20]]  # fmt: skip
        for path in paths:
            page = watched.go(path)
            assert page.evaluate("window.xss") is None, path
        page = watched.go(f"/lead?id={httpx.QueryParams(x=HOSTILE[1])!s}".replace("id=x=", "id="))
        assert HOSTILE[1] in page.inner_text("h1")
        refused = [text for text in watched.said if "Content Security Policy" in text]
        said, strayed = watched.said, watched.strayed
        watched.close()
    assert refused == []
    assert said == []
    assert strayed == []


@pytest.fixture(scope="module", params=["simulated", "bank"])
def learned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server with a model that was really learned, from simulated or from bank data."""
    folder = tmp_path_factory.mktemp(f"learned-{request.param}")
    settings = Settings(
        models_dir=str(folder / "models"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        database_url=f"sqlite:///{folder / 'leadml.db'}",
        jobs_dir=str(folder / "jobs"),
        max_jobs=0,
    )
    leadml = Leadml(settings)
    if request.param == "simulated":
        leadml.data.simulate(5_000, folder / "history", 7)
        options = {
            "target": "converted",
            "created_at": "created_at",
            "outcome_at": "converted_at",
            "horizon_days": 90,
            "capacity_per_week": 30,
        }
        leadml.learning.train(str(folder / "history" / "leads.csv"), options)
        seed_memory(settings, 1_500, 8)
    else:
        (path,) = get("bank", folder, request.getfixturevalue("mirror"))
        leads = read_table(str(path)).iloc[::5].drop(columns="duration")
        leads.to_csv(folder / "bank.csv", index=False)
        leadml.learning.train(str(folder / "bank.csv"), {"target": "y"})
        leads.iloc[::3].to_csv(folder / "fewer.csv", index=False)
        leadml.learning.train(str(folder / "fewer.csv"), {"target": "y", "seed": 2})
        fields = leads.drop(columns="y").head(60).to_dict("records")
        serving = Serving.of(settings, trial=False)
        with serve(settings, serving) as address:
            body = {"leads": [{"lead_id": f"B{i}", "lead": lead} for i, lead in enumerate(fields)]}
            assert httpx.post(f"{address}/v1/scores", json=body, timeout=60).status_code == 200
    with served(settings) as address:
        yield address


@pytest.mark.slow
def test_pages_of_learned_models_are_quiet_and_true(browser: Any, learned: str) -> None:
    """On real models every page fits, says nothing, asks nowhere; the slider tells the preview."""
    listed = httpx.get(f"{learned}/leads?stage=all&format=json", timeout=60).json()["leads"]
    paths = [*(path for path in PAGES if "id=" not in path), f"/lead?id={listed[0]['lead_id']}"]
    for width, scheme in ((390, "dark"), (1280, "light")):
        watched = Watched(
            browser, learned, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        for path in paths:
            page = watched.go(path)
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            faults = axe.Axe().run(page).response["violations"]
            assert [f["id"] for f in faults if f["impact"] in ("serious", "critical")] == [], path
        page = watched.go("/thresholds?basis=precision&mql_precision=20&sql_precision=40")
        asked = {"basis": "precision", "mql_precision": 0.2, "sql_precision": 0.4}
        said = httpx.post(f"{learned}/v1/policy/preview", json=asked, timeout=60).json()
        mql = said["setting"]["expected"][0]
        volume = page.inner_text("#result .tile:nth-child(1) dd.v")
        assert volume == words.per_week(mql["volume_per_week"]["value"])
        assert watched.said == []
        assert watched.strayed == []
        watched.close()


@pytest.mark.slow
@pytest.mark.parametrize("learned", ["bank"], indirect=True)
def test_promoting_a_learned_version_moves_the_alias_in_mlflow(browser: Any, learned: str) -> None:
    """On real data the challenger of a real MLflow is promoted, serves, and is taken back."""
    from mlflow import MlflowClient

    command = httpx.get(f"{learned}/model?format=json").json()["run"]["command"]
    client = MlflowClient(command.partition("--backend-store-uri ")[2])
    watched = Watched(browser, learned, viewport={"width": 390, "height": 844})

    def serving(version: str) -> None:
        named = client.get_model_version_by_alias("leads", "champion")
        assert str(named.version) == version
        ready = httpx.get(f"{learned}/health/ready").json()
        assert ready["model_version"] == f"leads@{version}"

    serving("1")
    page = watched.go("/versions")
    page.select_option("#version", "2")
    page.fill("#reason", "tried by hand")
    overrule = page.locator("[name=overrule]")
    if overrule.count():
        overrule.check()
    page.dblclick("#promote button[type=submit]")
    page.wait_for_selector(".flash")
    assert "Version 2 is the champion" in page.inner_text(".flash")
    serving("2")
    assert "tried by hand" in page.inner_text(".versions tr.us")
    page = watched.go("/versions")
    page.fill("#back", "worse by hand")
    page.click("#rollback button[type=submit]")
    page.wait_for_selector(".flash")
    serving("1")
    assert watched.said == []
    watched.close()
