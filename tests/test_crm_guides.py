"""Every code block of the guides in docs/crm runs, and prints what the guide shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadml.settings import Settings
from tests import guides, held
from tests.http_server import serve

GUIDES = Path(__file__).parents[1] / "docs" / "crm"
ALONE = ("README", "curl", "hubspot", "salesforce", "dynamics", "zapier")


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A running server with a model and a memory, and what a shell beside it needs."""
    database = f"sqlite:///{tmp_path / 'leadml.db'}"
    monkeypatch.chdir(tmp_path)
    with serve(Settings(database_url=database), held.serving()) as address:
        yield {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LEADML_DATABASE_URL": database,
            "SERVED": address,
        }


@pytest.mark.parametrize("name", ALONE)
def test_every_block_runs(name: str, tmp_path: Path, surroundings: dict[str, str]) -> None:
    """A guide, walked from its first block to its last, shows what really happens."""
    served = surroundings["SERVED"]
    put = {
        "http://127.0.0.1:8000": served,
        "https://leads.example.com": served,
        "leads.example.com": served.removeprefix("http://"),
    }
    assert guides.walk(GUIDES / f"{name}.md", tmp_path, surroundings, put) > 0
