"""The routes of the documents that CRMs import."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.documents import FILES, address_of
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import held


def client_of(**settings: Any) -> TestClient:
    """A client of a server that remembers nothing."""
    app = create_app(Settings(database_url="", **settings), held.serving())
    return TestClient(app, base_url="https://leads.example.com")


def test_they_name_the_fields_of_the_served_model() -> None:
    """Both documents are valid, and a lead has the fields that the model reads."""
    with client_of() as client:
        newer = client.get("/openapi-3.0.json").json()
        older = client.get("/swagger-2.0.json").json()
    OpenAPIV30SpecValidator(newer).validate()
    OpenAPIV2SpecValidator(older).validate()
    for schemas in (newer["components"]["schemas"], older["definitions"]):
        assert "pricing_page_views_30d" in schemas["Lead"]["properties"]


def test_they_name_the_address_that_was_asked() -> None:
    """Whoever downloads a document can import it as it is."""
    with client_of() as client:
        assert client.get("/openapi-3.0.json").json()["servers"] == [
            {"url": "https://leads.example.com"}
        ]
        older = client.get("/swagger-2.0.json").json()
    assert (older["host"], older["schemes"]) == ("leads.example.com", ["https"])


def test_they_follow_the_champion() -> None:
    """Before a model is served the documents name no field; once it is they name its own."""
    pointer = held.Held()
    app = create_app(Settings(database_url="", champion_poll_s=0.05), Serving("leads", pointer))
    with TestClient(app, base_url="https://leads.example.com") as client:
        assert "properties" not in lead_in(client)
        pointer.move("8", held.bundle())
        deadline = time.monotonic() + 30
        while client.get("/health/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "employees" in lead_in(client)["properties"]


def lead_in(client: TestClient) -> dict[str, Any]:
    """The schema of a lead in the document."""
    found: dict[str, Any] = client.get("/openapi-3.0.json").json()["components"]["schemas"]["Lead"]
    return found


def test_the_setting_overrules_the_address() -> None:
    """Behind a proxy that changes names, LEADML_PUBLIC_URL says what callers use."""
    with client_of(public_url="https://crm.example.org/leadml") as client:
        older = client.get("/swagger-2.0.json", headers={"Host": "inner:8000"}).json()
    assert (older["host"], older["basePath"]) == ("crm.example.org", "/leadml")


@pytest.mark.parametrize("host", [b"a b", b"evil/../x", b"<x>", b"\xff", b"", b"a" * 300])
def test_a_strange_host_is_not_repeated(host: bytes) -> None:
    """A header that is no host name never reaches the document."""
    scope = {"scheme": "http", "headers": [(b"host", host)], "server": ("127.0.0.1", 8000)}
    assert address_of(scope) == "http://127.0.0.1:8000"


ASKED: dict[str, tuple[str, Any]] = {
    "score": ("/v1/score", {"lead_id": "A1", "lead": {"employees": 240, "colour": "red"}}),
    "scores": ("/v1/scores", {"leads": [{"lead": {"employees": 3}}, {"lead": {"employees": "x"}}]}),
    "reportOutcomes": (
        "/v1/outcomes",
        {
            "outcomes": [
                {"lead_id": "A1", "outcome": "accepted", "details": {"budget": "5000"}},
                {"lead_id": "A1", "outcome": "rejected"},
            ]
        },
    ),
    "reportEvents": ("/v1/events", {"events": [{"lead_id": "A1", "event": "call"}]}),
    "previewPolicy": ("/v1/policy/preview", {"leads_per_week": 40}),
}


def test_real_answers_are_described(tmp_path: Path) -> None:
    """Whatever the server answers to what a CRM asks fits both older documents."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'leadml.db'}")
    with TestClient(create_app(settings, held.serving())) as client:
        documents = [client.get(f"/{name}").json() for name in FILES[1:]]
        answers = {name: client.post(path, json=body) for name, (path, body) in ASKED.items()}
        for path, item in documents[0]["paths"].items():
            if "get" in item and ("{" not in path or path.startswith("/v1/leads/{id}")):
                name = item["get"]["operationId"]
                answers[name] = client.get(path.replace("{id}", "A1"))
    assert len(answers) > 15
    for name, answer in answers.items():
        for document in documents:
            problem = problem_with(document, name, answer.status_code, answer.json())
            assert problem is None, f"{name} {answer.status_code}: {problem}"
    refused = {name for name, answer in answers.items() if answer.status_code >= 400}
    assert refused <= {"previewPolicy", "policyCurve", "performance"}


def problem_with(document: dict[str, Any], name: str, status: int, answer: Any) -> str | None:
    """Why an answer does not fit what a document says of it; None if it does."""
    operation = next(
        each
        for item in document["paths"].values()
        for each in item.values()
        if each["operationId"] == name
    )
    said = operation["responses"].get(str(status))
    if said is None:
        return "this status is not described"
    schema = said.get("schema") or said["content"]["application/json"]["schema"]
    whole = {key: document[key] for key in ("definitions", "components") if key in document}
    error = next(jsonschema.Draft4Validator({**schema, **whole}).iter_errors(answer), None)
    return None if error is None else f"{error.json_path}: {error.message}"
