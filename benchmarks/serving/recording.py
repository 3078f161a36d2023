"""What remembering every score costs: recorded beside unrecorded, in turn, on one server."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.serving.load import Seen, ask, request_of
from benchmarks.serving.models import build
from benchmarks.serving.run import cpu_s

__all__ = ["NEEDED", "commits_per_s", "main"]

NEEDED = 0.40
"""Recorded over unrecorded rate of single scores with reasons at the most connections.

Less makes the command fail. With few connections a group holds few decisions, and the
rate is that of the disk's commits rather than leadml's.
"""


def requests_of(rows: list[dict[str, object]], record: bool, turn: int) -> list[bytes]:
    """Requests for the leads of a history under ids that no other turn uses."""
    path = "/v1/score?reasons=5" + ("" if record else "&record=false")
    return [
        request_of(
            path,
            json.dumps(
                {"lead_id": f"{turn:04}-{number:05}", "lead": row, "contact_consent": True}
            ).encode(),
        )
        for number, row in enumerate(rows)
    ]


def commits_per_s(folder: Path, seconds: float = 1.0) -> float:
    """Commits of one row that the disk makes durable in a second."""
    file = folder / "disk.db"
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (x)")
    began = time.perf_counter()
    n = 0
    while time.perf_counter() - began < seconds:
        connection.execute("INSERT INTO t VALUES (1)")
        n += 1
    rate = n / (time.perf_counter() - began)
    connection.close()
    return rate


@contextlib.contextmanager
def running(folder: Path, database_url: str) -> Iterator[tuple[int, int]]:
    """A server of one worker that remembers; gives its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LEADML_MODELS_DIR": str(folder / "models"),
        "LEADML_JOBS_DIR": str(folder / "jobs"),
        "LEADML_TRACKING_URI": "",
        "LEADML_DATABASE_URL": database_url,
        "LEADML_WORKERS": "1",
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "leadml", "serve", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
        )
        try:
            end = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                if process.poll() is not None or time.monotonic() > end:
                    said = (folder / "server.log").read_text("utf-8", "replace")[-2000:]
                    raise RuntimeError(f"leadml does not start:\n{said}")
                time.sleep(0.02)
            yield port, process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def main() -> int:
    """Measure, print the table; 1 when the ratio falls short."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.recording", description=__doc__
    )
    parser.add_argument("--leads", type=int, default=8_000, help="simulated leads (8000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, alternating (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a round (2)")
    parser.add_argument("--connections", default="16,64", help="connections, comma-separated")
    parser.add_argument("--url", default="", help="database; a new SQLite file if left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leadml-bench-") as place:
        folder = Path(place)
        print("learning …", flush=True)
        build(folder, chosen.leads)
        rows = json.loads((folder / "rows.json").read_text("utf-8"))
        print(f"the disk makes {commits_per_s(folder):,.0f} commits a second durable", flush=True)
        ratio = 1.0
        print("\n| connections | recorded | leads / s | median ms | p99 ms | CPU µs/lead |")
        print("|---|---|---|---|---|---|")
        with running(folder, chosen.url or f"sqlite:///{folder / 'leadml.db'}") as (
            port,
            process,
        ):
            turn = 0
            for connections in map(int, chosen.connections.split(",")):
                seen: dict[bool, list[Seen]] = {False: [], True: []}
                used: dict[bool, list[float]] = {False: [], True: []}
                for number in range(chosen.rounds + 1):
                    for record in (False, True):
                        requests: list[bytes] = []
                        while len(requests) < 6_000 * chosen.seconds:
                            requests += requests_of(rows, record, turn)
                            turn += 1
                        before = cpu_s(process)
                        found = ask(port, requests, chosen.seconds, connections, apart=True)
                        if number:  # the first round warms up
                            seen[record].append(found)
                            n = found.per_s * chosen.seconds
                            used[record].append((cpu_s(process) - before) / n * 1e6)
                rates = {}
                for record, rounds in seen.items():
                    rates[record] = statistics.median(one.per_s for one in rounds)
                    median, p99 = (
                        statistics.median(getattr(one, name) for one in rounds)
                        for name in ("median_ms", "p99_ms")
                    )
                    said = "yes" if record else "no"
                    print(
                        f"| {connections} | {said} | {rates[record]:,.0f} | {median:.2f} "
                        f"| {p99:.2f} | {statistics.median(used[record]):.0f} |",
                        flush=True,
                    )
                ratio = rates[True] / rates[False]
                print(f"{connections} connections: recorded is {ratio:.2f} of unrecorded")
    if ratio < NEEDED:
        print(f"falls short: {ratio:.2f}, needed {NEEDED:g}")
    return int(ratio < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
