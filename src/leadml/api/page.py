"""The OpenAPI document as a page that needs no network."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

__all__ = ["page_of"]

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h2 code { font-size: 1.1rem; } h2 { margin-top: 2.5rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; }
td, th { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
"""


def page_of(document: dict[str, Any]) -> str:
    """Write an OpenAPI document as one HTML page without script.

    Parameters
    ----------
    document
        As :func:`leadml.api.document.document_of` gives it.
    """
    info = document["info"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info['description'])}</p>",
        "<p>The same for machines: <a href='/openapi.json'>/openapi.json</a> "
        "(OpenAPI 3.1), <a href='/openapi-3.0.json'>/openapi-3.0.json</a> (Salesforce, client "
        "generators), <a href='/swagger-2.0.json'>/swagger-2.0.json</a> (Power Platform)</p>",
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parts.extend(_operation(path, method, operation, document))
    for name, schema in document["components"]["schemas"].items():
        parts.extend(_schema(name, schema))
    parts.append("</body></html>")
    return "\n".join(parts)


def _operation(
    path: str, method: str, operation: dict[str, Any], document: dict[str, Any]
) -> list[str]:
    found = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(operation['description'])}</p>",
    ]
    rows = []
    for reference in operation.get("parameters", ()):
        parameter = document["components"]["parameters"][reference["$ref"].rpartition("/")[2]]
        name = parameter["name"]
        shown = f"?{name}=" if parameter["in"] == "query" else f"{{{name}}}"
        rows.append((shown, parameter["description"]))
    body = operation.get("requestBody")
    if body:
        rows.append(("body", f"{_named(body)}: {body['description']}"))
    for status, response in operation["responses"].items():
        rows.append((status, f"{_named(response)}: {response['description']}"))
    found.append(_table(rows))
    if body:
        examples = [kind["example"] for kind in body["content"].values() if "example" in kind]
        found.extend(_pre(example) for example in examples)
    return found


def _named(holder: dict[str, Any]) -> str:
    """The schema of a body, or its media types where it has none by name."""
    schema = next(iter(holder["content"].values()))["schema"]
    return schema.get("$ref", "").rpartition("/")[2] or " or ".join(holder["content"])


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    found = [
        f"<h2 id='{escape(name)}'><code>{escape(name)}</code></h2>",
        f"<p>{escape(schema['description'])}</p>",
    ]
    rows = []
    for key, value in schema.get("properties", {}).items():
        named = value.get("$ref") or value.get("items", {}).get("$ref", "")
        kind = value.get("type", "")
        words = " or ".join(kind) if isinstance(kind, list) else kind
        what = named.rpartition("/")[2] or value.get("description", "")
        rows.append((key, f"{words} {what}".strip()))
    if rows:
        found.append(_table(rows))
    found.extend(_pre(example) for example in schema.get("examples", ()))
    return found


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><th scope='row'><code>{escape(a)}</code></th><td>{escape(b)}</td></tr>"
        for a, b in rows
    )
    return f"<table>{cells}</table>"


def _pre(example: Any) -> str:
    return f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>"
