"""A database by its URL: durable settings, transactions, faults by name.

SQLite runs in WAL with ``synchronous=FULL`` and ``secure_delete``; every transaction is
begun explicitly, writing ones with the write lock taken at once, so that a transaction
never fails half way because another process wrote in between.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InvalidRequestError,
    NoSuchModuleError,
    PendingRollbackError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from leadml.errors import (
    ConfigError,
    DriverMissing,
    StorageFull,
    StoreError,
    StoreUnavailable,
)

__all__ = ["Database", "fault_of"]

Work = Callable[[sa.Connection], Any]

_FULL_SQLSTATES: Final = frozenset({"53100"})
_AWAY_SQLSTATES: Final = frozenset(
    {
        "25006",  # read-only transaction
        "40001",  # serialization failure
        "40P01",  # deadlock
        "53200",  # out of memory
        "53300",  # too many connections
        "55P03",  # lock not available
        "57014",  # statement timeout
        "57P01",  # shut down by the administrator
        "57P02",  # crashed
        "57P03",  # starting up
        "58030",  # input or output failed
    }
)
_OUTDATED_SQLSTATES: Final = frozenset({"42P01", "42703"})
_ROOM: Final = 65_536
_FIX: Final = "try again; see whether the database runs, can be written and has room"


class Database:
    """One database: a writing and a reading way in.

    Parameters
    ----------
    url
        ``sqlite:///leadml.db`` or ``postgresql+psycopg://user:password@host/name``.
    wait_s
        Longest wait for a lock and, on PostgreSQL, for one statement.

    Raises
    ------
    ConfigError
        The URL cannot be read, names another kind of database, a SQLite database in
        memory or options of SQLite.
    """

    def __init__(self, url: str, *, wait_s: float = 3.0) -> None:
        self.wait_s = wait_s
        self.announced: Callable[[], object] = _nothing
        """Called after each commit that wrote messages."""
        try:
            parsed = sa.make_url(url)
        except ArgumentError:
            raise ConfigError(
                "the URL of the database cannot be read",
                fix="write sqlite:///leadml.db or postgresql+psycopg://user@host/name",
            ) from None
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        kind = parsed.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise ConfigError(f"'{kind}' cannot hold the memory", fix="use SQLite or PostgreSQL")
        self.kind: Literal["sqlite", "postgresql"] = "sqlite" if kind == "sqlite" else "postgresql"
        self.path: Path | None = None
        if self.kind == "sqlite":
            if not parsed.database or parsed.database.startswith((":memory:", "file:")):
                raise ConfigError(
                    "a memory that must last needs a file", fix="write sqlite:///leadml.db"
                )
            if parsed.query:
                raise ConfigError(
                    "the URL of a SQLite database takes no options", fix="leave out what follows ?"
                )
            self.path = Path(parsed.database).absolute()  # of now, wherever the process goes
            parsed = parsed.set(database=str(self.path))
        self._was_there = False
        try:
            self._writing = self._engine(parsed, writes=True)
            self._reading = self._engine(parsed, writes=False)
        except (ImportError, NoSuchModuleError) as error:
            raise DriverMissing(
                f"no driver is installed for '{parsed.drivername}'",
                fix="pip install 'psycopg[binary]'",
            ) from error

    def _engine(self, url: sa.URL, *, writes: bool) -> sa.Engine:
        options: dict[str, Any] = {"pool_size": 1 if writes else 4, "max_overflow": 1}
        options["pool_timeout"] = self.wait_s
        if self.kind == "sqlite":
            options["connect_args"] = {"timeout": self.wait_s, "check_same_thread": False}
            options["poolclass"] = sa.QueuePool
            engine = sa.create_engine(url, **options)
            sa.event.listen(engine, "do_connect", self._not_made_anew)
            sa.event.listen(engine, "connect", _durable(self.wait_s, writes=writes))
            sa.event.listen(engine, "connect", self._noted)
            begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
            sa.event.listen(engine, "begin", lambda on: on.exec_driver_sql(begin) and None)
            return engine
        wait_ms = max(1, int(1000 * self.wait_s))
        options["connect_args"] = {
            "connect_timeout": max(2, int(self.wait_s)),
            "application_name": "leadml",
            "options": f"-c statement_timeout={wait_ms} -c lock_timeout={wait_ms} "
            f"-c timezone=UTC -c synchronous_commit=on"
            + ("" if writes else " -c default_transaction_read_only=on"),
        }
        options["pool_pre_ping"] = True
        if not writes:  # each statement of its own picture would tell of halves of a write
            options["isolation_level"] = "REPEATABLE READ"
        return sa.create_engine(url, **options)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One writing transaction, durable when the block is left without an error.

        Raises
        ------
        StoreUnavailable, StorageFull
            The database failed; the transaction is undone (or, if it was lost while
            it was committed, unknown) and must not be acknowledged.
        """
        with self._named_faults():
            with self._writing.begin() as connection:
                self._still_named(connection.info)
                yield connection
                announced = connection.info.pop("announced", False)
                info = connection.info
            self._still_named(info)
        if announced:
            self.announced()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One reading transaction, a consistent picture of the database."""
        with self._named_faults(), self._reading.begin() as connection:
            self._still_named(connection.info)
            yield connection

    def _not_made_anew(self, *_connecting: object) -> None:
        """A file that was there is never made anew: an empty memory would look like a sound one."""
        if self._was_there and self.path is not None and not self.path.exists():
            raise _gone()

    def _noted(self, _connection: object, record: Any) -> None:
        """Remember which file a connection has opened."""
        record.info["file"] = self._file()
        self._was_there = True

    def _still_named(self, info: Mapping[Any, Any]) -> None:
        """Refuse to go on in a file that was deleted or replaced: nobody would find it again."""
        if self.path is not None and info.get("file") != self._file():
            self.close()
            raise _gone()

    def _file(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def maintain(self, *statements: str) -> None:
        """Run statements that no transaction may hold, such as VACUUM."""
        with self._named_faults():
            if self.kind == "postgresql":
                with self._writing.connect() as connection:
                    alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                    for statement in ("SET statement_timeout = 0", *statements):
                        alone.exec_driver_sql(statement)
                    alone.exec_driver_sql(f"SET statement_timeout = {int(1000 * self.wait_s)}")
                return
            raw = self._writing.raw_connection()
            try:
                for statement in statements:
                    raw.cursor().execute(statement).fetchall()
            finally:
                raw.close()

    def truncate_log(self) -> bool:
        """Bring the log of SQLite into the file and cut it off; False while it is in use."""
        with self._named_faults():
            raw = self._writing.raw_connection()
            try:
                cursor = raw.cursor()
                busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
            finally:
                raw.close()

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, InvalidRequestError, PoolTimeout, sqlite3.Error) as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if type(fault) is StoreUnavailable and self._is_disk_full():
                fault = StorageFull("the disk of the database is full", fix="free some room")
            if not _is_busy(error):
                self.close()  # the next call connects anew: to a restarted, repaired database
            raise fault from error

    def _is_disk_full(self) -> bool:
        """Whether so little room is left that SQLite fails in ways it calls otherwise."""
        if self.path is None or not self.path.parent.exists():
            return False
        return shutil.disk_usage(self.path.parent).free < _ROOM

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self._writing.dispose()
        self._reading.dispose()


def _nothing() -> None:
    """Nobody waits for messages."""


_CHECKPOINT_PAGES: Final = 4_000
"""Pages in the log of SQLite before they are copied into the file; 16 MB of it."""

_LOG_PAUSE_S: Final = 0.01

_CACHE_KB: Final = 16_000
"""Most that one connection keeps of the file in memory, taken as it is needed."""


def _durable(wait_s: float, *, writes: bool) -> Callable[[Any, Any], None]:
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun explicitly
        connection.execute(f"PRAGMA busy_timeout={int(1000 * wait_s)}")
        _keep_log(connection, wait_s)
        for pragma in (
            "synchronous=FULL",
            "secure_delete=ON",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"cache_size=-{_CACHE_KB}",
            "foreign_keys=ON",
            "query_only=" + ("OFF" if writes else "ON"),
        ):
            connection.execute(f"PRAGMA {pragma}")

    return prepare


def _keep_log(connection: sqlite3.Connection, wait_s: float) -> None:
    """Have SQLite write ahead to a log.

    Of several processes that turn the log of a new file on at once, SQLite refuses all
    but one without waiting, whatever ``busy_timeout`` says.
    """
    last = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > last:
                raise
            time.sleep(_LOG_PAUSE_S)
        else:
            return


def fault_of(error: BaseException) -> StoreError | None:
    """The fault of the database behind an error of its driver; None if it has none.

    Broken rules (a key that is there already, a missing value) are no faults of the
    database.
    """
    if isinstance(error, PoolTimeout):
        return StoreUnavailable("all connections to the database are in use", fix=_FIX)
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_fault(cause)
    state = getattr(cause, "sqlstate", None)
    if state in _FULL_SQLSTATES:
        return StorageFull("the disk of the database is full", fix="free some room")
    if state in _OUTDATED_SQLSTATES:
        return _outdated()
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or state in _AWAY_SQLSTATES or (state or "").startswith("08"):
        return StoreUnavailable(f"the database does not answer{_said(state)}", fix=_FIX)
    if state is None and type(cause).__name__ in ("OperationalError", "InterfaceError"):
        return StoreUnavailable("the database cannot be reached", fix=_FIX)
    if isinstance(error, PendingRollbackError):
        return StoreUnavailable("the connection to the database was lost", fix=_FIX)
    return None


def _is_busy(error: BaseException) -> bool:
    """Whether the database is sound and only somebody else is at it."""
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", "") or ""
    return isinstance(error, PoolTimeout) or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _sqlite_fault(cause: sqlite3.Error) -> StoreError | None:
    name = getattr(cause, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return StorageFull("the disk of the database is full", fix="free some room")
    if name.startswith("SQLITE_CONSTRAINT"):
        return None
    if name == "SQLITE_ERROR":
        return _outdated() if "no such" in str(cause) else None
    if not name:
        return None
    words = {"SQLITE_BUSY": "is locked", "SQLITE_READONLY": "cannot be written"}
    said = next((words[key] for key in words if name.startswith(key)), "does not answer")
    return StoreUnavailable(f"the database {said} ({name.lower()})", fix=_FIX)


def _gone() -> StoreUnavailable:
    return StoreUnavailable(
        "the file of the database was deleted or replaced",
        fix="put it back; or start the server anew, with an empty memory",
    )


def _outdated() -> StoreError:
    return StoreError(
        "the tables of the database are not those of this version of leadml",
        fix="migrate the database first",
    )


def _said(state: str | None) -> str:
    return f" ({state})" if state else ""
