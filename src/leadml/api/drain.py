"""A stop that no client notices: drained first, then closed."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["State", "draining_on_sigterm"]

log = logging.getLogger(__name__)


@dataclass
class State:
    """What the running server knows of itself.

    ``waiting`` counts requests whose head has arrived and whose handling has not begun.
    """

    draining: bool = False
    waiting: int = 0
    head_timeout_s: float = 10.0


@contextmanager
def draining_on_sigterm(state: State, drain_s: float) -> Iterator[None]:
    """Within it, SIGTERM first drains for ``drain_s`` seconds, then does what it did before.

    uvicorn stops at once on SIGTERM and resets idle keep-alive connections, on which a
    request may be on its way. While draining, ready answers 503 and every answer
    carries ``Connection: close``; a second SIGTERM, or SIGINT, stops at once. Outside
    the main thread, or where no Python handler waits for SIGTERM, nothing changes.

    Parameters
    ----------
    state
        Its ``draining`` turns true.
    drain_s
        Seconds between the signal and the stop; 0 stops at once.
    """
    if threading.current_thread() is not threading.main_thread() or drain_s <= 0:
        yield
        return
    stop: Any = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        yield
        return
    loop = asyncio.get_running_loop()

    def drain(number: int, frame: FrameType | None) -> None:
        if state.draining:
            stop(number, frame)
            return
        state.draining = True
        loop.call_soon_threadsafe(_later, loop, drain_s, lambda: stop(number, None))

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is drain:
            signal.signal(signal.SIGTERM, stop)


def _later(loop: asyncio.AbstractEventLoop, delay_s: float, act: Callable[[], None]) -> None:
    log.info("draining before the stop", extra={"delay_s": delay_s})
    loop.call_later(delay_s, act)
