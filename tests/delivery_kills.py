"""Keeps two workers delivering and kills one of them at random moments, again and again.

Run as ``python -m tests.delivery_kills URL KILLS``; prints what it found as JSON. A
process of its own, because it forks: workers must start in milliseconds to be killed often.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

from leadml.service.delivering import Deliverer
from leadml.store import Store
from leadml.webhooks import Guard, Schedule
from leadml.webhooks.wire import Wire

WORKERS = 2
TIMEOUT_S = 0.15
PAUSES_S = (0.0, *[0.02] * 500)


def work(url: str) -> Deliverer:
    """A worker with a compressed schedule on a store of its own."""
    store = Store(url, wait_s=10)
    wire = Wire(Guard(["127.0.0.1"]), timeout_s=TIMEOUT_S)
    return Deliverer(
        lambda: store, wire, schedule=Schedule(PAUSES_S), lease_s=4 * TIMEOUT_S, poll_s=0.05
    )


def start(url: str) -> int:
    """Fork a worker; its process id."""
    child = os.fork()
    if child == 0:
        try:
            work(url).run()
        finally:
            os._exit(1)
    return child


def enable(url: str) -> None:
    """What an administrator does after a 410: make the webhooks active again."""
    store = Store(url, wait_s=10)
    for endpoint in store.outgoing.endpoints():
        if endpoint.state == "disabled":
            store.outgoing.change(endpoint.endpoint_id, {"state": "active"}, by="test")
    store.close()


def main(url: str, kills: int) -> dict[str, float]:
    """Kill so many workers, then let one finish; returns what is left and how long it took."""
    chance = random.Random(0)
    workers = [start(url) for _ in range(WORKERS)]
    for n in range(kills):
        time.sleep(0.02 + chance.random() * 0.12)
        victim = chance.randrange(WORKERS)
        os.kill(workers[victim], signal.SIGKILL)
        os.waitpid(workers[victim], 0)
        workers[victim] = start(url)
        if n % 5 == 4:
            enable(url)
    for child in workers:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    begun = time.monotonic()
    worker = work(url)
    worker.start()
    store = Store(url, wait_s=10)
    while time.monotonic() - begun < 60 + kills:
        standing = store.outgoing.standing()
        if standing.waiting == standing.unsorted == 0:
            break
        enable(url)
        time.sleep(0.1)
    worker.stop()
    store.close()
    return {**standing.as_dict(), "kills": kills, "finished_s": time.monotonic() - begun}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
