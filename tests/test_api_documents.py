"""The routes of the documents that CRMs import."""

from __future__ import annotations

import time
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.documents import address_of
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
