"""Tables read from files of every usual and unusual kind."""

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import math
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leadml.datasets.read import read_table
from leadml.errors import (
    ConfigError,
    FileMissing,
    FileUnreadable,
    InvalidValue,
    LeadmlError,
    TableEmpty,
    TableRagged,
)
from leadml.leads.values import BAD, MISSING_WORDS, number_of

PLAIN = "name,size,won\nMüller,240,1\nO'Neil,12,0\nŁódź,,1\n"


def save(folder: Path, data: bytes | str, name: str = "leads.csv") -> Path:
    """Write bytes (text as UTF-8) and return the path."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that hypothesis may overwrite files in."""
    return tmp_path_factory.mktemp("read")


def test_plain_file(tmp_path: Path):
    """A plain file gives text, a number with a gap, a whole number, digest and source."""
    frame = read_table(save(tmp_path, PLAIN))
    assert list(frame.columns) == ["name", "size", "won"]
    assert frame["name"].tolist() == ["Müller", "O'Neil", "Łódź"]
    assert frame["size"].dtype == np.float64
    assert math.isnan(frame["size"][2])
    assert frame["won"].dtype == np.int64
    assert frame.attrs["digest"] == hashlib.sha256(PLAIN.encode()).hexdigest()
    assert frame.attrs["source"] == "leads.csv"


def zipped(data: bytes) -> bytes:
    """One file in an archive, with the litter that macOS adds."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export/leads.csv", data)
        archive.writestr("__MACOSX/export/._leads.csv", b"\x00\x05")
    return packed.getvalue()


def zstandard(data: bytes) -> bytes:
    """Packed by zstandard."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKERS = [gzip.compress, bz2.compress, lzma.compress, zstandard, zipped]


@pytest.mark.parametrize("pack", PACKERS)
def test_compressions_are_told_by_their_bytes(tmp_path: Path, pack):
    """Every usual compression opens, even under a name that does not tell."""
    packed = pack(PLAIN.encode())
    frame = read_table(save(tmp_path, packed))
    assert frame["name"].tolist() == ["Müller", "O'Neil", "Łódź"]
    assert frame.attrs["digest"] == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("pack", PACKERS)
def test_damaged_archives(tmp_path: Path, pack):
    """A cut-off archive is an unreadable file, never half a table."""
    data = (PLAIN * 50).encode() + bytes(range(256)) * 30
    packed = pack(data)
    with pytest.raises(FileUnreadable):
        read_table(save(tmp_path, packed[: len(packed) // 2]))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"],
)
def test_encodings(tmp_path: Path, encoding: str):
    """Every usual encoding is recognised without being told."""
    text = PLAIN.replace("Łódź", "Zürich – é") if encoding == "cp1252" else PLAIN
    text = text.replace("Łódź", "Zürich") if encoding == "latin-1" else text
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    frame = read_table(save(tmp_path, text.encode(encoding)))
    assert frame["name"].tolist() == names
    assert list(frame.columns) == ["name", "size", "won"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str):
    """Every usual delimiter is found under every line end, commas inside texts or not."""
    rows = [["a", "b", "c"], ["1,5 kg", "x;y", "p|q"], ["2,5 kg", 'say "hi"', "tab\there"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    frame = read_table(save(tmp_path, text.getvalue()))
    assert frame.to_numpy().tolist() == rows[1:]


def test_excel_names_its_delimiter(tmp_path: Path):
    """The line `sep=;` that Excel writes is an instruction, not a header."""
    frame = read_table(save(tmp_path, "sep=;\r\na;b\r\n1;2\r\n"))
    assert frame.to_dict("list") == {"a": [1], "b": [2]}


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_reads_what_csv_writes(folder: Path, rows: list[list[str]], delimiter: str):
    """Whatever Python's csv module writes comes back cell by cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *rows])
    path = save(folder, text.getvalue())
    frame = read_table(path, text=("a", "b", "c"), delimiter=delimiter)
    expected = [[None if c.strip() in MISSING_WORDS else c for c in row] for row in rows]
    got = [[None if pd.isna(c) else c for c in row] for row in frame.to_numpy().tolist()]
    assert got == expected


NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(
        [
            "",
            " 7 ",
            "NA",
            "NAN",
            "inf",
            "-Inf",
            "infinity",
            "+5",
            "1e3",
            "1e400",
            ".5",
            "5.",
            "0x1F",
            "1_000",
            "1,5",
            "007",
            "0",
            "-0",
            "-0.0",
            "00.5",
            "true",
            "False",
            "1e",
            "٣",
            "12345678901234567",
        ]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_numbers_agree_with_number_of(folder: Path, cells: list[str]):
    """A column is numeric exactly if number_of reads every value, and holds its readings.

    Decimal commas apart, which only a whole column can prove.
    """
    assume(not any("," in cell for cell in cells))
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *([c, "x"] for c in cells)])
    column = read_table(save(folder, text.getvalue()))["a"]
    read = [number_of(cell) for cell in cells]
    kept_as_text = any(
        re.fullmatch(r"(?i)true|false|[+-]?0\d.*|[+-]?\d{16,}", cell.strip(), re.ASCII)
        for cell in cells
    )
    if BAD in read or kept_as_text:
        assert column.dtype.kind not in "fiub"
        assert [c for c in column if not pd.isna(c)] == [
            c for c in cells if c.strip() not in MISSING_WORDS
        ]
    else:
        assert column.dtype.kind in "fi"
        expected = [math.nan if value is None else value for value in read]
        np.testing.assert_array_equal(column.to_numpy(dtype=float), expected)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["12,5", "7", "-0,25"], [12.5, 7.0, -0.25]),
        (["1.200,50", "950"], [1200.5, 950.0]),
        (["1200,500", "2,000"], [1200.5, 2.0]),
        (["0,125", ""], [0.125, math.nan]),
    ],
)
def test_decimal_commas_are_read_where_the_column_proves_them(tmp_path: Path, cells, numbers):
    """A comma with one, two or four digits behind it, or thousands before it, is a decimal one."""
    frame = read_table(save(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells)))
    np.testing.assert_array_equal(frame["a"].to_numpy(dtype=float), numbers)
    assert any("'a' is written with decimal commas" in note for note in frame.attrs["notes"])


@pytest.mark.parametrize(
    "cells",
    [["1,200", "2,500"], ["1,5", "1,2,3"], ["1,5", "2.5"], ["01,5", "2,5"], ["1,5", "ca. 2"]],
)
def test_doubtful_commas_stay_text(tmp_path: Path, cells):
    """Thousands, lists, points among commas, leading zeros and words are no proof."""
    frame = read_table(save(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells)))
    assert frame["a"].tolist() == cells


@pytest.mark.parametrize(
    ("cells", "read", "which"),
    [
        (["31.12.2025", "1.2.2026"], ["2025-12-31", "2026-02-01"], "dots"),
        (["01.02.2026 9:05", "01.02.2026 19:05:09"],
         ["2026-02-01T09:05:00", "2026-02-01T19:05:09"], "dots"),
        (["13/02/2026", "01/02/2026"], ["2026-02-13", "2026-02-01"], "day first"),
        (["02/13/2026", "01/02/2026"], ["2026-02-13", "2026-01-02"], "month first"),
        (["31.02.2026", "", "3.4.2026"], ["31.02.2026", None, "2026-04-03"], "dots"),
    ],
)  # fmt: skip
def test_dates_are_read_where_the_day_is_certain(tmp_path: Path, cells, read, which):
    """Dots put the day first; slashes need a number above twelve; a note names the column."""
    frame = read_table(save(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells)))
    assert [None if pd.isna(cell) else cell for cell in frame["a"]] == read
    assert any(
        note.startswith("'a' holds dates") and which in note for note in frame.attrs["notes"]
    )


@pytest.mark.parametrize(
    "cells", [["03/04/2026", "05/06/2026"], ["13/02/2026", "02/13/2026"], ["3.4.26", "13.4.26"]]
)
def test_doubtful_dates_stay_text(tmp_path: Path, cells):
    """Nobody knows which number is the day, or the column mixes both, or has short years."""
    frame = read_table(save(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells)))
    assert frame["a"].tolist() == cells


def test_codes_keep_their_digits(tmp_path: Path):
    """Postcodes, long ids, booleans and columns named as text are not made numbers."""
    data = (
        "zip,id,flag,level\n01234,900719925474099311,true,1.0\n99999,900719925474099312,false,2\n"
    )
    frame = read_table(save(tmp_path, data), text=["level"])
    assert frame.iloc[0].tolist() == ["01234", "900719925474099311", "true", "1.0"]


def test_ragged_rows_are_numbered(tmp_path: Path):
    """Rows with too few or too many cells are named by number, blank lines not counted."""
    data = 'a,b\n1,2\n\n"x\ny",4\n5\n6,7,8\n' + "1,2\n" * 9
    with pytest.raises(TableRagged) as caught:
        read_table(save(tmp_path, data))
    assert caught.value.rows == (3, 4)
    assert "1, 3 cells where the header has 2" in caught.value.detail
    assert caught.value.fix


def test_ragged_rows_far_down(tmp_path: Path):
    """Row numbers stay right beyond the first block of a large file."""
    lines = ["a,b,c", *(f"{i},{i},{'x' * 90}" for i in range(120_000))]
    lines[100_001] = "1,2"
    with pytest.raises(TableRagged) as caught:
        read_table(save(tmp_path, "\n".join(lines)))
    assert caught.value.rows == (100_001,)


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", TableEmpty, "empty"),
        (b" \r\n \n", TableEmpty, "empty"),
        (b"\xef\xbb\xbf", TableEmpty, "empty"),
        (b"a,b,c\n", TableEmpty, "no rows"),
        (b"a,b,a\n1,2,3\n", TableRagged, "'a'"),
        (b"a, b ,b\n1,2,3\n", TableRagged, "'b'"),
        (b"just\none\ncolumn\n", FileUnreadable, "only one column"),
        (b"a:b:c\n1:2:3\n", FileUnreadable, "only one column"),
        (b"1,2,3\n4,5,6\n", FileUnreadable, "no header"),
        (b'{"a": 1, "b": 2}\n', FileUnreadable, "JSON"),
        (b"<html><body>sign in, please</body></html>", FileUnreadable, "web page"),
        (b"\xd0\xcf\x11\xe0" + bytes(99), FileUnreadable, "Excel"),
        (b"SQLite format 3\0" + bytes(99), FileUnreadable, "sqlite:///"),
        (b"a,b\n1,\x002\n", FileUnreadable, "binary"),
        (b"PAR1" + bytes(99), FileUnreadable, "Parquet"),
        (bytes(range(256)) * 4, FileUnreadable, "binary"),
        (b"\x1f\x8b" + bytes(50), FileUnreadable, "damaged"),
    ],
)
def test_what_is_no_table(tmp_path: Path, data: bytes, error: type[LeadmlError], said: str):
    """Each kind of junk is refused by its own class, saying what it is and what to do."""
    with pytest.raises(error) as caught:
        read_table(save(tmp_path, data))
    assert said in caught.value.sentence()
    assert caught.value.fix


def test_missing_file_and_folder(tmp_path: Path):
    """A path to nothing, or to a folder, is told apart."""
    with pytest.raises(FileMissing):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FileUnreadable, match="folder"):
        read_table(tmp_path)


def test_excel_workbook(tmp_path: Path):
    """A workbook is an archive, yet named for what it is."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    with pytest.raises(FileUnreadable, match="Excel workbook"):
        read_table(save(tmp_path, packed.getvalue(), "leads.xlsx"))


def test_giant_cell(tmp_path: Path):
    """A cell of ten million characters is refused with its column and row."""
    with pytest.raises(InvalidValue) as caught:
        read_table(save(tmp_path, "a,b\n1,x\n2," + "y" * 10_000_000 + "\n3,z\n"))
    assert (caught.value.column, caught.value.rows) == ("b", (2,))


def test_unclosed_quote(tmp_path: Path):
    """A quote that is never closed is an error, not a table that lost its rows."""
    data = 'a,b\n1,2\n3,"4\n' + "5,6\n" * 2000
    with pytest.raises(LeadmlError) as caught:
        read_table(save(tmp_path, data))
    assert "quote" in caught.value.sentence()


def test_unnamed_columns(tmp_path: Path):
    """An index column without a name gets one; empty ones from trailing delimiters go."""
    frame = read_table(save(tmp_path, ",a,\n0,x,\n1,y,\n"))
    assert frame.to_dict("list") == {"column_1": [0, 1], "a": ["x", "y"]}
    assert any("no name" in note for note in frame.attrs["notes"])


def test_five_thousand_columns(tmp_path: Path):
    """A very wide table is read, not refused."""
    header = ",".join(f"c{i}" for i in range(5000))
    row = ",".join(str(i) for i in range(5000))
    frame = read_table(save(tmp_path, f"{header}\n{row}\n{row}\n"))
    assert frame.shape == (2, 5000)


def test_parquet_reads_like_text(tmp_path: Path):
    """The same history as Parquet gives the same table, its types translated."""
    frame = pd.DataFrame(
        {
            "flag": [True, None, False],
            "size": pd.array([1, None, 3], dtype="Int32"),
            "when": pd.to_datetime(
                ["2026-01-02T03:04:05+02:00", None, "2026-05-06T00:00:00Z"], utc=True
            ),
            "day": [pd.Timestamp("2026-01-02").date(), None, None],
            "code": ["007", "1", None],
            "text": pd.Categorical(["x", None, "N/A"]),
            "many": [[1], [2], []],
        }
    )
    path = tmp_path / "leads.parquet"
    frame.to_parquet(path)
    read = read_table(path)
    assert read["flag"].tolist()[::2] == ["true", "false"]
    assert read["size"].tolist()[::2] == [1.0, 3.0]
    assert read["when"][0].startswith("2026-01-02T01:04:05")
    assert read["when"][0].endswith("Z")
    assert read["day"][0] == "2026-01-02"
    assert read["code"].tolist()[:2] == ["007", "1"]
    assert read["text"].isna().tolist() == [False, True, True]
    assert "many" not in read
    assert any("many" in note for note in read.attrs["notes"])


def test_an_archive_of_many_is_ambiguous(tmp_path: Path):
    """An archive with two tables asks which one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    with pytest.raises(FileUnreadable, match="2 files"):
        read_table(save(tmp_path, packed.getvalue()))


def test_a_file_takes_no_query(tmp_path: Path):
    """A query with a file is a mistake, not ignored."""
    with pytest.raises(ConfigError):
        read_table(save(tmp_path, PLAIN), query="select 1")


def test_headers_are_one_unicode_form(tmp_path: Path) -> None:
    """A header written with combining accents is the same column as one with whole letters."""
    path = tmp_path / "leads.csv"
    path.write_text("e\u0301tat,n\n1,2\n", "utf-8")
    assert list(read_table(path).columns) == ["\u00e9tat", "n"]
    path.write_text("e\u0301tat,\u00e9tat\n1,2\n", "utf-8")
    with pytest.raises(TableRagged, match="more than once"):
        read_table(path)


@pytest.mark.parametrize(
    ("values", "grouped"),
    [
        (["950", "1.200", "12.345"], True),
        ([" 950", "-1.200 "], True),
        (["950", "1.234"], False),
        (["950.000", "1.200"], False),
        (["0.120", "950"], False),
        (["1200", "1.200"], False),
        (["950", "1.20"], False),
    ],
)
def test_points_between_thousands_are_not_taken_for_decimals(
    tmp_path: Path, values: list[str], grouped: bool
):
    """A company of 1.200 people is never one of 1.2: such a column stays text, and says so."""
    rows = "".join(f"a{i};{value}\n" for i, value in enumerate(values))
    frame = read_table(str(save(tmp_path, f"name;size\n{rows}")))
    assert (frame["size"].dtype.kind == "f") is not grouped
    noted = any("points between thousands" in note for note in frame.attrs.get("notes", []))
    assert noted is grouped
