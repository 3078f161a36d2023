"""leadml.store.migrate."""

import threading
from functools import partial

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from stored import decision

from leadml.errors import ConfigError
from leadml.store import Store, tables
from leadml.store.migrate import latest_revision


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'leadml.db'}"
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh(migrated=False)
    yield url
    server.drop(url)


def belongs(dialect, found, _name, kind, *_compared):
    """Whether a table or an index is made on this database at all."""
    only = getattr(found, "_ddl_if", None)
    return kind != "index" or only is None or only.dialect == dialect.name


def test_the_steps_lead_to_the_tables_of_the_code(store):
    """After all migrations the database is what the code describes, type by type."""
    with store._database.reading() as connection:
        made_here = {"compare_type": True, "include_object": partial(belongs, connection.dialect)}
        context = MigrationContext.configure(connection, opts=made_here)
        assert compare_metadata(context, tables.metadata) == []


def test_a_second_time_changes_nothing(store):
    """Migrating a migrated store keeps what is in it."""
    store.record_decisions([decision()])
    assert store.migrate() == latest_revision()
    assert store.counts()["decisions"] == 1


def test_back_and_forth(store):
    """The way back to no tables and forth again works."""
    assert store.migrate("base") == ""
    assert store.migrate() == latest_revision()
    assert store.counts()["leads"] == 0


def test_processes_that_start_together_migrate_once(empty_url):
    """Several stores that migrate at the same moment all find the tables made."""
    found, failed = [], []

    def start() -> None:
        store = Store(empty_url, wait_s=10)
        try:
            found.append(store.migrate())
            store.check()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert found == [latest_revision()] * 4


def test_tables_of_a_later_version_are_left_alone(store):
    """A database of a later leadml is refused, with what to do."""

    def effect(connection):
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    store._write(effect)
    with pytest.raises(ConfigError) as caught:
        store.migrate()
    assert "upgrade leadml" in caught.value.fix


def test_an_unknown_revision_is_refused(store):
    """A revision that does not exist is named."""
    with pytest.raises(ConfigError, match="nowhere"):
        store.migrate("nowhere")
