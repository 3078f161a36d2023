"""Decisions of many requests in shared groups: all answered, none acknowledged too early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from leadml.api.recorder import HAND_OVER_S, MOST_TOGETHER, Recorder
from leadml.errors import StorageFull, StoreUnavailable
from leadml.store import Decision, Recorded, Store
from leadml.store.lane import Writing
from tests.stored import decision


class ByHand:
    """A memory whose writes are finished by the test."""

    patience_s = 5.0

    def __init__(self) -> None:
        self.groups: list[tuple[Sequence[Decision], Writing]] = []
        self.fault: Exception | None = None

    def require(self) -> ByHand:
        if self.fault is not None:
            raise self.fault
        return self

    def submit_decisions(self, decisions: Sequence[Decision]) -> Writing:
        pending = Writing()
        self.groups.append((decisions, pending))
        return pending

    def finish(self, number: int) -> None:
        """Say that a group is durable."""
        decisions, pending = self.groups[number]
        pending.set_result(
            [Recorded(d.decision_id, d.proposed_stage, d.proposed_stage) for d in decisions]  # type: ignore[arg-type]
        )


def asked(recorder: Recorder, n: int, size: int = 1) -> list[asyncio.Task[Any]]:
    """So many requests at once."""
    return [
        asyncio.create_task(recorder.record([decision(f"L{k}-{j}") for j in range(size)]))
        for k in range(n)
    ]


async def settle() -> None:
    """Let everything that can happen now happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_store_that_hangs_stops_the_loop_for_a_moment_only() -> None:
    """The loop stands still while statements are built, and goes on without a sign of them."""

    async def scenario() -> float:
        memory = ByHand()
        tasks = asked(Recorder(memory), 3)  # type: ignore[arg-type]
        began = time.perf_counter()
        await settle()
        took = time.perf_counter() - began
        memory.finish(0)
        await asyncio.gather(*tasks)
        return took

    assert HAND_OVER_S <= asyncio.run(scenario()) < 40 * HAND_OVER_S


def test_requests_that_arrive_together_share_a_group() -> None:
    """What arrives while a group is written goes into the next; nobody is told early."""

    async def scene() -> None:
        memory = ByHand()
        recorder = Recorder(memory)  # type: ignore[arg-type]
        first = asked(recorder, 3)
        await settle()
        later = asked(recorder, 4)
        await settle()
        assert [len(decisions) for decisions, _ in memory.groups] == [3]
        assert not any(task.done() for task in first)
        memory.finish(0)
        await settle()
        assert all(task.done() for task in first)
        assert [len(decisions) for decisions, _ in memory.groups] == [3, 4]
        assert not any(task.done() for task in later)
        memory.finish(1)
        for task, (given, _) in zip(later, [memory.groups[1]] * 4, strict=True):
            (found,) = await task
            assert found.decision_id in {d.decision_id for d in given}

    asyncio.run(scene())


def test_each_request_gets_its_own() -> None:
    """Results are dealt out in the order of the requests, however many each has."""

    async def scene() -> None:
        memory = ByHand()
        recorder = Recorder(memory)  # type: ignore[arg-type]
        sizes = [1, 5, 2, MOST_TOGETHER, 3]
        given = [[decision(f"L{k}-{j}") for j in range(size)] for k, size in enumerate(sizes)]
        tasks = [asyncio.create_task(recorder.record(decisions)) for decisions in given]
        for number in range(3):
            await settle()
            memory.finish(number)
        for task, decisions in zip(tasks, given, strict=True):
            assert [r.decision_id for r in await task] == [d.decision_id for d in decisions]
        assert [len(decisions) for decisions, _ in memory.groups] == [8, MOST_TOGETHER, 3]

    asyncio.run(scene())


def test_fault_of_the_database_is_told_to_all_and_passes() -> None:
    """All of a group get the fault; the next group is tried anew."""

    async def scene() -> None:
        memory = ByHand()
        recorder = Recorder(memory)  # type: ignore[arg-type]
        tasks = asked(recorder, 2)
        await settle()
        memory.groups[0][1].set_exception(StorageFull("full"))
        for task in tasks:
            with pytest.raises(StorageFull):
                await task
        memory.fault = StoreUnavailable("down")
        (task,) = asked(recorder, 1)
        with pytest.raises(StoreUnavailable):
            await task
        memory.fault = None
        (task,) = asked(recorder, 1)
        await settle()
        memory.finish(1)
        assert await task

    asyncio.run(scene())


def test_stuck_write_holds_nobody_for_ever() -> None:
    """After the patience all are told; a result that comes later is told to nobody."""

    async def scene() -> None:
        memory = ByHand()
        recorder = Recorder(memory, patience_s=0.02)  # type: ignore[arg-type]
        tasks = asked(recorder, 2)
        await settle()
        memory.groups[0][1].set_running_or_notify_cancel()
        waiting = asked(recorder, 1)
        for task in tasks:
            with pytest.raises(StoreUnavailable):
                await task
        await settle()
        assert len(memory.groups) == 2
        memory.finish(0)
        await settle()
        memory.finish(1)
        assert await waiting[0]

    asyncio.run(scene())


def test_request_that_is_gone_spoils_no_other() -> None:
    """A cancelled request leaves its neighbours in the group their results."""

    async def scene() -> None:
        memory = ByHand()
        recorder = Recorder(memory)  # type: ignore[arg-type]
        gone, stays = asked(recorder, 2)
        await settle()
        gone.cancel()
        await settle()
        memory.finish(0)
        assert await stays
        (after,) = asked(recorder, 1)
        await settle()
        memory.finish(1)
        assert await after

    asyncio.run(scene())


def test_bad_decision_spoils_no_other(store: Store) -> None:
    """One that the database refuses fails alone; its neighbours are durable."""

    class Opened:
        patience_s = 5.0

        def require(self) -> Store:
            return store

    async def scene() -> None:
        recorder = Recorder(Opened())  # type: ignore[arg-type]
        twin = decision("L1")
        tasks = [
            asyncio.create_task(recorder.record([d]))
            for d in (decision("L0"), twin, twin, decision("L2"))
        ]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(one, Exception) for one in found] == [False, False, True, False]

    asyncio.run(scene())
    assert store.counts()["decisions"] == 3
