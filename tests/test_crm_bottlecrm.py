"""The real BottleCRM beside leadml: the round trip, and every block of its guide."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from serve.crm import walk
from serve.crm.bottlecrm import Crm, NoCrm, environment, free_port, newer_python, running, until
from tests import guides

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def commands() -> Path:
    """BottleCRM's own environment; skipped where it cannot be installed."""
    try:
        return environment(ROOT / walk.INSTALLED)
    except NoCrm as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def walked(
    commands: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, float]]:
    """The folder of a walk that went all the way, and its seconds."""
    folder = tmp_path_factory.mktemp("walk")
    return folder, walk.round_trip(folder)


def test_the_round_trip(walked: tuple[Path, dict[str, float]]) -> None:
    """Leads typed into the CRM are scored there; the one that is won is a customer in both."""
    folder, seconds = walked
    said = (folder / "bridge.log").read_text("utf-8")
    assert said.count("wrote score") == walk.SENT
    assert [said.count(f"reported {word}\n") for word in ("accepted", "opportunity", "won")] == [
        1,
        1,
        1,
    ]
    assert seconds["score, stage and reasons stand in every lead"] < 150


def test_every_block_of_the_guide_runs(
    commands: Path, walked: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    """The guide, followed by hand on an empty CRM, ends with a customer on both sides."""
    folder, _ = walked
    (folder / "leadml.db").unlink()
    near = f"http://127.0.0.1:{free_port()}"
    with walk.served(folder) as leadml, running(commands, tmp_path / "crm", near) as crm:
        crm.sign_in("sam@example.com")
        crm.call("POST", "/api/org/", {"name": "Acme"})
        crm.sign_in("sam@example.com", "Acme")
        surroundings = {
            **walk.surroundings(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CRM_SESSION": crm.token,
        }
        here = {
            "https://leads.example.com": leadml,
            "https://crm.example.com": crm.url,
            "https://bridge.example.com": near,
            "8200": near.rpartition(":")[2],
            "serve/crm/bridge.py": str(ROOT / "serve" / "crm" / "bridge.py"),
        }
        guide = ROOT / "docs" / "crm" / "bottlecrm.md"
        assert guides.walk(guide, tmp_path, surroundings, here) > 8


def test_what_failed_once_is_sent_again(
    commands: Path, walked: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    """A lead that was typed in while the bridge was down gets its score when it is up."""
    folder, _ = walked
    (folder / "leadml.db").unlink(missing_ok=True)
    near = f"http://127.0.0.1:{free_port()}"
    row = dict.fromkeys((*walk.OWN, *walk.TEXTS, *walk.NUMBERS), "") | {"employees": "240"}
    with walk.served(folder) as leadml, running(commands, tmp_path / "crm", near) as crm:
        token, secret = walk.set_up(crm, near)
        lead_id = walk.type_in(crm, 0, row)
        log = until("a failed delivery", lambda: [one for one in log_of(crm) if one["attempts"]])
        assert (log[0]["status"], log[0]["error"]) == (
            "pending",
            "Could not connect to the endpoint.",
        )
        with walk.bridged(folder, near, leadml, "", crm, token, secret):
            look = f"/api/leads/{lead_id}/"
            until(
                "a score",
                lambda: crm.call("GET", look)["lead_obj"]["custom_fields"].get("leadml_score"),
            )
            until("the delivery", lambda: log_of(crm)[-1]["status"] == "succeeded")


def log_of(crm: Crm) -> list[dict[str, Any]]:
    """The CRM's own log of its webhook, newest first."""
    hook = crm.call("GET", "/api/webhooks/")["endpoints"][0]["id"]
    return list(crm.call("GET", f"/api/webhooks/{hook}/deliveries/")["results"])


def test_a_python_that_is_new_enough() -> None:
    """The interpreter found for BottleCRM is 3.12 or newer, or there is none."""
    found = newer_python()
    assert found is None or Path(found).name.startswith("python")
