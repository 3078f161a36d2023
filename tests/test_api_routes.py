"""Routes: requests in, answers and problem documents out, as the contract names them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.document import document_of
from leadml.api.routes import LEAD_ID_SHOWN, OFF_LOOP_BYTES, Options, options_of
from leadml.errors import BundleRejected, InvalidParameter
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import hand_made, held

BUNDLE = held.bundle()
LEADS = hand_made.leads(50)


@pytest.fixture(scope="module")
def serving() -> Serving:
    """Version 7 of the hand-made model, served."""
    return held.serving("7", BUNDLE)


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[TestClient]:
    """A client of the application in this process."""
    settings = Settings(max_body_bytes=200_000, max_leads_per_request=100, database_url="")
    with TestClient(create_app(settings, serving), raise_server_exceptions=True) as found:
        yield found


def schema_errors(schema: str, data: Any, serving: Serving) -> list[str]:
    """What the OpenAPI document says against an answer."""
    document = document_of(serving.current())
    root = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    return [e.message for e in jsonschema.Draft202012Validator(root).iter_errors(data)]


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """An error is a problem document with all its parts."""
    found = response.json()
    assert (response.status_code, found["status"], found["code"]) == (status, status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert found["type"] == f"urn:leadml:problem:{code}"
    assert found["title"]
    assert found["detail"]
    assert found["request_id"] == response.headers["x-request-id"]
    assert len(response.content) <= 16_384
    return found


def test_one_lead(client: TestClient, serving: Serving) -> None:
    """A lead gets its answer, which fits the OpenAPI document."""
    response = client.post("/v1/score", json={"lead_id": "00Q", "lead": LEADS[0]})
    found = response.json()
    assert response.status_code == 200
    assert (found["lead_id"], found["model_version"], found["policy_version"]) == (
        "00Q",
        "leads@7",
        "1",
    )
    assert schema_errors("ScoreAnswer", found, serving) == []
    assert None not in found.values()


@pytest.mark.parametrize(("query", "n"), [("", 4), ("?reasons=0", 0), ("?reasons=2", 2)])
def test_number_of_reasons(client: TestClient, query: str, n: int) -> None:
    """?reasons=N gives N reasons and the sum of the others."""
    found = client.post("/v1/score" + query, json={"lead": LEADS[0]}).json()
    assert len(found["reasons"]) == n
    assert "other_log_odds" in found


def test_all_reasons(client: TestClient) -> None:
    """?reasons=all leaves no rest; ?record=false is accepted, and nothing is recorded."""
    found = client.post("/v1/score?reasons=all&record=false", json={"lead": LEADS[0]}).json()
    assert len(found["reasons"]) == 4
    assert not {"other_log_odds", "decision_id"} & found.keys()


@pytest.mark.parametrize(
    "query",
    [
        b"reasons=-1",
        b"reasons=",
        b"reasons=1e3",
        b"reasons=99999",
        b"reasons=\xc2\xb2",
        b"reasons=1&reasons=2",
        b"record=no",
        b"reason=3",
        b"&".join([b"reasons=1"] * 20),
    ],
)
def test_other_queries_are_refused(query: bytes) -> None:
    """A misspelt, repeated or wrong query parameter is refused, not ignored."""
    with pytest.raises(InvalidParameter):
        options_of(query)


def test_query_default() -> None:
    """Without a query there are five reasons."""
    assert options_of(b"") == Options(5, True)


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"lead": {"employees": "many"}}, 422, "invalid_field", "/lead/employees"),
        ({"lead": {"employees": [1]}}, 422, "invalid_field", "/lead/employees"),
        ({"lead": {"shoe_size": 3}}, 422, "unknown_field", "/lead"),
        ({"lead": {}}, 422, "unknown_field", "/lead"),
        ({"lead": [1]}, 422, "invalid_field", "/lead"),
        ({"lead": None}, 422, "invalid_field", "/lead"),
        ({"lead_id": "1"}, 400, "invalid_body", "/lead"),
        ({"lead": {"employees": 3}, "extra/~x": 1}, 422, "unknown_field", "/extra~1~0x"),
        ({"lead": {"employees": 3}, "lead_id ": "1"}, 422, "unknown_field", "/lead_id "),
        ({"lead": {"employees": 3}, "lead_id": ""}, 422, "invalid_field", "/lead_id"),
        ({"lead": {"employees": 3}, "lead_id": True}, 422, "invalid_field", "/lead_id"),
        ({"lead": {"employees": 3}, "lead_id": "x" * 201}, 422, "invalid_field", "/lead_id"),
        (
            {"lead": {"employees": 3}, "contact_consent": "yes"},
            422,
            "invalid_field",
            "/contact_consent",
        ),
        ([], 400, "invalid_body", None),
        ("text", 400, "invalid_body", None),
        (None, 400, "invalid_body", None),
    ],
)
def test_bad_lead_is_a_problem(
    client: TestClient, body: Any, status: int, code: str, pointer: str | None
) -> None:
    """What cannot be scored is refused with code, status and the place in the body."""
    found = assert_problem(client.post("/v1/score", json=body), status, code)
    assert found.get("pointer") == pointer


def test_problem_fits_the_document(client: TestClient, serving: Serving) -> None:
    """A problem document is the one that the OpenAPI document describes."""
    found = client.post("/v1/score", json={"lead": {"employees": "many"}}).json()
    assert schema_errors("Problem", found, serving) == []


def test_values_are_never_repeated(client: TestClient) -> None:
    """No error repeats a value or an endless name of the request."""
    canary = "Maria-Canary-7"
    for body in (
        {"lead": {"employees": canary}},
        {"lead": {"shoe_size": canary}},
        {"lead": {"employees": 1}, "contact_consent": canary},
        {"lead": {"employees": 1}, "x" * 5000: canary},
        {"lead": canary},
    ):
        response = client.post("/v1/score", json=body)
        assert response.status_code == 422
        assert canary not in response.text
        assert len(response.content) < 2000
    assert canary not in client.post("/v1/score?reasons=" + canary, json={}).text


def test_number_as_id(client: TestClient) -> None:
    """A CRM may number its leads; the id comes back as text."""
    body = {"lead_id": 17, "lead": LEADS[0]}
    assert client.post("/v1/score", json=body).json()["lead_id"] == "17"
    assert LEAD_ID_SHOWN == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json"]
)
def test_content_type_is_not_looked_at(client: TestClient, content_type: str) -> None:
    """JSON is JSON whatever the header says; curl's default works."""
    response = client.post(
        "/v1/score",
        content=json.dumps({"lead": LEADS[0]}),
        headers={"content-type": content_type},
    )
    assert response.status_code == 200


def test_spelling_does_not_matter(client: TestClient) -> None:
    """Order of fields, white space, Unicode form, 1 or 1.0 or "1": the same answer."""
    spellings = (
        '{"lead": {"industry": "Software", "employees": 240, "source": "Caf\\u00e9"}}',
        '{ "lead" : {"source": "Cafe\\u0301", "employees": 240.0,\n "industry": " Software "}}',
        '{"lead": {"employees": "240", "source": "Café", "industry": "Software"}}',
    )
    answers = [client.post("/v1/score", content=body.encode()).json() for body in spellings]
    assert answers[0] == answers[1] == answers[2]


def test_a_large_lead_is_scored_off_the_loop(client: TestClient) -> None:
    """A lead with a long note beside its fields is answered like any other."""
    body = {"lead": {**LEADS[0], "note": "x" * (OFF_LOOP_BYTES + 1)}}
    response = client.post("/v1/score", json=body)
    assert response.status_code == 200
    assert (
        response.json()["probability"]
        == client.post("/v1/score", json={"lead": LEADS[0]}).json()["probability"]
    )


def test_many_leads(client: TestClient, serving: Serving) -> None:
    """A batch answers each lead as it would be answered alone, in order, under one version."""
    leads = [{"lead_id": lead["lead_id"], "lead": lead} for lead in LEADS]
    found = client.post("/v1/scores?reasons=2", json={"leads": leads}).json()
    assert schema_errors("ScoresAnswer", found, serving) == []
    assert [result["lead_id"] for result in found["results"]] == [x["lead_id"] for x in leads]
    assert found["model_version"] == "leads@7"
    for lead, result in zip(leads, found["results"], strict=True):
        assert client.post("/v1/score?reasons=2", json=lead).json() == result


def test_bad_leads_spoil_no_others(client: TestClient, serving: Serving) -> None:
    """Each bad lead of a batch has its error in its place."""
    good = {"lead_id": "good", "lead": LEADS[0]}
    mixed = [good, {"lead_id": "b", "lead": {"employees": "many"}}, 3, {"lead": {}}, good, {"x": 1}]
    found = client.post("/v1/scores", json={"leads": mixed}).json()
    assert schema_errors("ScoresAnswer", found, serving) == []
    codes = [result.get("error", {}).get("code") for result in found["results"]]
    assert codes == [None, "invalid_field", "invalid_body", "unknown_field", None, "unknown_field"]
    assert found["results"][1]["lead_id"] == "b"
    assert found["results"][1]["error"]["field"] == "employees"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"leads": [{}] * 101}, 413, "too_many_leads"),
        ({"leads": {}}, 422, "invalid_field"),
        ({}, 400, "invalid_body"),
        ([], 400, "invalid_body"),
        ({"leads": [], "lead": {}}, 422, "unknown_field"),
    ],
)
def test_bad_batches_are_problems(client: TestClient, body: Any, status: int, code: str) -> None:
    """A batch that is none, or too many leads, is refused whole."""
    assert_problem(client.post("/v1/scores", json=body), status, code)


def test_empty_batch(client: TestClient) -> None:
    """No leads, no results."""
    assert client.post("/v1/scores", json={"leads": []}).json()["results"] == []


def test_too_large_body(client: TestClient) -> None:
    """A body beyond the limit is refused and the connection closed."""
    response = client.post("/v1/score", content=b"x" * 200_001)
    assert_problem(response, 413, "too_large")
    assert response.headers["connection"] == "close"


def test_compressed_body(client: TestClient) -> None:
    """A compressed body is refused as such."""
    response = client.post("/v1/score", content=b"x", headers={"content-encoding": "gzip"})
    assert_problem(response, 415, "unsupported_encoding")


@pytest.mark.parametrize("path", ["/v1", "/v1/score/", "/v2/score", "/redoc", "/%00"])
def test_no_such_route(client: TestClient, path: str) -> None:
    """Any other path is a problem document, with no redirect to a near one."""
    assert_problem(client.get(path, follow_redirects=False), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/score", "POST"),
        ("DELETE", "/v1/scores", "POST"),
        ("POST", "/v1/model", "GET"),
        ("OPTIONS", "/health/live", "GET"),
    ],
)
def test_other_methods(client: TestClient, method: str, path: str, allowed: str) -> None:
    """A method that a route does not take is a problem that names those it takes."""
    response = client.request(method, path)
    assert_problem(response, 405, "method_not_allowed")
    assert allowed in response.headers["allow"]


def test_model(client: TestClient, serving: Serving) -> None:
    """The served model is described: version, verdict, metrics, the fields it reads."""
    found = client.get("/v1/model").json()
    assert schema_errors("Model", found, serving) == []
    assert found["model_version"] == "leads@7"
    assert found["digest"] == BUNDLE.digest
    assert found["verdict"]["word"] == "trust"
    assert found["metrics"]["roc_auc"]["low"] < found["metrics"]["roc_auc"]["value"]
    assert found["training"]["created_at"] == "2026-11-20T08:00:00Z"
    fields = {field["field"]: field for field in found["fields"]}
    assert fields["industry"]["levels"] == ["Software", "Healthcare", "Retail"]
    assert (fields["employees"]["low"], fields["employees"]["high"]) == (1.0, 5000.0)


def test_policy(client: TestClient, serving: Serving) -> None:
    """The thresholds are told with their version and reason."""
    found = client.get("/v1/policy").json()
    assert schema_errors("Policy", found, serving) == []
    assert (found["policy_version"], found["mql"], found["sql"]) == ("1", 0.2, 0.4)


def test_health(client: TestClient, serving: Serving) -> None:
    """A server with a model is live and ready, and says which model."""
    live, ready = client.get("/health/live"), client.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert ready.json() == {
        "status": "ready",
        "model_version": "leads@7",
        "policy_version": "1",
    }
    assert schema_errors("Health", ready.json(), serving) == []


def test_head(client: TestClient) -> None:
    """A monitor may ask with HEAD."""
    assert client.head("/health/ready").status_code == 200


def test_no_model() -> None:
    """Without a model the server is live, not ready, and says no_model with Retry-After."""
    with TestClient(create_app(Settings(), Serving("leads", held.Held()))) as client:
        assert client.get("/health/live").status_code == 200
        for response in (
            client.get("/health/ready"),
            client.post("/v1/score", json={"lead": LEADS[0]}),
            client.post("/v1/scores", json={"leads": []}),
            client.get("/v1/model"),
            client.get("/v1/policy"),
        ):
            assert_problem(response, 503, "no_model")
            assert int(response.headers["retry-after"]) > 0
        assert client.get("/openapi.json").status_code == 200


def test_degraded_is_told() -> None:
    """When the champion cannot be followed, the old model answers and ready says why."""
    pointer = held.Held("7", BUNDLE)
    serving = Serving("leads", pointer)
    serving.refresh()
    pointer.fail = BundleRejected("golden rows differ")
    with TestClient(create_app(Settings(), serving)) as client:
        found = client.get("/health/ready").json()
        assert found["status"] == "degraded"
        assert found["reason"] == "bundle_rejected: golden rows differ"
        assert client.post("/v1/score", json={"lead": LEADS[0]}).status_code == 200


def test_application_starts_again() -> None:
    """An application that was stopped serves batches again after another start."""
    app = create_app(Settings(), held.serving("7", BUNDLE))
    for _ in range(2):
        with TestClient(app) as client:
            assert client.post("/v1/scores", json={"leads": [{"lead": LEADS[0]}]}).is_success


def test_draining() -> None:
    """While draining, ready turns 503 and every answer closes its connection."""
    app = create_app(Settings(), held.serving("7", BUNDLE))
    with TestClient(app) as client:
        app.state.server.draining = True
        assert_problem(client.get("/health/ready"), 503, "draining")
        response = client.post("/v1/score", json={"lead": LEADS[0]})
        assert (response.status_code, response.headers["connection"]) == (200, "close")
