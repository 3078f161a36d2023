"""leadml.service.replaying: past decisions computed again, to the last bit."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from leadml.api.app import create_app
from leadml.cli.app import app
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.service.replaying import Replayer
from leadml.settings import Settings
from leadml.store import Store
from tests import hand_made

BASES = {"1": -2.0, "2": -1.3, "3": -2.7}


class Past:
    """Decisions of three champions under three policies, as a server recorded them."""

    def __init__(self, folder: Path, n: int, database_url: str) -> None:
        self.models = folder / "models"
        self.settings = Settings(
            models_dir=str(self.models), tracking_uri="", database_url=database_url,
            champion_poll_s=0.05, max_jobs=0,
        )  # fmt: skip
        self.digests = {
            version: hand_made.bundle(self.models / "leads" / version, base=base)
            for version, base in BASES.items()
        }
        self.promote("1")
        leads = hand_made.leads(n, seed=3)
        with TestClient(create_app(self.settings)) as client:
            third = n // 3
            self.score(client, leads[:third], "1")
            client.put("/v1/policy", json={"capacity_per_week": 9}).raise_for_status()
            self.promote("2")
            self.wait(client, "leads@2")
            self.score(client, leads[third : 2 * third], "2")
            client.put("/v1/policy", json={"basis": "precision", "mql_precision": 0.3})
            self.promote("3")
            self.wait(client, "leads@3")
            self.score(client, leads[2 * third :], "3")

    def promote(self, version: str) -> None:
        """Make a version the champion."""
        write_pointer(self.models, "leads", Named(version, self.digests[version]))

    def wait(self, client: TestClient, version: str) -> None:
        """Wait until a version is served."""
        end = time.monotonic() + 20
        while client.get("/v1/model").json()["model_version"] != version:
            assert time.monotonic() < end
            time.sleep(0.02)

    def score(self, client: TestClient, leads: list[dict[str, Any]], part: str) -> None:
        """Score half of the leads one by one, half of them together, oddly spelled ones too."""
        half = len(leads) // 3
        for place, lead in enumerate(leads[:half]):
            spelled = dict(lead)
            if place % 3 == 0:
                spelled["employees"] = str(lead.get("employees", ""))
            if place % 3 == 1:
                spelled["colour"] = "blue"
            body = {"lead_id": f"{part}-{place}", "lead": spelled}
            client.post(f"/v1/score?reasons={place % 4}", json=body).raise_for_status()
        many = [
            {"lead_id": f"{part}+{place}", "lead": lead} for place, lead in enumerate(leads[half:])
        ]
        for start in range(0, len(many), 500):
            body = {"leads": many[start : start + 500]}
            client.post("/v1/scores", json=body).raise_for_status()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """1,500 decisions, written once."""
    folder = tmp_path_factory.mktemp("replay")
    return Past(folder, 1500, f"sqlite:///{folder / 'leadml.db'}")


@pytest.fixture
def store(past: Past) -> Iterator[Store]:
    """What the server wrote."""
    found = Store(past.settings.database_url)
    yield found
    found.close()


def test_a_thousand_decisions_replay_to_the_same_bits(past: Past, store: Store) -> None:
    """After two promotions and two changes of policy nothing differs in any bit."""
    records = store.decisions(sample=1000)
    found = Replayer(past.settings).replay_all(records)
    assert (found["n"], found["n_same"], found["different"]) == (1000, 1000, [])
    assert set(found["versions"]) == {"leads@1", "leads@2", "leads@3"}
    assert {record["policy_version"] for record in records} == {"1", "2", "3"}
    assert len({record["mql_line"] for record in records}) == 3


@pytest.mark.parametrize(
    "name", ["log_odds", "contributions", "score", "grade", "probability", "fit_score"]
)
def test_one_bit_is_noticed(past: Past, store: Store, name: str) -> None:
    """A record that was touched in its last bit differs, and the name of the field is told."""
    [record] = store.decisions(sample=1)
    value = record[name]
    if name == "contributions":
        record[name] = [*value[:-1], float(np.nextafter(value[-1], 9))]
    elif isinstance(value, float):
        record[name] = float(np.nextafter(value, 9))
    else:
        record[name] = "E" if name == "grade" else value + 1
    found = Replayer(past.settings).replay(record)
    assert list(found.differences) == [name]
    assert not found.same


def test_a_bundle_that_is_gone_or_another_is_said(past: Past, store: Store, tmp_path: Path) -> None:
    """Without the very bundle of the record nothing is claimed to be the same."""
    models = tmp_path / "models"
    shutil.copytree(past.models, models)
    shutil.rmtree(models / "leads" / "2")
    shutil.rmtree(models / "leads" / "3")
    shutil.copytree(models / "leads" / "1", models / "leads" / "3")
    settings = past.settings.model_copy(update={"models_dir": str(models)})
    found = Replayer(settings).replay_all(store.decisions(since=None))
    assert found["n"] == 1000  # a page
    known = found["versions"].get("leads@1", 0)
    assert found["n_same"] == known > 0
    assert found["n_not_replayed"] == 1000 - known > 0
    fetched = []

    def fetch(name: str, version: str) -> Path:
        fetched.append((name, version))
        return past.models / name / version

    again = Replayer(settings, fetch).replay_all(store.decisions(sample=300))
    assert again["n_same"] == again["n"] == 300
    assert sorted(fetched) == [("leads", "2"), ("leads", "3")]  # each fetched once


def run(past: Past, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a command."""
    found = CliRunner().invoke(
        app, ["replay", *words, "--json"], env=past.settings.environment(), catch_exceptions=False
    )
    return found.exit_code, json.loads(found.stdout)


def test_command_ends_with_what_it_found(past: Past, store: Store) -> None:
    """Exit code 0 for the same bits, 1 for a difference, an unknown id or no memory."""
    code, told = run(past, "--sample", "50")
    assert (code, told["n_same"], told["same"]) == (0, 50, True)
    code, told = run(past, "--since", "2020-01-01")
    assert (code, told["n_same"]) == (0, 1500)
    ids = [record["decision_id"] for record in store.decisions(sample=3)]
    code, told = run(past, *ids)
    assert (code, told["n"]) == (0, 3)
    code, told = run(past, *ids, "dec_unknown")
    assert (code, told["n_unknown"], told["same"]) == (1, 1, False)
    code, told = run(past, "--since", "2099-01-01")
    assert (code, told["sentence"]) == (1, "There are no such decisions.")


def test_command_tells_a_difference(tmp_path: Path) -> None:
    """A record edited in the database fails the command."""
    import sqlite3

    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    past = Past(tmp_path, 30, url)
    with sqlite3.connect(tmp_path / "leadml.db") as database:
        database.execute(
            "UPDATE decisions SET log_odds = log_odds + 1e-12 WHERE decision_id = "
            "(SELECT min(decision_id) FROM decisions)"
        )
    database.close()
    code, told = run(past, "--sample", "30")
    assert (code, told["n_different"], told["n_same"]) == (1, 1, 29)
    assert list(told["different"][0]["differences"]) == ["log_odds"]
