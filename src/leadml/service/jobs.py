"""Files scored in the background, remembered on disk.

A job is a folder; what happened to it is what files it holds, each written whole and
renamed, so that a stop at any moment leaves a job that goes on after the next start:

============== ====================================================================
``input``      the upload, as it came; removed at the end
``job.json``   what was asked; the folder takes its name only when it is complete
``progress``   how far it is, written by the child process that scores
``result``     the answers
``end``        done, or failed and why; without it a job waits or runs
============== ====================================================================
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, Literal

from leadml.errors import Internal, JobNotDone, JobUnknown, Overloaded
from leadml.registry.clock import spelled
from leadml.settings import Settings

__all__ = ["ATTEMPTS", "ROW_ERRORS_SHOWN", "Jobs", "Upload", "now", "read_json", "write_json"]

ATTEMPTS: Final = 3
"""A job whose process died so often without a word is given up."""

ROW_ERRORS_SHOWN: Final = 20

_ID: Final = re.compile(r"job_[A-Za-z0-9]{16}")
_CHILD: Final = "leadml.service.scoring_job"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees all of it or the file before."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """What a file of :func:`write_json` says; empty where there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def now() -> str:
    """The time, UTC, to the second."""
    return spelled(datetime.now(UTC))


class Upload:
    """A file on its way in; :meth:`finish` makes it a job, :meth:`abandon` forgets it."""

    def __init__(self, folder: Path) -> None:
        self.job_id = "job_" + secrets.token_hex(8)
        self.size = 0
        self._target = folder / self.job_id
        self._folder = folder / f".{self.job_id}"
        self._folder.mkdir(parents=True)
        self._file: IO[bytes] = (self._folder / "input").open("wb")

    def write(self, part: bytes) -> None:
        """Add bytes."""
        self._file.write(part)
        self.size += len(part)

    def finish(self, asked: Mapping[str, Any]) -> str:
        """Make the job known; gives its id."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        known = {"job_id": self.job_id, "created_at": now(), "bytes": self.size, **asked}
        write_json(self._folder / "job.json", known)
        self._folder.replace(self._target)
        return self.job_id

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Jobs:
    """All jobs of one folder; several processes may share it.

    Parameters
    ----------
    settings
        ``jobs_dir``, ``max_jobs``, ``job_days``, and all that the scoring child reads.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(settings.jobs_dir)
        self._lock: IO[str] | None = None
        self._child: tuple[str, subprocess.Popen[bytes]] | None = None

    # --- asking -------------------------------------------------------------------

    def upload(self) -> Upload:
        """Begin a job.

        Raises
        ------
        Overloaded
            ``max_jobs`` wait or run already.
        """
        if len(self.open()) >= self.settings.max_jobs:
            raise Overloaded(
                f"{self.settings.max_jobs} jobs wait or run already",
                fix="wait until one is done, or raise LEADML_MAX_JOBS",
            )
        return Upload(self.folder)

    def state(self, job_id: str) -> dict[str, Any]:
        """What is known of a job.

        Returns
        -------
        dict
            ``job_id``, ``state`` (``queued``, ``running``, ``done``, ``failed``),
            ``created_at``, ``bytes``, ``result_format``; once known ``rows``,
            ``rows_done``, ``n_row_errors``, ``row_errors`` (the first 20),
            ``model_version``, ``policy_version``, ``finished_at``, ``error``.

        Raises
        ------
        JobUnknown
            There is none of that id, or it was kept long enough.
        """
        home = self._home(job_id)
        asked = read_json(home / "job.json")
        if not asked:
            raise _unknown()
        progress = read_json(home / "progress")
        end = read_json(home / "end")
        found = {key: asked[key] for key in ("job_id", "created_at", "bytes", "result_format")}
        state: Literal["queued", "running"] = "running" if progress else "queued"
        return {**found, "state": state, **progress, **end}

    def result(self, job_id: str) -> tuple[Path, str]:
        """File and format of a job's answers.

        Raises
        ------
        JobUnknown
            There is no such job.
        JobNotDone
            It waits, runs or failed.
        """
        found = self.state(job_id)
        if found["state"] != "done":
            raise JobNotDone(
                f"the job is {found['state']}", fix="ask GET /v1/jobs/{id} until its state is done"
            )
        return self._home(job_id) / "result", found["result_format"]

    def open(self) -> list[str]:
        """Ids of jobs that wait or run, the oldest first."""
        found = [home for home in self._homes() if not (home / "end").exists()]
        return [home.name for home in sorted(found, key=lambda home: home.stat().st_mtime_ns)]

    def _home(self, job_id: str) -> Path:
        if not _ID.fullmatch(job_id):
            raise _unknown()
        return self.folder / job_id

    def _homes(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            for home in self.folder.iterdir():
                if _ID.fullmatch(home.name):
                    yield home

    # --- doing --------------------------------------------------------------------

    def step(self) -> None:
        """Start, watch and end work; call it again and again from one thread.

        One process at a time works for a folder, however many serve it.
        """
        if self._child is not None:
            job_id, child = self._child
            if child.poll() is None:
                return
            self._child = None
            self._settle(job_id)
        if not self.folder.is_dir() or not self._leads():
            return
        self._forget_old()
        waiting = self.open()
        if waiting:
            self._start(waiting[0])

    def close(self) -> None:
        """Stop working; a job that runs goes on after the next start."""
        if self._child is not None:
            _, child = self._child
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._child = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _leads(self) -> bool:
        """Whether this process is the one that works; the kernel frees the place of a dead one."""
        if self._lock is None:
            import fcntl

            lock = (self.folder / ".lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
        return True

    def _start(self, job_id: str) -> None:
        home = self.folder / job_id
        attempts = int(read_json(home / "attempts").get("n", 0)) + 1
        write_json(home / "attempts", {"n": attempts})
        with (home / "log").open("wb") as log:
            child = subprocess.Popen(  # noqa: S603 (our own interpreter, no shell)
                [sys.executable, "-m", _CHILD, str(home.absolute())],
                env={**os.environ, **self.settings.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._child = (job_id, child)

    def _settle(self, job_id: str) -> None:
        """A child that ended without a word is tried again, then given up."""
        home = self.folder / job_id
        if (home / "end").exists():
            return
        if int(read_json(home / "attempts").get("n", 0)) >= ATTEMPTS:
            error = Internal(f"the process that scored it died {ATTEMPTS} times")
            write_json(
                home / "end", {"state": "failed", "finished_at": now(), "error": error.as_dict()}
            )

    def _forget_old(self) -> None:
        """Remove jobs that ended long ago, and uploads that were never finished."""
        oldest = time.time() - self.settings.job_days * 86_400
        for home in list(self._homes()):
            with suppress(FileNotFoundError):
                if (home / "end").stat().st_mtime < oldest:
                    shutil.rmtree(home)
        for part in self.folder.glob(".job_*"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - 86_400:
                    shutil.rmtree(part)


def _unknown() -> JobUnknown:
    return JobUnknown(
        "there is no job of this id", fix="an id comes from POST /v1/jobs; old jobs are removed"
    )
