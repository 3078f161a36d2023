"""Measure the pages of a server that remembers a million decisions: ``make bench-pages``."""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.pages.crowd import crowd
from leadml.service import Leadml
from leadml.service.serving import Serving
from leadml.settings import Settings

LIMIT_S = 0.150
ROUNDS = 15
PAGES = (
    "/",
    "/leads",
    "/leads?stage=all",
    "/leads?stage=nurture",
    "/leads?q=L00451",
    "/leads?stage=all&source=Referral",
    "/leads?stage=all&q=nobody",
    "/lead?id=L0045100",
    "/thresholds",
    "/thresholds?part=result&basis=capacity&capacity_per_week=80",
    "/model",
    "/versions",
)


def main() -> int:
    """Build, serve, measure; 1 where a page's median is above the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.pages.run")
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder that is kept and used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leadml-pages-") as scratch:
        folder = given.keep or Path(scratch)
        settings = _prepared(folder, given.leads, given.decisions)
        with _server(settings) as address:
            slow = [page for page in PAGES if _measured(address, page) > LIMIT_S]
    for page in slow:
        sys.stderr.write(f"{page} takes longer than {LIMIT_S * 1000:.0f} ms\n")
    return 1 if slow else 0


def _prepared(folder: Path, n_leads: int, n_decisions: int) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / f"crowd-{n_leads}-{n_decisions}.db"
    settings = Settings(
        models_dir=str(folder / "models"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        database_url=f"sqlite:///{database}",
        jobs_dir=str(folder / "jobs"),
    )
    leadml = Leadml(settings)
    if not (folder / "models").exists():
        leadml.data.simulate(6_000, folder / "history", 7)
        leadml.learning.train(
            str(folder / "history" / "leads.csv"),
            {
                "target": "converted",
                "created_at": "created_at",
                "outcome_at": "converted_at",
                "horizon_days": 90,
                "capacity_per_week": 60,
            },
        )
    if not database.exists():
        serving = Serving.of(settings, trial=False)
        serving.refresh()
        began = time.perf_counter()
        fresh = database.with_suffix(".writing")
        fresh.unlink(missing_ok=True)
        crowd(fresh, serving.current(), n_leads, n_decisions)
        serving.close()
        fresh.rename(database)
        size = database.stat().st_size / 1e6
        print(f"{n_decisions:,} decisions of {n_leads:,} leads: {size:,.0f} MB in "
              f"{time.perf_counter() - began:.0f} s")  # fmt: skip
    return settings


def _measured(address: str, page: str) -> float:
    """Median seconds from request to the last byte, after one that is not counted."""
    taken = []
    size = 0
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        request = urllib.request.Request(f"{address}{page}", headers={"Accept": "text/html"})
        with urllib.request.urlopen(request, timeout=60) as response:
            size = len(response.read())
        taken.append(time.perf_counter() - began)
    first, rest = taken[0], taken[1:]
    median = statistics.median(rest)
    print(
        f"{page:62} first {first * 1000:7.0f} ms   median {median * 1000:6.1f} ms   "
        f"slowest {max(rest) * 1000:6.1f} ms   {size / 1000:6.0f} kB"
    )
    return median


@contextmanager
def _server(settings: Settings) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, **settings.environment(), "LEADML_LOG_LEVEL": "error"}
    process = subprocess.Popen(
        [sys.executable, "-m", "leadml", "serve", "--port", str(port)], env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{address}/health/ready", timeout=1):
                    break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    raise SystemExit(main())
