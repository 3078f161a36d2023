"""The OpenAPI document: true, complete, readable by CRM importers; the page made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.document import PIECES, document_of
from leadml.api.page import page_of
from leadml.api.table import pattern_of
from leadml.errors import all_errors
from leadml.settings import Settings
from tests import held

SERVING = held.serving()
DOCUMENT = document_of(SERVING.current())
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
NOT_JSON = {
    "/v1/queue": ["application/json", "text/csv"],
    "/metrics": ["text/plain"],
    "/v1/jobs/{id}/result": ["text/csv", "application/vnd.apache.parquet"],
}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def resolved(reference: str) -> Any:
    """What a reference points at."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_routes_and_document_agree() -> None:
    """Each route with a name stands in the document with its method, and the other way round."""
    app = create_app(Settings(), SERVING)
    routes = {(e.path, e.method.lower()) for e in app.state.entries if e.name}
    assert routes == {(path, method) for path, method, _ in OPERATIONS}
    patterns = {route.path for route in app.routes if isinstance(route, Route)}
    assert patterns == {pattern_of(entry.path) for entry in app.state.entries}


def test_references_lead_somewhere() -> None:
    """No reference is dangling and no schema unused."""
    used = {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node}
    assert all(resolved(reference) for reference in used)
    named = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert named <= used


def test_schemas_are_schemas() -> None:
    """Every schema is valid JSON Schema 2020-12, and its examples fit it."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        root = {
            "$ref": f"#/components/schemas/{name}",
            "components": document_of(None)["components"],
        }
        for example in schema.get("examples", ()):
            jsonschema.Draft202012Validator(root).validate(example)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_importers_find_what_they_need(path: str, method: str, operation: dict[str, Any]) -> None:
    """Each operation has an Apex-safe id, summary, description and problems for its errors."""
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", operation["operationId"])
    assert operation["summary"]
    assert 0 < len(operation["description"]) < 1333
    for status, response in operation["responses"].items():
        kinds = list(response["content"])
        if status.startswith("2"):
            assert kinds == NOT_JSON.get(path, ["application/json"])
        else:
            assert kinds == ["application/problem+json"]


def test_no_unions_of_objects() -> None:
    """No anyOf, oneOf or allOf, which CRM importers cannot read."""
    assert not any({"anyOf", "oneOf", "allOf", "not"} & node.keys() for node in nodes(DOCUMENT))


def test_fields_of_the_model_are_named() -> None:
    """With a model served, the lead's fields are those that it reads."""
    fields = DOCUMENT["components"]["schemas"]["Lead"]["properties"]
    assert set(fields) == {"industry", "employees", "source", "pricing_page_views_30d"}
    assert "Software, Healthcare, Retail" in fields["industry"]["description"]


@pytest.mark.parametrize(
    ("value", "status"),
    [("12", 200), (" 1e3 ", 200), ("", 200), (None, 200), (True, 200), ("12a", 422), ("1,5", 422)],
)
def test_schema_of_a_number_is_what_is_accepted(value: Any, status: int) -> None:
    """The document allows for a number exactly what the route takes."""
    field = DOCUMENT["components"]["schemas"]["Lead"]["properties"]["employees"]
    with TestClient(create_app(Settings(), SERVING)) as client:
        response = client.post("/v1/score", json={"lead": {"employees": value}})
    assert response.status_code == status
    assert jsonschema.Draft202012Validator(field).is_valid(value) == (status == 200)


def test_page_needs_no_network() -> None:
    """The page at /docs names every route and loads nothing from anywhere."""
    with TestClient(create_app(Settings(), SERVING)) as client:
        response = client.get("/docs")
        assert client.get("/openapi.json").json() == DOCUMENT
    html = response.text
    assert all(f"{method.upper()} {path}" in html for path, method, _ in OPERATIONS)
    assert not re.search(r"""(src|href)=['"]?(https?:)?//""", html)
    assert "<script" not in html
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-frame-options"] == "DENY"


def test_changing_a_document_changes_no_other() -> None:
    """What one caller does to its document, another does not see."""
    first = document_of(None)
    expected = json.dumps(document_of(None))
    waiting: list[Any] = [first]
    while waiting:
        found = waiting.pop()
        waiting += [
            one
            for one in (found.values() if isinstance(found, dict) else found)
            if isinstance(one, dict | list)
        ]
        found.clear()
    assert json.dumps(document_of(None)) == expected


def test_page_escapes() -> None:
    """A level named like markup stays text."""
    document = document_of(None)
    document["components"]["schemas"]["Lead"]["properties"] = {
        "<script>": {"type": "string", "description": "<img onerror=x>"}
    }
    html = page_of(document)
    assert "<script" not in html
    assert "<img" not in html


def test_documented_examples_are_true() -> None:
    """The JSON examples of docs/api.md fit their schemas, and its codes have their status."""
    text = (Path(__file__).parents[1] / "docs" / "api.md").read_text("utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    kinds = ["ScoreAnswer", "ScoresAnswer", "Job", "Problem"]
    assert len(shown) == len(kinds)
    for kind, example in zip(kinds, shown, strict=True):
        root = {"$ref": f"#/components/schemas/{kind}", "components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(root).validate(example)
    assert all(f"`{method.upper()} {path}`" in text for path, method, _ in OPERATIONS)
    rows = re.findall(r"^\| (\d{3}) \| (`[a-z_`, ]+`) \|", text, re.MULTILINE)
    stated = {(code, int(status)) for status, codes in rows for code in re.findall(r"\w+", codes)}
    assert len(stated) > 10
    assert stated <= {(error.code, error.status) for error in all_errors()}


def test_rooms_do_not_take_each_others_names() -> None:
    """No two rooms describe a schema, a parameter or an operation under one name."""
    for kind in ("schemas", "parameters"):
        names = [name for piece in PIECES for name in getattr(piece, kind)]
        assert len(names) == len(set(names))
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
