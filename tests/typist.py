"""Commands typed in a folder: each a process of its own, forked from one that has imported all.

Importing the learning libraries takes seconds, which a test of thirty commands would pay
thirty times. What is forked has run nothing yet; it has its own working directory,
environment, output and exit code, and can be killed, as a command that a person types.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Command", "Typist", "typist"]

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "leadml.cli.app",
    "leadml.datasets.read",
    "leadml.registry.tracking",
    "leadml.reports",
    "leadml.service.files",
    "leadml.service.hindsight",
    "leadml.service.learning",
    "leadml.service.lessons",
    "leadml.service.scoring",
    "leadml.training.train",
    "altair",
    "lightgbm",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking",
    "optuna",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.linear_model",
    "vl_convert",
)


class Command:
    """A command that was started."""

    def __init__(self, typist: Typist, pid: int, folder: Path) -> None:
        self._typist = typist
        self._folder = folder
        self.pid = pid

    @property
    def out(self) -> str:
        """What it wrote to standard output so far."""
        return (self._folder / "out").read_text("utf-8")

    @property
    def err(self) -> str:
        """What it wrote to standard error so far."""
        return (self._folder / "err").read_text("utf-8")

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._typist.ask({"poll": self.pid})["code"]

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        return self._typist.ask({"wait": self.pid})["code"]

    def kill(self) -> None:
        """Kill it and all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


class Typist:
    """Starts commands by forking a process that has imported what they need."""

    def __init__(self) -> None:
        self._places = tempfile.TemporaryDirectory(prefix="leadml-typed-")
        self._n = 0
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.typist"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        atexit.register(self.close)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One question to the process that forks."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        found: dict[str, Any] = json.loads(self._server.stdout.readline())
        return found

    def start(self, cwd: Path, words: Sequence[str], **environment: str) -> Command:
        """Begin ``leadml WORDS`` in a folder."""
        self._n += 1
        folder = Path(self._places.name) / str(self._n)
        folder.mkdir()
        request = {
            "cwd": str(cwd),
            "words": list(words),
            "folder": str(folder),
            "env": {**os.environ, **environment},
        }
        return Command(self, self.ask(request)["pid"], folder)

    def run(
        self, cwd: Path, words: Sequence[str], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """``leadml WORDS`` from beginning to end."""
        command = self.start(cwd, words, **environment)
        code = command.wait()
        return subprocess.CompletedProcess(list(words), code, command.out, command.err)

    def close(self) -> None:
        """End the process that forks."""
        self._server.kill()
        self._server.wait()
        self._places.cleanup()


@functools.cache
def typist() -> Typist:
    """The one typist of this test process."""
    return Typist()


def _become(request: Mapping[str, Any]) -> None:
    """Turn a fork into the command."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    folder = Path(request["folder"])
    for number, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, folder / "out", os.O_WRONLY),
        (2, folder / "err", os.O_WRONLY),
    ):
        handle = os.open(path, flags | os.O_CREAT, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.argv = ["leadml", *request["words"]]
    sys.path[0] = ""


def _type() -> NoReturn:
    """Run the command and end as a process does, but for the destructors of C++.

    Threads that Arrow begins in a fork may still be beginning then, which aborts it.
    """
    from leadml.cli import main

    code: Any = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - told as the interpreter tells it
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # wait for threads that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _serve() -> None:
    import importlib

    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each command, at its end, looks at a million objects of what was imported
    ended: dict[int, int] = {}
    requests, replies = os.dup(0), os.dup(1)
    for line in os.fdopen(requests, encoding="utf-8"):
        request = json.loads(line)
        if "cwd" in request:
            for name in ("out", "err"):
                (Path(request["folder"]) / name).touch()
            pid = os.fork()
            if pid == 0:
                os.close(replies)
                _become(request)
                _type()
            answer: dict[str, Any] = {"pid": pid}
        else:
            pid = request.get("wait") or request["poll"]
            if pid not in ended:
                found, status = os.waitpid(pid, 0 if "wait" in request else os.WNOHANG)
                if found:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            answer = {"code": ended.get(pid)}
        os.write(replies, (json.dumps(answer) + "\n").encode())


if __name__ == "__main__":
    _serve()
