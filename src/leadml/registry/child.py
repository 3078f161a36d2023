"""A child process that works for a server, for a limited time."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import IO, Final

from leadml.errors import RegistryError

__all__ = ["Child"]

_SENTENCE: Final = 500


class Child:
    """A command that is running, has ended or was ended.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them.
    environment
        The child's whole environment.
    limit_s
        It is ended once it has run so long.
    what
        What it does, for the sentence that says that it took too long.

    Raises
    ------
    RegistryError
        The system starts no process, or has no room for what it writes.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        limit_s: float,
        what: str,
    ) -> None:
        self._limit_s = limit_s
        self._what = what
        self._began = time.monotonic()
        self._said: str | None = None
        with ExitStack() as kept:
            try:
                self._output: IO[bytes] = kept.enter_context(tempfile.TemporaryFile())
                self._child = subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
                    command,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._output,
                )
            except OSError as error:
                raise RegistryError(
                    f"{what} cannot be started: {error.strerror}",
                    fix="free memory, processes or room for temporary files",
                ) from error
            kept.pop_all()  # closed with the child

    def said(self, wait_s: float = 0.0) -> str | None:
        """None while it runs, "" when it succeeded, otherwise what went wrong.

        Waits at most ``wait_s`` for its end.
        """
        if self._said is None:
            self._said = self._look(wait_s)
        return self._said

    def _look(self, wait_s: float) -> str | None:
        left_s = max(0.0, self._began + self._limit_s - time.monotonic())
        try:
            code = self._child.wait(min(wait_s, left_s))
        except subprocess.TimeoutExpired:
            if wait_s < left_s:
                return None
            self.stop()
            return f"{self._what} took longer than {self._limit_s:g} s"
        self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, self._output.tell() - 4 * _SENTENCE))
        lines = self._output.read().decode("utf-8", "replace").strip().splitlines()
        self._output.close()
        if code == 0:
            return ""
        if code < 0:
            return f"{self._what} was ended by signal {-code}"
        return re.sub(r"\s+", " ", lines[-1])[:_SENTENCE] if lines else f"exit code {code}"

    def stop(self) -> None:
        """End the child and wait for it."""
        self._child.kill()
        self._child.wait()
        self._output.close()
