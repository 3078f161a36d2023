"""Every code block of the guides in docs/crm runs, and prints what the guide shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadml.settings import Settings
from tests import crms, guides, held
from tests.http_server import serve
from tests.receiver import Receiver

GUIDES = Path(__file__).parents[1] / "docs" / "crm"


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A running server with a model and a memory, and what a shell beside it needs."""
    database = f"sqlite:///{tmp_path / 'leadml.db'}"
    monkeypatch.chdir(tmp_path)
    settings = Settings(database_url=database, webhook_allow="127.0.0.1")
    with serve(settings, held.serving()) as address:
        yield {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LEADML_DATABASE_URL": database,
            "LEADML_WEBHOOK_ALLOW": "127.0.0.1",
            "SERVED": address,
        }


def put(served: str, **more: str) -> dict[str, str]:
    """What stands in the guides, and what stands for it here."""
    return {
        "http://127.0.0.1:8000": served,
        "https://leads.example.com": served,
        "leads.example.com": served.removeprefix("http://"),
        **more,
    }


def test_readme(tmp_path: Path, surroundings: dict[str, str]) -> None:
    """The client that the overview generates has the parts of the API."""
    guides.walk(GUIDES / "README.md", tmp_path, surroundings, put(surroundings["SERVED"]))
    assert (tmp_path / "leadml_client" / "api" / "scoring" / "score.py").is_file()


@pytest.mark.parametrize(
    ("name", "address", "event"),
    [
        ("curl", "https://crm.example.com", "lead.became_sql"),
        ("zapier", "https://hooks.zapier.com", "lead.became_mql"),
    ],
)
def test_guides_of_plain_receivers(
    name: str, address: str, event: str, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """Scores, outcomes and refusals are as shown, and the receiver is told."""
    receiver = Receiver()
    try:
        here = put(surroundings["SERVED"], **{address: receiver.url})
        guides.walk(GUIDES / f"{name}.md", tmp_path, surroundings, here)
        assert event in {call.json["type"] for call in receiver.calls}
    finally:
        receiver.close()


def test_hubspot(tmp_path: Path, surroundings: dict[str, str]) -> None:
    """The custom code runs as it stands, and the contact has its properties."""
    with crms.HubSpot() as crm:
        crm.records["152"] = {"email": "ada@customer.example"}
        here = put(
            surroundings["SERVED"], **{"https://api.hubapi.com": crm.url, "pat-eu1-0000": crm.token}
        )
        guides.walk(GUIDES / "hubspot.md", tmp_path, surroundings, here)
        assert crm.records["152"]["leadml_stage"] == "mql"
        assert "source Referral" in crm.records["152"]["leadml_reasons"]


def test_salesforce(tmp_path: Path, surroundings: dict[str, str]) -> None:
    """What a flow sends is answered as shown, and the record has its fields."""
    with crms.Salesforce() as crm:
        crm.records["00QWU000001ABCE2A4"] = {}
        here = put(surroundings["SERVED"], **{"https://acme.my.salesforce.com": crm.url})
        guides.walk(GUIDES / "salesforce.md", tmp_path, surroundings, here)
        assert crm.records["00QWU000001ABCE2A4"]["leadml_Stage__c"] == "mql"


def test_dynamics(tmp_path: Path, surroundings: dict[str, str]) -> None:
    """What a connector sends is answered as shown, and the native score is kept."""
    with crms.Dynamics() as crm:
        here = put(surroundings["SERVED"], **{"https://acme.crm.dynamics.com": crm.url})
        here["--kind dynamics"] = (
            f"--kind dynamics --option token_url={crm.url}/contoso/oauth2/v2.0/token"
        )
        guides.walk(GUIDES / "dynamics.md", tmp_path, surroundings, here)
        assert crm.records["lead:7b1c2a54-9be1-4d34-8f70-5f0c2a9be1d4"]["msdyn_score"] > 80
