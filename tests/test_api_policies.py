"""leadml.api.policies: lines read, tried and changed over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient
from stored import listen

from leadml.api.app import create_app
from leadml.api.document import document_of
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import hand_made, held

OLD, NEW = held.bundle(-2.0), held.bundle(-1.0)
LEAD = hand_made.leads(1)[0]


class World:
    """A server with a memory, whose champion a test can move."""

    def __init__(self, database_url: str) -> None:
        self.pointer = held.Held("7", OLD)
        self.serving = Serving("leads", self.pointer)
        self.serving.refresh()
        settings = Settings(database_url=database_url, max_body_bytes=100_000, max_jobs=0)
        self.client = TestClient(create_app(settings, self.serving))

    def ok(self, method: str, path: str, **more: Any) -> Any:
        """The answer of a request that must succeed."""
        response = self.client.request(method, path, **more)
        assert response.status_code == 200, response.text
        return response.json()

    def fits(self, schema: str, data: Any) -> None:
        """Hold an answer against the OpenAPI document."""
        document = document_of(self.serving.current())
        root = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        errors = [e.message for e in jsonschema.Draft202012Validator(root).iter_errors(data)]
        assert errors == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The hand-made model and an empty SQLite."""
    found = World(f"sqlite:///{tmp_path / 'leadml.db'}")
    with found.client:
        yield found


def test_change_is_served_and_remembered(world: World) -> None:
    """A new version holds at once, keeps the one before it, and names who wrote it."""
    before = world.ok("GET", "/v1/policy")
    world.fits("Policy", before)
    assert (before["policy_version"], before["mql"]) == ("1", 0.2)
    assert before["expected_on"] == "training"
    assert "author" not in before
    assert world.ok("GET", "/v1/policy/versions") == {"versions": []}

    plan = {"basis": "capacity", "capacity_per_week": 8, "note": "Two people only.", "after": "1"}
    changed = world.ok("PUT", "/v1/policy", json=plan)
    world.fits("Policy", changed)
    assert changed["policy_version"] == "2"
    assert changed["plan"] == {"basis": "capacity", "capacity_per_week": 8}
    assert changed["expected"][0]["volume_per_week"]["value"] <= 8
    assert changed["note"] == "Two people only."
    assert world.ok("GET", "/v1/policy") == changed
    scored = world.ok("POST", "/v1/score", json={"lead_id": "L1", "lead": LEAD})
    assert scored["policy_version"] == "2"

    told = world.ok("GET", "/v1/policy/versions")
    world.fits("PolicyVersions", told)
    assert [(v["policy_version"], v["author"]) for v in told["versions"]] == [
        ("2", "anybody on this machine"),
        ("1", "training"),
    ]
    assert told["versions"][1]["mql"] == 0.2

    late = world.client.put("/v1/policy", json=plan)
    assert (late.status_code, late.json()["code"]) == (409, "policy_overtaken")


def test_receivers_are_told_of_a_change(world: World) -> None:
    """The message stands in the transaction of the change."""
    store = world.client.app.state.memory.require()  # type: ignore[attr-defined]
    listen(store)
    world.ok("PUT", "/v1/policy", json={"capacity_per_week": 5, "note": "fewer"})
    [told] = [m for m in store.messages() if m["type"] == "policy.changed"]
    data = told["payload"]["data"]
    assert data["policy_version"] == "2"
    assert data["previous_policy_version"] == "1"
    assert (data["note"], data["capacity_per_week"]) == ("fewer", 5)
    assert store.broken_audit_links() == []


def test_plan_stays_when_the_champion_changes(world: World) -> None:
    """Another model keeps the plan and gets lines of its own."""
    first = world.ok("PUT", "/v1/policy", json={"capacity_per_week": 8})
    world.pointer.move("8", NEW)
    world.serving.refresh()
    second = world.ok("GET", "/v1/policy")
    assert (second["model_version"], second["policy_version"]) == ("leads@8", "2")
    assert second["plan"] == first["plan"]
    assert second["mql"] > first["mql"]
    for found in (first, second):
        assert 6 < found["expected"][0]["volume_per_week"]["value"] <= 8


def test_other_processes_follow_within_a_second(world: World, tmp_path: Path) -> None:
    """A second server on the same database serves a change that the first one made."""
    other = World(f"sqlite:///{tmp_path / 'leadml.db'}")
    with other.client:
        took = []
        for version, capacity in (("2", 3), ("3", 4)):
            changed = world.ok("PUT", "/v1/policy", json={"capacity_per_week": capacity})
            started = time.monotonic()
            while other.ok("GET", "/v1/policy")["policy_version"] != version:
                assert time.monotonic() - started < 20, "not followed"
                time.sleep(0.01)
            took.append(time.monotonic() - started)
            assert other.ok("GET", "/v1/policy") == changed
        assert min(took) < 1.0
    third = World(f"sqlite:///{tmp_path / 'leadml.db'}")
    with third.client:  # one that starts later serves it from its first answer on
        assert third.ok("GET", "/v1/policy")["policy_version"] == "3"


def test_preview_changes_nothing(world: World) -> None:
    """Both settings are told on the same leads, with intervals, and the lines stay."""
    asked = {"basis": "value", "value": 900, "cost_mql": 60, "capacity_per_week": 30}
    found = world.ok("POST", "/v1/policy/preview", json=asked)
    world.fits("Preview", found)
    assert found["looked_at"]["source"] == "training"
    assert found["looked_at"]["n_leads"] == 2000
    assert found["setting"]["expected_on"] == found["current"]["expected_on"] == "training"
    for setting in (found["setting"], found["current"]):
        for expectation in setting["expected"]:
            for name in ("volume_per_week", "precision", "conversions_per_week", "value_per_week"):
                figure = expectation[name]
                assert figure["low"] <= figure["value"] <= figure["high"]
    assert found["current"]["mql"] == 0.2
    assert found["setting"]["mql"] != 0.2
    assert world.ok("GET", "/v1/policy")["mql"] == 0.2


def test_preview_says_what_a_change_would_do(world: World) -> None:
    """The lines of the preview are those of the change."""
    plan = {"basis": "precision", "mql_precision": 0.3}
    tried = world.ok("POST", "/v1/policy/preview", json=plan)["setting"]
    changed = world.ok("PUT", "/v1/policy", json=plan)
    assert {name: changed[name] for name in ("mql", "sql", "nurture", "reason")} == {
        name: tried[name] for name in ("mql", "sql", "nurture", "reason")
    }
    assert changed["expected"] == tried["expected"]


def test_curve_holds_the_line_in_force(world: World) -> None:
    """The curve and the policy say the same of the same line."""
    world.ok("PUT", "/v1/policy", json={"capacity_per_week": 8})
    policy = world.ok("GET", "/v1/policy")
    found = world.ok("GET", "/v1/policy/curve?value=100&cost=5")
    world.fits("Curve", found)
    curve = found["curve"]
    at = curve["cutoff"].index(next(c for c in curve["cutoff"] if c <= found["mql"]))
    near = curve["volume_per_week"]["value"][at]
    assert near == pytest.approx(policy["expected"][0]["volume_per_week"]["value"], abs=1.5)
    assert len(curve["value_per_week"]["low"]) == len(curve["cutoff"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "invalid_body"),
        ({"speed": 3}, "unknown_field"),
        ({"basis": "luck"}, "invalid_field"),
        ({"capacity_per_week": "many"}, "invalid_field"),
        ({"capacity_per_week": 0}, "invalid_field"),
        ({"capacity_per_week": 1e300}, "invalid_field"),
        ({"basis": "value", "value": 3}, "invalid_field"),
        ({"basis": "precision", "mql_precision": 1.5}, "invalid_field"),
        ({"note": 3}, "invalid_field"),
        ({"note": "x" * 501}, "invalid_field"),
        ({"after": "one"}, "invalid_field"),
        ({"after": 2.5}, "invalid_field"),
    ],
)
def test_foreign_plans_are_refused(world: World, body: Any, code: str) -> None:
    """What is no plan gets a problem that names the field and repeats no value."""
    response = world.client.put("/v1/policy", json=body)
    assert response.json()["code"] == code
    assert response.status_code in (400, 422)
    for value in ("luck", "many", "1e+300", "one"):
        assert value not in response.json()["detail"].split()
    assert world.ok("GET", "/v1/policy/versions") == {"versions": []}


@pytest.mark.parametrize(
    "query", ["?value=x", "?value=-1", "?cost=nan", "?value=1&value=2", "?x=1"]
)
def test_foreign_queries_are_refused(world: World, query: str) -> None:
    """The curve takes a value and a cost, nothing else."""
    assert world.client.get("/v1/policy/curve" + query).status_code == 422


def test_without_memory_lines_hold_and_can_be_tried() -> None:
    """A scorer that remembers nothing shows its lines and refuses to change them."""
    found = World("")
    with found.client:
        assert found.ok("GET", "/v1/policy")["policy_version"] == "1"
        assert found.ok("POST", "/v1/policy/preview", json={"capacity_per_week": 5})
        refused = found.client.put("/v1/policy", json={"capacity_per_week": 5})
        assert (refused.status_code, refused.json()["code"]) == (503, "memory_off")
        assert found.client.get("/health/ready").status_code == 200
