"""The table of routes: every one declares what it needs, and the door keeps to it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.document import document_of
from leadml.api.table import OPEN, SCOPES, Entry
from leadml.settings import Settings
from leadml.store import Store
from tests import held

APP = create_app(Settings(database_url=""), held.serving())
ENTRIES: tuple[Entry, ...] = APP.state.entries
UNDESCRIBED = {"/openapi.json", "/openapi-3.0.json", "/swagger-2.0.json", "/docs"}


def key_of(store: Store, *scopes: str, **more: Any) -> str:
    """A new key."""
    return store.create_key("test", scopes or SCOPES[1:], **more)[0]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A key for each scope, an expired and a revoked one, and the URL of their store."""
    url = f"sqlite:///{tmp_path_factory.mktemp('keys') / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    found = {scope: key_of(store, scope) for scope in SCOPES[1:]}
    found["expired"] = key_of(store, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    text, key = store.create_key("test", SCOPES[1:])
    store.revoke_key(key.prefix)
    found |= {"revoked": text, "bad": f"leadml_{'0' * 12}_{'x' * 43}", "url": url}
    yield found
    store.close()


@pytest.fixture(scope="module")
def client(keys: dict[str, str]) -> Iterator[TestClient]:
    """A client of an application with keys."""
    app = create_app(Settings(database_url=keys["url"]), held.serving())
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


def ask(client: TestClient, entry: Entry, headers: dict[str, str]) -> Any:
    """Ask a route for something that is not there, or with a body that is none."""
    path = entry.path.replace("{", "").replace("}", "")
    return client.request(entry.method, path, headers=headers)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.method} {e.path}")
def test_each_route_opens_to_its_scope_alone(
    entry: Entry, client: TestClient, keys: dict[str, str]
) -> None:
    """Without, with a bad, expired or revoked key 401; another scope 403; its own goes in."""
    for kind in ("none", "bad", "expired", "revoked", *SCOPES[1:]):
        headers = {} if kind == "none" else {"authorization": f"Bearer {keys[kind]}"}
        answer = ask(client, entry, headers)
        if entry.scope == OPEN or kind == entry.scope:
            if answer.status_code == 403:  # forms want the token of their page besides
                assert not entry.name
                assert answer.json()["code"] in ("csrf_invalid", "sign_in_failed")
                continue
            assert answer.status_code not in (401, 403), kind
            assert answer.status_code < 500 or answer.status_code == 503
        elif kind in SCOPES:
            assert answer.status_code == 403
            assert answer.json()["code"] == "scope_missing"
            assert entry.scope in answer.json()["detail"]
        else:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            code = "unauthorized" if kind == "none" else "key_invalid"
            assert answer.json()["code"] == code


def test_document_names_the_scope_of_each_route() -> None:
    """The OpenAPI document says of each route what the table says, and of all of them."""
    described = {
        (path, method.upper()): (operation["operationId"], operation["x-scope"])
        for path, item in document_of(None)["paths"].items()
        for method, operation in item.items()
    }
    declared = {
        (entry.path, entry.method): (entry.name, entry.scope) for entry in ENTRIES if entry.name
    }
    assert described == declared
    assert {entry.path for entry in ENTRIES if not entry.name} >= UNDESCRIBED


def test_document_names_the_query_of_each_route() -> None:
    """A route takes the parameters that the document describes, and refuses any other."""
    document = document_of(None)
    named = {
        key: given["name"]
        for key, given in document["components"]["parameters"].items()
        if given["in"] == "query"
    }
    for entry in ENTRIES:
        if not entry.name or entry.hot:  # hot ones read their own
            continue
        operation = document["paths"][entry.path][entry.method.lower()]
        keys = [one["$ref"].rpartition("/")[2] for one in operation.get("parameters", ())]
        assert {named[key] for key in keys if key in named} == set(entry.query), entry.path


def test_parameter_that_means_nothing_is_refused(client: TestClient, keys: dict[str, str]) -> None:
    """An erasure asked for as a trial run erases nothing."""
    headers = {"authorization": f"Bearer {keys['manage']}"}
    answer = client.delete("/v1/leads/L1?dry_run=true", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert client.get("/health/live?probe=1").status_code == 200


def test_route_without_a_scope_cannot_be_built() -> None:
    """A scope that does not exist is refused where the route is declared."""

    async def run(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(ValueError, match="needs one of the scopes"):
        Entry("/v1/anything", "GET", run, "", "anything")


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"bearer  {key} "},
        lambda key: {"x-api-key": key},
        lambda key: {"x-api-key": key, "authorization": "Basic c29tZWJvZHk6ZWxzZQ=="},
        lambda key: {"authorization": "Basic " + base64.b64encode(f"x:{key}".encode()).decode()},
        lambda key: {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()},
    ],
)
def test_a_key_is_taken_from_every_usual_place(
    headers: Any, client: TestClient, keys: dict[str, str]
) -> None:
    """Bearer, X-API-Key, and Basic with the key as user or as password."""
    assert client.get("/v1/model", headers=headers(keys["read"])).status_code == 200
    assert client.get("/v1/model", headers=headers(keys["bad"])).status_code == 401


@pytest.mark.parametrize(
    "value", ["Basic !!!", "Basic", "Bearer", "", "Digest x", "Basic /////w==", "Bearer \xe4"]
)
def test_odd_headers_are_no_key(value: str, client: TestClient) -> None:
    """Whatever stands where a key should stand is answered with 401."""
    headers = {"authorization": value.encode("latin-1")}
    assert client.get("/v1/model", headers=headers).status_code == 401


def test_no_answer_repeats_a_key(client: TestClient, keys: dict[str, str]) -> None:
    """A refused key stands in no answer."""
    answer = client.get("/v1/model", headers={"x-api-key": keys["revoked"]})
    assert keys["revoked"][20:] not in answer.text + str(answer.headers)


def test_first_key_closes_an_open_server_and_revoking_ends_within_five_seconds(
    tmp_path: Path,
) -> None:
    """Made elsewhere, a key is noticed; revoked elsewhere, it ends; both within 5 s."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    with TestClient(create_app(Settings(database_url=url), held.serving())) as client:
        assert client.get("/v1/model").status_code == 200
        store = Store(url)
        text, key = store.create_key("test", ["read"])
        headers = {"authorization": f"Bearer {text}"}

        def wait_for(status: int, headers: dict[str, str]) -> None:
            end = time.monotonic() + 5
            while client.get("/v1/model", headers=headers).status_code != status:
                assert time.monotonic() < end
                time.sleep(0.02)

        wait_for(401, {})
        assert client.get("/v1/model", headers=headers).status_code == 200
        store.revoke_key(key.prefix)
        wait_for(401, headers)
        store.close()


def test_rotation_leaves_two_keys_active(client: TestClient, keys: dict[str, str]) -> None:
    """While a key is replaced, the old and the new one open the same routes."""
    store = Store(keys["url"])
    old, key = store.create_key("crm", ["read"])
    new, _ = store.rotate_key(key.prefix, overlap_s=60)
    store.close()
    for text in (old, new):
        assert client.get("/v1/model", headers={"x-api-key": text}).status_code == 200
