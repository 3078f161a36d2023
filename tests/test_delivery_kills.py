"""Workers killed at any moment, receivers that fail: nothing is lost, order is kept (D2)."""

import json
import random
import subprocess
import sys
import threading
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from receiver import Answer, receiver
from stored import START, decision

from leadml.leads import Outcome
from leadml.store import Report, Store

FAILING = 0.3
LEADS_PER_KILL = 0.6
FAULTS = (
    Answer(500),
    Answer(fault="hang", seconds=1.0),
    Answer(fault="reset"),
    Answer(seconds=0.1),  # slow, but in time
    Answer(410),
    Answer(429, {"retry-after": "0.1"}),
    Answer(fault="drip", body=b"x" * 100),
)


class Moody:
    """Fails three times in ten, each time in another way."""

    def __init__(self) -> None:
        self.chance = random.Random(7)
        self.lock = threading.Lock()
        self.failed = 0

    def __call__(self, call):
        with self.lock:
            if self.chance.random() >= FAILING:
                return Answer()
            self.failed += 1
            fault = FAULTS[self.failed % len(FAULTS)]
            return Answer(fault.status, fault.headers, fault.body, fault.fault, fault.seconds)


def write(url: str, leads: int) -> None:
    """Leads that become MQL, are accepted and become SQL: five messages each."""
    store = Store(url, wait_s=10)
    for n in range(leads):
        lead_id = f"lead-{n}"
        store.record_decisions([decision(lead_id, 0.2)])
        for day, outcome in ((1, Outcome.ACCEPTED), (2, Outcome.OPPORTUNITY)):
            store.record_reports([Report(lead_id, outcome, START + timedelta(days=day))])
    store.close()


def owed(url: str) -> dict[str, list[int]]:
    """Messages by id that every endpoint must get: lead and place in the order."""
    store = Store(url)
    with store._database.reading() as connection:
        import sqlalchemy as sa

        from leadml.store import tables

        o = tables.outbox.c
        rows = connection.execute(sa.select(o.message_id, o.lead_id, o.seq, o.type)).all()
    store.close()
    return {row.message_id: row for row in rows}


@pytest.mark.parametrize("kills", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_killed_workers_lose_nothing(database_url, kills):
    """Every message arrives everywhere, twice only under one id, in the order of its lead."""
    moody = Moody()
    with receiver(moody) as there:
        store = Store(database_url, wait_s=10)
        wanted = ["lead.became_mql", "lead.outcome", "lead.became_sal", "lead.became_sql"]
        for path in ("/one", "/two"):
            store.outgoing.add(url=there.url + path, events=wanted, by="test")
        store.close()
        writer = threading.Thread(target=write, args=(database_url, int(LEADS_PER_KILL * kills)))
        writer.start()
        done = subprocess.run(
            [sys.executable, "-m", "tests.delivery_kills", database_url, str(kills)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=1800,
        )
        writer.join()
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout)
        assert (found["waiting"], found["unsorted"], found["dead"]) == (0, 0, 0)
        messages = owed(database_url)
        assert len(messages) == 5 * int(LEADS_PER_KILL * kills)
        assert moody.failed > len(messages) / 4
        for path in ("/one", "/two"):
            calls = [call for call in there.calls if call.path == path]
            taken = [call for call in there.taken if call.path == path]
            assert {call.message_id for call in taken} == messages.keys()
            bodies = defaultdict(set)
            for call in calls:
                bodies[call.message_id].add(call.body)
            assert all(len(told) == 1 for told in bodies.values())
            order = defaultdict(list)
            for call in taken:
                if call.message_id not in order[call.json["data"]["lead_id"]]:
                    order[call.json["data"]["lead_id"]].append(call.message_id)
            for lead_id, ids in order.items():
                assert [messages[one].lead_id for one in ids] == [lead_id] * 5
                sequences = [messages[one].seq for one in ids]
                assert sequences == sorted(sequences)
