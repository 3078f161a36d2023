"""Kills writers at random moments and looks whether all they acknowledged is there.

Run as ``python -m tests.store_kills URL KILLS``; prints what it found as JSON. A process
of its own, because it forks: the writers must start in milliseconds to be killed often.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time

import sqlalchemy as sa

from leadml.leads import Outcome
from leadml.store import Report, Store, tables
from tests.stored import decision, listen

THREADS = 4


def write(url: str, round_: int, pipe: int) -> None:
    """Write without end; each acknowledged lead is told to the parent by one line."""
    store = Store(url, wait_s=10)

    def work(place: int) -> None:
        number = 0
        while True:
            lead_id = f"{round_}-{place}-{number}"
            (kept,) = store.record_decisions([decision(lead_id, 0.2)])
            os.write(pipe, f"d {lead_id} {kept.decision_id}\n".encode())
            if number % 3 == 0:
                store.record_reports([Report(lead_id, Outcome.ACCEPTED)])
                os.write(pipe, f"r {lead_id} -\n".encode())
            number += 1

    for place in range(THREADS):
        threading.Thread(target=work, args=(place,), daemon=True).start()
    time.sleep(60)


def main(url: str, kills: int) -> dict[str, float]:
    """Kill so many writers; returns what was acknowledged, lost and how long a start took."""
    chance = random.Random(0)
    store = Store(url)
    listen(store)
    store.close()
    acknowledged: list[list[str]] = []
    slowest = 0.0
    for round_ in range(kills):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reads)
            write(url, round_, writes)
            os._exit(1)
        os.close(writes)
        time.sleep(0.03 + chance.random() * 0.12)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = b""
        while part := os.read(reads, 1 << 16):
            told += part
        os.close(reads)
        complete = told[: told.rfind(b"\n") + 1].decode().splitlines()
        acknowledged += [line.split() for line in complete]
        start = time.monotonic()
        store = Store(url, wait_s=10)
        store.check()
        (after,) = store.record_decisions([decision(f"after-{round_}")])
        slowest = max(slowest, time.monotonic() - start)
        acknowledged.append(["d", f"after-{round_}", after.decision_id])
        store.close()
    store = Store(url)
    with store._database.reading() as connection:
        d, o, x = tables.decisions.c, tables.outcomes.c, tables.outbox.c
        decided = dict(connection.execute(sa.select(d.decision_id, d.lead_id)).all())
        reported = set(connection.execute(sa.select(o.lead_id)).scalars())
        messages = set(connection.execute(sa.select(x.lead_id, x.type)).all())
        stages = set(
            connection.execute(sa.select(tables.stages.c.lead_id, tables.stages.c.stage)).all()
        )
        leads = dict(
            connection.execute(sa.select(tables.leads.c.lead_id, tables.leads.c.stage)).all()
        )
        sound = True
        if store.kind == "sqlite":
            sound = connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
    lost = [line for line in acknowledged if line[0] == "d" and decided.get(line[2]) != line[1]]
    lost += [line for line in acknowledged if line[0] == "r" and line[1] not in reported]
    lifted = {lead_id for lead_id in decided.values() if not lead_id.startswith("after")}
    unsent = [lead_id for lead_id in lifted if (lead_id, "lead.became_mql") not in messages]
    unsent += [lead_id for lead_id in reported if (lead_id, "lead.became_sal") not in messages]
    half = [lead_id for lead_id in decided.values() if lead_id not in leads]
    half += [lead_id for lead_id in reported if leads.get(lead_id) != "sal"]
    half += [pair[0] for pair in stages if (pair[0], f"lead.became_{pair[1]}") not in messages]
    return {
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "unsent": len(unsent),
        "half_written": len(half),
        "sound": sound,
        "slowest_start_s": round(slowest, 2),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
