"""The round trip: leads of a real CRM are scored, worked on and won, seen from both sides.

python -m serve.crm.walk [--keep FOLDER] [--picture FILE.png]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from serve.crm.bottlecrm import ADMIN, Crm, NoCrm, environment, free_port, running, until

__all__ = [
    "INSTALLED",
    "SENT",
    "bridged",
    "main",
    "round_trip",
    "served",
    "set_up",
    "surroundings",
    "type_in",
]

INSTALLED: Final = Path(".tools/bottlecrm")
LEADS: Final = 3_000
SENT: Final = 6

# The simulated history in this CRM's words, as an export of it would have them.
INDUSTRIES: Final = {
    "Software": "SOFTWARE",
    "Manufacturing": "MANUFACTURING",
    "Healthcare": "HEALTHCARE",
    "Retail": "APPAREL & ACCESSORIES",
    "Finance": "FINANCE",
    "Education": "EDUCATION",
    "Logistics": "TRANSPORTATION",
    "Construction": "BUILDING MATERIALS & EQUIPMENT",
    "Hospitality": "ENTERTAINMENT & LEISURE",
    "Public sector": "SERVICE",
}
OWN: Final = ("industry", "country", "source")
TEXTS: Final = ("job_level",)
NUMBERS: Final = (
    "employees",
    "page_views_30d",
    "pricing_page_views_30d",
    "emails_opened_30d",
    "emails_clicked_30d",
    "content_downloads_90d",
    "webinars_attended_90d",
    "forms_submitted_30d",
    "days_since_last_visit",
)
WRITTEN: Final = {
    "leadml_score": ("Lead score", "number"),
    "leadml_grade": ("Grade", "text"),
    "leadml_stage": ("Stage", "text"),
    "leadml_reasons": ("Why", "textarea"),
    "leadml_seen": ("Seen by leadml", "text"),
    "leadml_reported": ("Reported to leadml", "text"),
}


SHOWN: Final = ("title", "status", "source", "industry", "rating", "probability", "custom_fields")
"""The fields on the picture, of the fifty that the page has."""


class Told:
    """Steps with their seconds, printed as they end."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, said: str) -> Iterator[None]:
        """Time a step."""
        began = time.perf_counter()
        yield
        self.seconds[said] = time.perf_counter() - began
        sys.stdout.write(f"{self.seconds[said]:6.1f} s  {said}\n")
        sys.stdout.flush()

    def say(self, line: str) -> None:
        """A line below a step."""
        sys.stdout.write(f"          {line}\n")
        sys.stdout.flush()


def round_trip(folder: Path, picture: Path | None = None) -> dict[str, float]:
    """Walk the whole way; every wait that is in vain raises.

    Parameters
    ----------
    folder
        Everything but BottleCRM's environment is written below it.
    picture
        File for a screenshot of the best lead in the CRM; none if left out.

    Returns
    -------
    dict
        Seconds by step.

    Raises
    ------
    NoCrm
        BottleCRM cannot be installed or started.
    """
    told = Told()
    with told.step("install BottleCRM into an environment of its own, unless it is there"):
        commands = environment(INSTALLED.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    with told.step(f"export {LEADS:,} past leads in the CRM's words, and learn from them"):
        unknown = _history(folder)
        _leadml(folder, "train", "history.csv", "--target", "converted")
        open_leads = _chosen(folder, unknown)
    with contextlib.ExitStack() as stack:
        with told.step("start leadml with a database and a key"):
            key = json.loads(
                _leadml(
                    *(folder, "keys", "create", "--name", "bridge", "--json"),
                    *("--scope", "score", "--scope", "outcomes", "--scope", "read"),
                )
            )["key"]
            leadml = stack.enter_context(served(folder))
        near = f"http://127.0.0.1:{free_port()}"
        with told.step("start BottleCRM: tables, server, worker"):
            crm = stack.enter_context(running(commands, folder / "crm", near))
        with told.step("set it up as its administrator does: fields, token, webhook; the bridge"):
            token, secret = set_up(crm, near)
            stack.enter_context(bridged(folder, near, leadml, key, crm, token, secret))
        with told.step(f"sales types in {len(open_leads)} leads; the CRM tells leadml of each"):
            ids = [type_in(crm, number, lead) for number, lead in enumerate(open_leads)]
        with told.step("score, stage and reasons stand in every lead"):
            scored = [
                until("a score in the CRM", lambda each=each: _scored(crm, each)) for each in ids
            ]
        scored.sort(key=lambda lead: -lead["custom_fields"]["leadml_score"])
        for lead in scored:
            held = lead["custom_fields"]
            first = held["leadml_reasons"].splitlines()[0]
            told.say(
                f"{held['leadml_score']:3.0f} {held['leadml_stage']:<8} {lead['title']}: {first}"
            )
        best = scored[0]["id"]
        if picture is not None:
            with told.step("look at the best lead in the CRM"):
                _look(crm, best, picture)
        with told.step("sales takes the best lead up; leadml knows that it is a SAL"):
            crm.call("PATCH", f"/api/leads/{best}/", {"status": "in process"})
            until("stage sal", lambda: _stage(leadml, key, best) == "sal")
            until("sal in the CRM", lambda: _held(crm, best).get("leadml_stage") == "sal")
        with told.step("sales makes a deal of it; leadml knows that it is an SQL"):
            made = crm.call("PATCH", f"/api/leads/{best}/", {"status": "converted"})
            until("stage sql", lambda: _stage(leadml, key, best) == "sql")
            until("sql in the CRM", lambda: _held(crm, best).get("leadml_stage") == "sql")
        with told.step("sales wins the deal; the outcome stands in leadml"):
            today = datetime.now(UTC).date().isoformat()
            won = {"stage": "CLOSED_WON", "closed_on": today, "amount": "12000.00"}
            crm.call("PATCH", f"/api/opportunities/{made['opportunity_id']}/", won)
            until("stage customer", lambda: _stage(leadml, key, best) == "customer")
        with told.step("and the CRM shows the lead as a customer"):
            until("customer in the CRM", lambda: _held(crm, best).get("leadml_stage") == "customer")
        _said(told, leadml, key, best)
    return told.seconds


def _history(folder: Path) -> list[dict[str, str]]:
    """Write the training table; give leads whose outcome nobody knows yet."""
    _leadml(folder, "simulate", "simulated", "--leads", str(LEADS))
    with (folder / "simulated" / "leads.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        row["industry"] = INDUSTRIES.get(row["industry"], "")
        row["source"] = row["source"].lower()
    kept = ("lead_id", "created_at", *OWN, *TEXTS, *NUMBERS, "converted", "converted_at")
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return [row for row in rows if not row["converted"]]


def _chosen(folder: Path, open_leads: list[dict[str, str]]) -> list[dict[str, str]]:
    """Some open leads between the best and the worst, by a file scored beforehand."""
    names = ["lead_id", "created_at", *OWN, *TEXTS, *NUMBERS]
    with (folder / "open.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(open_leads)
    _leadml(folder, "score", "open.csv", "--output", "scored.csv")
    with (folder / "scored.csv").open(newline="", encoding="utf-8") as lines:
        scores = {row["lead_id"]: row for row in csv.DictReader(lines)}
    for lead in open_leads:
        lead["score"] = scores[lead["lead_id"]]["score"]
    ranked = sorted(open_leads, key=lambda lead: -int(lead["score"]))
    return [ranked[place * (len(ranked) - 1) // (SENT - 1)] for place in range(SENT)]


def _leadml(folder: Path, *words: str) -> str:
    """Run leadml's own command in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "leadml", *words],
        cwd=folder,
        env=surroundings(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NoCrm(f"leadml {words[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def surroundings(folder: Path) -> dict[str, str]:
    """Environment variables that keep leadml's own files in a folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LEADML_")}
    return {
        **kept,
        "LEADML_DATABASE_URL": f"sqlite:///{folder.resolve() / 'leadml.db'}",
        "LEADML_MODELS_DIR": str(folder.resolve() / "models"),
        "LEADML_TRACKING_URI": f"sqlite:///{folder.resolve() / 'mlflow.db'}",
        "LEADML_DRAIN_S": "0",
    }


@contextlib.contextmanager
def _process(
    folder: Path, name: str, words: list[str], surroundings: dict[str, str], address: str
) -> Iterator[None]:
    """A program that answers at an address, until the block ends."""
    path = folder / f"{name}.log"
    with path.open("w") as log:
        process = subprocess.Popen(words, env=surroundings, stdout=log, stderr=log)

        def is_up() -> bool:
            if process.poll() is not None:
                raise NoCrm(f"{name} ended: {path.read_text('utf-8').strip()[-500:]}")
            return _answers(address)

        try:
            until(name, is_up, 40)
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve with leadml's own command; give the address."""
    port = free_port()
    words = [sys.executable, "-m", "leadml", "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with _process(folder, "leadml", words, surroundings(folder), f"{address}/health/ready"):
        yield address


@contextlib.contextmanager
def bridged(
    folder: Path, near: str, leadml: str, key: str, crm: Crm, token: str, secret: str
) -> Iterator[None]:
    """Run the bridge until the block ends."""
    words = [sys.executable, str(Path(__file__).with_name("bridge.py")), near.rpartition(":")[2]]
    surroundings = {
        "PATH": os.environ["PATH"],
        "LEADML_URL": leadml,
        "LEADML_KEY": key,
        "CRM_URL": crm.url,
        "CRM_TOKEN": token,
        "CRM_SECRET": secret,
    }
    with _process(folder, "bridge", words, surroundings, near):
        yield


def _answers(address: str) -> bool:
    """Whether anything answers there, and does not say that it is not ready."""
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500 or error.code == 501
    except OSError:
        return False


def set_up(crm: Crm, near: str) -> tuple[str, str]:
    """Organization, sources, fields, token and webhook; gives the token and the secret."""
    crm.sign_in("sam@example.com")
    crm.call("POST", "/api/org/", {"name": "Acme"})
    crm.sign_in("sam@example.com", "Acme")
    for label in ("Paid search", "Organic search", "Content", "Social", "Webinar"):
        crm.call("POST", "/api/leads/sources/", {"label": label})
    for label in ("Bought list", "Event"):
        crm.call("POST", "/api/leads/sources/", {"label": label})
    fields = {name: (name.replace("_", " "), "text") for name in TEXTS}
    fields |= {name: (name.replace("_", " "), "number") for name in NUMBERS}
    for order, (name, (label, kind)) in enumerate({**WRITTEN, **fields}.items()):
        field = {"target_model": "Lead", "key": name, "label": label, "field_type": kind}
        crm.call("POST", "/api/custom-fields/", {**field, "display_order": order})
    scopes = ["leads:read", "leads:write", "opportunities:read"]
    token = crm.call("POST", "/api/profile/tokens/", {"name": "leadml", "scopes": scopes})
    hook = crm.call(
        "POST",
        "/api/webhooks/",
        {
            "url": f"{near}/bottlecrm",
            "description": "leadml",
            "events": ["lead.created", "lead.updated", "deal.won", "deal.lost"],
        },
    )
    return token["token"], hook["secret"]


def type_in(crm: Crm, number: int, row: dict[str, str]) -> str:
    """Create a lead as sales does, with what marketing measured in custom fields."""
    names = (("Ada", "Berg"), ("Ben", "Cho"), ("Cleo", "Dorn"), ("Dev", "Eze"), ("Eva", "Falk"))
    first, last = names[number % len(names)]
    lead: dict[str, Any] = {
        "title": f"{first} {last}, enquiry {number + 1}",
        "first_name": first,
        "last_name": last,
        "email": f"{first.lower()}.{number}@customer.example",
        "company_name": f"{last} & Partners {number + 1}",
        "status": "assigned",
        **{name: row[name] for name in OWN if row[name]},
    }
    custom: dict[str, Any] = {name: row[name] for name in TEXTS if row[name]}
    custom |= {name: float(row[name]) for name in NUMBERS if row[name]}
    return str(crm.call("POST", "/api/leads/", {**lead, "custom_fields": custom})["id"])


def _held(crm: Crm, lead_id: str) -> dict[str, Any]:
    return dict(crm.call("GET", f"/api/leads/{lead_id}/")["lead_obj"]["custom_fields"] or {})


def _scored(crm: Crm, lead_id: str) -> dict[str, Any] | None:
    lead: dict[str, Any] = crm.call("GET", f"/api/leads/{lead_id}/")["lead_obj"]
    return lead if (lead["custom_fields"] or {}).get("leadml_reasons") else None


def _ask(leadml: str, key: str, path: str) -> dict[str, Any]:
    request = urllib.request.Request(leadml + path, headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.loads(answer.read()))


def _stage(leadml: str, key: str, lead_id: str) -> str:
    return str(_ask(leadml, key, f"/v1/leads/{lead_id}")["stage"])


def _said(told: Told, leadml: str, key: str, lead_id: str) -> None:
    """Print what leadml remembers of the lead."""
    for entry in _ask(leadml, key, f"/v1/leads/{lead_id}/history")["history"]:
        score = f" {entry['score']}" if "score" in entry else ""
        told.say(f"{entry['at'][11:19]} {entry['event']}{score}: {entry['stage']}")


def _look(crm: Crm, lead_id: str, picture: Path) -> None:
    """Open the lead in the CRM's own administration; keep a picture of the fields that matter."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, names)), None),
            args=["--no-sandbox"],
        )
        page = browser.new_page(viewport={"width": 1180, "height": 900})
        page.goto(f"{crm.url}/admin/leads/lead/{lead_id}/change/")
        page.fill("input[name=username]", ADMIN[0])
        page.fill("input[name=password]", ADMIN[1])
        page.click("input[type=submit]")
        page.wait_for_selector("#id_custom_fields")
        page.wait_for_load_state("networkidle")
        page.add_style_tag(
            content=", ".join(f".form-row:has(#id_{name})" for name in SHOWN)
            + " { display: block !important } .form-row { display: none }"
            + "#nav-sidebar, #toggle-nav-sidebar, .submit-row, .help { display: none !important }"
            + "textarea#id_custom_fields { width: 57em !important; height: 9em }"
        )
        page.locator("#content").screenshot(path=str(picture))
        browser.close()


def main() -> int:
    """Walk, and say in one sentence why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keep", type=Path, help="folder to write into, kept afterwards")
    parser.add_argument("--picture", type=Path, help="where to put a screenshot of the best lead")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            seconds = round_trip(folder, asked.picture)
        except (NoCrm, TimeoutError) as problem:
            sys.stderr.write(f"{problem}\n")
            return 1
    sys.stdout.write(f"{sum(seconds.values()):6.1f} s  in all\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
