"""leadml.service.watching: the live truth from a real memory, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from stored import listen

from leadml.leads.vocabulary import Outcome
from leadml.service.memory import Memory
from leadml.service.past import FEWEST_LEADS, Past, horizon_of
from leadml.service.policies import Policies
from leadml.service.serving import Serving
from leadml.service.watching import Watch
from leadml.settings import Settings
from leadml.store import Decision, Report
from tests import hand_made, held
from tests.test_drift import moved

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


class World:
    """A hand-made model with a memory whose clock a test sets."""

    def __init__(self, database_url: str, now: datetime = NOW) -> None:
        self.now = now
        self.memory = Memory(Settings(database_url=database_url))
        self.store = self.memory.open()
        self.pointer = held.Held("7", held.bundle())
        self.serving = Serving("leads", self.pointer)
        self.serving.refresh()
        self.serving.follow_policy(self.memory.policy)
        self.past = Past(self.memory, lambda: now)
        self.watch = Watch(self.past)
        self.policies = Policies(self.memory, self.serving, self.past)

    def live(
        self,
        n: int,
        days_ago: tuple[float, float],
        *,
        factor: float = 1.0,
        leads: list[dict[str, Any]] | None = None,
        prefix: str = "L",
    ) -> None:
        """Score leads over a span of the past and let some of them convert."""
        rng = np.random.default_rng(n)
        served = self.serving.current()
        chosen = leads or hand_made.leads(n, seed=n)
        decisions, reports = [], []
        first, last = days_ago
        for place, lead in enumerate(chosen):
            at = self.now - (first + (last - first) * place / n) * DAY
            scored = served.scorer.one(lead)
            p = float(f"{scored.probability:.4g}")
            stage = served.policy.stage_of(p)
            decisions.append(
                Decision(
                    lead_id=f"{prefix}{place}", inputs=lead, probability=p,
                    log_odds=scored.log_odds, contributions=scored.contributions, score=50,
                    grade=served.policy.grade_of(p), proposed_stage=str(stage),
                    nurture_line=served.policy.nurture, mql_line=served.policy.mql,
                    sql_line=served.policy.sql, model_version=served.versions.model,
                    policy_version=served.versions.policy, bundle_digest=served.digest, at=at,
                )
            )  # fmt: skip
            odds = factor * p / (1 - p)
            when = at + rng.uniform(1, 59) * DAY
            if rng.random() < odds / (1 + odds) and when < self.now:
                reports.append(Report(f"{prefix}{place}", Outcome.WON, when))
        for start in range(0, n, 1000):
            self.store.record_decisions(decisions[start : start + 1000])
        self.store.record_reports(reports)


@pytest.fixture
def world(database_url: str):
    """The world on an empty database, closed afterwards."""
    found = World(database_url)
    yield found
    found.memory.close()


def test_a_true_model_needs_no_look(world: World) -> None:
    """Right chances, steady leads, room for all: trusted, with figures by week and stage."""
    world.live(2500, (140, 61))
    world.live(600, (27, 0), prefix="new")
    found = world.watch.report(world.serving.current())
    assert found["verdict"]["word"] in ("trust", "provisional")  # learned from 80 conversions
    assert (found["signals"], found["needs_look"]) == ([], False)
    assert found["horizon_days"] == horizon_of(world.serving.current()).days == 60
    assert 2400 <= found["n_leads"] <= 2500
    assert sum(part["n"] for part in found["weeks"]) == found["n_leads"]
    assert {part["stage"] for part in found["stages"]} == {"sql", "mql", "nurture", "cold"}
    assert found["drift"]["probability"]["word"] == "steady"
    assert found["drift"]["probability"]["n_now"] == 600
    assert world.watch.report(world.serving.current()) is found  # counted once a minute


def test_what_changed_is_signalled(world: World) -> None:
    """A world with twice the odds and other leads: each is named with its figures."""
    world.live(2500, (140, 61), factor=2.5)
    world.live(600, (27, 0), leads=moved(600), prefix="new")
    found = world.watch.report(world.serving.current())
    codes = {signal["code"] for signal in found["signals"]}
    assert "shifted" in codes
    assert found["needs_look"]
    predicted, observed = (
        sum(part[name] * part["n"] for part in found["weeks"]) for name in ("predicted", "observed")
    )
    assert observed > 1.3 * predicted
    words = {part["word"] for part in found["stages"]}
    assert "look" in words


def test_empty_memory_says_so(world: World) -> None:
    """Before anything has matured nothing is claimed."""
    found = world.watch.report(world.serving.current())
    assert found["verdict"]["rule"] == "nothing_matured"
    assert (found["n_leads"], found["signals"]) == (0, [])
    assert found["capacity"]["weeks"] == []


def test_settings_are_tried_on_matured_weeks(world: World) -> None:
    """With enough decisions the preview counts them, and agrees with a count by hand."""
    world.live(2400, (144, 60.1))
    world.live(1714, (60, 0), prefix="new")
    asked = {"capacity_per_week": 20, "value": 100}
    found = world.policies.preview(asked)
    looked = found["looked_at"]
    assert looked["source"] == found["setting"]["expected_on"] == "decisions"
    assert world.policies.current()["expected_on"] == "training"  # told apart, as figures differ
    assert looked["model_versions"] == {"leads@7": looked["n_leads"]}
    assert looked["leads_per_week"] == pytest.approx(200, rel=0.02)
    assert looked["n_leads"] == pytest.approx(2400, abs=15)
    line = found["setting"]["mql"]
    first = world.store.followed(
        since=datetime.fromisoformat(looked["from"]), until=datetime.fromisoformat(looked["to"]),
        as_of=NOW,
    )  # fmt: skip
    above = np.array(first.probability) >= line
    won = np.array(
        [d is not None and d <= 60 * DAY / timedelta(microseconds=1) for d in first.delay_us]
    )
    mql = found["setting"]["expected"][0]
    weeks = looked["n_leads"] / looked["leads_per_week"]
    assert mql["volume_per_week"]["value"] == pytest.approx(above.sum() / weeks)
    assert mql["precision"]["value"] == pytest.approx(won[above].mean())
    assert mql["value_per_week"]["value"] == pytest.approx(100 * won[above].sum() / weeks)
    # 200 leads a week come in, more than the 80 of the training: the line follows
    assert found["setting"]["plan"]["leads_per_week"] == pytest.approx(200, abs=3)
    assert mql["volume_per_week"]["value"] == pytest.approx(20, rel=0.35)
    assert "leads_per_week" not in found["current"]["plan"]


def test_few_matured_leads_leave_the_training(world: World) -> None:
    """Below the fewest leads the model's own cohort answers, and says so."""
    world.live(FEWEST_LEADS - 10, (100, 61))
    looked = world.policies.preview({"capacity_per_week": 20})["looked_at"]
    assert looked["source"] == "training"
    assert "too few recorded decisions" in looked["sentence"]


def test_flood_is_told_once_a_week(world: World) -> None:
    """Proposals beyond capacity make one message, however often anybody looks."""
    listen(world.store)
    world.live(3000, (20, 3.5))
    served = world.serving.current()
    world.policies.put({"capacity_per_week": 5, "leads_per_week": 1000}, author="anna", note="")
    assert not world.watch.alarm(world.serving.current()).exceeded  # the policy is new
    served = Serving("leads", world.pointer)
    served.refresh()
    tight = served.current().under(_since(world, NOW - 40 * DAY))
    room = world.watch.alarm(tight)
    assert room.exceeded
    assert room.proposals is not None
    assert room.proposals > 5
    world.watch.alarm(tight)
    told = [m for m in world.store.messages(10_000) if m["type"] == "capacity.exceeded"]
    assert len(told) == 1
    assert told[0]["payload"]["data"]["sentence"] == room.sentence
    found = world.watch.report(tight)
    assert [s["code"] for s in found["signals"] if s["code"].startswith("cap")] == [
        "capacity_exceeded"
    ]


def _since(world: World, at: datetime) -> Any:
    """The newest policy as if it had been written earlier."""
    from dataclasses import replace

    newest = world.store.policy()
    assert newest is not None
    return replace(newest, at=at)
