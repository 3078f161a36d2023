"""Counts that are shown at once and made anew beside the server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from leadml.errors import LeadmlError

__all__ = ["FRESH_S", "Fresh"]

FRESH_S: Final = 30.0
"""Older counts are made anew, beside the page that shows them."""

LAPSED_S: Final = 900.0
"""Counts older than this are not shown; whoever asks waits for new ones."""

log = logging.getLogger(__name__)


class Fresh:
    """Keeps what is slow to count; nobody waits for it but the first to ask.

    Parameters
    ----------
    clock
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="leadml-counts")

    def get(self, key: Hashable, count: Callable[[], Any]) -> Any:
        """What was counted, at most :data:`FRESH_S` old or being counted anew.

        Raises whatever ``count`` raises where there is nothing to show meanwhile.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        kept = self._kept.get(key)
        age = None if kept is None else self._clock() - kept[0]
        if kept is not None and age is not None and age < LAPSED_S:
            if age >= FRESH_S and lock.acquire(blocking=False):
                self._pool.submit(self._again, key, count, lock)
            return kept[1]
        with lock:
            kept = self._kept.get(key)
            if kept is None or self._clock() - kept[0] >= FRESH_S:
                kept = self._kept[key] = (self._clock(), count())
            return kept[1]

    def forget(self) -> None:
        """Count anew whatever is asked next."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """Stop counting."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _again(self, key: Hashable, count: Callable[[], Any], lock: threading.Lock) -> None:
        try:
            self._kept[key] = (self._clock(), count())
        except LeadmlError as error:
            log.warning("a page shows older counts", extra={"code": error.code})
        finally:
            lock.release()
