"""Counts that are shown at once and made anew beside the server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Final

from leadml.errors import LeadmlError

__all__ = ["FRESH_S", "Fresh"]

FRESH_S: Final = 30.0
"""Older counts are made anew, beside the page that shows them."""

LAPSED_S: Final = 900.0
"""Counts older than this are not shown; whoever asks waits for new ones."""

log = logging.getLogger(__name__)


class Fresh:
    """Keeps what is slow to count; only the first to ask may have to wait for it.

    Parameters
    ----------
    clock
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._counting: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def get(self, key: Hashable, count: Callable[[], Any], wait_s: float | None = None) -> Any:
        """What was counted, at most :data:`FRESH_S` old or being counted anew.

        Parameters
        ----------
        key
            Names the count.
        count
            Counts; called in a thread of its own.
        wait_s
            Where nothing is there to show, wait so long at most and give None; without
            it wait to the end.

        Raises
        ------
        LeadmlError
            Whatever ``count`` raises, where there is nothing to show meanwhile.
        """
        with self._lock:
            kept = self._kept.get(key)
            age = None if kept is None else self._clock() - kept[0]
            counting = self._counting.get(key)
            if counting is None and (age is None or age >= FRESH_S):
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(2, thread_name_prefix="leadml-counts")
                counting = self._pool.submit(self._count, key, count)
                self._counting[key] = counting
        if kept is not None and age is not None and age < LAPSED_S:
            return kept[1]
        assert counting is not None
        try:
            return counting.result(wait_s)
        except NotYet:
            return None

    def forget(self) -> None:
        """Count anew whatever is asked next."""
        with self._lock:
            self._kept.clear()
            self._counting.clear()

    def close(self) -> None:
        """Stop counting; whoever asks again begins anew."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._counting.clear()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _count(self, key: Hashable, count: Callable[[], Any]) -> Any:
        began = self._clock()
        try:
            made = count()
        except LeadmlError as error:
            log.warning("a page could not be counted anew", extra={"code": error.code})
            with self._lock:
                self._counting.pop(key, None)
            raise
        with self._lock:
            if self._counting.pop(key, None) is not None:  # not forgotten meanwhile
                self._kept[key] = (began, made)
        return made
