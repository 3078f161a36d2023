"""leadml.api.history: a past brought in over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leadml.api import document
from tests import hand_made
from tests.test_api_policies import World

LEAD = hand_made.leads(1)[0]
THEN = "2025-03-01T09:00:00Z"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The hand-made model and an empty SQLite."""
    found = World(f"sqlite:///{tmp_path / 'leadml.db'}")
    with found.client:
        yield found


def lead(lead_id: Any = "L1", as_of: Any = THEN, **more: Any) -> dict[str, Any]:
    """A lead of the past."""
    return {"lead_id": lead_id, "lead": LEAD, "as_of": as_of, **more}


def test_no_two_rooms_describe_the_same_name() -> None:
    """A schema or parameter of one room never hides that of another."""
    names: Counter[str] = Counter()
    for piece in document.PIECES:
        names.update(f"schema {name}" for name in piece.schemas)
        names.update(f"parameter {name}" for name in piece.parameters)
    assert [name for name, n in names.items() if n > 1] == []


def test_a_life_is_brought_in_quietly(world: World) -> None:
    """Stages and history stand as if leadml had been there; no message goes out."""
    body = {
        "leads": [lead(contact_consent=True), lead("L2", "2025-03-02T10:00:00+01:00")],
        "outcomes": [
            {"lead_id": "L1", "outcome": "accepted", "occurred_at": "2025-03-03T09:00:00Z"},
            {"lead_id": "L1", "outcome": "won", "occurred_at": "2025-04-03T09:00:00Z"},
            {"lead_id": "L2", "outcome": "rejected", "occurred_at": "2025-03-04T09:00:00Z"},
        ],
    }
    found = world.ok("POST", "/v1/history", json=body)
    world.fits("PastTaken", found)
    assert found["leads"] == {"accepted": 2, "duplicates": 0, "refused": 0}
    assert found["outcomes"] == {"accepted": 3, "duplicates": 0, "refused": 0}
    assert world.ok("GET", "/v1/leads/L1")["stage"] == "customer"
    assert world.ok("GET", "/v1/leads/L2")["stage"] == "nurture"
    store = world.client.app.state.memory.require()  # type: ignore[attr-defined]
    assert store.messages() == []
    again = world.ok("POST", "/v1/history", json=body)
    assert again["leads"] == {"accepted": 0, "duplicates": 2, "refused": 0}
    assert again["outcomes"] == {"accepted": 0, "duplicates": 3, "refused": 0}
    live = world.ok("POST", "/v1/score", json={"lead_id": "L3", "lead": LEAD})
    assert "imported" not in world.ok("GET", f"/v1/decisions/{live['decision_id']}")
    [record] = [d for d in store.decisions(sample=10) if d["lead_id"] == "L1"]
    assert (record["imported"], record["at"]) == (True, THEN)
    assert world.ok("GET", f"/v1/decisions/{record['decision_id']}")["imported"] is True


def test_one_bad_item_spoils_no_other(world: World) -> None:
    """What cannot be read is counted and named; the rest is recorded."""
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    body = {
        "leads": [
            lead(),
            lead("L2", later),
            lead("L3", "2025-03-01"),
            lead("L4", lead={"colour": "blue"}),
            {"lead_id": "L5", "lead": LEAD},
            lead("L6", contact_consent="yes"),
            lead("L7", colour="blue"),
            7,
        ],
        "outcomes": [
            {"lead_id": "L1", "outcome": "promoted"},
            {"lead_id": "L1", "outcome": "won", "occurred_at": THEN},
        ],
    }
    found = world.ok("POST", "/v1/history", json=body)
    world.fits("PastTaken", found)
    assert found["leads"] == {"accepted": 1, "duplicates": 0, "refused": 7}
    assert found["outcomes"] == {"accepted": 1, "duplicates": 0, "refused": 1}
    assert len(found["errors"]) == 8
    assert {error["code"] for error in found["errors"]} <= {
        "invalid_field", "unknown_field", "invalid_body",
    }  # fmt: skip


@pytest.mark.parametrize("body", [[], {}, {"leads": 3}, {"events": []}, {"leads": [lead()] * 1001}])
def test_foreign_bodies_are_refused(world: World, body: Any) -> None:
    """A body that is no past changes nothing."""
    assert world.client.post("/v1/history", json=body).status_code in (400, 413, 422)


def test_bringing_in_needs_the_widest_scope(world: World) -> None:
    """A key that may only score or report cannot rewrite the past."""
    store = world.client.app.state.memory.require()  # type: ignore[attr-defined]
    keys = {scope: store.create_key(scope, [scope])[0] for scope in ("score", "outcomes", "manage")}
    world.client.app.state.memory.look()  # type: ignore[attr-defined]
    for scope, key in keys.items():
        answer = world.client.post(
            "/v1/history", json={"leads": [lead()]}, headers={"X-API-Key": key}
        )
        assert answer.status_code == (200 if scope == "manage" else 403)
