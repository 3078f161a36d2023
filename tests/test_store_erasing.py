"""leadml.store.erasing: what is left of a lead, looked for in the bytes."""

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from stored import START, decision

from leadml.leads import Outcome
from leadml.store import Happening, Once, Report, Store

CANARIES = ("anna.canary@example.com", "Canary Industries", "canary-reason", "canary-note")


def fill(store: Store) -> None:
    """A lead with traces in every table, among many others, changed several times."""
    store.outgoing.add(url="https://crm.example/hook", by="admin")
    lead_id, company, reason, note = CANARIES
    for day in range(3):
        store.record_decisions(
            [
                decision(f"L{n}", 0.02 * (n % 9), day=day, inputs={"company": f"other {n}" * 9})
                for n in range(200)
            ]
            + [
                decision(
                    lead_id,
                    0.2 * day,
                    day=day,
                    inputs={"company": company, "visits": day, "text": "x" * 3000 * day},
                    contact_consent=day > 0,
                    reasons=[{"field": "company", "text": f"company {company}"}],
                )
            ]
        )
    store.set_consent(lead_id, contact_consent=True, by="crm", at=START)
    claimed = store.claim(Once("key", "POST /v1/outcomes", "digest"))
    at = START + timedelta(days=4)
    store.record_reports(
        [Report(lead_id, Outcome.REJECTED, at, reason=reason, details={"note": note})],
        claimed=claimed,
        answer=lambda _: (200, json.dumps({"lead_id": lead_id}, separators=(",", ":"))),
    )
    store.lives.happen([Happening(lead_id, "page_view", START, {"note": note})])
    while store.outgoing.fan_out():
        pass


def bytes_of(store: Store, url: str, postgres) -> bytes:
    """All bytes of the database in its files: SQLite with its log, PostgreSQL's tables."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        return b"".join(path.read_bytes() for path in file.parent.glob(file.name + "*"))
    postgres.ask("CHECKPOINT")
    name = url.rpartition("?")[0].rpartition("/")[2]
    ((oid,),) = postgres.ask(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    files = (postgres.folder / "base" / str(oid)).iterdir()
    return b"".join(path.read_bytes() for path in files if path.is_file())


def test_nothing_of_an_erased_lead_is_left_in_the_files(database_url, request):
    """After erasure no byte of a lead's id, attributes, reasons or notes is in the database."""
    server = None
    if database_url.startswith("postgresql"):
        server = request.getfixturevalue("postgres")
    store = Store(database_url, wait_s=10)
    fill(store)
    before = bytes_of(store, database_url, server)
    assert [word for word in CANARIES if word.encode() not in before] == []
    start = time.monotonic()
    erasure = store.erase(CANARIES[0], by="dpo")
    assert time.monotonic() - start < 60
    assert erasure.scrubbed
    assert all(erasure.rows[name] for name in erasure.rows)
    after = bytes_of(store, database_url, server)
    assert [word for word in CANARIES if word.encode() in after] == []
    counts = store.counts()
    assert (counts["leads"], counts["tombstones"]) == (200, 1)
    store.close()


def test_many_erasures_share_one_scrub(store):
    """Erasures may leave the rewriting of the file to one later scrub, and only one runs."""
    fill(store)
    assert not store.erase("L1", by="dpo", scrub=False).scrubbed
    assert not store.erase("L2", by="dpo", scrub=False).scrubbed
    assert store.scrub()
    start = time.perf_counter()
    assert store.scrub()
    assert time.perf_counter() - start < 2


def test_a_scrub_waits_for_readers_and_says_when_it_could_not(tmp_path):
    """While a reader holds the log an erasure is not called scrubbed; later it is."""
    import sqlite3

    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url, wait_s=0.2)
    store.migrate()
    fill(store)
    reader = sqlite3.connect(tmp_path / "leadml.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM leads").fetchone()
    erasure = store.erase(CANARIES[0], by="dpo")
    assert not erasure.scrubbed
    assert store.lead(CANARIES[0]) is None
    reader.execute("ROLLBACK")
    reader.close()
    assert store.scrub()
    left = b"".join(path.read_bytes() for path in tmp_path.glob("leadml.db*"))
    assert not any(word.encode() in left for word in CANARIES)
    store.close()


def test_an_erasure_is_noted_without_the_name(store):
    """The audit log tells that a lead was erased and by whom, not which one."""
    fill(store)
    store.erase(CANARIES[0], by="dpo")
    entry = store.audit_log()[-1]
    assert (entry["actor"], entry["action"]) == ("dpo", "lead.erase")
    assert entry["detail"]["decisions"] == 3
    assert not any(word in str(entry) for word in CANARIES)


def test_an_unknown_lead_can_be_erased_in_advance(store):
    """An erasure of a lead that never came keeps it out for good."""
    store.erase("not yet", by="dpo")
    (recorded,) = store.record_decisions([decision("not yet")])
    assert not recorded.kept


@pytest.mark.parametrize("lead_id", ["%", "_", "L_", "'; --", 'a"b\\', "ü"])
def test_an_odd_id_erases_only_itself(store, lead_id):
    """Signs that mean something to a database mean nothing in an id."""
    fill(store)
    store.record_decisions([decision(lead_id, 0.2)])
    store.erase(lead_id, by="dpo", scrub=False)
    assert store.counts()["leads"] == 201
    assert store.claim(Once("key", "POST /v1/outcomes", "digest")).status == 200
