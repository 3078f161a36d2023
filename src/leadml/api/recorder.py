"""Decisions of many requests, written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from concurrent.futures import Future as Pending
from dataclasses import dataclass
from typing import Final

from leadml.errors import StoreError, StoreUnavailable
from leadml.service.memory import Memory
from leadml.store import Decision, Recorded

__all__ = ["MOST_TOGETHER", "Recorder"]

HAND_OVER_S: Final = 0.005
"""Longest that the event loop stands still for a group, in seconds."""

MOST_TOGETHER: Final = 256
"""Decisions after which a group is full; a larger batch is a group of its own."""


@dataclass(slots=True)
class _Asked:
    """The decisions of one request, and who waits for them."""

    decisions: Sequence[Decision]
    found: asyncio.Future[list[Recorded]]


@dataclass(slots=True)
class _Group:
    """Requests whose decisions are written together."""

    members: list[_Asked]
    told: bool = False

    def fail(self, error: Exception) -> None:
        """Tell all of them that nothing may be acknowledged."""
        self.told = True
        for asked in self.members:
            if not asked.found.done():
                asked.found.set_exception(error)


class Recorder:
    """Writes the decisions of all requests that wait, a group at a time.

    While a group is being written the next one gathers, so the busier the server, the
    more requests share a commit. Each request learns what came of its own decisions once
    they are durable. Everything here runs on the event loop; crossing to the thread of
    the store and back costs once per group instead of once per request. While the
    store's thread builds its statements the loop stands still, for some milliseconds at
    most: two threads that take the interpreter from each other need twice as long. The
    loop never waits for the disk.

    Parameters
    ----------
    memory
        Where decisions are kept.
    patience_s
        Longest wait for a group; the memory's own if left out.
    """

    def __init__(self, memory: Memory, patience_s: float | None = None) -> None:
        self.memory = memory
        self._patience_s = memory.patience_s if patience_s is None else patience_s
        self._waiting: list[_Asked] = []
        self._writing = 0
        self._due = False

    async def record(self, decisions: Sequence[Decision]) -> list[Recorded]:
        """Store decisions in one transaction; returns once they are durable.

        Raises
        ------
        StoreUnavailable, StorageFull
            They are not; nothing may be acknowledged.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(decisions, loop.create_future())
        self._waiting.append(asked)
        if not self._due and not self._writing:
            self._due = True
            loop.call_soon(self._begin, loop)  # behind what else has arrived by now
        return await asked.found

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the next group to the store."""
        self._due = False
        while self._waiting and not self._writing:
            members: list[_Asked] = []
            size = 0
            for asked in self._waiting:
                size += len(asked.decisions)
                if members and size > MOST_TOGETHER:
                    break
                members.append(asked)
            del self._waiting[: len(members)]
            self._write(loop, _Group(members))

    def _write(self, loop: asyncio.AbstractEventLoop, group: _Group) -> None:
        decisions = [decision for asked in group.members for decision in asked.decisions]
        try:
            pending = self.memory.require().submit_decisions(decisions)
        except StoreError as error:
            group.fail(error)
            return
        self._writing += 1
        pending.handed_over.wait(HAND_OVER_S)
        clock = loop.call_later(self._patience_s, self._late, loop, group, pending)
        pending.add_done_callback(
            lambda written: loop.call_soon_threadsafe(self._end, loop, group, written, clock)
        )

    def _late(
        self,
        loop: asyncio.AbstractEventLoop,
        group: _Group,
        pending: Pending[list[Recorded]],
    ) -> None:
        """Tell those who wait too long; a write not yet begun is then never made.

        Who waits for the next group is told at once by the store, if it is stuck.
        """
        self._writing -= 1
        pending.cancel()
        fault = StoreUnavailable("the database did not finish in time", fix="try again in a second")
        group.fail(fault)
        self._begin(loop)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        group: _Group,
        written: Pending[list[Recorded]],
        clock: asyncio.TimerHandle,
    ) -> None:
        """Tell each request what came of it; begin the next group."""
        if group.told:
            return  # it came too late
        clock.cancel()
        self._writing -= 1
        try:
            found = written.result()
        except CancelledError as error:
            raise RuntimeError("a write was cancelled by nobody") from error
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who asked
            if len(group.members) == 1 or isinstance(error, StoreError):
                group.fail(error)
            else:
                for asked in group.members:  # one bad decision spoils no other
                    self._write(loop, _Group([asked]))
        else:
            at = 0
            for asked in group.members:
                if not asked.found.done():
                    asked.found.set_result(found[at : at + len(asked.decisions)])
                at += len(asked.decisions)
        self._begin(loop)
