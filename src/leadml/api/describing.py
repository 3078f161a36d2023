"""Parts of the OpenAPI document, as each room of routes puts its own together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "FAULT",
    "PROBLEMS",
    "Piece",
    "array",
    "body_of",
    "flag",
    "moment",
    "number",
    "object_of",
    "operation",
    "parameter",
    "problem_responses",
    "ref",
    "responses_of",
    "text",
    "whole",
    "with_scopes",
]

PROBLEMS: Final = {
    "400": "The body is not the JSON that this route takes.",
    "401": "A key is needed, or what was sent as one opens nothing.",
    "403": "The key does not open this route; or another machine asks, but no key protects "
    "the API.",
    "404": "There is no such thing.",
    "408": "The body did not arrive in time.",
    "409": "This is not possible as things stand; `detail` says what is.",
    "410": "The lead was erased.",
    "413": "The body is too large, or carries too much.",
    "415": "The body is compressed.",
    "422": "A field or query parameter cannot be used; `pointer` names the field.",
    "429": "The key asks more often than it may; Retry-After says when to come back.",
    "503": "No model is served yet, the memory does not answer or is off, too many requests "
    "wait, or the server is about to stop; see `Retry-After`.",
}


@dataclass(frozen=True)
class Piece:
    """What one room adds to the document.

    Parameters
    ----------
    paths
        Path items. Each operation says in ``x-scope`` what a key must hold to open it
        (``open`` for nothing); what follows from that is added by :func:`with_scopes`.
    schemas, parameters
        Components, each referred to by ``$ref``.
    """

    paths: dict[str, Any]
    schemas: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


def with_scopes(paths: dict[str, Any]) -> dict[str, Any]:
    """Path items with what each scope brings: security, 401, 403, 429 and a sentence."""
    found: dict[str, Any] = {}
    for path, item in paths.items():
        found[path] = {}
        for method, given in item.items():
            made = dict(given)
            scope = made["x-scope"]
            problems = {"403"} if scope == "open" else {"401", "403", "429", "503"}
            if scope == "open":
                made["security"] = []
            else:
                made["description"] = (
                    f"{given['description']} Needs a key with the scope `{scope}`."
                )
            responses = problem_responses(tuple(sorted(problems))) | given["responses"]
            made["responses"] = dict(sorted(responses.items()))
            found[path][method] = made
    return found


def operation(
    name: str,
    tag: str,
    scope: str,
    summary: str,
    description: str,
    responses: dict[str, Any],
    *,
    parameters: tuple[str, ...] = (),
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One operation.

    Parameters
    ----------
    name
        Its ``operationId``: letters and digits.
    scope
        As the table of routes has it.
    parameters
        Names of components.
    """
    found: dict[str, Any] = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "x-scope": scope,
    }
    if parameters:
        found["parameters"] = [{"$ref": f"#/components/parameters/{key}"} for key in parameters]
    if body is not None:
        found["requestBody"] = body
    found["responses"] = responses
    return found


def body_of(schema: str, example: Any, description: str = "One JSON object in UTF-8.") -> Any:
    """A JSON body that is required."""
    return {
        "required": True,
        "description": description,
        "content": {"application/json": {"schema": ref(schema), "example": example}},
    }


def responses_of(
    schema: str, description: str, problems: tuple[str, ...] = (), status: str = "200"
) -> dict[str, Any]:
    """A JSON answer and the problems that may take its place."""
    content = {"application/json": {"schema": ref(schema)}}
    found: dict[str, Any] = {status: {"description": description, "content": content}}
    return {**found, **problem_responses(problems)}


def problem_responses(problems: tuple[str, ...]) -> dict[str, Any]:
    """Problem documents by status."""
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {status: {"description": PROBLEMS[status], "content": content} for status in problems}


def parameter(
    name: str, where: str, description: str, schema: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    """A parameter of path, query or header."""
    return {
        "name": name,
        "in": where,
        "required": required or where == "path",
        "description": description,
        "schema": schema,
    }


def object_of(
    description: str,
    properties: dict[str, Any],
    required: tuple[str, ...] = (),
    *,
    closed: bool = False,
    example: Any = None,
) -> dict[str, Any]:
    """The schema of an object; ``closed`` refuses other fields."""
    found: dict[str, Any] = {
        "type": "object",
        "description": description,
        "properties": properties,
    }
    if required:
        found["required"] = list(required)
    if closed:
        found["additionalProperties"] = False
    if example is not None:
        found["examples"] = [example]
    return found


def ref(name: str) -> dict[str, str]:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(description: str, **more: Any) -> dict[str, Any]:
    """The schema of a text."""
    return {"type": "string", "description": description, **more}


def moment(description: str) -> dict[str, Any]:
    """The schema of a moment with its zone."""
    return text(description, format="date-time")


def number(description: str, **more: Any) -> dict[str, Any]:
    """The schema of a number."""
    return {"type": "number", "description": description, **more}


def whole(description: str, **more: Any) -> dict[str, Any]:
    """The schema of a whole number."""
    return {"type": "integer", "description": description, **more}


def flag(description: str) -> dict[str, Any]:
    """The schema of true or false."""
    return {"type": "boolean", "description": description}


FAULT: Final = {
    "code": text("What, as a stable code."),
    "field": text("Which field, where one is at fault."),
    "detail": text("What happened."),
}
"""Why one item of many was refused."""


def array(description: str, items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "description": description, "items": items, **more}
