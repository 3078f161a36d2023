"""Down-conversion of the OpenAPI document to what CRMs can import.

Salesforce External Services reads OpenAPI 3.0, Power Platform reads Swagger 2.0, and
neither reads 3.1. Both documents are faithful in this sense: a request that they allow
is a request that the 3.1 document allows, and an answer that the 3.1 document allows is
one that they allow. Where a field takes several types they name the first; ``null`` is
never needed, because a field without a value is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from leadml.errors import Internal

__all__ = [
    "ANY_ADDRESS",
    "DESCRIPTION_CHARS",
    "is_apex_name",
    "moved_to",
    "openapi_30",
    "swagger_20",
]

ANY_ADDRESS: Final = "https://leadml.example.com"
"""Stands in documents that belong to no server; whoever imports one puts their own."""

DESCRIPTION_CHARS: Final = 1_333
"""Salesforce cuts longer descriptions."""

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

_TEXT_ONLY: Final = frozenset({"pattern", "minLength", "maxLength", "format"})
_NUMBER_ONLY: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_KEPT: Final = frozenset(
    {
        *("type", "title", "description", "default", "enum", "example", "required", "properties"),
        *("additionalProperties", "items", "minItems", "maxItems", "uniqueItems"),
        *("minProperties", "maxProperties", "readOnly", "deprecated"),
    }
)
_APEX: Final = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
_REFERENCE: Final = "#/components/"


def is_apex_name(name: str) -> bool:
    """Whether Salesforce can use a name: letters, digits and single inner underscores.

    >>> is_apex_name("pricing_page_views_30d"), is_apex_name("Total Time"), is_apex_name("a__b")
    (True, False, False)
    """
    return _APEX.fullmatch(name) is not None


def openapi_30(document: dict[str, Any], address: str = ANY_ADDRESS) -> dict[str, Any]:
    """Write an OpenAPI 3.1 document as OpenAPI 3.0.3, for Salesforce and client generators.

    Routes that take or give something else than JSON (files, metrics, pages) are left
    out, for no CRM imports them. Fields of a lead whose names Apex cannot say are left
    out of the named ones; they can be sent all the same, and the description names them.

    Parameters
    ----------
    document
        As :func:`leadml.api.document.document_of` gives it.
    address
        Scheme, host and port under which clients reach the server.

    Raises
    ------
    Internal
        The document uses a keyword that 3.0 or a CRM cannot express.
    """
    return moved_to(_lowered(document, named=is_apex_name), address)


def swagger_20(document: dict[str, Any], address: str = ANY_ADDRESS) -> dict[str, Any]:
    """Write an OpenAPI 3.1 document as Swagger 2.0, for Power Platform connectors.

    Parameters
    ----------
    document, address
        As for :func:`openapi_30`.

    Raises
    ------
    Internal
        As :func:`openapi_30`.
    """
    newer = _lowered(document, named=lambda _: True)
    components = newer["components"]
    found = {
        "swagger": "2.0",
        "info": newer["info"],
        "host": "",
        "basePath": "/",
        "schemes": [],
        "consumes": [JSON],
        "produces": [JSON],
        "tags": newer["tags"],
        "paths": {
            path: {method: _operation_20(operation) for method, operation in item.items()}
            for path, item in newer["paths"].items()
        },
        "definitions": components["schemas"],
        "parameters": {
            name: _parameter_20(parameter) for name, parameter in components["parameters"].items()
        },
        "securityDefinitions": {
            name: _security_20(scheme)
            for name, scheme in components.get("securitySchemes", {}).items()
        },
        "security": newer.get("security", []),
    }
    told: dict[str, Any] = _with_references(found, "schemas/", "#/definitions/")
    told = moved_to(_with_references(told, "parameters/", "#/parameters/"), address)
    return {key: value for key, value in told.items() if value or key == "paths"}


def moved_to(document: dict[str, Any], address: str) -> dict[str, Any]:
    """The same document for a server that is reached elsewhere.

    Parameters
    ----------
    document
        As :func:`openapi_30` or :func:`swagger_20` gives it; it is not changed.
    address
        Scheme, host, port and path.
    """
    if "openapi" in document:
        return {**document, "servers": [{"url": address}]}
    place = urlsplit(address)
    there = {"host": place.netloc, "basePath": place.path or "/", "schemes": [place.scheme]}
    return {**document, **there}


def _lowered(document: dict[str, Any], named: Any) -> dict[str, Any]:
    """The document in 3.0: routes of JSON alone, used components alone, everything named."""
    components = document["components"]
    schemas: dict[str, Any] = {}
    for name, schema in components["schemas"].items():
        schemas[name] = _schema(schema, name, schemas, named)
    paths: dict[str, Any] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if _speaks_json(operation):
                paths.setdefault(path, {})[method] = _operation(operation, schemas, named)
    parameters = {
        name: {**parameter, "schema": _schema(parameter["schema"], name, schemas, named)}
        for name, parameter in components.get("parameters", {}).items()
    }
    info = {key: value for key, value in document["info"].items() if key != "summary"}
    info["license"] = {
        "name": info["license"]["name"],
        "url": "https://www.apache.org/licenses/LICENSE-2.0",
    }
    tags = {tag for item in paths.values() for each in item.values() for tag in each["tags"]}
    found = {
        "openapi": "3.0.3",
        "info": info,
        "servers": [],
        "tags": [tag for tag in document["tags"] if tag["name"] in tags],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters,
            **{key: components[key] for key in ("securitySchemes",) if key in components},
        },
        **{key: document[key] for key in ("security",) if key in document},
    }
    for kind in ("schemas", "parameters"):
        found["components"][kind] = _used(found, kind)
    return found


def _speaks_json(operation: dict[str, Any]) -> bool:
    """Whether an operation takes and gives JSON, and is not one step with files."""
    if "files" in operation["tags"]:
        return False
    contents = [operation.get("requestBody", {}).get("content", {JSON: {}})]
    contents += [
        answer.get("content", {JSON: {}})
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    return all(JSON in content for content in contents)


def _operation(operation: dict[str, Any], schemas: dict[str, Any], named: Any) -> dict[str, Any]:
    found = {**operation, "description": _cut(operation["description"])}
    name = operation["operationId"][:1].upper() + operation["operationId"][1:]
    if "parameters" in operation:
        found["parameters"] = [
            each
            if "$ref" in each
            else {**each, "schema": _schema(each["schema"], name, schemas, named)}
            for each in operation["parameters"]
        ]
    if "requestBody" in operation:
        body = operation["requestBody"]
        kind = body["content"][JSON]
        found["requestBody"] = {
            **body,
            "content": {
                JSON: {
                    **kind,
                    "schema": _place(kind["schema"], name + "Request", schemas, named),
                }
            },
        }
    found["responses"] = {
        status: _response(answer, name + "Answer", schemas, named)
        for status, answer in operation["responses"].items()
    }
    return found


def _response(
    answer: dict[str, Any], name: str, schemas: dict[str, Any], named: Any
) -> dict[str, Any]:
    """An answer as JSON, without headers; so are problems to importers that know no other type."""
    found: dict[str, Any] = {"description": _cut(answer["description"])}
    content = answer.get("content", {})
    kind = content.get(JSON) or content.get(PROBLEM)
    if kind:
        found["content"] = {JSON: {**kind, "schema": _place(kind["schema"], name, schemas, named)}}
    elif content:
        raise Internal(f"{', '.join(content)} cannot stand in a document for CRMs")
    return found


def _place(schema: dict[str, Any], name: str, schemas: dict[str, Any], named: Any) -> Any:
    """A schema where it is used: objects become named ones."""
    found = _schema(schema, name, schemas, named)
    if found.get("type") == "object" and "properties" in found:
        if name in schemas and schemas[name] != found:
            raise Internal(f"two schemas would both be called {name}")
        schemas[name] = found
        return {"$ref": f"{_REFERENCE}schemas/{name}"}
    return found


def _schema(
    schema: dict[str, Any], name: str, schemas: dict[str, Any], named: Any
) -> dict[str, Any]:
    """One schema in the words of 3.0 that CRMs read."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    found: dict[str, Any] = {}
    kind = _first_type(schema, name)
    for key, value in schema.items():
        if key == "type":
            found["type"] = kind
        elif key == "examples":
            found["example"] = value[0]
        elif key == "const":
            found["enum"] = [value]
        elif key == "description":
            found[key] = _cut(value)
        elif key == "items":
            found[key] = _place(value, name + "Item", schemas, named)
        elif key == "properties":
            found[key] = {
                field: _place(inner, name + _pascal(field), schemas, named)
                for field, inner in value.items()
                if named(field)
            }
        elif key == "additionalProperties" and isinstance(value, dict):
            found[key] = _place(value, name + "Value", schemas, named)
        elif key in _TEXT_ONLY:
            if kind == "string" or key == "format":
                found[key] = value
        elif key in _NUMBER_ONLY:
            if key.startswith("exclusive"):
                found[key.replace("exclusiveM", "m")] = value
                found[key] = True
            else:
                found[key] = value
        elif key in _KEPT:
            found[key] = value
        else:
            raise Internal(f"{name}: the keyword {key} cannot stand in a document for CRMs")
    unsaid = [field for field in schema.get("properties", {}) if not named(field)]
    if unsaid:
        said = "Also read, by names that Apex cannot say: " + ", ".join(unsaid) + "."
        found["description"] = _cut(f"{found.get('description', '')} {said}".strip())
        found["required"] = [field for field in found.get("required", ()) if named(field)]
        if not found["required"]:
            del found["required"]
    if not found.get("properties", True):
        del found["properties"]
    return found


def _first_type(schema: dict[str, Any], name: str) -> Any:
    """Of several types the first that is not null; a CRM needs one."""
    kind = schema.get("type")
    if not isinstance(kind, list):
        return kind
    some = [each for each in kind if each != "null"]
    if not some:
        raise Internal(f"{name} can only be null")
    return some[0]


def _cut(text: str) -> str:
    """A description within the length that Salesforce keeps."""
    if len(text) <= DESCRIPTION_CHARS:
        return text
    return text[: DESCRIPTION_CHARS - 2].rsplit(" ", 1)[0] + " …"


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def _used(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """The components that routes lead to, over other components too."""
    known = document["components"][kind]
    waiting = list(_named_in(document["paths"], kind))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named_in(known[name], kind)
    return {name: value for name, value in known.items() if name in found}


def _named_in(value: Any, kind: str) -> Iterator[str]:
    start = f"{_REFERENCE}{kind}/"
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(start):
            yield target.removeprefix(start)
        for inner in value.values():
            yield from _named_in(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _named_in(inner, kind)


def _operation_20(operation: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in operation.items() if key not in _MOVED}
    parameters = [
        each if "$ref" in each else _parameter_20(each) for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody")
    if body:
        parameters.append(
            {
                "name": "body",
                "in": "body",
                "required": body.get("required", False),
                "description": body["description"],
                "schema": body["content"][JSON]["schema"],
            }
        )
    if parameters:
        found["parameters"] = parameters
    found["responses"] = {
        status: {
            "description": answer["description"],
            **({"schema": answer["content"][JSON]["schema"]} if "content" in answer else {}),
        }
        for status, answer in operation["responses"].items()
    }
    return found


_MOVED: Final = frozenset({"parameters", "requestBody", "responses"})


def _parameter_20(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter with its schema's words beside its own, as 2.0 writes them."""
    schema = parameter["schema"]
    if "$ref" in schema or schema.get("type") == "object":
        raise Internal(f"the parameter {parameter['name']} must be plain for a CRM")
    found = {key: value for key, value in parameter.items() if key not in _NOT_20}
    found.update((key, value) for key, value in schema.items() if key not in _NOT_20)
    found["description"] = parameter["description"]
    if schema.get("type") == "array":
        found["collectionFormat"] = "csv" if parameter.get("explode") is False else "multi"
    return found


_NOT_20: Final = frozenset({"schema", "example", "style", "explode", "deprecated"})


def _security_20(scheme: dict[str, Any]) -> dict[str, Any]:
    """A security scheme; 2.0 knows no bearer, which is a header like any other there."""
    if scheme["type"] == "http" and scheme["scheme"] == "basic":
        return {"type": "basic", "description": scheme["description"]}
    if scheme["type"] == "http":
        said = f"{scheme['description']} The value is the word Bearer, a space and the key."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": said}
    return scheme


def _with_references(value: Any, kind: str, place: str) -> Any:
    if isinstance(value, dict):
        return {
            key: inner.replace(f"{_REFERENCE}{kind}", place)
            if key == "$ref" and isinstance(inner, str)
            else _with_references(inner, kind, place)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_references(inner, kind, place) for inner in value]
    return value
