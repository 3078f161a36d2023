"""Tables of leads read from wherever they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leadml.datasets.columns import named, typed
from leadml.datasets.database import is_url, read_query, shown_url
from leadml.datasets.delimited import read_csv
from leadml.datasets.unpack import unpacked
from leadml.errors import ConfigError, FileMissing, FileUnreadable, TableEmpty

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["read_table"]


def read_table(
    source: str | Path,
    *,
    query: str | None = None,
    text: Iterable[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read a CSV or Parquet file, or the answer of a database, as a table.

    A column is numeric only if every value in it is a number and no digit would be lost
    (:func:`leadml.datasets.columns.typed`). Missing values
    (:data:`leadml.leads.MISSING_WORDS`) are NaN. Times stay text. Rows in errors count
    the rows below the header from 1; blank lines do not count.

    Parameters
    ----------
    source
        Path of a file (CSV with any usual delimiter and encoding, Parquet; packed by
        gzip, bzip2, xz, zstandard or zip, told by its bytes, not by its name), or the
        URL of a database (``sqlite:///crm.db``, ``postgresql://…``).
    query
        What to ask the database; only with a URL.
    text
        Columns that stay text whatever they look like.
    delimiter, encoding
        Override what is found in the file.

    Returns
    -------
    pandas.DataFrame
        Columns int64, float64 or text, index 0 … n-1. ``attrs`` holds ``digest``
        (SHA-256 of the file's bytes, or of the answer's content), ``source`` (the
        file's name or the URL without password) and ``notes`` (a list of sentences:
        what was decided on the way).

    Raises
    ------
    FileMissing
        If there is no such file.
    FileUnreadable
        If its bytes are no table, or the database refuses the query.
    TableRagged
        If rows and header disagree, or headers repeat.
    TableEmpty
        If there are no rows.
    InvalidValue
        If a cell is longer than :data:`leadml.datasets.columns.CELL_LIMIT`.
    ConfigError
        If a URL comes without a query, or a file with one.
    DriverMissing
        If the database's driver is not installed.
    """
    notes: list[str] = []
    if is_url(source):
        name = shown_url(str(source))
        raw = _arrow_of(read_query(str(source), query))
        digest = _digest_of(raw)
    else:
        if query is not None:
            raise ConfigError(
                f"'{source}' is a file, which takes no query",
                fix="leave the query out, or name a database (sqlite:///FILE)",
            )
        name = Path(source).name
        packed = _bytes_of(Path(source))
        digest = hashlib.sha256(packed).hexdigest()
        data = unpacked(packed, name)
        del packed
        if data.startswith(b"PAR1"):
            raw = _read_parquet(data, name)
        else:
            raw, notes = read_csv(data, name, delimiter, encoding)
        del data
    raw, more = named(raw, name)
    notes += more
    if raw.num_rows == 0:
        raise TableEmpty(
            f"'{name}' names columns but holds no rows",
            fix="give a table with one row for each lead",
        )
    frame, more = typed(raw, frozenset(text))
    frame.attrs.update(digest=digest, source=name, notes=notes + more)
    return frame


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(f"there is no file '{path}'", fix="check the path") from error
    except IsADirectoryError as error:
        raise FileUnreadable(f"'{path}' is a folder", fix="name a file in it") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileUnreadable(
            f"'{path}' cannot be read: {reason}", fix="check its rights"
        ) from error


def _read_parquet(data: bytes, name: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise FileUnreadable(
            f"'{name}' is a damaged Parquet file", fix="write or copy it again"
        ) from error


def _arrow_of(frame: pd.DataFrame) -> pa.Table:
    """The same as arrow columns; a column of several types becomes text."""
    import pyarrow as pa

    columns = []
    for position in range(frame.shape[1]):
        values = frame.iloc[:, position]
        try:
            column = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            texts = [None if value is None else str(value) for value in values]
            column = pa.array(texts, pa.large_string())
        columns.append(column)
    return pa.table(columns, names=[str(name) for name in frame.columns])


def _digest_of(table: pa.Table) -> str:
    """SHA-256 of names, types and values, whatever the chunks they came in."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    flat = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(sink, flat.schema) as writer:
        writer.write_table(flat)
    return hashlib.sha256(sink.getvalue()).hexdigest()
