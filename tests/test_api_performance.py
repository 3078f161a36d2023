"""leadml.api.performance: the live truth over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import test_watching
from tests.test_api_policies import World


def test_answer_fits_the_document(tmp_path: Path) -> None:
    """With matured leads, drift and proposals the answer is what the document says."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    memory = test_watching.World(url, datetime.now(UTC))
    memory.live(800, (120, 61))
    memory.live(300, (20, 0), prefix="new")
    memory.memory.close()
    world = World(url)
    with world.client:
        found = world.ok("GET", "/v1/performance?weeks=26")
        world.fits("Performance", found)
        assert found["n_leads"] > 700
        assert None not in found.values()
        assert world.ok("GET", "/v1/performance")["from"] > found["from"]


def test_empty_memory_and_none(tmp_path: Path) -> None:
    """Nothing matured is told as such; without a memory the route says so."""
    world = World(f"sqlite:///{tmp_path / 'leadml.db'}")
    with world.client:
        found = world.ok("GET", "/v1/performance")
        world.fits("Performance", found)
        assert found["verdict"]["rule"] == "nothing_matured"
    without = World("")
    with without.client:
        refused = without.client.get("/v1/performance")
        assert (refused.status_code, refused.json()["code"]) == (503, "memory_off")


@pytest.mark.parametrize("query", ["weeks=0", "weeks=105", "weeks=x", "weeks=1&weeks=2", "w=3"])
def test_foreign_queries_are_refused(query: str) -> None:
    """The route takes a number of weeks, nothing else."""
    world = World("")
    with world.client:
        assert world.client.get(f"/v1/performance?{query}").status_code == 422
