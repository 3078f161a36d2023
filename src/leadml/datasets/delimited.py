"""Delimited text of any usual dialect."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import FileUnreadable, TableRagged
from leadml.leads.values import BAD, number_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DELIMITERS", "read_csv"]

DELIMITERS: Final = (",", ";", "\t", "|")

_SAMPLE: Final = 96 * 1024
_SAMPLE_ROWS: Final = 400
_NAMES_OF: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


def read_csv(
    data: bytes, name: str, delimiter: str | None = None, encoding: str | None = None
) -> tuple[pa.Table, list[str]]:
    """Read delimited text into a table of text columns.

    Parameters
    ----------
    data
        The unpacked file.
    name
        What to call it in an error.
    delimiter, encoding
        None is found out: the delimiter under which most rows are as wide as the header;
        UTF-8 if it decodes, UTF-16 or UTF-32 by their marks or zero bytes, else Western.

    Returns
    -------
    table : pyarrow.Table
        Every column ``large_string``, named by the header as it stands.
    notes : list of str
        What was decided on the way.

    Raises
    ------
    FileUnreadable
        If it is no text, has one column only, or has no header.
    TableRagged
        If rows have more or fewer cells than the header.
    """
    notes: list[str] = []
    data = _as_utf8(data, encoding, name, notes).lstrip(b"\r\n")
    if data[:4].lower() == b"sep=" and data[5:6] in (b"\n", b"\r"):  # Excel's own first line
        delimiter = delimiter or chr(data[4])
        data = data[5:].lstrip(b"\r\n")
    if data[:1] in (b"{", b"["):
        raise FileUnreadable(f"'{name}' looks like JSON", fix="save it as CSV or Parquet")
    if data[:1] == b"<":
        raise FileUnreadable(f"'{name}' looks like a web page or XML", fix="save it as CSV")
    sample = _sample_of(data)
    delimiter = delimiter or _delimiter_of(sample)
    if delimiter is None:
        raise FileUnreadable(
            f"'{name}' has only one column, '{_shown(sample.splitlines()[0])}'",
            fix="separate its columns by " + ", ".join(_NAMES_OF.values()),
        )
    if delimiter != ",":
        notes.append(f"'{name}' is separated by {_NAMES_OF.get(delimiter, repr(delimiter))}")
    header = next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter))
    if len(header) > 1 and all(number_of(cell) not in (None, BAD) for cell in header):
        raise FileUnreadable(
            f"'{name}' has no header: its first row holds numbers",
            fix="add a first row with the names of the columns",
        )
    table = _parsed(data, name, header, delimiter)
    last = [column[-1].as_py() for column in table.columns]
    if data.count(b'"') % 2 and any("\n" in cell or "\r" in cell for cell in last):
        raise FileUnreadable(
            f"a quote opened in the last row of '{name}' is never closed: the rows after it "
            "would be lost",
            rows=[table.num_rows - 1],
            fix="close or remove that quote",
        )
    return table.slice(1).rename_columns(header), notes


def _parsed(data: bytes, name: str, header: list[str], delimiter: str) -> pa.Table:
    """All rows as texts, the header first, columns named by their places; none is ragged."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(position) for position in range(len(header))]
    bad: list[Any] = []

    def keep_bad(row: Any) -> str:
        bad.append((row.number, row.actual_columns))
        return "skip"

    def parse(*, threads: bool, block: int) -> pa.Table:
        bad.clear()
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                use_threads=threads, column_names=names, block_size=block
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep_bad
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )

    block = 4 << 20
    try:
        try:
            table = parse(threads=True, block=block)
        except pa.ArrowInvalid:  # a row longer than a block
            block = min(len(data) + 1, 2**31 - 1)
            table = parse(threads=True, block=block)
        if bad:  # row numbers are counted only without threads
            table = parse(threads=False, block=block)
    except pa.ArrowInvalid as error:
        raise FileUnreadable(
            f"'{name}' cannot be read as CSV", fix="look for a quote that is never closed"
        ) from error
    if bad:
        rows = sorted(number - 1 for number, _ in bad)
        widths = sorted({width for _, width in bad})
        found = ", ".join(map(str, widths[:5]))
        raise TableRagged(
            f"{len(rows)} of {table.num_rows - 1 + len(rows)} rows have {found} cells "
            f"where the header has {len(header)}",
            rows=rows,
            fix=f"quote cells that hold a {_NAMES_OF.get(delimiter, delimiter)}, "
            "or complete these rows",
        )
    return table


def _sample_of(data: bytes) -> str:
    """The first rows as text, cut at a line end."""
    if len(data) <= _SAMPLE:
        return data.decode("utf-8")
    head = data[:_SAMPLE]
    # A sample that ends inside a row would make that row look ragged.
    cut = max(head.rfind(b"\n"), head.rfind(b"\r"))
    return head[: cut + 1 if cut > 0 else _SAMPLE].decode("utf-8", errors="ignore")


def _delimiter_of(sample: str) -> str | None:
    """The delimiter under which most rows are as wide as the header."""
    best: tuple[float, int] = (0.0, 0)
    found = None
    for delimiter in DELIMITERS:
        widths = []
        try:
            for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if row:
                    widths.append(len(row))
                if len(widths) == _SAMPLE_ROWS:
                    break
        except csv.Error:  # a cell beyond csv's limit: the sample breaks inside a quote
            pass
        if not widths or widths[0] < 2:
            continue
        agreement = round(sum(width == widths[0] for width in widths) / len(widths), 1)
        if (agreement, widths[0]) > best:
            best, found = (agreement, widths[0]), delimiter
    return found


def _shown(text: str, length: int = 40) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= length else clean[:length] + "…"


def _as_utf8(data: bytes, encoding: str | None, name: str, notes: list[str]) -> bytes:
    """The same text in UTF-8 without a byte order mark."""
    if encoding is None:
        encoding = _encoding_of(data)
    try:
        if encoding == "utf-8":
            data = data.removeprefix(b"\xef\xbb\xbf")
            data.decode("utf-8")
        else:
            data = data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
            notes.append(f"'{name}' was read as {encoding}")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileUnreadable(
            f"'{name}' is not {encoding} text (line {line})", fix="save it as UTF-8"
        ) from error
    except (LookupError, UnicodeEncodeError) as error:
        raise FileUnreadable(
            f"'{name}' cannot be read as {encoding}", fix="save it as UTF-8"
        ) from error
    if b"\0" in data:
        raise FileUnreadable(f"'{name}' is binary, not text", fix="save it as CSV or Parquet")
    return data


def _encoding_of(data: bytes) -> str:
    """UTF-8 if it decodes; UTF-16 and 32 by mark or by their zero bytes; else Western."""
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:2000]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 4 and even == 0:
        return "utf-16-le"
    if even > len(head) // 4 and odd == 0:
        return "utf-16-be"
    for encoding in ("utf-8", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue  # the next candidate; latin-1 below reads every byte
        return encoding
    return "latin-1"
