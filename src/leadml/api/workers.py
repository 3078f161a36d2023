"""Several processes that serve one address."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from leadml.api.metrics import is_running
from leadml.errors import ConfigError
from leadml.settings import Settings

__all__ = ["clear_up", "end_with_parent", "supervise"]

START_S: Final = 30.0
"""Longest wait for all workers to serve, in seconds."""

AGAIN_S: Final = 1.0
"""Pause before a worker that died is replaced, in seconds."""

ORPHAN_S: Final = 1.0
"""Pause between two looks of a worker at who started it, in seconds."""

log = logging.getLogger(__name__)


def supervise(settings: Settings, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Run ``settings.workers`` processes on one listener until told to stop.

    All of them accept from the same queue, so that a connection is taken by whichever
    is free. SIGTERM and Ctrl-C are passed on, and each worker drains as a single server
    does; a worker that dies is replaced.

    Parameters
    ----------
    settings
        Given to the workers as their environment.
    listener
        Bound already.
    announce
        Called once all workers serve.

    Raises
    ------
    ConfigError
        The workers do not start.
    """
    with tempfile.TemporaryDirectory(prefix="leadml-workers-") as exchange:
        crew = _Crew(settings, listener, Path(exchange))
        before = {
            number: signal.signal(number, crew.stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            for _ in range(settings.workers):
                crew.hire()
            crew.wait_until_ready(time.monotonic() + START_S)
            if not crew.stopping:
                announce()
            while crew.children:
                crew.look()
                time.sleep(0.05)
        finally:
            crew.kill()
            for number, handler in before.items():
                signal.signal(number, handler)


def end_with_parent(parent: int, settings: Settings) -> None:
    """Let this worker drain and end once the process that started it is gone.

    A process that is killed outright tells its children nothing; without it they would
    keep the port and serve what nobody can stop by one signal any more.

    Parameters
    ----------
    parent
        Process id of the supervisor.
    settings
        Say how long the worker may take to end.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_S)
        log.error("the process that started this worker is gone; it ends")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_allowed_s(settings))
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="leadml-parent", daemon=True).start()


def clear_up(parent: int, exchange: Path) -> None:
    """Remove the folder of a supervisor that is gone; the last of its workers does.

    Parameters
    ----------
    parent
        Process id of the supervisor, which removes the folder itself while it lives.
    exchange
        The folder, in which this worker is done.
    """
    if os.getppid() == parent:
        return
    (exchange / f"{os.getpid()}.ready").unlink(missing_ok=True)
    if not any(is_running(int(path.stem)) for path in exchange.glob("*.ready")):
        shutil.rmtree(exchange, ignore_errors=True)  # of two that are last, one finds nothing


def _allowed_s(settings: Settings) -> float:
    """How long a worker may take to end, in seconds."""
    return settings.drain_s + settings.shutdown_s + 5.0


class _Crew:
    """The workers of one listener."""

    def __init__(self, settings: Settings, listener: socket.socket, exchange: Path) -> None:
        self.children: list[subprocess.Popen[bytes]] = []
        self.stopping = 0
        self._settings = settings
        self._listener = listener
        self._exchange = exchange
        self._due: list[float] = []
        self._deadline = float("inf")

    def hire(self) -> None:
        """Start one worker."""
        handle = self._listener.fileno()
        told = [str(handle), str(self._exchange), str(os.getpid())]
        command = [sys.executable, "-m", "leadml.api.server", *told]
        child = subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
            command,
            env={**os.environ, **self._settings.environment()},
            pass_fds=[handle],
            stdin=subprocess.DEVNULL,
        )
        self.children.append(child)

    def wait_until_ready(self, deadline: float) -> None:
        """Wait until every worker has said that it serves."""
        while not self.stopping:
            if all((self._exchange / f"{child.pid}.ready").exists() for child in self.children):
                return
            if time.monotonic() > deadline or any(c.poll() is not None for c in self.children):
                raise ConfigError(
                    "the workers do not start", fix="start one to see why: leadml serve --workers 1"
                )
            time.sleep(0.01)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on; the first one sets the time by which all must have ended."""
        if not self.stopping:
            self._deadline = time.monotonic() + _allowed_s(self._settings)
            self._listener.close()  # the last worker to close it answers who is in its queue
        self.stopping += 1
        for child in self.children:
            child.send_signal(number)

    def look(self) -> None:
        """Let go of workers that ended; replace them unless all shall end."""
        now = time.monotonic()
        for child in list(self.children):
            if child.poll() is None:
                continue
            self.children.remove(child)
            if not self.stopping:
                log.error("a worker died and is replaced", extra={"code": child.returncode})
                self._due.append(now + AGAIN_S)
        while not self.stopping and self._due and self._due[0] <= now:
            self._due.pop(0)
            self.hire()
        if not self.stopping and not self.children and self._due:
            time.sleep(max(0.0, self._due[0] - now))
            self._due.pop(0)
            self.hire()
        if now > self._deadline:
            self.kill()

    def kill(self) -> None:
        """End what is left."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        self.children.clear()
