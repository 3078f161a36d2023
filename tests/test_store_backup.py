"""A backup taken while the memory is written is whole, and so is what it is restored to."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from leadml.leads import Outcome
from leadml.store import Report, Store
from tests.stored import decision

WRITERS = 3
ENOUGH = 150


def test_a_backup_under_load_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    """SQLite's own copy of a busy memory opens as a memory, whole, and is written on."""
    store = Store(f"sqlite:///{tmp_path / 'leadml.db'}", wait_s=30)
    store.migrate()
    told: list[str] = []
    stop = threading.Event()
    enough = threading.Event()

    def write(place: int) -> None:
        number = 0
        while not stop.is_set():
            lead_id = f"{place}-{number}"
            store.record_decisions([decision(lead_id, 0.2)])
            store.record_reports([Report(lead_id, Outcome.ACCEPTED)])
            told.append(lead_id)
            number += 1
            if len(told) >= ENOUGH:
                enough.set()

    writers = [threading.Thread(target=write, args=(place,)) for place in range(WRITERS)]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    before = list(told)
    with (
        closing(sqlite3.connect(tmp_path / "leadml.db")) as source,
        closing(sqlite3.connect(tmp_path / "backup.db")) as copy,
    ):
        source.backup(copy)
    stop.set()
    for writer in writers:
        writer.join()
    store.close()

    restored = Store(f"sqlite:///{tmp_path / 'backup.db'}")
    restored.migrate()
    with closing(sqlite3.connect(tmp_path / "backup.db")) as rows:
        assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        decided, accepted = (
            {lead for (lead,) in rows.execute(f"SELECT lead_id FROM {table}")}
            for table in ("decisions", "outcomes")
        )
    assert set(before) <= accepted <= decided
    assert restored.broken_audit_links() == []
    restored.record_decisions([decision("after", 0.2)])
    restored.close()
