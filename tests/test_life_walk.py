"""One lead through its whole life over HTTP, by the script that the documents show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leadml.settings import Settings
from leadml.store import SCOPES, Store
from tests import held
from tests.http_server import serve

PAGE = Path(__file__).parents[1] / "docs" / "life.md"


def script() -> str:
    """The parts of the walk, as they stand in the document."""
    parts = re.findall(r"<!-- walk -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(parts) == 7
    return "\n".join(parts)


def test_the_walk_goes_as_it_is_told(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold, MQL, accepted, qualified, won, erased: every route says so at each step."""
    store = Store(database_url)
    key, _ = store.create_key("walk", SCOPES)
    with serve(Settings(database_url=database_url), held.serving()) as address:
        monkeypatch.setenv("LEADML_URL", address)
        monkeypatch.setenv("LEADML_KEY", key)
        exec(compile(script(), str(PAGE), "exec"), {})
    counts = store.counts()
    assert (counts["leads"], counts["decisions"], counts["tombstones"]) == (0, 0, 1)
    assert store.broken_audit_links() == []
    store.close()
