"""Answers of a database, asked by its URL."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from leadml.errors import ConfigError, DriverMissing, FileMissing, FileUnreadable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["is_url", "read_query", "shown_url"]

_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.]*://")


def is_url(source: object) -> bool:
    """Whether ``source`` is a URL and not a path.

    >>> is_url("sqlite:///crm.db"), is_url("C:/crm.db"), is_url("data/leads.csv")
    (True, False, False)
    """
    return isinstance(source, str) and bool(_URL.match(source))


def shown_url(url: str) -> str:
    """The URL without user, password and parameters.

    >>> shown_url("postgresql://anna:secret@db.example:5432/crm?sslmode=require")
    'postgresql://db.example:5432/crm'
    """
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def read_query(url: str, query: str | None) -> pd.DataFrame:
    """Ask a database and take its answer as a table.

    SQLite files are opened read-only, so a query cannot change or create them.

    Parameters
    ----------
    url
        ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``postgresql://…`` or any
        other URL whose driver is installed.
    query
        One statement that answers rows.

    Raises
    ------
    ConfigError
        If no query is given, or the URL is a web address.
    FileMissing
        If a SQLite file does not exist.
    DriverMissing
        If the driver is not installed.
    FileUnreadable
        If the database refuses or does not answer.
    """
    import pandas as pd

    if url.lower().startswith(("http://", "https://", "s3://", "ftp://")):
        raise ConfigError(
            f"'{shown_url(url)}' is a web address", fix="download the file first, then name it"
        )
    if not (query or "").strip():
        raise ConfigError(
            f"'{shown_url(url)}' is a database, but no query is given",
            fix='say what to read: --query "select * from leads"',
        )
    assert query is not None
    if url.startswith("sqlite:///"):
        return _read_sqlite(Path(url.removeprefix("sqlite:///")), query)
    try:
        return pd.read_sql_query(query, url)
    except ImportError as error:
        raise DriverMissing(
            f"'{shown_url(url)}' needs the module '{error.name or 'sqlalchemy'}'",
            fix=f"install it: pip install {_PACKAGES.get(error.name or '', error.name or '')}",
        ) from error
    except Exception as error:  # drivers raise classes of their own, which cannot be imported
        if type(error).__name__ == "NoSuchModuleError":
            scheme = url.partition("://")[0]
            raise DriverMissing(
                f"no driver is known for '{scheme}'", fix="install the driver of your database"
            ) from error
        raise FileUnreadable(
            f"'{shown_url(url)}' refuses or does not answer: {_first_line(error)}",
            fix="check the URL, the rights and the query",
        ) from error


_PACKAGES = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient", "": "sqlalchemy"}


def _read_sqlite(path: Path, query: str) -> pd.DataFrame:
    import pandas as pd

    if not path.exists():
        raise FileMissing(f"there is no database file '{path}'", fix="check the path")
    location = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(location, uri=True)) as connection:
            return pd.read_sql_query(query, connection)
    except (sqlite3.Error, pd.errors.DatabaseError, TypeError) as error:
        reason = error.__cause__ if isinstance(error, pd.errors.DatabaseError) else error
        if isinstance(error, TypeError):  # pandas meets a statement that answers nothing
            reason = ValueError("the statement answers no rows")
        raise FileUnreadable(
            f"'{path.name}' refuses the query: {_first_line(reason or error)}",
            fix="check the names of tables and columns in the query",
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"://[^@\s]*@", "://", lines[0])[:200]
