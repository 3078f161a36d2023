"""leadml.store.database: faults have names, nothing acknowledged is lost, all recovers."""

import os
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from stored import decision, file_of, fill, locked, plain

from leadml.errors import ConfigError, StorageFull, StoreUnavailable
from leadml.store import Store, telling
from leadml.store.database import Database

WAIT_S = 0.3
RECOVERED_S = 5.0


def answered_within(store: Store, seconds: float, lead_id: str) -> float:
    """Seconds until a decision is taken again; fails when it takes too long."""
    start = time.monotonic()
    while True:
        try:
            store.record_decisions([decision(lead_id)])
        except StoreUnavailable:
            assert time.monotonic() - start < seconds
            time.sleep(0.05)
        else:
            return time.monotonic() - start


@pytest.fixture
def quick(database_url):
    """A store that waits only a moment, with one lead in it."""
    store = Store(database_url, wait_s=WAIT_S)
    store.record_decisions([decision("there")])
    yield store
    store.close()


@contextmanager
def unwritable(url: str, postgres=None):
    """The database can be read, but not written."""
    if url.startswith("sqlite"):
        # byte 18 is the version of the format needed to write; none is known beyond 2
        with file_of(url).open("r+b") as file:
            file.seek(18)
            file.write(b"\x03")
        yield
        with file_of(url).open("r+b") as file:
            file.seek(18)
            file.write(b"\x02")
        return
    name = url.rpartition("?")[0].rpartition("/")[2]
    postgres.ask(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    for pid in postgres.backends(url):
        postgres.ask(f"SELECT pg_terminate_backend({pid})")
    yield
    postgres.ask(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def test_commits_are_durable_by_setting(store):
    """Every connection waits for the disk at a commit, and SQLite overwrites what is deleted."""
    if store.kind == "postgresql":
        expected = {"synchronous_commit": "on", "TimeZone": "UTC"}  # fsync is the server's own
        ask = "SHOW"
    else:
        expected = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
        ask = "PRAGMA"
    for way in (store._database.writing, store._database.reading):
        with way() as connection:
            for name, value in expected.items():
                assert connection.exec_driver_sql(f"{ask} {name}").scalar() == value


def test_the_reading_way_cannot_write(store):
    """A read that tries to write is refused by the database itself."""
    with pytest.raises(StoreUnavailable), store._database.reading() as connection:
        connection.execute(sa.text("DELETE FROM leads"))


def test_a_read_sees_one_picture(store, database_url):
    """What is written while something is read does not change in the middle of the reading."""

    def look(connection):
        before = telling.counts(connection)
        writer.record_decisions([decision("L1")])
        return before, telling.counts(connection)

    writer = Store(database_url)
    before, after = store._browse(look)
    writer.close()
    assert before == after
    assert store.counts()["decisions"] == 1


def test_a_locked_database_is_unavailable_for_so_long(quick, database_url):
    """While others hold the lock, callers get 503 in time; afterwards the next call succeeds."""
    with locked(database_url):
        start = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            quick.record_decisions([decision("lost")])
        assert time.monotonic() - start < 2.5 * WAIT_S + 1.5
        assert (caught.value.status, caught.value.retry_after_s) == (503, 1)
    assert answered_within(quick, RECOVERED_S, "after") < RECOVERED_S
    assert quick.lead("lost") is None
    assert quick.lead("after") is not None


def test_a_database_that_cannot_be_written_still_answers_reads(database_url, request):
    """Read-only: writes are 503, reads go on, and writing resumes by itself."""
    server = None
    if database_url.startswith("postgresql"):
        server = request.getfixturevalue("postgres")
    store = Store(database_url, wait_s=WAIT_S)
    store.record_decisions([decision("there")])
    store.close()
    store = Store(database_url, wait_s=WAIT_S)
    with unwritable(database_url, server):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.record_decisions([decision("lost")])
        assert store.lead("there") is not None
    answered_within(store, RECOVERED_S, "after")
    assert store.lead("lost") is None
    store.close()


def test_a_stalled_server_is_unavailable_and_then_recovers(postgres):
    """A frozen PostgreSQL costs callers a bounded wait, later ones none, and no write is lost."""
    url = postgres.fresh()
    store = Store(url, wait_s=WAIT_S)
    store.record_decisions([decision("there")])
    assert store.lead("there") is not None
    frozen = postgres.backends(url)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        waits = []
        for _ in range(4):
            start = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.record_decisions([decision("lost")])
            waits.append(time.monotonic() - start)
        with pytest.raises(StoreUnavailable):
            store.lead("there")
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert max(waits) < 2.5 * WAIT_S + 1.5
    assert min(waits) < 0.5
    answered_within(store, RECOVERED_S, "after")
    store.close()
    postgres.drop(url)


def test_a_crashed_server_loses_nothing_acknowledged(postgres):
    """After a crash and restart of PostgreSQL every acknowledged decision is there."""
    url = postgres.fresh()
    store = Store(url, wait_s=1.0)
    acknowledged, refused = [], []

    def write() -> None:
        for number in range(10_000):
            lead_id = f"{threading.get_ident()}-{number}"
            try:
                store.record_decisions([decision(lead_id)])
            except StoreUnavailable:
                refused.append(lead_id)
                return
            acknowledged.append(lead_id)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    postgres.crash()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 4
    with pytest.raises(StoreUnavailable):
        store.lead("x")
    postgres.start()
    assert answered_within(store, RECOVERED_S, "after") < RECOVERED_S
    assert len(acknowledged) > 4
    with psycopg.connect(plain(url)) as other:
        kept = {lead_id for (lead_id,) in other.execute("SELECT lead_id FROM decisions")}
    assert set(acknowledged) <= kept
    store.close()
    postgres.drop(url)


def test_a_full_file_is_storage_full(tmp_path):
    """When SQLite can grow no further, writes are 503 storage_full until it can again."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    store.record_decisions([decision("there")])
    engine = store._database._writing
    sa.event.listen(engine, "begin", lambda on: on.exec_driver_sql("PRAGMA max_page_count=1"))
    filled = []
    with pytest.raises(StorageFull) as caught:
        for number in range(10_000):
            store.record_decisions([decision(f"L{number}")])
            filled.append(f"L{number}")
    assert caught.value.code == "storage_full"
    assert all(store.lead(lead_id) for lead_id in filled)
    sa.event.listen(engine, "begin", lambda on: on.exec_driver_sql("PRAGMA max_page_count=100000"))
    store.record_decisions([decision("after")])
    assert store.lead("after") is not None
    store.close()


def test_a_full_disk_loses_nothing_acknowledged(small_disk):
    """On a full disk SQLite answers storage_full, and goes on once there is room."""
    url = f"sqlite:///{small_disk / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    store.record_decisions([decision("there")])
    filler = fill(small_disk)
    acknowledged = []
    for number in range(3_000):
        try:
            store.record_decisions([decision(f"L{number}")])
            acknowledged.append(f"L{number}")
        except StorageFull:
            break
    else:
        pytest.fail("the disk never became full")
    for number in range(5):
        with pytest.raises(StorageFull):
            store.record_decisions([decision(f"lost{number}")])
    filler.unlink()
    assert answered_within(store, RECOVERED_S, "after") < RECOVERED_S
    assert all(store.lead(lead_id) for lead_id in acknowledged)
    assert store.lead("lost0") is None
    store.close()
    with closing(sqlite3.connect(small_disk / "leadml.db")) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_of_the_server_is_storage_full(small_disk, postgres):
    """When a table of PostgreSQL can grow no further, writes are storage_full until it can."""
    for folder in small_disk.parents:
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    place = small_disk / "place"
    place.mkdir()
    shutil.chown(place, user=postgres.folder.owner())
    url = postgres.fresh()
    postgres.ask(f"CREATE TABLESPACE small LOCATION '{place}'")
    with psycopg.connect(plain(url), autocommit=True) as other:
        for table in ("decisions", "leads"):
            other.execute(f"ALTER TABLE {table} SET TABLESPACE small")
    store = Store(url)
    filler = fill(small_disk)
    acknowledged = []
    wide = {"text": "x" * 1500}
    for number in range(3_000):
        try:
            store.record_decisions([decision(f"L{number}", inputs=wide)])
            acknowledged.append(f"L{number}")
        except StorageFull:
            break
    else:
        pytest.fail("the disk never became full")
    filler.unlink()
    assert answered_within(store, RECOVERED_S, "after") < RECOVERED_S
    assert all(store.lead(lead_id) for lead_id in acknowledged)
    store.close()
    postgres.drop(url)
    postgres.ask("DROP TABLESPACE small")


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_is_gone_takes_nothing_and_comes_back(tmp_path, how):
    """Nothing is acknowledged into a file that has no name; none is made anew unasked."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url, wait_s=WAIT_S)
    store.migrate()
    store.record_decisions([decision("before")])
    store.close()
    kept = tmp_path / "kept.db"
    shutil.copy(file_of(url), kept)
    store = Store(url, wait_s=WAIT_S)
    store.record_decisions([decision("lost with the file")])
    for ending in ("-wal", "-shm", ""):
        file_of(url).with_name(f"leadml.db{ending}").unlink(missing_ok=True)
    if how == "replaced":
        shutil.copy(kept, file_of(url))
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        store.record_decisions([decision("nowhere")])
    if how == "deleted":
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="deleted or replaced"):
                store.lives.lead("before")
        assert not file_of(url).exists()
        shutil.copy(kept, file_of(url))
    store.record_decisions([decision("after")])
    assert store.lives.lead("before")
    assert store.lives.lead("after")
    assert store.lives.lead("nowhere") is None
    store.close()


def test_a_relative_file_stays_where_it_was(tmp_path, monkeypatch):
    """A process that changes its folder goes on in the same file."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///leadml.db", wait_s=WAIT_S)
    store.migrate()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.record_decisions([decision("there")])
    assert store.lives.lead("there")
    store.close()
    assert not (tmp_path / "elsewhere" / "leadml.db").exists()


def test_options_of_sqlite_are_refused(tmp_path):
    """What would be ignored, such as a wish to read only, is no URL of a memory."""
    with pytest.raises(ConfigError, match="takes no options"):
        Store(f"sqlite:///{tmp_path / 'leadml.db'}?mode=ro")


def test_a_new_file_opened_by_many_at_once_serves_them_all(tmp_path):
    """Connections that turn the log of a new SQLite file on at one moment wait their turn."""
    together, refused = 8, []

    def look(database: Database, gate: threading.Barrier) -> None:
        gate.wait()
        try:
            with database.reading():
                pass
        except StoreUnavailable as error:
            refused.append(error)
        finally:
            database.close()

    for number in range(60):
        gate = threading.Barrier(together)
        url = f"sqlite:///{tmp_path}/{number}.db"
        looking = [
            threading.Thread(target=look, args=(Database(url, wait_s=10), gate))
            for _ in range(together)
        ]
        for thread in looking:
            thread.start()
        for thread in looking:
            thread.join()
    assert refused == []
