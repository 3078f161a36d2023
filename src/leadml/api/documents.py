"""The routes of the documents that CRMs import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.document import document_of
from leadml.api.downward import ANY_ADDRESS, moved_to, openapi_30, swagger_20
from leadml.api.problems import send_bytes
from leadml.api.table import OPEN, Entry
from leadml.service.serving import Served

__all__ = ["FILES", "DocumentRoutes", "address_of", "written"]

FILES: Final = ("openapi.json", "openapi-3.0.json", "swagger-2.0.json")
"""The documents by the names under which they are served, and committed in ``serve/``."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class DocumentRoutes:
    """``/openapi-3.0.json`` and ``/swagger-2.0.json``, with the fields of the served model.

    Parameters
    ----------
    served
        What is served, or None.
    public_url
        Address that the documents name; empty takes the one that was asked.
    """

    def __init__(self, served: Callable[[], Served | None], public_url: str = "") -> None:
        self.served = served
        self.public_url = public_url
        self._kept: dict[Any, tuple[Served | None, dict[str, Any]]] = {}

    def entries(self) -> Iterable[Entry]:
        """Both routes; whoever imports a document has no key yet."""
        return (
            Entry("/openapi-3.0.json", "GET", self.openapi_30, OPEN, ""),
            Entry("/swagger-2.0.json", "GET", self.swagger_20, OPEN, ""),
        )

    async def openapi_30(self, scope: Scope, receive: Receive, send: Send) -> None:
        """OpenAPI 3.0 for Salesforce and client generators."""
        await self._send(openapi_30, scope, send)

    async def swagger_20(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Swagger 2.0 for Power Platform."""
        await self._send(swagger_20, scope, send)

    async def _send(
        self, written_as: Callable[[dict[str, Any], str], dict[str, Any]], scope: Scope, send: Send
    ) -> None:
        served = self.served()
        kept = self._kept.get(written_as)
        if kept is None or kept[0] is not served:  # writing takes as long as a thousand scores
            kept = self._kept[written_as] = served, written_as(document_of(served), ANY_ADDRESS)
        address = self.public_url or address_of(scope)
        await send_bytes(send, 200, orjson.dumps(moved_to(kept[1], address)))


def address_of(scope: Scope) -> str:
    """Scheme, host and port that a request asked.

    A header ``Host`` that is no host name counts as none.

    >>> address_of({"scheme": "https", "headers": [(b"host", b"leads.example.com")]})
    'https://leads.example.com'
    >>> address_of({"scheme": "http", "headers": [(b"host", b"x/../")], "server": ("::1", 80)})
    'http://[::1]:80'
    """
    for name, value in scope["headers"]:
        if name == b"host" and _HOST.fullmatch(value.decode("latin-1")):
            return f"{scope['scheme']}://{value.decode('ascii')}"
    host, port = scope.get("server") or ("localhost", None)
    named = f"[{host}]" if ":" in host else host
    return f"{scope['scheme']}://{named}" + (f":{port}" if port else "")


def written() -> dict[str, str]:
    """The documents of no server in particular, as they stand in ``serve/``, by file name."""
    document = document_of(None)
    documents = (
        document,
        openapi_30(document, ANY_ADDRESS),
        swagger_20(document, ANY_ADDRESS),
    )
    return {
        name: orjson.dumps(each, option=orjson.OPT_INDENT_2).decode() + "\n"
        for name, each in zip(FILES, documents, strict=True)
    }
