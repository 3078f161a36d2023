"""Starts each server, asks them in turn and prints how they compare."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.environments import peer_python
from benchmarks.serving.load import Seen, ask, request_of
from benchmarks.serving.models import BATCH, build

__all__ = ["NEEDED", "cpu_s", "main", "ratios"]

ROOT = Path(__file__).parents[2]

NEEDED = {
    "leadml with reasons / mlflow": 100.0,
    "leadml with reasons / tutorial with reasons": 150.0,
    "leadml with reasons / FastAPI that does nothing": 0.60,
    "leadml batch with reasons / best peer's batch": 4.0,
}
"""Ratios that must be reached; a smaller one makes the command fail."""


class Way(NamedTuple):
    """One way of asking one server."""

    server: str
    what: str
    requests: list[bytes]
    leads: int
    connections: int


class Figures(NamedTuple):
    """What a server showed beside its speed, and its process."""

    ready_s: float
    memory_mb: float
    process: int


class Round(NamedTuple):
    """One round of asking one server."""

    seen: Seen
    server_us: float
    """Processor time of the server for one lead, in microseconds."""


def _ways(folder: Path) -> list[Way]:
    rows = json.loads((folder / "rows.json").read_text("utf-8"))
    columns = json.loads((folder / "columns.json").read_text("utf-8"))
    for_peers = [
        {name: float(v) if isinstance(v := row.get(name), bool) else v for name in columns}
        for row in rows
    ]
    one = [json.dumps({"lead": row}).encode() for row in rows]
    many = json.dumps({"leads": [{"lead": row} for row in rows]}).encode()
    split = [
        json.dumps({"dataframe_split": {"columns": columns, "data": [list(row.values())]}}).encode()
        for row in for_peers
    ]
    table = {"columns": columns, "data": [list(row.values()) for row in for_peers]}
    whole = json.dumps({"dataframe_split": table}).encode()
    bento = [json.dumps({"leads": [row]}).encode() for row in rows]

    def singles(server: str, what: str, path: str, bodies: list[bytes]) -> Way:
        return Way(server, what, [request_of(path, body) for body in bodies], 1, 16)

    def batch(server: str, what: str, path: str, body: bytes) -> Way:
        return Way(server, what, [request_of(path, body)], BATCH, 2)

    return [
        singles("leadml", "score", "/v1/score?reasons=0", one),
        singles("leadml", "score with reasons", "/v1/score?reasons=5", one),
        batch("leadml", "batch with reasons", "/v1/scores?reasons=5", many),
        singles("fastapi", "nothing", "/score", one),
        singles("starlette", "nothing", "/score", one),
        singles("mlflow", "score", "/invocations", split),
        batch("mlflow", "batch", "/invocations", whole),
        singles("tutorial", "score", "/score", one),
        singles("tutorial", "score with reasons", "/explain", one),
        batch("tutorial", "batch", "/scores", many),
        singles("bentoml", "score", "/score", bento),
        batch("bentoml", "batch", "/score", json.dumps({"leads": rows}).encode()),
    ]


_ENVIRONMENTS = {"tutorial": "shap", "bentoml": "bentoml"}
"""Servers that need an environment of their own, by server."""


def _command(server: str, port: int, folder: Path) -> list[str]:
    if server == "leadml":
        return [sys.executable, "-m", "leadml", "serve", "--port", str(port)]
    if server == "mlflow":
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "mlflow")]
        return [*command, "-p", str(port), "--env-manager", "local", "-w", "1"]
    environment = _ENVIRONMENTS.get(server)
    python = sys.executable if environment is None else peer_python(environment)
    return [python, "-m", "benchmarks.serving.peers", server, str(port), str(folder)]


@contextlib.contextmanager
def _running(
    server: str, folder: Path, probe: bytes, core: int | None
) -> Iterator[tuple[int, Figures]]:
    """A server that answers; gives its port, the time to its first answer and its memory."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # mlflow calls uvicorn
        "OMP_NUM_THREADS": "1",
        "LEADML_MODELS_DIR": str(folder / "models"),
        "LEADML_JOBS_DIR": str(folder / "jobs"),
        "LEADML_TRACKING_URI": "",
        "LEADML_DATABASE_URL": "",  # benchmarks.serving.recording measures with a memory
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "600",
    }
    began = time.perf_counter()
    with (folder / f"{server}.log").open("wb") as log:
        process = subprocess.Popen(
            _command(server, port, folder),
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        try:
            while not _answers(port, probe):
                if process.poll() is not None or time.perf_counter() - began > 180:
                    said = (folder / f"{server}.log").read_text("utf-8", "replace")[-2000:]
                    raise RuntimeError(f"{server} does not start:\n{said}")
                time.sleep(0.02)
            ready_s = time.perf_counter() - began
            yield port, Figures(ready_s, _memory_mb(process.pid), process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int, probe: bytes) -> bool:
    try:
        ask(port, [probe], 0.0, connections=1)
    except OSError:
        return False
    return True


def _tree(process: int) -> Iterator[Path]:
    """Where /proc tells of a process and of all below it."""
    waiting = [process]
    while waiting:
        home = Path("/proc") / str(waiting.pop())
        with contextlib.suppress(OSError):
            for children in home.glob("task/*/children"):
                waiting += map(int, children.read_text().split())
            yield home


def _memory_mb(process: int) -> float:
    """Resident memory of a process and all below it, in MB; 0 where /proc is not there."""
    total = 0.0
    for home in _tree(process):
        with contextlib.suppress(OSError, IndexError):
            total += int(home.joinpath("statm").read_text().split()[1]) * 4096 / 1e6
    return total


def cpu_s(process: int) -> float:
    """Processor seconds of a process and all below it; 0 where /proc is not there."""
    total = 0
    for home in _tree(process):
        with contextlib.suppress(OSError, IndexError):
            cells = home.joinpath("stat").read_text().rpartition(")")[2].split()
            total += int(cells[11]) + int(cells[12])
    return total / os.sysconf("SC_CLK_TCK")


def ratios(leads_per_s: dict[tuple[str, str], float]) -> dict[str, float]:
    """What :data:`NEEDED` asks for, as far as the servers were measured."""
    mine = leads_per_s["leadml", "score with reasons"]
    found: dict[str, float] = {}
    for name, key in (
        ("leadml with reasons / mlflow", ("mlflow", "score")),
        ("leadml with reasons / tutorial with reasons", ("tutorial", "score with reasons")),
        ("leadml with reasons / FastAPI that does nothing", ("fastapi", "nothing")),
    ):
        if key in leads_per_s:
            found[name] = mine / leads_per_s[key]
    batches = [rate for (server, what), rate in leads_per_s.items() if what == "batch"]
    if batches:
        batch = leads_per_s["leadml", "batch with reasons"]
        found["leadml batch with reasons / best peer's batch"] = batch / max(batches)
    return found


def main() -> int:
    """Measure, print the table and the ratios; 1 when one falls short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.run", description=__doc__)
    parser.add_argument("--leads", type=int, default=8_000, help="simulated leads (8000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, alternating (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a round (2)")
    parser.add_argument(
        "--plain", action="store_true", help="peers' probabilities are not calibrated"
    )
    parser.add_argument("--only", default="", help="servers, comma-separated")
    chosen = parser.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    with tempfile.TemporaryDirectory(prefix="leadml-bench-") as place:
        folder = Path(place)
        print("learning from the same leads …", flush=True)
        build(folder, chosen.leads, calibrated=not chosen.plain)
        ways = [way for way in _ways(folder) if not only or way.server in only | {"leadml"}]
        cores = _cores()
        seen, figures, missing = _measure(ways, folder, chosen.rounds, chosen.seconds, cores)
    return _tell([way for way in ways if way.server not in missing], seen, figures, missing)


def _cores() -> tuple[int, int] | None:
    """One core for the servers and one for the asking side, where there are two."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    there = sorted(os.sched_getaffinity(0))
    return (there[0], there[-1]) if len(there) > 1 else None


def _measure(
    ways: list[Way],
    folder: Path,
    rounds: int,
    seconds: float,
    cores: tuple[int, int] | None,
) -> tuple[dict[tuple[str, str], list[Round]], dict[str, Figures], dict[str, str]]:
    seen: dict[tuple[str, str], list[Round]] = {(way.server, way.what): [] for way in ways}
    figures: dict[str, Figures] = {}
    missing: dict[str, str] = {}
    if cores is not None:
        print(f"servers on core {cores[0]}, the asking side on core {cores[1]}", flush=True)
    with contextlib.ExitStack() as stack:
        ports = {}
        for server in dict.fromkeys(way.server for way in ways):
            probe = next(way.requests[0] for way in ways if way.server == server)
            try:
                ports[server], figures[server] = stack.enter_context(
                    _running(server, folder, probe, cores[0] if cores else None)
                )
            except RuntimeError as error:
                if server == "leadml":
                    raise
                missing[server] = str(error)
                continue
            print(f"{server} answers after {figures[server].ready_s:.1f} s", flush=True)
        if cores is not None:
            os.sched_setaffinity(0, {cores[1]})
        for number in range(rounds + 1):
            for way in ways:
                if way.server in missing:
                    continue
                before = cpu_s(figures[way.server].process)
                found = ask(ports[way.server], way.requests, seconds, way.connections)
                used = cpu_s(figures[way.server].process) - before
                if number:  # the first round warms up
                    one = Round(found, used / (found.answers * way.leads) * 1e6)
                    seen[way.server, way.what].append(one)
            print(f"round {number} of {rounds}", flush=True)
    return seen, figures, missing


def _tell(
    ways: list[Way],
    seen: dict[tuple[str, str], list[Round]],
    figures: dict[str, Figures],
    missing: dict[str, str],
) -> int:
    print("\n| server | asked for | leads / s | median ms | p99 ms | CPU µs/lead | ready s | MB |")
    print("|---|---|---|---|---|---|---|---|")
    rates = {}
    for way in ways:
        rounds = seen[way.server, way.what]
        rate, median, p99 = (
            statistics.median(getattr(one.seen, name) for one in rounds)
            for name in ("per_s", "median_ms", "p99_ms")
        )
        rates[way.server, way.what] = rate * way.leads
        used = statistics.median(one.server_us for one in rounds)
        at = figures[way.server]
        print(
            f"| {way.server} | {way.what} | {rates[way.server, way.what]:,.0f} | {median:.2f} "
            f"| {p99:.2f} | {used:,.1f} | {at.ready_s:.1f} | {at.memory_mb:.0f} |"
        )
    own = max(one.seen.own_cpu for rounds in seen.values() for one in rounds)
    print(f"the asking side took at most {own:.0%} of its core")
    for server, why in missing.items():
        print(f"missing: {server}, which could not be run: {why}")
    found = ratios(rates)
    short = [name for name, ratio in found.items() if ratio < NEEDED[name]]
    for name in short:
        print(f"falls short: {name} is {found[name]:.2f}, needed {NEEDED[name]:g}")
    print("; ".join(f"{name} {ratio:.3g}" for name, ratio in found.items()))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
