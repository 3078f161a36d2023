"""Writers killed at any moment lose nothing that they acknowledged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def kill(url: str, kills: int) -> dict:
    """What was found after so many kills."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.store_kills", url, str(kills)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("kills", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_killed_writers_lose_nothing(database_url, kills):
    """After kill -9 all acknowledged rows and messages are there, and a start takes ≤ 5 s."""
    found = kill(database_url, kills)
    assert found["acknowledged"] > 2 * kills
    assert (found["lost"], found["unsent"], found["half_written"]) == (0, 0, 0)
    assert found["sound"]
    assert found["slowest_start_s"] <= 5
