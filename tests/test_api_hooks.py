"""Routes of webhooks, and a score that reaches a receiver through the running server."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest
from receiver import Answer, receiver
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.document import document_of
from leadml.api.hooks import MOST_CALLING
from leadml.settings import Settings
from leadml.store.announcing import USUAL_EVENTS
from leadml.webhooks import KINDS
from tests import held

BUNDLE = held.bundle()
DOCUMENT = document_of(None)
HOT = {"industry": "Software", "employees": 900, "source": "Referral", "pricing_page_views_30d": 30}
COLD = {"industry": "Retail", "employees": 2, "source": "Webinar", "pricing_page_views_30d": 0}
HERE = {"webhook_allow": "127.0.0.1", "webhook_timeout_s": 2}


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    """A client of an application with an empty memory, on SQLite and on PostgreSQL."""
    settings = Settings(database_url=database_url, **HERE)
    with TestClient(create_app(settings, held.serving("7", BUNDLE))) as found:
        yield found


@pytest.fixture
def small(tmp_path: Any) -> Iterator[TestClient]:
    """A client of an application on SQLite that leaves sending to others."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    settings = Settings(database_url=url, deliver=False, **HERE)
    with TestClient(create_app(settings, held.serving("7", BUNDLE))) as found:
        yield found


def fits(schema: str, data: Any) -> None:
    """An answer is what the OpenAPI document says."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(root).validate(data)


def until(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until something holds; whether it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def made(client: TestClient, url: str, **more: Any) -> dict[str, Any]:
    """A webhook made over HTTP."""
    answer = client.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    fits("NewWebhook", found)
    return found


def test_a_crossing_reaches_a_receiver_within_a_second(client: TestClient) -> None:
    """A score that lifts a lead to MQL is at the receiver, verified, in less than a second."""
    with receiver() as there:
        hook = made(client, there.url + "/hook", events=["lead.became_mql", "lead.outcome"])
        client.post("/v1/score", json={"lead_id": "L0", "lead": COLD})
        took = []
        for n in range(1, 6):
            start = time.time()
            answer = client.post("/v1/score", json={"lead_id": f"L{n}", "lead": HOT}).json()
            assert there.wait(lambda n=n: len(there.calls) == n)
            took.append(there.calls[-1].at - start)
        assert statistics.median(took) < 1.0
        told = there.calls[-1].verified(hook["secret"])["data"]
        assert told["lead_id"] == "L5"
        assert told["probability"] == answer["probability"]
        assert told["score"] == answer["score"]
        assert told["grade"] == answer["grade"]
        shown = [reason["text"] for reason in answer["reasons"]]
        assert [reason["text"] for reason in told["reasons"]][: len(shown)] == shown
        body = {"outcomes": [{"lead_id": "L5", "outcome": "won"}]}
        client.post("/v1/outcomes", json=body)
        assert there.wait(lambda: len(there.calls) == 6)
        assert there.calls[-1].json["data"]["outcome"] == "won"
        assert until(lambda: client.get("/v1/webhooks").json()["deliveries"]["waiting"] == 0)


def test_slow_receivers_hold_up_nobody_else(small: TestClient) -> None:
    """While as many trials as may wait for a receiver, keys and policy are still looked at."""
    with receiver(lambda call: Answer(seconds=1.5)) as there:
        path = f"/v1/webhooks/{made(small, there.url)['id']}/test"
        with ThreadPoolExecutor(MOST_CALLING + 1) as crowd:
            trials = [crowd.submit(small.post, path) for _ in range(MOST_CALLING + 1)]
            assert there.wait(lambda: len(there.calls) == MOST_CALLING)
            threads = {thread.name for thread in threading.enumerate()}
            assert sum(name.startswith("leadml-calling") for name in threads) == MOST_CALLING
            assert small.put("/v1/policy", json={"capacity_per_week": 9}).status_code == 200
            assert len(there.calls) == MOST_CALLING
            answers = [trial.result() for trial in trials]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert [answer.json()["code"] for answer in refused] == ["overloaded"]


def test_a_new_model_is_told_once(client: TestClient) -> None:
    """The version that is served is announced to receivers, once."""
    with receiver() as there:
        made(client, there.url, events=["model.promoted"])
        outgoing = client.app.state.memory.require().outgoing  # type: ignore[attr-defined]
        for _ in range(2):
            outgoing.announce_model("leads@8", {"policy_version": "1"})
        assert there.wait(lambda: len(there.calls) >= 1)
        time.sleep(0.2)
        told = [call.json["data"]["model_version"] for call in there.calls]
        assert told.count("leads@8") == 1


def test_a_webhook_is_made_shown_and_changed(small: TestClient) -> None:
    """What was made is listed and changed field by field; secrets are never shown again."""
    hook = made(small, "https://crm.example.com/hook", note="desk", lead_fields=["industry"])
    assert hook["secret"].startswith("whsec_")
    assert hook["events"] == list(USUAL_EVENTS)
    listed = small.get("/v1/webhooks").json()
    fits("Webhooks", listed)
    (shown,) = listed["webhooks"]
    assert shown == {name: value for name, value in hook.items() if name != "secret"}
    one = f"/v1/webhooks/{hook['id']}"
    assert small.get(one).json() == shown
    changes = {"note": "x", "events": ["lead.dropped"], "credential": "t0ken", "state": "disabled"}
    changed = small.patch(one, json=changes).json()
    fits("Webhook", changed)
    assert (changed["note"], changed["events"]) == ("x", ["lead.dropped"])
    assert (changed["state"], changed["state_reason"]) == ("disabled", "disabled by hand")
    assert changed["has_credential"] is True
    assert "t0ken" not in small.get("/v1/webhooks").text
    assert "state_reason" not in small.patch(one, json={"state": "active"}).json()
    removed = small.delete(one).json()
    fits("WebhookRemoved", removed)
    assert small.get(one).status_code == 404
    assert small.get(one).json()["code"] == "webhook_unknown"


def test_a_secret_is_rotated(small: TestClient) -> None:
    """The new secret is shown once, and both sign until the overlap ends."""
    with receiver() as there:
        hook = made(small, there.url)
        one = f"/v1/webhooks/{hook['id']}"
        rotated = small.post(f"{one}/rotate", json={"overlap_hours": 1}).json()
        fits("NewWebhook", rotated)
        assert rotated["secret"] != hook["secret"]
        assert rotated["active_secrets"] == 2
        assert small.post(f"{one}/test").json()["delivered"]
        (call,) = there.calls
        assert call.verified(hook["secret"])["type"] == "webhook.test"
        assert call.verified(rotated["secret"])["type"] == "webhook.test"
        assert small.post(f"{one}/rotate", json={"overlap_hours": 0}).json()["active_secrets"] == 1
        assert small.post(f"{one}/rotate", json={"overlap_hours": 9999}).status_code == 422


def test_a_webhook_is_tried(small: TestClient) -> None:
    """A trial sends one signed message now and says what came of it."""
    with receiver(lambda call: Answer(500 if call.path == "/broken" else 200)) as there:
        good, broken = made(small, there.url + "/ok"), made(small, there.url + "/broken")
        found = small.post(f"/v1/webhooks/{good['id']}/test").json()
        fits("WebhookTried", found)
        assert (found["delivered"], found["status"]) == (True, 200)
        found = small.post(f"/v1/webhooks/{broken['id']}/test").json()
        fits("WebhookTried", found)
        assert (found["delivered"], found["status"]) == (False, 500)
        small.post("/v1/score", json={"lead_id": "L1", "lead": HOT})
        small.post(f"/v1/webhooks/{good['id']}/test", json={"lead_id": "L1"})
        assert there.calls[-1].json["data"]["stage"] == "mql"
        unknown = small.post(f"/v1/webhooks/{good['id']}/test", json={"lead_id": "L2"})
        assert unknown.status_code == 404
        small.put("/v1/leads/L1/consent", json={"objection": True})
        objected = small.post(f"/v1/webhooks/{good['id']}/test", json={"lead_id": "L1"})
        assert objected.status_code == 422
        assert len(there.calls) == 3


def test_deliveries_are_listed_page_by_page_and_replayed(client: TestClient) -> None:
    """What was delivered, with its attempts; a replay sends it again under the same id."""
    with receiver() as there:
        hook = made(client, there.url, events=["lead.became_mql"])
        leads = [{"lead_id": f"L{n}", "lead": HOT} for n in range(5)]
        client.post("/v1/scores", json={"leads": leads})
        assert there.wait(lambda: len(there.calls) == 5)
        one = f"/v1/webhooks/{hook['id']}"
        done = lambda: client.get(f"{one}/deliveries?state=delivered").json()["deliveries"]  # noqa: E731
        assert until(lambda: len(done()) == 5)
        seen, cursor = [], ""
        while True:
            page = client.get(f"{one}/deliveries?limit=2{cursor}").json()
            fits("Deliveries", page)
            seen += [delivery["id"] for delivery in page["deliveries"]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert len(set(seen)) == 5
        first = done()[0]
        assert [attempt["status"] for attempt in first["log"]] == [200]
        replayed = client.post(f"{one}/replay", json={"delivery_id": first["id"]}).json()
        assert replayed == {"replayed": 1}
        assert there.wait(lambda: len(there.calls) == 6)
        assert there.calls[-1].message_id == first["message_id"]
        assert client.post(f"{one}/replay").json() == {"replayed": 0}
        assert client.post(f"{one}/replay", json={"delivery_id": "dlv_x"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"url": "http://127.0.0.2/x"}, "address_refused", "/url"),
        ({"url": "https://10.0.0.1/x"}, "address_refused", "/url"),
        ({"url": "https://[::ffff:7f00:1]/"}, "address_refused", "/url"),
        ({}, "invalid_field", "/url"),
        ({"url": 7}, "invalid_field", "/url"),
        ({"url": "https://x.example", "kind": "fax"}, "invalid_field", "/kind"),
        ({"url": "https://x.example", "events": ["lead.sold"]}, "invalid_field", "/events"),
        ({"url": "https://x.example", "events": []}, "invalid_field", "/events"),
        ({"url": "https://x.example", "events": "all"}, "invalid_field", "/events"),
        ({"url": "https://x.example", "lead_fields": [""]}, "invalid_field", "/lead_fields"),
        ({"url": "https://x.example", "options": {"a": 1}}, "invalid_field", "/options/a"),
        ({"url": "https://x.example", "options": []}, "invalid_field", "/options"),
        ({"url": "https://x.example", "note": "x" * 501}, "invalid_field", "/note"),
        ({"url": "https://x.example", "colour": "red"}, "unknown_field", "/colour"),
        ({"url": "https://x.example", "kind": "hubspot"}, "invalid_field", "/credential"),
        (
            {"url": "https://x.example?a", "kind": "hubspot", "credential": "t"},
            "invalid_field",
            "/url",
        ),
        (
            {
                "url": "https://x.example",
                "kind": "hubspot",
                "credential": "t",
                "events": ["policy.changed"],
            },
            "invalid_field",
            "/events",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    small: TestClient, body: dict[str, Any], code: str, pointer: str
) -> None:
    """A webhook that could not work is refused with the field at fault."""
    answer = small.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["pointer"]) == (code, pointer)
    assert small.get("/v1/webhooks").json()["webhooks"] == []


def test_every_kind_can_be_made(small: TestClient) -> None:
    """All kinds are there, each with the events that it can take."""
    for kind in KINDS:
        application = '{"client_id": "a", "client_secret": "b", "tenant": "c"}'
        more = {} if kind in ("generic", "slack") else {"credential": application}
        hook = made(small, "https://vendor.example.com", kind=kind, **more)
        leads_only = kind not in ("generic", "slack")
        assert all(event.startswith("lead.") for event in hook["events"]) is leads_only


def test_only_managers_see_webhooks(small: TestClient) -> None:
    """Every route of webhooks needs the scope manage."""
    store = small.app.state.memory.require()  # type: ignore[attr-defined]
    for scope in ("score", "outcomes", "read", "manage"):
        text, _ = store.create_key(scope, [scope])
        assert until(lambda: small.app.state.memory.guarded)  # type: ignore[attr-defined]
        headers = {"x-api-key": text}
        answer = small.get("/v1/webhooks", headers=headers)
        assert answer.status_code == (200 if scope == "manage" else 403)
    assert small.get("/v1/webhooks").status_code == 401


def test_metrics_tell_what_waits(client: TestClient) -> None:
    """Waiting messages, their age and dead letters stand in the metrics."""
    with receiver(lambda call: Answer(500)) as there:
        made(client, there.url, events=["lead.became_mql"])
        client.post("/v1/score", json={"lead_id": "L1", "lead": HOT})
        assert until(lambda: "leadml_webhook_waiting 1.0" in client.get("/metrics").text)
        text = client.get("/metrics").text
        assert "leadml_webhook_dead 0.0" in text
        assert "leadml_webhook_oldest_seconds" in text


def test_what_may_be_secret_in_an_address_is_shown_once(small: TestClient) -> None:
    """A Slack path and the values of a query are masked, and a masked address is no address."""
    secret = "T0/B0/key"
    for url, kind, shown in (
        (f"https://hooks.slack.com/services/{secret}", "slack", "https://hooks.slack.com/…"),
        (f"https://x.example/a?t={secret}&{secret}", "generic", "https://x.example/a?t=…&…"),
    ):
        made = small.post("/v1/webhooks", json={"url": url, "kind": kind}).json()
        assert made["url"] == url
        one = f"/v1/webhooks/{made['id']}"
        fits("Webhook", small.get(one).json())
        assert small.get(one).json()["url"] == shown
        assert secret not in small.get("/v1/webhooks").text
        assert secret not in small.post(f"{one}/rotate", json={}).text
        assert small.patch(one, json={"note": "x"}).json()["url"] == shown
        assert small.patch(one, json={"url": shown}).json()["code"] == "address_refused"
