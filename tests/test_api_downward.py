"""OpenAPI 3.0 and Swagger 2.0: valid, faithful, within the limits of the CRMs."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import (
    OpenAPIV2SpecValidator,
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
)

from leadml.api.document import document_of
from leadml.api.documents import FILES, written
from leadml.api.downward import DESCRIPTION_CHARS, is_apex_name, openapi_30, swagger_20
from leadml.errors import Internal
from tests import held
from tests.test_api_document import nodes

SERVE = Path(__file__).parents[1] / "serve"
NEWEST = document_of(held.serving().current())
LOWERED = {
    "openapi-3.0.json": openapi_30(NEWEST),
    "swagger-2.0.json": swagger_20(NEWEST),
    "openapi-3.0.json without a model": openapi_30(document_of(None)),
    "swagger-2.0.json without a model": swagger_20(document_of(None)),
}
EACH = pytest.mark.parametrize("document", LOWERED.values(), ids=list(LOWERED))
UNIONS = {"anyOf", "oneOf", "allOf", "not", "discriminator"}
MEGABYTE = 1_000_000
NEEDED = {("post", "/v1/score"), ("post", "/v1/scores"), ("get", "/v1/model")}


def schemas_of(document: dict[str, Any]) -> dict[str, Any]:
    """The named schemas, wherever the version keeps them."""
    return dict(document.get("definitions") or document["components"]["schemas"])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each method of each path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def resolved(document: dict[str, Any], reference: str) -> Any:
    """What a reference points at."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def inner_schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all schemas inside it, references not followed."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.get("properties", {}).values():
            yield from inner_schemas(value)
        for key in ("items", "additionalProperties"):
            yield from inner_schemas(schema.get(key))


@EACH
def test_public_validators_accept_them(document: dict[str, Any]) -> None:
    """openapi-spec-validator finds nothing wrong, examples and defaults included."""
    kind = OpenAPIV2SpecValidator if "swagger" in document else OpenAPIV30SpecValidator
    kind(document).validate()
    OpenAPIV31SpecValidator(NEWEST).validate()


@pytest.mark.parametrize("name", FILES)
def test_committed_documents_are_in_step(name: str) -> None:
    """The files in serve/ are what the code writes (else: make format)."""
    assert (SERVE / name).read_text("utf-8") == written()[name]


@EACH
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No reference dangles and no schema or parameter is left without use."""
    used = {node["$ref"] for node in nodes(document) if "$ref" in node}
    assert all(resolved(document, reference) for reference in used)
    assert {reference.rpartition("/")[2] for reference in used} >= set(schemas_of(document))


@EACH
def test_no_word_that_a_crm_cannot_read(document: dict[str, Any]) -> None:
    """No typed null, list of types, union, nullable, header of an answer or array of arrays."""
    for node in nodes(document):
        assert not UNIONS & node.keys()
        assert node.get("type") != "null"
        assert "nullable" not in node
        assert "examples" not in node
        if node.get("in") not in ("query", "path", "header"):
            assert not isinstance(node.get("type"), list)
    for schema in schemas_of(document).values():
        for inner in inner_schemas(schema):
            items = inner.get("items", {})
            assert items.get("type") != "array"
            assert not items.get("properties"), "items of a list need a name"
    for _, _, operation in operations(document):
        assert not any("headers" in answer for answer in operation["responses"].values())


@EACH
def test_operations_are_what_importers_ask_for(document: dict[str, Any]) -> None:
    """Ids are unique Apex identifiers; summary, description and a described answer stand there."""
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len({each.lower() for each in ids}) == len(ids)
    assert all(is_apex_name(each) for each in ids)
    assert {(method, path) for path, method, _ in operations(document)} >= NEEDED
    for _, method, operation in operations(document):
        assert 0 < len(operation["summary"]) <= 80
        assert operation["description"]
        for status, answer in operation["responses"].items():
            assert answer["description"]
            kind = answer.get("schema") or answer["content"]["application/json"]["schema"]
            assert kind["$ref"].endswith("/Problem") or status.startswith("2")
        assert "requestBody" not in operation or method != "get"


@EACH
def test_names_and_descriptions_fit_salesforce(document: dict[str, Any]) -> None:
    """Schemas, their fields and parameters have Apex names; nothing described at length."""
    for name, schema in schemas_of(document).items():
        assert is_apex_name(name)
        assert all(is_apex_name(field) for field in schema.get("properties", {}))
    for node in nodes(document):
        said = node.get("description", "")
        assert not isinstance(said, str) or len(said) <= DESCRIPTION_CHARS
        if node.get("in") in ("query", "path"):
            assert is_apex_name(node["name"])


@EACH
def test_only_json_is_spoken(document: dict[str, Any]) -> None:
    """Salesforce refuses a document that names a media type which it does not know."""
    assert document.get("consumes", ["application/json"]) == ["application/json"]
    assert document.get("produces", ["application/json"]) == ["application/json"]
    for node in nodes(document):
        if isinstance(node.get("content"), dict):
            assert set(node["content"]) == {"application/json"}


@EACH
def test_they_are_small(document: dict[str, Any]) -> None:
    """Power Platform takes no document of a megabyte; a fifth of it is far from that."""
    assert len(json.dumps(document)) < MEGABYTE / 5


@EACH
def test_all_three_ways_to_send_a_key_are_named(document: dict[str, Any]) -> None:
    """X-API-Key stands first, for an importer that takes one alone; then Basic and Bearer."""
    schemes = document.get("securityDefinitions") or document["components"]["securitySchemes"]
    assert list(schemes) == ["api_key", "basic", "bearer"]
    assert schemes["api_key"]["name"] == "X-API-Key"
    assert [list(each) for each in document["security"]] == [["api_key"], ["basic"], ["bearer"]]


def test_swagger_names_its_place() -> None:
    """Host, scheme and base path come from the address, one scheme per document."""
    document = swagger_20(NEWEST, "http://127.0.0.1:8000")
    place = (document["host"], document["schemes"], document["basePath"])
    assert place == ("127.0.0.1:8000", ["http"], "/")
    assert swagger_20(NEWEST, "https://crm.example.com/leadml")["basePath"] == "/leadml"


VALUES = st.none() | st.booleans() | st.integers(-9, 10**6) | st.floats(-9, 9) | st.text(max_size=8)
ABSENT = object()
LEADS = {
    "industry": [ABSENT, "Retail", "", 7, None, []],
    "employees": [ABSENT, 12, 1.5, "12", "twelve", True, None],
}
BESIDE = {
    "lead_id": [ABSENT, "", "a", "a" * 200, "a" * 201, 7, None],
    "contact_consent": [ABSENT, True, "yes", None],
}


def given_fields(choices: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of values, with every field left out somewhere."""
    for values in itertools.product(*choices.values()):
        both = zip(choices, values, strict=True)
        yield {name: value for name, value in both if value is not ABSENT}


@functools.cache
def validator_of(name: str, schema: str) -> Any:
    """What checks values by a schema of a document, read as JSON Schema."""
    document = {**LOWERED, "newest": NEWEST}[name]
    schemas = schemas_of(document)
    start = "#/definitions/" if "swagger" in document else "#/components/schemas/"
    kind = jsonschema.Draft202012Validator if name == "newest" else jsonschema.Draft4Validator
    return kind(
        {"$ref": start + schema, "definitions": schemas, "components": {"schemas": schemas}}
    )


def fits(name: str, schema: str, value: Any) -> bool:
    """Whether a value fits a named schema of a document."""
    return bool(validator_of(name, schema).is_valid(value))


@pytest.mark.parametrize("older", list(LOWERED)[:2])
def test_what_they_allow_is_allowed(older: str) -> None:
    """A request that fits the older documents fits the newest one."""
    allowed = 0
    for lead, beside in itertools.product(given_fields(LEADS), given_fields(BESIDE)):
        request = {"lead": lead, **beside}
        if fits(older, "ScoreRequest", request):
            allowed += 1
            assert fits("newest", "ScoreRequest", request), request
    assert allowed > 20


@given(st.data())
def test_what_is_answered_is_described(data: st.DataObject) -> None:
    """An answer that fits the newest document fits the older ones, whatever is left out."""
    example = NEWEST["components"]["schemas"]["ScoreAnswer"]["examples"][0]
    dropped = data.draw(st.sets(st.sampled_from(sorted(example))))
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(example)), VALUES, max_size=2))
    answer = {key: value for key, value in example.items() if key not in dropped} | changed
    for older in list(LOWERED)[:2]:
        assert not fits("newest", "ScoreAnswer", answer) or fits(older, "ScoreAnswer", answer)


def test_answers_never_take_several_types() -> None:
    """No answer holds a list of types, which could not be narrowed without telling a lie."""
    waiting = [
        content["schema"]
        for _, _, operation in operations(NEWEST)
        for answer in operation["responses"].values()
        for content in answer["content"].values()
    ]
    seen: set[str] = set()
    while waiting:
        for inner in inner_schemas(waiting.pop()):
            assert not isinstance(inner.get("type"), list)
            reference = inner.get("$ref")
            if reference and reference not in seen:
                seen.add(reference)
                waiting.append(resolved(NEWEST, reference))
    assert len(seen) > 5


def test_fields_that_apex_cannot_say_are_described() -> None:
    """A field with a blank in its name stays in 2.0, and is named by the description in 3.0."""
    document = document_of(None)
    lead = document["components"]["schemas"]["Lead"]
    lead["properties"] = {"Total Time": {"type": "number"}, "source": {"type": "string"}}
    newer = openapi_30(document)["components"]["schemas"]["Lead"]
    assert list(newer["properties"]) == ["source"]
    assert "Apex cannot say: Total Time." in newer["description"]
    assert newer["additionalProperties"] is True
    assert list(swagger_20(document)["definitions"]["Lead"]["properties"]) == list(
        lead["properties"]
    )


def test_inner_objects_get_a_name() -> None:
    """An object inside a list or a field becomes a schema of its own, named after its place."""
    document = document_of(None)
    document["components"]["schemas"]["Policy"]["properties"]["expected"]["items"] = {
        "type": "object",
        "properties": {"volume": {"type": ["number", "string"], "pattern": "^x", "minimum": 0}},
    }
    schemas = openapi_30(document)["components"]["schemas"]
    assert schemas["Policy"]["properties"]["expected"]["items"] == {
        "$ref": "#/components/schemas/PolicyExpectedItem"
    }
    assert schemas["PolicyExpectedItem"]["properties"]["volume"] == {"type": "number", "minimum": 0}


def test_long_descriptions_are_cut_at_a_word() -> None:
    """A description beyond what Salesforce keeps ends at a word, with an ellipsis."""
    document = document_of(None)
    document["components"]["schemas"]["Model"]["description"] = "word " * 400
    said = openapi_30(document)["components"]["schemas"]["Model"]["description"]
    assert DESCRIPTION_CHARS - 10 < len(said) <= DESCRIPTION_CHARS
    assert said.endswith("word …")


@pytest.mark.parametrize(
    "schema",
    [{"oneOf": [{"type": "string"}]}, {"type": ["null"]}, {"patternProperties": {}}],
)
def test_words_that_cannot_be_lowered_are_refused(schema: dict[str, Any]) -> None:
    """A keyword that 3.0 or a CRM cannot say is never dropped in silence."""
    document = document_of(None)
    document["components"]["schemas"]["Model"]["properties"]["name"] = schema
    for lower in (openapi_30, swagger_20):
        with pytest.raises(Internal, match=r"ModelName.* (cannot stand|only be null)"):
            lower(document)


def test_exclusive_bounds_become_flags() -> None:
    """What 3.1 says in one number 3.0 says in a number and a flag."""
    document = document_of(None)
    document["components"]["schemas"]["Policy"]["properties"]["mql"] = {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Above nothing.",
    }
    schemas = openapi_30(document)["components"]["schemas"]
    assert schemas["Policy"]["properties"]["mql"] == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "description": "Above nothing.",
    }


@given(st.text(max_size=12))
def test_apex_names_are_identifiers(name: str) -> None:
    """What counts as an Apex name is a plain identifier without doubled or closing underscore."""
    if is_apex_name(name):
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        assert "__" not in name
        assert not name.endswith("_")
