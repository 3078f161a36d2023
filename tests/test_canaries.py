"""Personal data that passes through a server leaves no trace where it does not belong."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leadml.store import Store
from tests import hand_made
from tests.test_api_server import promote, running

FORM = re.compile(r"canary\d{4}", re.IGNORECASE)
LEAD = hand_made.leads(1)[0]


class Canaries:
    """Made-up people, each told apart."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, form: str = "{}@example.com") -> str:
        """The next one, as an address, a name, a number."""
        self.sent += 1
        return form.format(f"canary{self.sent:04d}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, list[str], Path]]:
    """A real server process that logs everything, a key, its lines on stderr, its folder."""
    models = tmp_path_factory.mktemp("canaries")
    promote(models, "1")
    store = Store(f"sqlite:///{models / 'leadml.db'}")
    store.migrate()
    key, _ = store.create_key("crm", ["score", "outcomes", "read", "manage"])
    store.people.add("ada", "three green apples", "admin")
    store.close()
    more = {
        "LEADML_LOG_LEVEL": "debug",
        "LEADML_LOG_FORMAT": "json",
        "LEADML_JOBS_DIR": str(models / "jobs"),
    }
    with running(models, **more) as (_, address, said):
        yield address, key, said, models


def requests_of(canary: Canaries, scale: float) -> Iterator[tuple[str, str, dict]]:
    """Ways in which a person's data reaches the server, right and wrong ones."""
    for _ in range(round(100 * scale)):
        yield "POST", "/v1/score", {"json": {"lead_id": canary(), "lead": LEAD}}
        lead = {**LEAD, "industry": canary("Maria {}"), "full_name": canary("{} Smith")}
        yield "POST", "/v1/score", {"json": {"lead_id": canary(), "lead": lead}}
    batch = [
        {"lead_id": canary(), "lead": {**LEAD, "phone": canary("+49{}")}}
        for _ in range(round(100 * scale))
    ]
    yield "POST", "/v1/scores", {"json": {"leads": batch}}
    bad = [{"lead_id": canary(), "lead": {"employees": canary()}} for _ in range(round(50 * scale))]
    yield "POST", "/v1/scores", {"json": {"leads": bad}}
    for kind in ("outcomes", "events"):
        for _ in range(round(20 * scale)):
            item = {"lead_id": canary(), "reason": canary(), "by": canary(), "details": {"n": "1"}}
            word = {"outcome": "rejected"} if kind == "outcomes" else {"event": "form"}
            yield "POST", f"/v1/{kind}", {"json": {kind: [{**item, **word}]}}
            yield "POST", f"/v1/{kind}", {"json": {kind: [{"lead_id": canary(), **word}]}}
            yield "POST", f"/v1/{kind}", {"json": {kind: [{canary(): canary()}], canary(): 1}}
    past = {"lead_id": canary(), "lead": LEAD, "as_of": canary()}
    yield "POST", "/v1/history", {"json": {"leads": [past]}}
    for _ in range(round(15 * scale)):
        who = canary()
        yield "PUT", f"/v1/leads/{who}/consent", {"json": {"contact_consent": True}}
        yield "PUT", f"/v1/leads/{who}/consent", {"json": {"contact_consent": canary()}}
        yield "GET", f"/v1/leads/{canary()}", {}
        yield "GET", f"/v1/leads/{canary()}/history", {}
        yield "GET", f"/v1/leads/{canary()}/export", {}
        yield "GET", f"/v1/decisions/{canary()}", {}
        yield "DELETE", f"/v1/leads/{canary()}", {}
        yield "GET", f"/v1/leads?q={canary()}", {}
        yield "GET", f"/v1/queue?owner={canary()}&nonsense={canary()}", {}
        yield "GET", f"/leads?q={canary()}", {}
        yield "GET", f"/lead?id={canary()}", {"headers": {"accept": "text/html"}}
        yield "GET", f"/{canary()}", {}
        yield "PATCH", f"/v1/webhooks/{canary()}", {"json": {"url": canary("http://{}.example")}}
        yield "POST", "/v1/webhooks", {"json": {"url": canary("http://{}@127.0.0.1/")}}
        yield "PUT", "/v1/policy", {"json": {"basis": canary(), canary(): 1}}
        yield "POST", f"/v1/score?{canary()}=1", {"json": {"lead": {}}}
        yield "POST", "/v1/score", {"content": f'{{"lead": {{"a": "{canary()}"'}
        yield "POST", "/v1/score", {"content": f'{{"lead": {{}}, "{canary()}": 1}}'}
        yield "POST", "/v1/score", {"json": {"lead": canary(), "lead_id": [canary()]}}
        yield "POST", "/v1/jobs", {"content": f"lead_id,employees\n{canary()},{canary()}\n"}
        yield "GET", "/v1/model", {"headers": {"x-api-key": canary()}}
        yield "GET", "/v1/model", {"headers": {"x-request-id": f"{canary()} x"}}
        form = {"name": canary(), "password": canary(), "next": canary("/{}")}
        yield "POST", "/sign-in", {"data": form, "headers": {"accept": "application/json"}}


def without_pointer(answer: httpx.Response) -> str:
    """A refusal without the place in the body that it points at: a field's name, no value."""
    if "json" not in answer.headers["content-type"]:
        return answer.text
    return json.dumps({**answer.json(), "pointer": ""})


@pytest.mark.parametrize(
    ("scale", "people"), [(0.2, 200), pytest.param(1.0, 1000, marks=pytest.mark.slow)]
)
def test_people_leave_no_trace_in_logs_errors_and_metrics(
    world: tuple[str, str, list[str], Path], scale: float, people: int
) -> None:
    """Neither log nor metrics nor any refusal nor the audit log repeats what a person said."""
    address, key, said, models = world
    canary = Canaries()
    told: list[str] = []
    statuses = set()
    with httpx.Client(base_url=address, headers={"x-api-key": key}, timeout=30) as client:
        for method, path, more in requests_of(canary, scale):
            answer = client.request(method, path, **more)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (method, path, answer.text)
            if answer.status_code >= 400 and FORM.search(without_pointer(answer)):
                told.append(f"{method} {re.sub(FORM, '…', path)} {answer.status_code}")
        client.get("/v1/jobs/none")
        time.sleep(0.5)  # jobs work beside the requests
        metrics = client.get("/metrics").text
    assert canary.sent >= people
    assert {200, 202, 400, 401, 404, 422} <= statuses
    assert told == []
    assert FORM.search(metrics) is None
    lines = "".join(said)
    assert len(said) > 3
    assert FORM.search(lines) is None
    store = Store(f"sqlite:///{models / 'leadml.db'}")
    entries = json.dumps(store.audit_log())
    assert store.counts()["decisions"] > people / 10  # they did pass through
    store.close()
    assert len(entries) > 200
    assert FORM.search(entries) is None
