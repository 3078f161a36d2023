"""Packed files opened, told by their bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, cast

from leadml.errors import FileUnreadable, TableEmpty

__all__ = ["SIZE_LIMIT", "unpacked"]

SIZE_LIMIT: Final = 8 * 2**30
"""Bytes of an unpacked file; more is taken for an attack or a mistake."""

_FOREIGN: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "name it as sqlite:///FILE and give a query"),
    (b"ARROW1", "an Arrow file", "save it as Parquet or CSV"),
    (b"\x89PNG", "a picture", "name a table"),
    (b"\x89HDF", "an HDF5 file", "save it as Parquet or CSV"),
    (b"\x80\x04\x95", "a pickle, which is never opened", "save it as Parquet or CSV"),
    (b"\x80\x05\x95", "a pickle, which is never opened", "save it as Parquet or CSV"),
)


def unpacked(data: bytes, name: str, depth: int = 0) -> bytes:
    """The bytes of the table itself, whatever it was packed with.

    Parameters
    ----------
    data
        A file's bytes: plain, or packed by gzip, bzip2, xz, zstandard or zip (one member).
    name
        What to call the file in an error.
    depth
        How often it was unpacked already; at most three times.

    Raises
    ------
    TableEmpty
        If nothing is in it.
    FileUnreadable
        If it is damaged, too large, or known to be something else than a table.
    """
    if not data.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise TableEmpty(f"'{name}' is empty", fix="give a table with a header and rows")
    for magic, what, fix in _FOREIGN:
        if data.startswith(magic):
            raise FileUnreadable(f"'{name}' is {what}", fix=fix)
    opener = _opener_of(data)
    if opener is None or depth > 2:
        return data
    try:
        with opener(io.BytesIO(data)) as stream:
            inner = stream.read(SIZE_LIMIT + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as bad:
        raise FileUnreadable(
            f"'{name}' is packed but damaged or cut off", fix="copy or download it again"
        ) from bad
    if len(inner) > SIZE_LIMIT:
        raise FileUnreadable(
            f"'{name}' unpacks to more than {SIZE_LIMIT >> 30} GiB", fix="split it"
        )
    return unpacked(inner, name, depth + 1)


def _opener_of(data: bytes) -> Callable[[io.BytesIO], IO[bytes]] | None:
    """How to unpack ``data``, told by its first bytes; None if it is not packed."""
    if data.startswith(b"\x1f\x8b"):
        return lambda raw: cast(IO[bytes], gzip.open(raw, "rb"))
    if data.startswith(b"BZh"):
        return lambda raw: bz2.open(raw, "rb")
    if data.startswith(b"\xfd7zXZ\0"):
        return lambda raw: lzma.open(raw, "rb")
    if data.startswith(b"PK\x03\x04"):
        return _only_member
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstandard
    return None


def _zstandard(raw: io.BytesIO) -> IO[bytes]:
    import pyarrow as pa

    stream: IO[bytes] = pa.CompressedInputStream(raw, "zstd")
    return stream


def _only_member(raw: io.BytesIO) -> IO[bytes]:
    """The one table in a zip archive."""
    archive = zipfile.ZipFile(raw)
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise FileUnreadable("this is an Excel workbook", fix="save the sheet as CSV")
    members = [
        member
        for member in names
        if not member.endswith("/")
        and not Path(member).name.startswith(".")
        and not member.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        shown = ", ".join(f"'{member}'" for member in members[:5]) or "nothing"
        raise FileUnreadable(
            f"the archive holds {len(members)} files ({shown})",
            fix="unpack it and name one of them",
        )
    return archive.open(members[0])
