"""Routes of leads: views, reports, erasure, queue, over a real memory."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.desk import csv_of, plain_text
from leadml.api.document import document_of
from leadml.settings import Settings
from tests import hand_made, held

BUNDLE = held.bundle()
DOCUMENT = document_of(None)
HOT = {"industry": "Software", "employees": 900, "source": "Referral", "pricing_page_views_30d": 30}
COLD = {"industry": "Retail", "employees": 2, "source": "Webinar", "pricing_page_views_30d": 0}
NOW = datetime.now(UTC)


def application(database_url: str) -> TestClient:
    """A client of an application with a memory."""
    settings = Settings(database_url=database_url, max_leads_per_request=50)
    return TestClient(create_app(settings, held.serving("7", BUNDLE)))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A client of an application with an empty memory."""
    with application(f"sqlite:///{tmp_path / 'leadml.db'}") as found:
        yield found


@pytest.fixture
def anywhere(database_url: str) -> Iterator[TestClient]:
    """The same on SQLite and on PostgreSQL."""
    with application(database_url) as found:
        yield found


def score(client: TestClient, lead_id: Any, lead: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer to one lead."""
    answer = client.post("/v1/score", json={"lead_id": lead_id, "lead": lead, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def report(client: TestClient, lead_id: str, outcome: str, **more: Any) -> Any:
    """The answer to one outcome."""
    body = {"outcomes": [{"lead_id": lead_id, "outcome": outcome, **more}]}
    return client.post("/v1/outcomes", json=body)


def fits(schema: str, data: Any) -> None:
    """An answer is what the OpenAPI document says."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(root).validate(data)


def ago(**span: float) -> str:
    """A moment before now, as callers write it."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def test_a_score_is_remembered(anywhere: TestClient) -> None:
    """The answer names its decision; lead, history and decision tell what it said."""
    answer = score(anywhere, "L1", HOT, contact_consent=True)
    lead = anywhere.get("/v1/leads/L1").json()
    fits("LeadView", lead)
    assert (lead["stage"], answer["stage"]) == ("mql", "mql")
    assert lead["latest"]["decision_id"] == answer["decision_id"]
    assert lead["latest"]["probability"] == answer["probability"]
    assert lead["attributes"] == HOT
    assert len(lead["latest"]["reasons"]) == 4
    decision = anywhere.get(f"/v1/decisions/{answer['decision_id']}").json()
    fits("Decision", decision)
    assert decision["inputs"] == HOT
    assert len(decision["contributions"]) == 4
    history = anywhere.get("/v1/leads/L1/history").json()
    fits("LeadHistory", history)
    assert [entry["event"] for entry in history["history"]] == ["consent", "scored"]


def test_record_false_leaves_no_trace(client: TestClient) -> None:
    """Without recording there is no decision, no lead and the stage of the score alone."""
    body = {"lead_id": "L1", "lead": HOT}
    answer = client.post("/v1/score?record=false", json=body).json()
    assert "decision_id" not in answer
    batch = client.post("/v1/scores?record=false", json={"leads": [body]}).json()
    assert "decision_id" not in batch["results"][0]
    assert client.get("/v1/leads/L1").status_code == 404
    assert client.get("/v1/leads/L1/history").json()["code"] == "not_found"


def test_recorded_and_unrecorded_answers_agree(client: TestClient) -> None:
    """But for the decision, both give the same bytes, alone and in a batch."""
    for number, lead in enumerate(hand_made.leads(20)):
        for reasons in ("0", "2", "5", "all"):
            body = {"lead_id": f"new-{reasons}-{number}", "lead": lead}
            kept = client.post(f"/v1/score?reasons={reasons}", json=body).json()
            free = client.post(f"/v1/score?record=false&reasons={reasons}", json=body).json()
            many = client.post(f"/v1/scores?reasons={reasons}", json={"leads": [body]}).json()
            assert kept.pop("decision_id").startswith("dec_")
            assert many["results"][0].pop("decision_id").startswith("dec_")
            assert kept == free == many["results"][0]


def test_lead_without_an_id_is_decided_on(client: TestClient) -> None:
    """Its decision is kept and can be looked at; no lead comes of it."""
    found = client.post("/v1/score", json={"lead": HOT}).json()
    decision = client.get(f"/v1/decisions/{found['decision_id']}").json()
    assert "lead_id" not in decision
    assert client.get("/v1/leads").json()["leads"] == []


def test_batch_is_one_transaction(client: TestClient) -> None:
    """Every readable lead of a batch is recorded, in order; a bad one stands between them."""
    leads = [{"lead_id": f"L{n}", "lead": lead} for n, lead in enumerate(hand_made.leads(9))]
    leads.insert(4, {"lead_id": "bad", "lead": {"employees": "many"}})
    leads.append({"lead": {"industry": "Software"}})
    found = client.post("/v1/scores", json={"leads": leads}).json()["results"]
    assert [r.get("lead_id") for r in found] == [lead.get("lead_id") for lead in leads]
    assert found[4]["error"]["code"] == "invalid_field"
    ids = [r["decision_id"] for r in found if "error" not in r]
    assert len(set(ids)) == 10
    for result in found[:4]:
        shown = client.get(f"/v1/decisions/{result['decision_id']}").json()
        assert (shown["lead_id"], shown["probability"]) == (
            result["lead_id"],
            result["probability"],
        )


def test_stage_is_where_the_lead_stands(client: TestClient) -> None:
    """People's stages hold against scores, hysteresis holds a lead near its line."""
    assert score(client, "L1", HOT)["stage"] == "mql"
    report(client, "L1", "accepted")
    found = score(client, "L1", COLD)
    assert (found["proposed_stage"], found["stage"]) == ("cold", "sal")


def test_no_consent_no_proposal(client: TestClient) -> None:
    """A lead that may not be contacted is scored, warned about, and never an MQL."""
    found = score(client, "L1", HOT, contact_consent=False)
    assert (found["proposed_stage"], found["stage"]) == ("sql", "nurture")
    assert "no_contact" in [warning["code"] for warning in found["warnings"]]
    score(client, "L2", HOT, contact_consent=True)
    said = client.put("/v1/leads/L2/consent", json={"objection": True})
    fits("ConsentNoted", said.json())
    assert said.json() == {
        "lead_id": "L2",
        "stage": "nurture",
        "contact_consent": True,
        "objection": True,
    }
    assert client.get("/v1/queue").json()["leads"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_body"),
        ({"contact_consent": None}, 400, "invalid_body"),
        ({"contact_consent": "yes"}, 422, "invalid_field"),
        ({"contact_consent": True, "at": "2026-11-20"}, 422, "invalid_field"),
        ({"contact_consent": True, "at": "2999-01-01T00:00:00Z"}, 422, "invalid_field"),
        ({"contact_consent": True, "at": "9999-12-31T23:59:59-14:00"}, 422, "invalid_field"),
        ({"consent": True}, 422, "unknown_field"),
        ([], 400, "invalid_body"),
    ],
)
def test_odd_consents_are_refused(client: TestClient, body: Any, status: int, code: str) -> None:
    """Nothing is noted of a body that does not say what is meant."""
    found = client.put("/v1/leads/L1/consent", json=body)
    assert (found.status_code, found.json()["code"]) == (status, code)
    assert client.get("/v1/leads/L1").status_code == 404


def test_outcomes_as_the_contract_shows_them(anywhere: TestClient) -> None:
    """The batch of the contract gets the answer of the contract."""
    for lead_id in ("00Q5e000001xyz", "00Q5e000001abc"):
        score(anywhere, lead_id, HOT)
    body = {
        "outcomes": [
            {
                "lead_id": "00Q5e000001xyz",
                "outcome": "accepted",
                "occurred_at": ago(hours=-0.01),
                "by": "sales",
            },
            {
                "lead_id": "00Q5e000001abc",
                "outcome": "rejected",
                "reason": "no_budget",
                "occurred_at": ago(hours=-0.01),
            },
        ]
    }
    found = anywhere.post("/v1/outcomes", json=body, headers={"idempotency-key": "8f6c"})
    expected = {
        "accepted": 2,
        "duplicates": 0,
        "refused": 0,
        "results": [
            {"lead_id": "00Q5e000001xyz", "stage": "sal"},
            {"lead_id": "00Q5e000001abc", "stage": "nurture"},
        ],
    }
    assert found.json() == expected
    again = anywhere.post("/v1/outcomes", json=body, headers={"idempotency-key": "8f6c"})
    assert again.content == found.content
    repeated = anywhere.post("/v1/outcomes", json=body).json()
    assert (repeated["accepted"], repeated["duplicates"]) == (0, 2)
    fits("OutcomesTaken", repeated)


def test_closed_step_is_a_conflict_that_names_the_open_ones(anywhere: TestClient) -> None:
    """Alone it is 409 step_not_open; in a batch it spoils no other."""
    report(anywhere, "L1", "won", occurred_at=ago(hours=1))
    found = report(anywhere, "L1", "rejected", reason="late", occurred_at=ago(minutes=1))
    assert (found.status_code, found.json()["code"]) == (409, "step_not_open")
    assert "open steps: won" in found.json()["detail"]
    reports = [
        {"lead_id": "L1", "outcome": "lost", "occurred_at": ago(minutes=1)},
        {"lead_id": 7, "outcome": "accepted"},
        {"lead_id": "L3", "outcome": "rejected"},
        {"lead_id": "L4", "outcome": "bought"},
        {"lead_id": "L5", "outcome": "won", "occurred_at": "yesterday"},
        {"lead_id": "", "outcome": "won"},
        "L6",
        {"lead_id": "L7", "outcome": "won", "note": "x"},
        {"lead_id": "L8", "outcome": "won", "occurred_at": "2999-01-01T00:00:00Z"},
    ]
    batch = anywhere.post("/v1/outcomes", json={"outcomes": reports}).json()
    fits("OutcomesTaken", batch)
    assert (batch["accepted"], batch["refused"]) == (1, 8)
    results = batch["results"]
    assert results[0]["stage"] == "customer"
    assert results[0]["error"]["open_steps"] == ["won"]
    assert (results[1]["lead_id"], results[1]["stage"]) == ("7", "sal")
    codes = [result["error"]["code"] for result in results if "error" in result]
    assert codes[1:] == [*["invalid_field"] * 4, "invalid_body", "unknown_field", "invalid_field"]


def test_bant_is_kept_and_shown(client: TestClient) -> None:
    """What sales learnt stands beside the lead, the newest word on each of the four."""
    report(client, "L1", "accepted", occurred_at=ago(hours=2), details={"budget": 1, "need": "x"})
    report(client, "L1", "opportunity", occurred_at=ago(hours=1), details={"budget": "50k"})
    assert client.get("/v1/leads/L1").json()["bant"] == {"budget": "50k", "need": "x"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("occured_at", "occurred_at"), (" reason ", "reason"), ("leadid", "lead_id"), ("zebra", "")],
)
def test_name_that_may_be_meant_is_told(client: TestClient, name: str, meant: str) -> None:
    """A field with a slip in its name is refused with the one that comes near."""
    found = report(client, "L1", "won", **{name: "x"}).json()
    assert (found["code"], found["pointer"]) == ("unknown_field", f"/outcomes/0/{name}")
    assert found["detail"].endswith(f"did you mean {meant}?" if meant else "is not known here")


@pytest.mark.parametrize(
    "details", [[], {"a": [1]}, {"a": {}}, {"a": "x" * 2_001}, {str(n): 1 for n in range(51)}]
)
def test_odd_details_are_refused(client: TestClient, details: Any) -> None:
    """Details are flat and bounded."""
    assert report(client, "L1", "accepted", details=details).status_code == 422


def test_events_are_history(anywhere: TestClient) -> None:
    """What a lead did stands in its history and its export."""
    score(anywhere, "L1", HOT)
    event = {"lead_id": "L1", "event": "page_view", "occurred_at": ago(days=1)}
    more = {**event, "details": {"page": "pricing"}}
    found = anywhere.post("/v1/events", json={"events": [event, more, {"lead_id": "L1"}]}).json()
    fits("EventsTaken", found)
    assert (found["accepted"], found["duplicates"], found["refused"]) == (1, 1, 1)
    history = anywhere.get("/v1/leads/L1/history").json()
    assert [entry["event"] for entry in history["history"]] == ["did", "scored"]
    fits("LeadHistory", history)
    export = anywhere.get("/v1/leads/L1/export").json()
    fits("Export", export)
    assert [len(export[name]) for name in ("decisions", "events", "changes")] == [1, 1, 1]


def test_erased_lead_is_gone_and_stays_gone(anywhere: TestClient) -> None:
    """After erasure nothing is found; later scores are answered but not recorded."""
    score(anywhere, "anna@example.com", HOT)
    report(anywhere, "anna@example.com", "accepted")
    found = anywhere.delete("/v1/leads/anna@example.com")
    fits("Erased", found.json())
    assert found.json()["erased"]["decisions"] == 1
    assert "anna" not in found.text
    for path in ("", "/history", "/export"):
        assert anywhere.get(f"/v1/leads/anna@example.com{path}").status_code == 404
    again = score(anywhere, "anna@example.com", HOT)
    assert "decision_id" not in again
    assert "lead_erased" in [warning["code"] for warning in again["warnings"]]
    assert report(anywhere, "anna@example.com", "won").status_code == 410
    assert anywhere.put("/v1/leads/anna@example.com/consent", json={"objection": True}).json()[
        "code"
    ] == ("lead_erased")


def test_an_id_that_never_came_cannot_be_erased(anywhere: TestClient) -> None:
    """A mistyped id is 404 and bars no later lead; an erasure that is repeated stays 200."""
    assert anywhere.delete("/v1/leads/L-typo").json()["code"] == "not_found"
    assert "decision_id" in score(anywhere, "L-typo", HOT)
    body = {"events": [{"lead_id": "L-event", "event": "page_view"}]}
    assert anywhere.post("/v1/events", json=body).status_code == 200
    for lead_id in ("L-typo", "L-typo", "L-event"):
        assert anywhere.delete(f"/v1/leads/{lead_id}").status_code == 200


def test_a_report_about_an_unknown_lead_says_so(anywhere: TestClient) -> None:
    """It is kept, repeated or not, with a warning that no score of the lead is remembered."""
    score(anywhere, "L1", HOT)
    at = ago(minutes=1)
    for lead_id, codes in (
        ("L1", []),
        ("L-never", ["lead_unknown"]),
        ("L-never", ["lead_unknown"]),
    ):
        found = report(anywhere, lead_id, "won", occurred_at=at).json()
        fits("OutcomesTaken", found)
        (result,) = found["results"]
        assert [warning["code"] for warning in result.get("warnings", [])] == codes


def test_a_value_that_cannot_be_is_not_called_a_wrong_type(client: TestClient) -> None:
    """Titles tell wrong types from wrong values; an odd outcome is answered with the known ones."""
    odd = report(client, "L1", "sold").json()
    assert odd["title"] == "A field has a value that cannot be used"
    assert "won" in odd["fix"]
    late = report(client, "L1", "won", occurred_at="2999-01-01T00:00:00Z").json()
    assert (late["code"], late["title"]) == ("invalid_field", odd["title"])
    wrong = client.post("/v1/outcomes", json={"outcomes": [{"lead_id": "L1", "outcome": 3}]})
    assert wrong.json()["title"] == "A field has the wrong type"


def test_id_with_odd_characters(client: TestClient) -> None:
    """An id may hold slashes, spaces and any script; NUL or length beyond 255 is refused."""
    for lead_id in ("a/b c", "Ünïcode ✓", "x?y#z", "100%"):
        score(client, lead_id, HOT)
        path = "/v1/leads/" + "".join(f"%{byte:02x}" for byte in lead_id.encode())
        assert client.get(path).json()["lead_id"] == lead_id
        assert client.get(f"{path}/history").status_code == 200
    assert client.get("/v1/leads/a%00b").status_code == 422
    assert client.get(f"/v1/leads/{'x' * 256}").status_code == 422


def test_list_and_search(anywhere: TestClient) -> None:
    """Pages follow each other; a stage, a text or a source narrows them."""
    leads = [
        {"lead_id": f"L{n}", "lead": {**(HOT if n % 2 else COLD), "company": f"Firm {n}"}}
        for n in range(7)
    ]
    anywhere.post("/v1/scores", json={"leads": leads})
    seen = []
    cursor = ""
    while True:
        page = anywhere.get(f"/v1/leads?limit=3{cursor}").json()
        fits("Leads", page)
        seen += [lead["lead_id"] for lead in page["leads"]]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == [f"L{n}" for n in range(7)]
    mqls = anywhere.get("/v1/leads?stage=mql").json()["leads"]
    assert {lead["lead_id"] for lead in mqls} == {"L1", "L3", "L5"}
    assert [lead["lead_id"] for lead in anywhere.get("/v1/leads?q=firm%206").json()["leads"]] == [
        "L6"
    ]
    assert len(anywhere.get("/v1/leads?source=webinar").json()["leads"]) == 4


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1e2",
        "stage=hot",
        "cursor=x",
        "cursor=W10",
        "cursor=WzEsIiJd",
        "q=a&cursor=WzEsIngiXQ",
        "q=a&q=b",
        "q=a%00",
        "q=%ff",
        "page=2",
        "source=a&source=b",
    ],
)
def test_odd_questions_are_refused(client: TestClient, query: str) -> None:
    """A parameter that cannot be meant is named as such, never ignored."""
    assert client.get(f"/v1/leads?{query}").json()["code"] in (
        "invalid_parameter",
        "invalid_field",
    )


def test_queue_keeps_to_the_capacity(anywhere: TestClient) -> None:
    """Consented MQLs only, as many as the week still allows, each page within it."""
    leads = [
        {
            "lead_id": f"L{n}",
            "lead": {**HOT, "pricing_page_views_30d": 20 + n},
            "contact_consent": n != 3,
        }
        for n in range(8)
    ]
    anywhere.post("/v1/scores", json={"leads": leads})
    report(anywhere, "L0", "accepted")
    everything = anywhere.get("/v1/queue?capacity=all").json()
    fits("Queue", everything)
    ids = [lead["lead_id"] for lead in everything["leads"]]
    assert sorted(ids) == ["L1", "L2", "L4", "L5", "L6", "L7"]
    limited = anywhere.get("/v1/queue?capacity=4").json()
    fits("Queue", limited)
    assert limited["capacity"] == {"per_week": 4.0, "taken": 1, "left": 3}
    assert [lead["lead_id"] for lead in limited["leads"]] == ids[:3]
    assert "next_cursor" not in limited
    first = anywhere.get("/v1/queue?capacity=4&limit=2").json()
    second = anywhere.get(f"/v1/queue?capacity=4&limit=2&cursor={first['next_cursor']}").json()
    shown = [lead["lead_id"] for lead in first["leads"] + second["leads"]]
    assert shown == ids[:3]
    assert "next_cursor" not in second
    worth = anywhere.get("/v1/queue?capacity=all&value=1000").json()["leads"]
    for lead, plain in zip(worth, everything["leads"], strict=True):
        assert lead["expected_value"] == pytest.approx(1000 * plain["probability"])
    assert anywhere.get("/v1/queue?capacity=0").json()["leads"] == []


def test_queue_by_the_value_of_each_lead(database_url: str) -> None:
    """With a field of value named, the queue is by probability times that field."""
    settings = Settings(database_url=database_url, value_field="deal", lead_value=10)
    with TestClient(create_app(settings, held.serving("7", BUNDLE))) as client:
        for lead_id, deal in (("small", 1), ("large", "5000"), ("odd", "n/a"), ("less", -5)):
            score(client, lead_id, {**HOT, "deal": deal}, contact_consent=True)
        leads = client.get("/v1/queue?capacity=all&fields=deal,phone").json()["leads"]
        assert [lead["lead_id"] for lead in leads] == ["large", "less", "odd", "small"]
        assert leads[0]["attributes"] == {"deal": "5000"}
        assert client.get("/v1/queue?value=3").json()["code"] == "invalid_parameter"


def test_call_list_is_no_formula(client: TestClient) -> None:
    """The CSV of the queue holds the fields asked for, none of them a formula."""
    for lead_id, phone in (("=L1", "+49 30 1"), ("L2", '=cmd|"/c calc"!A1'), ("L3", "@x,y")):
        score(client, lead_id, {**HOT, "phone": phone}, contact_consent=True)
    for found in (
        client.get("/v1/queue?format=csv&fields=phone&capacity=all"),
        client.get("/v1/queue?fields=phone&capacity=all", headers={"accept": "text/csv"}),
    ):
        assert found.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(found.text)))
        assert [row["lead_id"] for row in rows] == ["'=L1", "L2", "L3"]
        assert [row["phone"] for row in rows] == ["'+49 30 1", '\'=cmd|"/c calc"!A1', "'@x,y"]
    first = client.get("/v1/queue?format=csv&capacity=all&limit=2")
    following = first.headers["link"].partition(">")[0][1:]
    assert len(list(csv.DictReader(io.StringIO(client.get(following).text)))) == 1


def test_cells_of_text_never_begin_a_formula() -> None:
    """Every sign that a spreadsheet may act on is disarmed; numbers stay numbers."""
    for sign in "=+-@\t\r\n":
        assert plain_text(f"{sign}1") == f"'{sign}1"
    assert csv_of(["=a"], [[-1], ["-1"], [None], [{"b": 1}]]) == (
        b'\'=a\r\n-1\r\n\'-1\r\n""\r\n"{""b"":1}"\r\n'
    )


def test_keys_of_idempotency(client: TestClient) -> None:
    """Another body under the same key is refused, and so is a key that is no header."""
    first = {"events": [{"lead_id": "L1", "event": "a"}]}
    headers = {"idempotency-key": "k1"}
    assert client.post("/v1/events", json=first, headers=headers).status_code == 200
    other = {"events": [{"lead_id": "L1", "event": "b"}]}
    found = client.post("/v1/events", json=other, headers=headers)
    assert (found.status_code, found.json()["code"]) == (422, "idempotency_key_reused")
    odd = client.post("/v1/events", json=first, headers={"idempotency-key": "a b"})
    assert odd.json()["code"] == "invalid_parameter"


@pytest.mark.parametrize("path", ["score", "score?record=false", "scores", "scores?record=false"])
def test_key_that_is_no_header_is_refused_by_scores(client: TestClient, path: str) -> None:
    """Whether anything is recorded or not, a malformed key is an error of the caller."""
    body = {"leads": [{"lead": HOT}]} if "scores" in path else {"lead": HOT}
    found = client.post(f"/v1/{path}", json=body, headers={"idempotency-key": "a b"})
    assert (found.status_code, found.json()["code"]) == (422, "invalid_parameter")


def test_refused_request_does_not_use_its_key_up(client: TestClient) -> None:
    """A report that was refused may be corrected under a repeat of the same request."""
    headers = {"idempotency-key": "k1"}
    body = {"outcomes": [{"lead_id": "L1", "outcome": "rejected", "occurred_at": ago(hours=1)}]}
    assert client.post("/v1/outcomes", json=body, headers=headers).status_code == 422
    body["outcomes"][0]["reason"] = "no_budget"
    found = client.post("/v1/outcomes", json=body, headers=headers)
    assert found.status_code == 200


def test_score_counts_once_under_its_key(anywhere: TestClient) -> None:
    """A repeat gets the decision of the first; another body or query under the key is refused."""
    headers, body = {"idempotency-key": "s1"}, {"lead_id": "L1", "lead": HOT}
    first = anywhere.post("/v1/score?reasons=1", json=body, headers=headers)
    again = anywhere.post("/v1/score?reasons=1", json=body, headers=headers)
    assert (first.status_code, first.content) == (200, again.content)
    fits("ScoreAnswer", first.json())
    assert len(anywhere.get("/v1/leads/L1/export").json()["decisions"]) == 1
    for path, sent in (("score?reasons=1", {**body, "lead": COLD}), ("score?reasons=2", body)):
        found = anywhere.post(f"/v1/{path}", json=sent, headers=headers)
        assert (found.status_code, found.json()["code"]) == (422, "idempotency_key_reused")
    told = anywhere.get("/metrics").text
    assert 'leadml_decisions_total{result="recorded"} 1.0' in told
    assert 'leadml_scores_total{stage="sql"} 1.0' in told
    plain = score(anywhere, "L1", HOT)
    assert plain.keys() == {**first.json(), "other_log_odds": 0}.keys()


def test_batch_counts_once_under_its_key(anywhere: TestClient) -> None:
    """All leads of a repeated batch keep their decisions; one that cannot be read its error."""
    leads = [{"lead_id": "L1", "lead": HOT}, {"lead": {}}, {"lead_id": "L2", "lead": COLD}]
    headers = {"idempotency-key": "b1"}
    first, again = (
        anywhere.post("/v1/scores", json={"leads": leads}, headers=headers) for _ in range(2)
    )
    assert first.status_code == 200
    assert first.content == again.content
    fits("ScoresAnswer", first.json())
    assert [result.get("lead_id") for result in first.json()["results"]] == ["L1", None, "L2"]
    for lead_id in ("L1", "L2"):
        assert len(anywhere.get(f"/v1/leads/{lead_id}/export").json()["decisions"]) == 1


def test_answers_about_other_leads_outlive_an_erasure(anywhere: TestClient) -> None:
    """An id that differs in case alone, as those of Salesforce may, is another lead's."""
    headers, body = {"idempotency-key": "c1"}, {"lead_id": "00Qabc_%", "lead": HOT}
    first = anywhere.post("/v1/score", json=body, headers=headers)
    score(anywhere, "00QABC_%", HOT)
    assert anywhere.delete("/v1/leads/00QABC_%25").status_code == 200
    assert anywhere.post("/v1/score", json=body, headers=headers).content == first.content
    assert anywhere.delete("/v1/leads/00Qabc_%25").status_code == 200
    assert anywhere.post("/v1/score", json=body, headers=headers).status_code == 410


def test_no_answer_about_an_erased_lead_is_kept(anywhere: TestClient) -> None:
    """Repeats of what told of a lead end with it, and nothing later about it is kept."""
    headers, body = {"idempotency-key": "e1"}, {"lead_id": "Lena-4711", "lead": HOT}
    assert anywhere.post("/v1/score", json=body, headers=headers).status_code == 200
    assert anywhere.delete("/v1/leads/Lena-4711").status_code == 200
    later = {"idempotency-key": "e2"}
    warned = anywhere.post("/v1/score", json=body, headers=later).json()["warnings"]
    assert "lead_erased" in {warning["code"] for warning in warned}
    reports = {"outcomes": [{"lead_id": one, "outcome": "won"} for one in ("Lena-4711", "L2")]}
    assert anywhere.post("/v1/outcomes", json=reports, headers=later).json()["refused"] == 1
    for path, sent, key in (
        ("score", body, headers),
        ("score", body, later),
        ("outcomes", reports, later),
    ):
        found = anywhere.post(f"/v1/{path}", json=sent, headers=key)
        assert (found.status_code, found.json()["code"]) == (410, "lead_erased")


@pytest.mark.parametrize("n_keys", [20, pytest.param(1_000, marks=pytest.mark.slow)])
def test_parallel_retries_have_one_effect(anywhere: TestClient, n_keys: int) -> None:
    """Ten parallel sendings of each request: one effect, one answer, else 409 in flight."""
    answers: dict[int, set[str]] = {number: set() for number in range(n_keys)}
    seen: set[int] = set()

    def send(number: int) -> None:
        body = {"outcomes": [{"lead_id": f"L{number}", "outcome": "accepted"}]}
        while True:
            found = anywhere.post(
                "/v1/outcomes", json=body, headers={"idempotency-key": f"k{number}"}
            )
            seen.add(found.status_code)
            if found.status_code == 200:
                answers[number].add(found.text)
                return
            assert found.json()["code"] == "request_in_flight"
            assert found.headers["retry-after"] == "1"

    def sender(turn: int) -> None:
        for number in range(n_keys):
            send((number + turn) % n_keys if turn % 2 else number)

    threads = [threading.Thread(target=sender, args=(turn,)) for turn in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= {200, 409}
    assert all(len(found) == 1 for found in answers.values())
    assert all(json.loads(next(iter(found)))["accepted"] == 1 for found in answers.values())
    exported = anywhere.get("/v1/leads/L0/export").json()
    assert len(exported["outcomes"]) == 1


def test_memory_that_is_off_says_so() -> None:
    """Scores are given, everything else needs the memory."""
    with TestClient(create_app(Settings(database_url=""), held.serving("7", BUNDLE))) as client:
        assert "decision_id" not in score(client, "L1", HOT)
        assert client.get("/health/ready").json()["status"] == "ready"
        for found in (
            client.get("/v1/leads/L1"),
            client.get("/v1/queue"),
            report(client, "L1", "won"),
        ):
            assert (found.status_code, found.json()["code"]) == (503, "memory_off")


@pytest.mark.parametrize("other", ["plain%0A", "%0Aplain", "plain%2Fhistory", "plain%2Fexport"])
def test_odd_id_never_means_another_lead(client: TestClient, other: str) -> None:
    """An id counts as it was sent: whoever names another lead reads and erases that one."""
    odd = unquote(other)
    for lead_id in ("plain", odd):
        score(client, lead_id, COLD)
    assert client.get(f"/v1/leads/{other}").json()["lead_id"] == odd
    assert client.get(f"/v1/leads/{other}/history").json()["lead_id"] == odd
    assert client.delete(f"/v1/leads/{other}").json()["erased"]["leads"] == 1
    assert client.get(f"/v1/leads/{other}").status_code == 404
    assert client.get("/v1/leads/plain").json()["lead_id"] == "plain"
