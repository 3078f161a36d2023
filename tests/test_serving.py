"""Serving: follows the champion, swaps it whole, keeps the old one when in doubt."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import BundleRejected, NoModel
from leadml.service.answers import answer
from leadml.service.serving import Served, Serving
from leadml.settings import Settings
from leadml.store import PolicyVersion
from tests import hand_made, held

OLD, NEW = held.bundle(-2.0), held.bundle(-1.0)
LEAD = hand_made.leads(1)[0]


def test_nothing_served_yet() -> None:
    """Without a champion there is no model, and the sentence says how to get one."""
    serving = Serving("leads", held.Held())
    assert not serving.refresh()
    with pytest.raises(NoModel) as caught:
        serving.current()
    assert "leadml train" in (caught.value.fix or "")
    assert serving.degraded is None


def test_moved_champion_is_taken() -> None:
    """A moved champion is served after the next look; one that did not move costs nothing."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    assert serving.refresh()
    before = serving.current()
    assert not serving.refresh()
    assert serving.current() is before
    pointer.move("2", NEW)
    assert serving.refresh()
    assert serving.current().versions == ("leads@2", "1")


def test_failure_keeps_the_old() -> None:
    """When looking fails the old model answers and degraded says why, until it works again."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    serving.refresh()
    pointer.fail = BundleRejected("golden rows differ")
    assert not serving.refresh()
    assert serving.current().version == "1"
    assert serving.degraded == "bundle_rejected: golden rows differ"
    pointer.fail = None
    serving.refresh()
    assert serving.degraded is None


def test_pointer_tells_why_it_is_behind() -> None:
    """What the pointer itself knows of its troubles is passed on."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    pointer.degraded = "the registry does not answer"
    assert serving.degraded == "the registry does not answer"


def test_an_answer_is_never_mixed() -> None:
    """While the champion moves back and forth, each answer's figures are its version's own."""
    by_base = {"1": Served.of("leads", "1", OLD), "2": Served.of("leads", "2", NEW)}
    expected = {
        f"leads@{version}": answer(one.scorer, one.policy, one.versions, "x", LEAD)
        for version, one in by_base.items()
    }
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    serving.refresh()
    wrong: list[object] = []
    seen: set[str] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            one = serving.current()
            found = answer(one.scorer, one.policy, one.versions, "x", LEAD)
            seen.add(found["model_version"])
            if found != expected[found["model_version"]]:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        pointer.move(*(("2", NEW) if turn % 2 == 0 else ("1", OLD)))
        assert serving.refresh()
        time.sleep(0.002)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == set(expected)


def test_settings_name_the_champion(tmp_path: Path) -> None:
    """The environment's folder and name are followed; an empty folder is no fault."""
    tracking_uri = f"sqlite:///{tmp_path / 'none.db'}"
    serving = Serving.of(Settings(models_dir=str(tmp_path), tracking_uri=tracking_uri))
    assert not serving.refresh()
    with pytest.raises(NoModel):
        serving.current()
    serving.close()


def versions_of(*plans: dict[str, Any]) -> list[PolicyVersion]:
    """Versions of a policy, each with a plan."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return [
        PolicyVersion(number, {"plan": plan} if plan else {}, "anna", "", at)
        for number, plan in enumerate(plans, start=1)
    ]


def test_lines_follow_the_newest_policy() -> None:
    """The newest version draws the lines, of this model and of the next, in one step each."""
    one, two = versions_of({"capacity_per_week": 8}, {"capacity_per_week": 30})
    newest: list[PolicyVersion | None] = [None]
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    serving.follow_policy(lambda: newest[0])
    assert not serving.refresh_policy()
    serving.refresh()
    own = serving.current().policy
    newest[0] = one
    assert serving.refresh_policy()
    tight = serving.current()
    assert tight.versions == ("leads@1", "1")
    assert tight.policy.mql > own.mql
    assert not serving.refresh_policy()
    newest[0] = two
    assert serving.refresh_policy()
    assert serving.current().policy.mql < tight.policy.mql
    pointer.move("2", NEW)
    assert serving.refresh()
    moved = serving.current()
    assert (moved.versions, moved.plan.capacity_per_week) == (("leads@2", "2"), 30)
    assert moved.policy.expected[0].volume_per_week.value <= 30
    assert serving.swaps == 1


def test_policy_known_before_the_model() -> None:
    """A policy that is there before any model waits for it."""
    [one] = versions_of({"capacity_per_week": 8})
    pointer = held.Held()
    serving = Serving("leads", pointer)
    serving.follow_policy(lambda: one)
    assert serving.refresh_policy()
    pointer.move("1", OLD)
    serving.refresh()
    assert serving.current().versions == ("leads@1", "1")
    assert serving.current().plan.capacity_per_week == 8


def test_own_lines_hold_where_a_plan_cannot_be_applied() -> None:
    """Without the leads its lines were drawn on, or without a plan, a model keeps its lines."""
    [_, empty] = versions_of({"capacity_per_week": 8}, {})
    serving = Serving("leads", held.Held("1", OLD))
    serving.follow_policy(lambda: empty)
    serving.refresh()
    serving.refresh_policy()
    assert serving.current().policy == OLD.policy
    assert "holds no plan" in (serving.policy_problem or "")
    assert serving.degraded == serving.policy_problem
    [one] = versions_of({"capacity_per_week": 8})
    facts = {name: part for name, part in OLD.metrics.items() if name != "cohort"}
    old = Serving("leads", held.Held("1", replace(OLD, metrics=facts)))
    old.follow_policy(lambda: one)
    old.refresh_policy()
    old.refresh()
    assert old.current().policy == OLD.policy
    assert "train it again" not in (old.degraded or "")
    assert "plan_not_applicable" in (old.degraded or "")
