"""Tables that a database answers."""

import sqlite3
from pathlib import Path

import pytest

from leadml.datasets.database import shown_url
from leadml.datasets.read import read_table
from leadml.errors import ConfigError, DriverMissing, FileMissing, FileUnreadable, TableEmpty


@pytest.fixture
def crm(tmp_path: Path) -> str:
    """URL of a small CRM database."""
    path = tmp_path / "my crm?.db"
    connection = sqlite3.connect(path)
    connection.execute("create table leads (id text, zip text, size any, won integer)")
    rows = [("a", "01234", 3, 1), ("b", "9", "many", 0), ("c", None, None, 0)]
    connection.executemany("insert into leads values (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def test_answers_become_tables(crm: str):
    """A query's answer is typed like a file's, mixed columns become text, the digest is stable."""
    frame = read_table(crm, query="select * from leads")
    assert frame["zip"].tolist()[:2] == ["01234", "9"]
    assert frame["size"].tolist()[:2] == ["3", "many"]
    assert frame["won"].tolist() == [1, 0, 0]
    again = read_table(crm, query="select * from leads")
    assert frame.attrs["digest"] == again.attrs["digest"]
    other = read_table(crm, query="select * from leads where won = 0")
    assert frame.attrs["digest"] != other.attrs["digest"]


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        (None, ConfigError, "--query"),
        ("select * from deals", FileUnreadable, "deals"),
        ("select nonsense", FileUnreadable, "nonsense"),
        ("delete from leads", FileUnreadable, "readonly"),
        ("select * from leads where won = 7", TableEmpty, "no rows"),
    ],
)
def test_bad_queries(crm: str, query: str | None, error: type, said: str):
    """No query, a wrong one, one that writes and one without rows are told apart."""
    with pytest.raises(error) as caught:
        read_table(crm, query=query)
    assert said in caught.value.sentence()
    assert len(read_table(crm, query="select * from leads")) == 3


def test_missing_database_is_not_created(tmp_path: Path):
    """Asking a file that does not exist leaves none behind."""
    with pytest.raises(FileMissing):
        read_table(f"sqlite:///{tmp_path}/none.db", query="select 1")
    assert not list(tmp_path.iterdir())


def test_unreachable_and_unknown_databases():
    """A server that is not there, a missing driver, a web address: each says what to do."""
    with pytest.raises(DriverMissing) as caught:
        read_table("nosuch://host/db", query="select 1")
    assert caught.value.fix
    with pytest.raises((DriverMissing, FileUnreadable)) as caught:
        read_table("postgresql://anna:s3cret@127.0.0.1:9/crm", query="select 1")
    assert "s3cret" not in caught.value.sentence()
    with pytest.raises(ConfigError, match="web address"):
        read_table("https://example.org/leads.csv")


def test_urls_are_shown_without_secrets():
    """User, password and parameters never reach a message or a model card."""
    assert shown_url("mysql://u:p@w@h/db?ssl=key") == "mysql://h/db"
    assert shown_url("sqlite:///a/b.db") == "sqlite:///a/b.db"
