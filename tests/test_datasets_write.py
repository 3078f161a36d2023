"""Tables written to files."""

from pathlib import Path

import pandas as pd
import pytest

from leadml.datasets.read import read_table
from leadml.datasets.write import atomic, write_table
from leadml.errors import ConfigError

FRAME = pd.DataFrame({"name": ["Müller", "a,b", 'q"q', None], "n": [1.5, -2, None, 4]})


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_what_is_written_is_read(tmp_path: Path, ending: str):
    """Each kind of file gives the table back, and writing twice gives the same bytes."""
    path = write_table(FRAME, tmp_path / f"new/leads{ending}")
    frame = read_table(path)
    assert frame["name"].tolist()[:3] == FRAME["name"].tolist()[:3]
    assert frame["name"].isna().tolist() == [False, False, False, True]
    pd.testing.assert_series_equal(frame["n"], FRAME["n"])
    assert write_table(FRAME, tmp_path / f"again{ending}").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_formulas_are_neutralised(tmp_path: Path):
    """Text that a spreadsheet would run gets an apostrophe; numbers keep their sign."""
    cells = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-5", "+4.5", "a=b"]
    frame = pd.DataFrame({"=cell": cells, "n": range(-4, 5)})
    lines = pd.read_csv(write_table(frame, tmp_path / "out.csv"), dtype=str)
    assert lines.columns.tolist() == ["'=cell", "n"]
    written = lines["'=cell"].tolist()
    assert written == ["'" + cell for cell in cells[:6]] + cells[6:]
    assert lines["n"][0] == "-4"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    """A crash in the middle neither destroys the older file nor leaves a piece of a new one."""
    path = tmp_path / "leads.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as stream:
        stream.write(b"half")
        raise RuntimeError("power cut")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_endings(tmp_path: Path):
    """An ending that is neither CSV nor Parquet is refused before anything is written."""
    with pytest.raises(ConfigError, match="ending"):
        write_table(FRAME, tmp_path / "leads.xlsx")
    assert not list(tmp_path.iterdir())
