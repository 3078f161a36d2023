"""Which version an MLflow alias names, asked without importing MLflow."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from leadml.errors import RegistryError
from leadml.registry.place import shown_uri, sqlite_path

__all__ = ["DIGEST_TAG", "AliasSource", "Named", "alias_source", "is_version"]

DIGEST_TAG: Final = "leadml.digest"
"""Tag of a registered version that holds the digest of its bundle."""

TIMEOUT_S: Final = 2.0
DEADLINE_S: Final = 2.5
STUCK: Final = 3  # questions that hang before no other is asked
ANSWER_BYTES: Final = 1_000_000
_VERSION: Final = re.compile(r"[0-9]{1,9}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def is_version(text: str) -> bool:
    """Whether a text is the number of a version, and no alias or anything else.

    >>> is_version("12"), is_version("champion"), is_version("²"), is_version("9" * 5000)
    (True, False, False, False)
    """
    return _VERSION.fullmatch(text) is not None


@dataclass(frozen=True)
class Named:
    """A version, and the digest that its bundle must have."""

    version: str
    digest: str

    @classmethod
    def checked(cls, version: Any, digest: Any) -> Named:
        """Refuse what could not be a version made by leadml; raises RegistryError."""
        if not isinstance(version, str) or not is_version(version):
            raise RegistryError("the registry names a version that is no number")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise RegistryError(
                f"version {version} was not registered by leadml (it has no tag {DIGEST_TAG})",
                fix="give the alias to a version that leadml trained",
            )
        return cls(version, digest)


class AliasSource(Protocol):
    """Something that knows which version an alias names."""

    def ask(self, name: str, alias: str) -> Named | None:
        """The version, None where no such alias is; raises RegistryError without an answer."""
        ...


def alias_source(uri: str) -> AliasSource | None:
    """How to ask the registry at a tracking URI; None where only MLflow itself could.

    SQLite files and MLflow servers can be asked. Another database behind a bare database
    URI cannot: there the pointer file that leadml writes is all that is followed.
    """
    path = sqlite_path(uri)
    if path is not None:
        return _Sqlite(path.absolute())
    if urlsplit(uri).scheme in ("http", "https"):
        return _Server(uri)
    return None


class _Sqlite:
    """Reads MLflow's tables, never writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, name: str, alias: str) -> Named | None:
        if not self.path.exists():
            raise RegistryError(
                f"the tracking database {self.path.name} is not there",
                fix="set MLFLOW_TRACKING_URI, or train a first model",
            )
        address = f"file:{quote(self.path.as_posix())}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=TIMEOUT_S)) as connection:
                row = connection.execute(_QUERY, (DIGEST_TAG, name, alias)).fetchone()
        except sqlite3.Error as error:
            raise RegistryError(
                f"the tracking database {self.path.name} cannot be read: {error}"
            ) from error
        return None if row is None else Named.checked(str(row[0]), row[1])


_QUERY: Final = """
    SELECT a.version, t.value
    FROM registered_model_aliases AS a
    LEFT JOIN model_version_tags AS t
      ON t.name = a.name AND t.version = a.version AND t.key = ?
    WHERE a.name = ? AND a.alias = ?
"""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials go to the server that was named, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Server:
    """Asks an MLflow server over its REST API, with MLflow's own credentials if set."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
        self.shown = shown_uri(uri)
        self._address = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json"}
        authorization = _authorization(parts.username, parts.password)
        if authorization:
            self._headers["Authorization"] = authorization
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._asking: list[threading.Thread] = []

    def ask(self, name: str, alias: str) -> Named | None:
        """Ask in a thread: a server that sends a byte a second never runs into a timeout."""
        said: list[Named | RegistryError | None] = []

        def ask() -> None:
            try:
                said.append(self._ask(name, alias))
            except RegistryError as error:
                said.append(error)

        self._asking = [thread for thread in self._asking if thread.is_alive()]
        if len(self._asking) < STUCK:
            thread = threading.Thread(target=ask, name="leadml-alias", daemon=True)
            self._asking.append(thread)
            thread.start()
            thread.join(DEADLINE_S)
        if not said:
            raise RegistryError(f"MLflow at {self.shown} does not answer in {DEADLINE_S:g} s")
        if isinstance(said[0], RegistryError):
            raise said[0]
        return said[0]

    def _ask(self, name: str, alias: str) -> Named | None:
        query = urlencode({"name": name, "alias": alias})
        request = urllib.request.Request(  # noqa: S310 (only http and https come here)
            f"{self._address}/api/2.0/mlflow/registered-models/alias?{query}",
            headers=self._headers,
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                data = json.loads(_body(response))
        except urllib.error.HTTPError as error:
            with error:
                if _unknown(error):
                    return None
            raise RegistryError(f"MLflow at {self.shown} answers {error.code}") from error
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            reason = getattr(error, "reason", error)
            raise RegistryError(f"MLflow at {self.shown} does not answer: {reason}") from error
        try:
            found = data["model_version"]
            tags = {tag["key"]: tag["value"] for tag in found.get("tags", ())}
        except (AttributeError, KeyError, TypeError) as error:
            raise RegistryError(f"{self.shown} does not answer as MLflow does") from error
        return Named.checked(found.get("version"), tags.get(DIGEST_TAG))


def _body(response: Any) -> bytes:
    """An answer's body; raises TimeoutError where it comes drop by drop."""
    end = time.monotonic() + TIMEOUT_S
    found = b""
    while len(found) < ANSWER_BYTES and (part := response.read1(ANSWER_BYTES)):
        found += part
        if time.monotonic() > end:
            raise TimeoutError("it answers too slowly")
    return found


def _unknown(error: urllib.error.HTTPError) -> bool:
    """Whether MLflow says that the model or the alias does not exist (404 or 400)."""
    if error.code not in (400, 404):
        return False
    try:
        said = json.loads(_body(error))
    except (OSError, HTTPException, ValueError, RecursionError):
        return False  # some other server's page: not an answer, so the caller says so
    code = said.get("error_code") if isinstance(said, dict) else None
    # MLflow answers INVALID_PARAMETER_VALUE where the model exists without that alias
    return code == "RESOURCE_DOES_NOT_EXIST" or (
        code == "INVALID_PARAMETER_VALUE" and "alias" in str(said.get("message", "")).lower()
    )


def _authorization(user: str | None, password: str | None) -> str | None:
    """MLflow's own variables are read when a server is followed, as MLflow does."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    user = user or os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = password or os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Bearer {token}" if token else None
