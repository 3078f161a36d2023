"""Where MLflow keeps its things, read from its URI."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from leadml.errors import ConfigError

__all__ = ["absolute_uri", "artifacts_uri", "check_name", "shown_uri", "sqlite_path"]

_SQLITE = "sqlite:///"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> str:
    """The name of a registered model, fit to be a folder; raises ConfigError.

    >>> check_name("leads")
    'leads'
    >>> check_name("../leads")
    Traceback (most recent call last):
        ...
    leadml.errors.ConfigError: '../leads' cannot name a model
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name[:80]!r} cannot name a model",
            fix="use up to 63 letters, digits, dots, dashes, underscores; begin with a letter",
        )
    return name


def sqlite_path(uri: str) -> Path | None:
    """The database file of an SQLite URI; None for any other URI.

    Raises
    ------
    ConfigError
        The URI names a database in memory, which nobody else could read.

    Examples
    --------
    >>> sqlite_path("sqlite:///mlflow.db").as_posix()
    'mlflow.db'
    >>> sqlite_path("sqlite:////srv/leads/mlflow.db?timeout=30").as_posix()
    '/srv/leads/mlflow.db'
    >>> sqlite_path("http://127.0.0.1:5000") is None
    True
    """
    if not uri.startswith("sqlite:"):
        return None
    path = uri.removeprefix(_SQLITE).split("?")[0]
    if not uri.startswith(_SQLITE) or path in ("", ":memory:"):
        raise ConfigError(
            f"the tracking URI {uri} names no file",
            fix="use sqlite:///mlflow.db, or leave it out",
        )
    return Path(path)


def absolute_uri(uri: str) -> str:
    """The same with a relative SQLite path made absolute from the working directory."""
    path = sqlite_path(uri)
    if path is None:
        return uri
    query = uri.partition("?")[2]
    return _SQLITE + path.absolute().as_posix() + (f"?{query}" if query else "")


def artifacts_uri(uri: str) -> str | None:
    """Where artefacts go: ``mlartifacts`` beside the database; None where a server decides."""
    if urlsplit(uri).scheme in ("http", "https"):
        return None
    path = sqlite_path(uri)
    beside = path.absolute().parent if path is not None else Path.cwd()
    return (beside / "mlartifacts").as_uri()


def shown_uri(uri: str) -> str:
    """The same without a password, for messages.

    >>> shown_uri("postgresql://leadml:secret@db/mlflow")
    'postgresql://leadml@db/mlflow'
    """
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    user = f"{parts.username}@" if parts.username else ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=user + host))
