"""Pages over HTTP: facts, forms, headers, hostile text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from leadml.leads.estimate import wilson
from leadml.reports import words
from leadml.reports.site import texts
from leadml.reports.site.lead import lead_page
from leadml.reports.site.leads import leads_page
from leadml.reports.site.overview import overview_page
from leadml.reports.site.render import assets
from leadml.reports.site.tables import side_table
from leadml.reports.site.thresholds import thresholds_page
from leadml.service.serving import Serving
from leadml.settings import Settings
from leadml.store import Store
from tests import company
from tests.http_server import serve

PAGES = ("/", "/leads", "/leads?stage=all", "/lead?id=L0007", "/thresholds", "/model", "/versions")
HTML = {"Accept": "text/html"}
TEMPLATES = Path(texts.__file__).parents[1] / "templates" / "site"


@dataclass
class Place:
    """A running server and the settings it was started with."""

    address: str
    settings: Settings
    serving: Serving

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask as a browser does."""
        headers = {**HTML, **more.pop("headers", {})}
        return httpx.get(f"{self.address}{path}", headers=headers, timeout=30, **more)

    def facts(self, path: str) -> dict[str, Any]:
        """The facts of a page."""
        joint = "&" if "?" in path else "?"
        found: dict[str, Any] = self.get(f"{path}{joint}format=json").json()
        return found

    def post(self, path: str, form: dict[str, str], **more: Any) -> httpx.Response:
        """Send a form with the token of a page that was just loaded."""
        with httpx.Client(timeout=60, headers=HTML) as client:
            client.get(f"{self.address}/versions")
            token = client.cookies["leadml_csrf"]
            origin = {"Origin": self.address, **more}
            return client.post(
                f"{self.address}{path}", data={"csrf": token, **form}, headers=origin
            )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A company with two versions and half a year of leads; the pointer rules, no MLflow."""
    settings = company.found(tmp_path_factory.mktemp("company"))
    serving = Serving.of(settings, trial=False)
    with serve(settings, serving) as address:
        yield Place(address, settings, serving)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_with_its_guards(place: Place, path: str) -> None:
    """A page is HTML with one heading, and may load nothing from elsewhere."""
    answer = place.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<h1>") == 1
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"<[^>]* (style|on\w+)=", answer.text)
    assert not re.search(r"https?://(?!127\.0\.0\.1)", re.sub(r'xmlns="[^"]*"', "", answer.text))
    for tag in re.findall(r"<script[^>]*>", answer.text):
        assert 'src="/static/' in tag


@pytest.mark.parametrize("path", PAGES)
def test_every_page_tells_its_facts_as_json(place: Place, path: str) -> None:
    """The same address gives the facts with ?format=json, and the page links to it."""
    facts = place.facts(path)
    assert facts["page"] in path or (facts["page"], path) == ("overview", "/")
    assert "format=json" in place.get(path).text


def test_overview_tells_what_did_not_reach_other_systems(place: Place) -> None:
    """Messages given up and messages that wait for long are alarms; a few seconds are none."""
    facts = place.facts("/")
    fresh = {"waiting": 3, "unsorted": 1, "dead": 0, "oldest_s": 4.0}
    said = [
        {alarm["said"] for alarm in overview_page({**facts, "deliveries": now})["alarms"]}
        for now in (fresh, fresh | {"dead": 2}, fresh | {"oldest_s": 7_200.0})
    ]
    (dead,), (late,) = said[1] - said[0], said[2] - said[0]
    assert "given up after three days: 2." in dead
    assert "other systems: 4, the oldest for 120 minutes" in late


def test_overview_judges_capacity_once(place: Place) -> None:
    """The chart says of capacity what the alarm says; of weeks before the policy, nothing."""
    facts = place.facts("/")
    week = {"week": "2026-11-02", "proposals": 38, "is_over": True}
    weeks = [{**week, "proposals": n} for n in (62, 61, 58, 38)]
    trained = {**facts["trained"], "capacity_per_week": 40}

    def said(room: dict[str, Any]) -> tuple[str, str]:
        anew = room.pop("recounted", [])
        live = {"capacity": room, "policy_version": "2", "n_leads": 0, "recounted": anew}
        told = {**facts, "trained": trained, "live": live, "proposals": weeks}
        page = overview_page(told)
        return page["charts"][0]["title"], page["headline"][1]["note"]

    lasting = said({"exceeded": True, "weeks": [62, 61, 58, 38]})
    assert lasting == ("More proposals than calls", "of 40 calls a week")
    assert said({"exceeded": False, "weeks": [38]})[0] == "Sales can keep up"
    early = said({"exceeded": False, "weeks": []})
    assert early == ("Too early to tell under policy 2", "by the lines before policy 2")
    anew = said({"exceeded": False, "weeks": [], "recounted": [30, 41, 35, 52]})
    assert anew == ("The new lines fit the calls", "by the lines before; 52 by those of policy 2")
    beyond = said({"exceeded": False, "weeks": [], "recounted": [30, 41, 55, 52]})
    assert beyond[0] == "The new lines bring more than calls"


def test_shares_near_one_another_name_their_leads(place: Place) -> None:
    """The usual chance, the typical lead and the share of all leads say whose they are."""
    facts = place.facts("/")
    figure = {"value": 0.2, "low": 0.1, "high": 0.3}
    policy = {"expected": [{"stage": "mql", "precision": figure, "recall": figure}]}
    facts |= {"live": None, "trained": {**facts["trained"], "policy": policy}}
    assert "of all leads learned from" in overview_page(facts)["headline"][2]["note"]
    above = {"precision": figure, "recall": figure, "usual": 0.09, "share_of_leads": 0.2}
    live = {"n_leads": 500, "metrics": None, "above": above}
    note = overview_page({**facts, "live": live})["headline"][2]["note"]
    assert "of all leads scored here" in note
    page = place.get("/lead?id=L0007").text
    assert "the share of all leads learned from" in page
    assert "nothing speaks for or against it" in page


def test_overview_counts_what_the_database_holds(place: Place) -> None:
    """Verdict, stages and proposals of the first page equal counts made by plain SQL."""
    import sqlite3

    facts = place.facts("/")
    for _ in range(50):
        if not facts["is_counting"]:
            break
        facts = place.facts("/")
    file = place.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        stages = dict(database.execute("SELECT stage, COUNT(*) FROM leads GROUP BY stage"))
        (scores,) = database.execute("SELECT COUNT(*) FROM decisions").fetchone()
        rows = database.execute(
            "SELECT d.probability, d.proposed_stage, MIN(o.occurred_us) - d.at_us, d.at_us"
            " FROM decisions d JOIN (SELECT lead_id, MIN(at_us) AS at_us FROM decisions"
            "  GROUP BY lead_id) f ON f.lead_id = d.lead_id AND f.at_us = d.at_us"
            " LEFT JOIN outcomes o ON o.lead_id = d.lead_id AND o.outcome = 'won'"
            " GROUP BY d.lead_id"
        ).fetchall()
    assert facts["stages"] == stages
    assert sum(week["scored"] for week in facts["weeks"]) <= scores
    live = facts["live"]
    begin, end = (_us(live[name]) for name in ("from", "to"))
    seen = [row for row in rows if begin <= row[3] < end]
    horizon = live["horizon_days"] * 86_400_000_000
    won = [row for row in seen if row[2] is not None and row[2] <= horizon]
    assert live["n_leads"] == len(seen) > 80
    assert live["n_conversions"] == len(won)
    above = [row for row in seen if row[1] in ("mql", "sql")]
    hits = sum(row[2] is not None and row[2] <= horizon for row in above)
    assert facts["live"]["above"]["precision"]["value"] == pytest.approx(hits / len(above))
    low, _ = wilson(hits, len(above))
    assert facts["live"]["above"]["precision"]["low"] == pytest.approx(low)
    assert facts["live"]["above"]["recall"]["value"] == pytest.approx(hits / len(won))


def _us(stamp: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(stamp).timestamp() * 1e6)


def test_reasons_add_up_on_the_page(place: Place) -> None:
    """Base and all reasons give the log-odds of the chance; the shown factors multiply to it."""
    facts = place.facts("/lead?id=L0007")
    explained = facts["explained"]
    total = explained["base_log_odds"] + sum(r["log_odds"] for r in explained["reasons"])
    assert 1 / (1 + math.exp(-total)) == pytest.approx(explained["probability"], abs=2e-4)
    assert explained["probability"] == facts["latest"]["probability"]
    assert facts["same_model"]
    html = place.get("/lead?id=L0007").text
    table = html[html.index('<table class="wf"') : html.index("</table>")]
    factors = [
        float(found.replace(",", ""))
        for found in re.findall(r'class="num odds" role="cell">×([\d.,]+)<', table)
    ]
    product = math.prod(factors[:-1])
    assert product == pytest.approx(factors[-1], rel=0.04)
    assert words.chance(explained["probability"]) in table


def test_lines_of_a_former_policy_are_told_as_such(place: Place) -> None:
    """A lead scored under older lines says so; under today's lines it says nothing of it."""
    facts = place.facts("/lead?id=L0007")
    then = facts["decision"]["policy_version"]
    assert "of its day" not in lead_page({**facts, "policy_version": then})["plain"]
    said = lead_page({**facts, "policy_version": "99"})["plain"]
    assert f"(policy {then}); policy 99 counts from its next score on." in said


def test_a_horizon_is_told_only_where_the_model_has_one(place: Place) -> None:
    """A model of outcomes without times promises nothing within a number of days."""
    facts = place.facts("/lead?id=L0007")
    assert "become a customer within 60 days." in lead_page(facts)["plain"]
    without = {key: value for key, value in facts.items() if key != "horizon_days"}
    assert "become a customer." in lead_page(without)["plain"]


def test_a_lead_that_fell_and_rose_again_says_so(place: Place) -> None:
    """Scores that moved the lead name the stage; a stage entered twice says so on the way."""
    facts = place.facts("/lead?id=L0007")
    score = {"event": "scored", "score": 50, "probability": 0.1}
    history = [
        {**score, "stage": stage, "at": f"2026-0{month}-14T08:00:00Z"}
        for month, stage in ((5, "mql"), (6, "mql"), (7, "nurture"), (8, "mql"))
    ]
    page = lead_page({**facts, "stage": "mql", "history": history})
    said = [entry["said"].partition(": ")[2] for entry in page["happened"]]
    assert said == ["became MQL", "back to nurture", "", "became MQL"]
    ways = {step["name"]: (step["at"][:7], step["note"]) for step in page["way"]}
    assert ways["MQL"] == ("2026-08", ", again")
    assert ways["nurture"] == ("2026-07", "")


def test_thresholds_say_what_the_preview_says(place: Place) -> None:
    """Lines and figures for a capacity are those of POST /v1/policy/preview."""
    asked = {"basis": "capacity", "capacity_per_week": 9, "sql_capacity_per_week": 3}
    said = httpx.post(f"{place.address}/v1/policy/preview", json=asked, timeout=30).json()
    query = "basis=capacity&capacity_per_week=9&sql_capacity_per_week=3"
    facts = place.facts(f"/thresholds?{query}")
    assert facts["preview"] == said
    part = place.get(f"/thresholds?part=result&{query}")
    mql = said["setting"]["expected"][0]
    assert f'<dd class="v">{words.per_week(mql["volume_per_week"]["value"])}</dd>' in part.text
    assert f'<dd class="v">{words.chance(mql["precision"]["value"])}</dd>' in part.text
    assert "<html" not in part.text


def test_thresholds_tell_what_the_saved_lines_really_brought(place: Place) -> None:
    """Beside proposals at the first score stands the weekly number with leads that rose later."""
    facts = place.facts("/thresholds")
    page = thresholds_page(facts)
    assert page["result"]["tiles"][0]["label"] == "Proposed a week, at first score"
    on = {"decisions": "your last matured weeks", "training": "the leads that the model was tested"}
    assert on[facts["preview"]["looked_at"]["source"]] in page["result"]["lately"]
    page = thresholds_page({**facts, "lately": {"weeks": [48, 52, 49, 51]}})
    assert "the saved lines brought **50 a week** (last whole weeks: 4)" in page["result"]["lately"]
    page = thresholds_page({**facts, "lately": {"weeks": [], "recounted": [30, 34]}})
    assert "would have brought **32 a week** in the last 2 whole" in page["result"]["lately"]
    page = thresholds_page({**facts, "lately": None})
    assert "brought" not in page["result"]["lately"]


def test_bins_hold_every_lead_once(place: Place) -> None:
    """The bars of the score distribution add up to the leads that were looked at."""
    facts = place.facts("/thresholds")
    looked = facts["preview"]["looked_at"]
    assert sum(b["leads"] for b in facts["bins"]) == looked["n_leads"]
    assert sum(b["conversions"] for b in facts["bins"]) == looked["n_conversions"]
    weekly = sum(b["leads_per_week"] for b in facts["bins"])
    assert weekly == pytest.approx(looked["leads_per_week"])


def test_a_saved_policy_is_used_by_the_scorer(place: Place) -> None:
    """Saving on the page makes a version with its note, which the next score names."""
    form = {"basis": "capacity", "capacity_per_week": "8", "note": "Spring rota", "after": ""}
    answer = place.post("/thresholds", form)
    assert answer.status_code == 303
    said = re.search(r"said=(\d+)", answer.headers["location"])
    assert said is not None
    scored = httpx.post(
        f"{place.address}/v1/score", json={"lead_id": "P1", "lead": {"industry": "Software"}}
    ).json()
    assert scored["policy_version"] == said[1]
    page = place.get(answer.headers["location"]).text
    assert "Spring rota" in page
    assert f"Policy {said[1]} holds from now on; leads follow at their next score." in page


def test_an_outcome_moves_the_lead(place: Place) -> None:
    """Accepting on the page makes it SAL; a closed step is refused in words."""
    lead_id = "L0300"
    answer = place.post("/lead/outcome", {"id": lead_id, "outcome": "accepted"})
    assert answer.status_code == 303
    assert place.facts(f"/lead?id={lead_id}")["stage"] == "sal"
    place.post("/lead/outcome", {"id": lead_id, "outcome": "won"})
    refused = place.post("/lead/outcome", {"id": lead_id, "outcome": "lost"})
    assert refused.status_code == 409
    assert "<h1>" in refused.text
    without = place.post("/lead/outcome", {"id": "L0301", "outcome": "rejected", "reason": " "})
    assert without.status_code in (400, 422)


def test_promoting_makes_another_version_serve(place: Place) -> None:
    """The version chosen on the page scores the next lead; without a reason nothing happens."""
    assert place.post("/versions/promote", {"version": "2", "reason": " "}).status_code == 422
    assert place.post("/versions/promote", {"version": "2", "reason": "newer"}).status_code == 303
    lead = {"lead_id": "P2", "lead": {"industry": "Software"}}
    scored = httpx.post(f"{place.address}/v1/score", json=lead).json()
    assert scored["model_version"] == "leads@2"
    assert place.facts("/versions")["champion"] == "2"
    changed = place.facts("/model")["changes"]
    assert (changed["version"], changed["before"]) == ("2", "1")
    assert place.post("/versions/promote", {"version": "1", "reason": "back"}).status_code == 303
    assert place.post("/versions/promote", {"version": "9", "reason": "x"}).status_code == 404


def test_two_versions_are_told_apart(place: Place) -> None:
    """Effects that are equal did not move; the base rate of each stands in the comparison."""
    compared = place.facts("/versions?new=2&old=1")["compared"]
    assert all(effect["moved"] == pytest.approx(0.0, abs=1e-9) for effect in compared["effects"])
    assert compared["columns"] == {"added": [], "removed": []}
    compared["policy"]["new"]["sql"] = 2.0
    row = next(row for row in side_table(compared).rows if row[0] == texts.TEXTS["side.sql"])
    assert row[1] == "nobody"


def test_forms_need_a_token_and_an_origin(place: Place) -> None:
    """A form without its token, or from a page of another site, changes nothing."""
    before = place.facts("/versions")["champion"]
    form = {"version": "2", "reason": "evil"}
    bare = httpx.post(f"{place.address}/versions/promote", data=form, headers=HTML)
    foreign = place.post("/versions/promote", form, Origin="http://evil.example")
    crossed = place.post("/versions/promote", form, **{"Sec-Fetch-Site": "cross-site"})
    assert [answer.status_code for answer in (bare, foreign, crossed)] == [403, 403, 403]
    assert place.facts("/versions")["champion"] == before
    outcome = {"outcomes": [{"lead_id": "L0001", "outcome": "won"}]}
    sent = httpx.post(
        f"{place.address}/v1/outcomes", json=outcome, headers={"Origin": "http://evil.example"}
    )
    assert sent.status_code == 403


def test_failures_are_pages_for_people_and_problems_for_programs(place: Place) -> None:
    """An unknown lead is told in words; a program gets the problem document."""
    page = place.get("/lead?id=nobody")
    assert page.status_code == 404
    assert "<b>No such lead is known here" in page.text
    problem = httpx.get(f"{place.address}/lead?id=nobody", headers={"Accept": "application/json"})
    assert problem.json()["code"] == "not_found"
    assert place.get("/leads?stage=nothing").status_code == 422
    assert place.get("/leads?after=zzz").status_code == 422
    assert place.get("/thresholds?basis=capacity&capacity_per_week=many").status_code == 422
    assert place.get("/model?version=77").status_code == 404
    lost = place.get("/nothing/here")
    assert lost.status_code == 404
    assert "There is no page at this address." in lost.text
    told = httpx.get(f"{place.address}/nothing/here")
    assert told.json()["code"] == "not_found"
    assert httpx.post(f"{place.address}/nothing", headers=HTML).json()["code"] == "not_found"


def test_pages_of_leads_follow_each_other(place: Place) -> None:
    """Every lead stands on exactly one page of the list, in order."""
    seen: list[str] = []
    path = "/leads?stage=all"
    while path:
        facts = place.facts(path)
        seen += [lead["lead_id"] for lead in facts["leads"]]
        following = facts["next"]
        path = f"/leads?stage=all&after={quote(following)}" if following else ""
    known = Store(place.settings.database_url)
    total = sum(known.glances.stages().values())
    known.close()
    assert len(seen) == len(set(seen)) == total


def test_a_full_week_is_told_above_the_queue(place: Place) -> None:
    """Once the calls of the week are taken the list says that its leads come next."""
    facts = {**place.facts("/leads"), "capacity_per_week": 40}
    assert "47 of 40" in (full := leads_page({**facts, "taken": 47})["lead"])
    assert full.startswith("This week’s calls are taken")
    assert "these come next" in full
    assert leads_page({**facts, "taken": 39})["lead"].endswith("39 of 40 taken up in seven days")


def test_leads_are_found_by_stage_owner_and_words(place: Place) -> None:
    """Each filter keeps exactly the leads it names; a search finds a company."""
    mine = place.facts("/leads?stage=all&owner=A. Novak")["leads"]
    assert mine
    assert {lead["attributes"]["owner"] for lead in mine} == {"A. Novak"}
    assert {lead["stage"] for lead in place.facts("/leads?stage=customer")["leads"]} == {"customer"}
    (one,) = place.facts("/leads?stage=all&q=firm 123")["leads"]
    assert one["attributes"]["company"] == "Firm 123"
    nothing = place.get("/leads?stage=all&q=<script>alert(1)</script>")
    assert "<script>alert" not in nothing.text
    assert "No lead matches" in nothing.text


def test_files_never_change_under_their_name(place: Place) -> None:
    """Sheet and script carry a hash and may be kept for good; others are not served."""
    for name in assets():
        answer = place.get(f"/static/{name}")
        assert answer.status_code == 200
        assert ("immutable" in answer.headers["cache-control"]) == ("-" in name)
    assert place.get("/static/../app.py").status_code == 404
    assert place.get("/static/nothing.css").status_code == 404


def test_colours_come_from_the_cookie(place: Place) -> None:
    """The server sets the theme, so that no page flashes; nonsense is ignored."""
    dark = place.get("/versions", headers={"Cookie": "leadml_theme=dark"}).text
    odd = place.get("/versions", headers={"Cookie": 'leadml_theme="><script>'}).text
    assert '<html lang="en" data-theme="dark">' in dark
    assert '<html lang="en">' in odd


# --- texts ------------------------------------------------------------------------


class Words(HTMLParser):
    """Text that stands in a template itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep letters outside of tags."""
        if re.search(r"[A-Za-z]{2,}", data):
            self.found.append(data.strip())


def test_templates_hold_no_text_of_their_own() -> None:
    """All English stands in the catalogue, but for names that no language translates."""
    for file in TEMPLATES.glob("*.jinja"):
        source = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", file.read_text("utf-8"), flags=re.S)
        reader = Words()
        reader.feed(source)
        assert set(reader.found) <= {"leadml", "· leadml", "MQL", "SQL"}, file.name


def test_every_text_is_used_and_every_key_is_known() -> None:
    """The catalogue holds exactly what templates and views say."""
    code = "".join(
        file.read_text("utf-8")
        for folder in (
            TEMPLATES,
            Path(texts.__file__).parent,
            Path(texts.__file__).parents[2] / "api",
        )
        for file in folder.glob("*")
        if file.is_file() and file.name != "texts.py"
    )
    used = set(re.findall(r"""["']([a-z_]+\.[a-z_0-9]+)["']""", code))
    starts = tuple(re.findall(r"""f?["']([a-z_]+\.[a-z_]*)(?:{|["'] ~)""", code))
    for key in texts.TEXTS:
        known = key in used or key.startswith(starts) or f'"{key}"' in code or f"'{key}'" in code
        assert known, f"nobody says {key}"
    said = set(re.findall(r"""\b(?:say|t)\(\s*["']([a-z_.0-9]+)["']\s*[,)]""", code))
    assert said <= texts.TEXTS.keys()


def test_facts_are_plain_json(place: Place) -> None:
    """No figure of a page is NaN or infinite."""

    def refuse(name: str) -> None:
        pytest.fail(f"a page tells {name}")

    for path in PAGES:
        joint = "&" if "?" in path else "?"
        json.loads(place.get(f"{path}{joint}format=json").text, parse_constant=refuse)
