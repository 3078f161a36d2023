"""leadml.store.auditing: every edit of the log shows."""

import random

import pytest
import sqlalchemy as sa

from leadml.store import Store, tables
from leadml.store.auditing import broken_links


@pytest.fixture
def noted(store):
    """A store with thirty entries in its log."""
    for number in range(30):
        store.note_action("anna", "model.promote", str(number), {"version": number})
    return store


def edit(connection, chance: random.Random) -> str:
    """One edit somebody might make by hand; says which."""
    c = tables.audit.c
    seq = chance.randrange(1, 31)
    kind = chance.choice(["actor", "action", "subject", "detail", "at_us", "link", "gone", "swap"])
    if kind == "gone":
        connection.execute(sa.delete(tables.audit).where(c.seq == seq))
    elif kind == "swap":
        other = seq % 30 + 1
        for before, after in ((seq, 1000), (other, seq), (1000, other)):
            connection.execute(sa.update(tables.audit).where(c.seq == before).values(seq=after))
    elif kind == "at_us":
        connection.execute(sa.update(tables.audit).where(c.seq == seq).values(at_us=c.at_us + 1))
    else:
        old = connection.execute(sa.select(c[kind]).where(c.seq == seq)).scalar_one()
        place = chance.randrange(len(old))
        new = old[:place] + chr(ord(old[place]) ^ 1) + old[place + 1 :]
        connection.execute(sa.update(tables.audit).where(c.seq == seq).values({kind: new}))
    return f"{kind} {seq}"


def test_an_untouched_log_holds(noted):
    """The chain of a log that nobody edited has no broken link."""
    assert noted.broken_audit_links() == []
    assert [entry["detail"]["version"] for entry in noted.audit_log()] == list(range(30))


def test_every_edit_is_found(noted):
    """1,000 random edits of one entry, each undone afterwards, are all detected."""
    chance = random.Random(0)
    missed = []
    with noted._database.writing() as connection:
        for _ in range(1000):
            point = connection.begin_nested()
            what = edit(connection, chance)
            if not broken_links(connection):
                missed.append(what)
            point.rollback()
    assert missed == []
    assert noted.broken_audit_links() == []


def test_cutting_off_the_end_is_found(noted):
    """A log whose newest entries are gone does not hold."""

    def effect(connection):
        connection.execute(sa.delete(tables.audit).where(tables.audit.c.seq > 20))

    noted._write(effect)
    assert noted.broken_audit_links() == ["the end of the chain is not entry 20"]


def test_two_processes_make_one_chain(database_url):
    """Entries of two stores on one database stand in one chain."""
    stores = [Store(database_url), Store(database_url)]
    for number in range(10):
        stores[number % 2].note_action("anna", "a", str(number), {})
    assert stores[0].broken_audit_links() == []
    assert len(stores[1].audit_log()) == 10
    for store in stores:
        store.close()
