"""Requests made from the OpenAPI document, to every route: no fault, nothing undocumented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadml.settings import Settings
from leadml.store import SCOPES, Store
from tests import held
from tests.http_server import serve

BATCHES = "^/v1/(scores|outcomes|events|history)$"
RUNS = (
    # a schema cannot say all: a lead none of whose fields is known fits it and is refused
    (f"--exclude-path-regex={BATCHES}", "positive_data_acceptance"),
    # a batch takes what it can read: items that break the schema are answered one by one
    (f"--include-path-regex={BATCHES}", "positive_data_acceptance,negative_data_rejection"),
)
"""Which routes, and the checks that do not fit them."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A real server with keys, and one that opens everything."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    key, _ = store.create_key("fuzzer", SCOPES)
    store.close()
    given = Settings(
        database_url=url, jobs_dir=str(tmp_path / "jobs"), max_jobs=1_000, deliver=False
    )
    with serve(given, held.serving()) as address:
        yield address, key


@pytest.mark.parametrize(
    ("examples", "least"), [(2, 500), pytest.param(40, 2_000, marks=pytest.mark.slow)]
)
def test_every_route_keeps_to_its_document(
    server: tuple[str, str], tmp_path: Path, examples: int, least: int
) -> None:
    """schemathesis, all checks, authenticated: no 5xx, no undocumented status, no mismatch."""
    address, key = server
    made = 0
    for routes, left_out in RUNS:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{address}/openapi.json",
            f"--header=Authorization: Bearer {key}",
            f"--max-examples={examples}",
            "--phases=examples,coverage,fuzzing",
            "--checks=all",
            f"--exclude-checks={left_out}",
            routes,
            "--seed=20261122",
            "--no-color",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        told = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
        assert told is not None
        assert told[1] == told[2]
        made += int(told[1])
    assert made >= least
