"""Writes that share commits: one thread takes all that wait into one transaction.

Each caller gets its result only after the commit that holds it is durable. If a shared
transaction fails, its parts are tried again by themselves, so that one bad write spoils
no other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from leadml.errors import StoreUnavailable

__all__ = ["Effect", "Lane", "Writing"]

T = TypeVar("T")
Effect = Callable[[sa.Connection, list[Any]], Sequence[Any]]
"""Writes items within a transaction, one result for each; may run again after a failure."""

MOST_ITEMS: Final = 1_000
"""Items in one shared transaction; a job with more is written alone."""

MOST_WAITING: Final = 20_000

TURNS: Final = 4
"""Times that a write is begun which others keep from its end."""


class Writing(Future[list[Any]]):
    """The results of a write, once it is durable."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_over = threading.Event()
        """Set when only the disk is left to wait for (or the write has failed)."""


@dataclass(eq=False)
class _Job:
    effect: Effect
    items: list[Any]
    future: Writing = field(default_factory=Writing)


class Lane:
    """One thread that takes all that waits into one transaction.

    Parameters
    ----------
    transaction
        Opens a transaction that is durable when left without an error.
    patience_s
        Longest wait of a caller. After it the caller is told that the database does not
        answer; a write not yet begun is then never made.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sa.Connection]],
        *,
        patience_s: float,
    ) -> None:
        self._transaction = transaction
        self._patience_s = patience_s
        self._jobs: deque[_Job] = deque()
        self._n_waiting = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None
        self.n_commits = 0
        self.n_written = 0

    def submit(self, effect: Effect, items: Sequence[Any]) -> Writing:
        """Queue items; the future holds their results once they are durable.

        Neighbours in the queue with the same ``effect`` are written in one call of it.

        Raises
        ------
        StoreUnavailable
            The store is closed, too much waits, or the write under way is stuck.
        """
        job = _Job(effect, list(items))
        with self._change:
            if self._closing:
                raise StoreUnavailable("the store is closed")
            stuck = self._busy_since
            if stuck is not None and time.monotonic() - stuck > self._patience_s:
                raise StoreUnavailable("the database is stalled", fix="try again")
            if self._n_waiting >= MOST_WAITING:
                raise StoreUnavailable("too many writes are waiting", fix="try again later")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leadml-store", daemon=True)
                self._thread.start()
            self._jobs.append(job)
            self._n_waiting += max(1, len(job.items))
            self._change.notify()
        return job.future

    def do(self, effect: Effect, items: Sequence[Any]) -> list[Any]:
        """Write items and wait until they are durable; see :meth:`submit`."""
        return self.wait(self.submit(effect, items))

    def wait(self, future: Future[T]) -> T:
        """The result of a write, or StoreUnavailable when it takes too long."""
        try:
            return future.result(self._patience_s)
        except Late:
            future.cancel()
            raise StoreUnavailable(
                "the database did not finish in time", fix="try again with the same key"
            ) from None

    def close(self) -> None:
        """Write what waits, then stop; nothing is taken any more."""
        with self._change:
            self._closing = True
            self._change.notify()
            thread = self._thread
        if thread is not None:
            thread.join(self._patience_s)

    # --- the thread -------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._jobs and not self._closing:
                    self._change.wait()
                if not self._jobs:
                    return
                taken = self._take()
                self._busy_since = time.monotonic()
            running = [job for job in taken if job.future.set_running_or_notify_cancel()]
            self._commit(running)
            for job in taken:
                job.future.handed_over.set()
            self._busy_since = None

    def _take(self) -> list[_Job]:
        taken: list[_Job] = []
        size = 0
        while self._jobs:
            weight = max(1, len(self._jobs[0].items))
            if taken and size + weight > MOST_ITEMS:
                break
            taken.append(self._jobs.popleft())
            size += weight
        self._n_waiting -= size
        return taken

    def _commit(self, jobs: list[_Job], turns: int = TURNS) -> None:
        """Write jobs in one transaction; where it fails, each by itself.

        A job alone that was chosen to end a deadlock is written again, up to ``turns`` times.
        """
        if not jobs:
            return
        try:
            with self._transaction() as connection:
                results = _results(connection, jobs)
                for job in jobs:
                    job.future.handed_over.set()
        except StoreUnavailable as error:
            if len(jobs) == 1 and turns > 1 and _is_deadlock(error):
                self._commit(jobs, turns - 1)
                return
            if len(jobs) == 1 or not _may_fit_alone(error):
                for job in jobs:
                    job.future.set_exception(error)
                return
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to its caller
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
        else:
            self.n_commits += 1
            self.n_written += sum(len(job.items) for job in jobs)
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)
            return
        for job in jobs:
            self._commit([job])


def _may_fit_alone(error: StoreUnavailable) -> bool:
    """Whether parts of a group may do what the group could not: fit, or avoid a deadlock."""
    return error.code == "storage_full" or _is_deadlock(error)


def _is_deadlock(error: StoreUnavailable) -> bool:
    """Whether the database undid a write only to let another one go on."""
    cause = getattr(error.__cause__, "orig", None)
    return getattr(cause, "sqlstate", "") in ("40P01", "40001")


def _results(connection: sa.Connection, jobs: list[_Job]) -> list[list[Any]]:
    """Results of each job; neighbours with one effect are written in one call."""
    found: list[list[Any]] = []
    start = 0
    while start < len(jobs):
        stop = start
        while stop < len(jobs) and jobs[stop].effect == jobs[start].effect:
            stop += 1
        run = jobs[start:stop]
        results = list(jobs[start].effect(connection, [i for job in run for i in job.items]))
        at = 0
        for job in run:
            found.append(results[at : at + len(job.items)])
            at += len(job.items)
        start = stop
    return found
