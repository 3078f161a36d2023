"""A server under load, swaps, overload and for long; the slow ones by ``make soak``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import pytest
from hand_made import policy, scorecard

from leadml.api.routes import scores_written
from leadml.api.written import Pen
from leadml.errors import TooManyLeads
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.scorecard import Scorer
from leadml.service.answers import answer
from leadml.service.serving import Served
from leadml.settings import Settings
from tests import hand_made, held
from tests.crowd import Answer, Crowd, p99, port_of, request, served
from tests.typist import typist

BASES = {"1": -2.0, "2": -1.0}
LEADS = hand_made.leads(200)
ONES = [request("/v1/score?reasons=5", {"lead": lead}) for lead in LEADS]
MANY = request("/v1/scores?reasons=5", {"leads": [{"lead": lead} for lead in LEADS[:40]]})
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what is held is read from /proc")

SLOW = pytest.mark.slow


@pytest.fixture
def digests(tmp_path: Path) -> dict[str, str]:
    """Two versions of the hand-made model in a folder, the first of them champion."""
    found = {v: hand_made.bundle(tmp_path / "leads" / v, base=b) for v, b in BASES.items()}
    write_pointer(tmp_path, "leads", Named("1", found["1"]))
    return found


class Truth:
    """Holds every answer to be that of the version it names."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.newest = ""
        self._chances: dict[str, set[float]] = {}
        for version, base in BASES.items():
            scorer, name = Scorer(scorecard(base)), f"leads@{version}"
            versions = Served.of("leads", version, held.bundle(base)).versions
            self._chances[name] = {
                answer(scorer, policy(), versions, None, lead)["probability"] for lead in LEADS
            }

    def __call__(self, found: Answer) -> None:
        """Look at one answer."""
        assert found.status == 200, found.body[:300]
        data = found.data
        version = data["model_version"]
        for one in data.get("results", [data]):
            assert one["model_version"] == version
            assert one["probability"] in self._chances[version]
        self.versions[version] = self.versions.get(version, 0) + 1
        self.newest = version


def swap(models: Path, digests: dict[str, str], truth: Truth, crowd: Crowd, version: str) -> None:
    """Move the champion, and wait until answers say so."""
    write_pointer(models, "leads", Named(version, digests[version]))
    deadline = time.monotonic() + 30
    while truth.newest != f"leads@{version}":
        assert not crowd.failures, crowd.failures[:3]
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("swaps", [20, pytest.param(100, marks=SLOW)])
def test_swaps_under_load_fail_and_mix_nothing(
    tmp_path: Path, digests: dict[str, str], swaps: int
) -> None:
    """R1: each answer is right for the version it names, at 500 a second; p99 stays."""
    truth = Truth()
    with served(tmp_path) as (_, port), Crowd(port, [*ONES, MANY], look=truth) as crowd:
        crowd.wait(500)
        for _ in range(3):  # what else the machine does may spoil a round, not three
            began = time.monotonic()
            crowd.wait(1_000)
            before, rate = p99(crowd.seconds(began)), 1_000 / (time.monotonic() - began)
            began = time.monotonic()
            for turn in range(swaps):
                swap(tmp_path, digests, truth, crowd, "21"[turn % 2])
                crowd.wait(60)
            during = crowd.seconds(began)
            swapped, slowest = len(during) / (time.monotonic() - began), p99(during)
            print(
                f"R1: {swaps} swaps, {swapped:,.0f}/s,"
                f" p99 {before * 1e3:.1f} → {slowest * 1e3:.1f} ms"
            )
            # a machine that cannot do 500 is held to its own rate
            steady = swapped >= min(500, 0.6 * rate) and slowest <= max(2 * before, 0.05)
            if steady:
                break
    assert crowd.failures == []
    assert len(truth.versions) == 2
    assert steady


@pytest.mark.parametrize("stops", [10, pytest.param(50, marks=SLOW)])
def test_stops_under_load_fail_no_request(
    tmp_path: Path, digests: dict[str, str], stops: int
) -> None:
    """R3: after SIGTERM whoever is connected gets answers, told to close; exit 0 within 10 s."""
    slowest = 0.0
    settings = {
        "LEADML_MODELS_DIR": str(tmp_path),
        "LEADML_TRACKING_URI": "",
        "LEADML_DATABASE_URL": "",
        "LEADML_DRAIN_S": "0.3",
    }
    for start in range(0, stops, 5):  # five servers at a time
        batch = range(start, min(start + 5, stops))
        commands = [typist().start(tmp_path, ["serve", "--port", "0"], **settings) for _ in batch]
        callers = []
        for command in commands:
            caller = _Caller(port_of(command))
            caller.start()
            callers.append(caller)
        for caller in callers:
            caller.wait(20)
        asked = time.monotonic()
        for command in commands:
            os.kill(command.pid, signal.SIGTERM)
        assert [command.wait() for command in commands] == [0] * len(commands)
        slowest = max(slowest, time.monotonic() - asked)
        for caller in callers:
            caller.join(20)
            assert caller.failures == []
            assert caller.told_to_close
    print(f"R3: {stops} stops, the slowest exit after {slowest:.1f} s")
    assert slowest <= 10


class _Caller(threading.Thread):
    """Asks as a balancer does: over a kept connection, anew where told, until nobody listens."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.failures: list[str] = []
        self.answered = 0
        self.told_to_close = False

    def wait(self, answers: int) -> None:
        """Until so many answers have come."""
        deadline = time.monotonic() + 30
        while self.answered < answers:
            assert time.monotonic() < deadline, self.failures
            time.sleep(0.005)

    def run(self) -> None:
        import httpx

        lead = {"lead": LEADS[0]}
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20) as client:
            while True:
                try:
                    found = client.post("/v1/score", json=lead)
                except httpx.ConnectError:
                    return  # the listener is gone
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    return
                if found.status_code != 200:
                    self.failures.append(found.text)
                self.told_to_close |= found.headers.get("connection") == "close"
                self.answered += 1


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=SLOW)])
def test_overload_is_refused_quickly(tmp_path: Path, digests: dict[str, str], seconds: int) -> None:
    """R7: at ten times its capacity what is not answered is refused, with Retry-After."""
    many = request("/v1/scores?reasons=5", {"leads": [{"lead": lead} for lead in LEADS]})

    def look(found: Answer) -> None:
        if found.status != 200:
            assert found.status in (429, 503), found.body[:300]
            assert b"retry-after" in found.head.lower()
            assert found.data["code"] == "overloaded"

    with served(tmp_path, LEADML_MAX_BATCHES="4") as (_, port):
        for _ in range(3):  # what else the machine does may spoil a round, not three
            with Crowd(port, [many], connections=4) as crowd:  # as many as it lets in
                crowd.wait(50)
                began = time.monotonic()
                crowd.wait(200)
                capacity = 200 / (time.monotonic() - began)
                before = p99(crowd.seconds(began))
            assert crowd.failures == []
            every_s = 100 / (10 * capacity)
            with Crowd(port, [many], connections=100, look=look, every_s=every_s) as flood:
                began = time.monotonic()
                time.sleep(seconds)
            assert flood.failures == []
            accepted, refused = flood.seconds(began), flood.seconds(began, 503)
            offered = (len(accepted) + len(refused)) / seconds
            print(
                f"R7: {seconds} s, {offered:,.0f}/s offered, {capacity:,.0f}/s possible; accepted"
                f" {len(accepted) / seconds:,.0f}/s, p99 {before * 1e3:.0f} →"
                f" {p99(accepted) * 1e3:.0f} ms;"
                f" refused p50 {median(refused) * 1e3:.1f}, p99 {p99(refused) * 1e3:.0f} ms"
            )
            assert len(refused) > len(accepted)
            promised = (
                len(accepted) >= 0.2 * capacity * seconds,
                median(refused) <= 0.05,
                p99(accepted) <= max(2 * before, 0.25),
            )
            if all(promised):
                break
    assert promised == (True, True, True)


@LINUX
@pytest.mark.parametrize(
    ("scores", "explained", "swaps"),
    [(50_000, 2_000, 4), pytest.param(1_000_000, 100_000, 50, marks=SLOW)],
)
def test_long_service_grows_nothing(
    tmp_path: Path, digests: dict[str, str], scores: int, explained: int, swaps: int
) -> None:
    """R9: after many scores, explained ones and swaps, memory and descriptors are as before."""
    truth = Truth()
    many = request("/v1/scores?reasons=0", {"leads": [{"lead": lead} for lead in LEADS] * 5})
    with served(tmp_path) as (command, port):

        def ask(requests: list[bytes], answers: int, turns: int) -> None:
            with Crowd(port, requests, connections=4, look=truth) as crowd:
                for turn in range(turns):
                    swap(tmp_path, digests, truth, crowd, "21"[turn % 2])
                    crowd.wait(answers // turns)
            assert crowd.failures == []

        for requests in ([many], ONES):  # what is kept for speed is kept now
            ask(requests, 30 if requests is not ONES else 1_000, 2)
        before = _settled(command.pid)
        ask([many], scores // 1_000, swaps // 2)
        ask(ONES, explained, swaps // 2)
        after = _settled(command.pid)
    print(f"R9: {scores:,} + {explained:,}, {swaps} swaps: {before} → {after} (MB, descriptors)")
    assert after[0] - before[0] <= 20
    assert after[1] - before[1] <= 2


def _settled(pid: int) -> tuple[float, int]:
    """What a process holds once connections that ended are closed."""
    before, now = (0.0, -1), _held_by(pid)
    while before[1] != now[1]:
        time.sleep(0.5)
        before, now = now, _held_by(pid)
    return now


def _held_by(pid: int) -> tuple[float, int]:
    """Resident megabytes and open descriptors of a process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1e3, len(
        list(Path(f"/proc/{pid}/fd").iterdir())
    )


@pytest.mark.parametrize("each", [150, pytest.param(10_000, marks=SLOW)])
def test_threads_share_a_model(each: int) -> None:
    """R10: 32 threads explain leads at once, none wrongly; reasons add up to 1e-9."""
    model = Served.of("leads", "1", held.bundle())
    scorer, pen = model.scorer, Pen(model)
    expected = [
        orjson.dumps(answer(scorer, model.policy, model.versions, None, lead)) for lead in LEADS
    ]
    wrong: list[Any] = []

    def work(place: int) -> None:
        for k in range(place, place + each):
            at = k % len(LEADS)
            if pen.unrecorded(pen.one(None, LEADS[at])).body != expected[at]:
                wrong.append(at)
            scored = scorer.one(LEADS[at])
            if abs(scorer.scorecard.base + sum(scored.contributions) - scored.log_odds) > 1e-9:
                wrong.append(scored)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))
    assert wrong == []


def test_a_million_leads_in_one_request_are_refused_at_once() -> None:
    """I4: a body of a million leads that fits the size limit meets the cap within 200 ms."""
    model = Served.of("leads", "1", held.bundle())
    body = b'{"leads":[' + b",".join([b"{}"] * 1_000_000) + b"]}"
    assert len(body) <= Settings().max_body_bytes
    began = time.process_time()
    with pytest.raises(TooManyLeads):
        scores_written(Pen(model), body, 5, Settings().max_leads_per_request)
    assert time.process_time() - began <= 0.2


@LINUX
@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=SLOW)])
def test_a_large_job_stays_within_its_memory(
    tmp_path: Path, digests: dict[str, str], rows: int
) -> None:
    """I4: a file of a million leads becomes a job that takes less than 1 GB."""
    home = tmp_path / "jobs" / "job_0123456789abcdef"
    home.mkdir(parents=True)
    names = [column.name for column in hand_made.schema().columns]
    lines = [",".join(str(lead.get(name, "")) for name in names) for lead in LEADS]
    with (home / "input").open("w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for _ in range(rows // len(lines)):
            file.write("\n".join(lines) + "\n")
    job = {"job_id": home.name, "created_at": "2026-11-20T08:00:00Z", "bytes": 1}
    asked = {**job, "result_format": "csv", "reasons": 5, "allow_missing": False}
    (home / "job.json").write_text(json.dumps(asked), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from leadml.service.scoring_job import run"
        "; run(Path(sys.argv[1])); print(Path('/proc/self/status').read_text())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(home)],
        env={**os.environ, "LEADML_MODELS_DIR": str(tmp_path), "LEADML_TRACKING_URI": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", said.stdout)  # ru_maxrss is that of whoever forked
    assert peak
    megabytes = int(peak[1]) / 1024
    print(f"I4: a job of {rows:,} rows in {megabytes:,.0f} MB")
    assert json.loads((home / "end").read_text("utf-8"))["state"] == "done"
    with (home / "result").open(encoding="utf-8") as result:
        assert sum(1 for _ in result) == rows + 1
    assert megabytes <= 1_000
