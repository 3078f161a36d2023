"""Tables written whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

from leadml.errors import ConfigError
from leadml.leads.values import BAD, number_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["atomic", "neutral", "write_parts", "write_table"]

_ENDINGS: Final = (".csv", ".csv.gz", ".tsv", ".parquet")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def neutral(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Numbers keep their sign.

    >>> neutral("=HYPERLINK(0)"), neutral("-5.2"), neutral("Acme")
    ("'=HYPERLINK(0)", '-5.2', 'Acme')
    """
    if text.startswith(_FORMULA) and number_of(text) is BAD:
        return "'" + text
    return text


@contextmanager
def atomic(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes its name only when it is complete.

    Folders on the way are made. If the block raises, nothing is left and an older
    file of that name stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_table(frame: pd.DataFrame, path: str | Path, *, safe: bool = True) -> Path:
    """Write a table as CSV or Parquet, told by the ending of ``path``.

    Parameters
    ----------
    frame
        What to write, without its index.
    path
        Ends in ``.csv``, ``.csv.gz``, ``.tsv`` or ``.parquet``.
    safe
        Put an apostrophe before text cells and headers of a CSV file that a spreadsheet
        would run as a formula (:func:`neutral`); off for data that only machines read.

    Returns
    -------
    pathlib.Path
        The file, complete: it is written beside and renamed.

    Raises
    ------
    ConfigError
        If the ending is none of these.
    """
    path = Path(path)
    if not path.name.lower().endswith(_ENDINGS):
        raise ConfigError(
            f"'{path.name}' has no known ending", fix=f"end it in {', '.join(_ENDINGS)}"
        )
    with atomic(path) as stream:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(stream, index=False)
            return path
        if safe:
            frame = _neutral_frame(frame)
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        # Python's csv leaves a carriage return bare, where a reader ends the row.
        returns = _has_returns(frame)
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
        if path.suffix.lower() == ".gz":
            # No name and time in the header: same table, same bytes.
            with gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
                target = cast(IO[bytes], packed)
                frame.to_csv(target, index=False, lineterminator="\n", quoting=quoting)
        else:
            frame.to_csv(stream, index=False, sep=separator, lineterminator="\n", quoting=quoting)
    return path


def write_parts(parts: Iterable[pd.DataFrame], path: str | Path, ending: str) -> Path:
    """Write a table that comes in parts of the same columns, one part in memory at a time.

    Parameters
    ----------
    parts
        One or more frames of the same columns and types.
    path
        The file, whatever its name; complete when it has it.
    ending
        ``csv`` (safe for spreadsheets, see :func:`neutral`) or ``parquet``.

    Returns
    -------
    pathlib.Path
        The file.
    """
    path = Path(path)
    with atomic(path) as stream:
        if ending == "parquet":
            _write_parquet(parts, stream)
            return path
        for number, part in enumerate(parts):
            _neutral_frame(part).to_csv(
                stream,
                index=False,
                header=number == 0,
                lineterminator="\n",
                quoting=csv.QUOTE_NONNUMERIC if _has_returns(part) else csv.QUOTE_MINIMAL,
            )
    return path


def _write_parquet(parts: Iterable[pd.DataFrame], stream: IO[bytes]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    writer = None
    try:
        for part in parts:
            table = pa.Table.from_pandas(part, preserve_index=False)
            if writer is None:
                writer = parquet.ParquetWriter(stream, table.schema)
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _has_returns(frame: pd.DataFrame) -> bool:
    if any("\r" in str(name) for name in frame.columns):
        return True
    texts = (frame[name] for name in frame.columns if frame[name].dtype.kind in "OUS")
    return any(isinstance(value, str) and "\r" in value for column in texts for value in column)


def _neutral_frame(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    made: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "OUS":
            texts = column.astype("object")
            risky = texts.map(lambda value: isinstance(value, str) and value.startswith(_FORMULA))
            if risky.any():
                column = texts.where(~risky, texts.map(_neutral_value))
        made[neutral(str(name))] = column
    return pd.DataFrame(made, index=frame.index)


def _neutral_value(value: Any) -> Any:
    return neutral(value) if isinstance(value, str) else value
