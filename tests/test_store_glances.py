"""Counts that pages show at a glance, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from leadml.leads.vocabulary import Outcome
from leadml.service.recount import recount
from leadml.store import Report, Store
from tests import stored

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def test_traffic_is_counted_by_week_and_stage(store: Store) -> None:
    """Decisions of each week stand under the stage that was proposed; others stay out."""
    moments = [MONDAY, MONDAY + timedelta(days=6.9), MONDAY - timedelta(days=7),
               MONDAY - timedelta(microseconds=1), MONDAY - timedelta(days=15),
               MONDAY + timedelta(days=7)]  # fmt: skip
    for i, at in enumerate(moments):
        store.record_decisions([stored.decision(f"L{i}", 0.3 if i % 2 else 0.01, at=at)])
    found = store.glances.traffic(monday=MONDAY, weeks=2)
    assert [week["week"] for week in found] == ["2026-11-09", "2026-11-16"]
    assert [week["scored"] for week in found] == [2, 2]
    assert found[1]["cold"] == 1


def test_stages_and_explanations_are_told(store: Store) -> None:
    """Leads are counted where they stand; attributes and values come back by lead."""
    store.record_decisions([stored.decision("A", 0.9), stored.decision("B", 0.01)])
    assert sum(store.glances.stages().values()) == 2
    assert set(store.glances.attributes(["A", "B", "none"])) == {"A", "B"}
    assert store.glances.explained([]) == {}
    assert store.glances.values("nothing") == []


def test_answers_count_what_sales_said_after_the_proposal(store: Store) -> None:
    """Accepted, rejected by reason, and not yet answered add up to the proposals."""
    now = datetime.now(UTC)
    at = now - timedelta(days=3)
    for name in ("A", "B", "C", "D"):
        store.record_decisions([stored.decision(name, 0.9, at=at)])
    later = now - timedelta(days=1)
    store.record_reports(
        [
            Report("A", Outcome.ACCEPTED, later),
            Report("B", Outcome.REJECTED, later, reason="No budget"),
            Report("C", Outcome.REJECTED, at - timedelta(days=1), reason="Earlier"),
        ]
    )
    found = store.glances.answers(now - timedelta(days=28))
    assert found["accepted"] == 1
    assert found["rejected"] == {"No budget": 1}
    assert found["proposed"] == found["accepted"] + 1 + found["unanswered"]


def test_a_lead_crosses_a_line_once(store: Store) -> None:
    """The first score at or above the line counts, within the time, whatever came later."""
    for days, lead, chance in (
        (1, "A", 0.1),
        (2, "A", 0.3),
        (3, "A", 0.5),
        (4, "B", 0.2),
        (5, "C", 0.29),
        (9, "D", 0.9),
    ):
        at = MONDAY + timedelta(days=days)
        store.record_decisions([stored.decision(lead, chance, at=at)])
    week = {"since": MONDAY, "until": MONDAY + timedelta(days=7)}
    crossed = sorted(store.glances.crossed(0.2, **week))
    assert crossed == [MONDAY + timedelta(days=days) for days in (2, 4, 5)]
    assert store.glances.crossed(0.6, **week) == []
    late = {"since": MONDAY + timedelta(days=3), "until": MONDAY + timedelta(days=7)}
    assert sorted(store.glances.crossed(0.2, **late)) == crossed[1:]


def test_past_weeks_are_recounted_by_another_line(store: Store) -> None:
    """Each whole week has the leads that first reached the line in it; the present one has none."""
    assert recount(store, 0.2, MONDAY) == []
    now = MONDAY + timedelta(days=2)
    for i, (weeks, chance) in enumerate(
        ((-9, 0.3), (-6, 0.3), (-4, 0.3), (-4, 0.1), (-2, 0.2), (-1, 0.5), (0, 0.9))
    ):
        at = MONDAY + timedelta(days=7 * weeks + 1)
        store.record_decisions([stored.decision(f"L{i}", chance, at=at)])
    again = MONDAY - timedelta(days=5)
    store.record_decisions([stored.decision("L1", 0.9, at=again)])  # known above it before
    assert recount(store, 0.2, now) == [1, 0, 1, 1]
    assert recount(store, 0.05, now) == [2, 0, 1, 1]
    store.record_decisions([stored.decision("L0", 0.9, at=again)])  # long ago, but known
    assert recount(store, 0.2, now) == [1, 0, 1, 1]
