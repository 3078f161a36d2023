"""Several workers: one address, one stop, no failed request; a dead one is replaced."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from test_api_server import LEAD, running

from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.store import Store
from tests import hand_made


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with one version of the hand-made model."""
    write_pointer(tmp_path, "leads", Named("1", hand_made.bundle(tmp_path / "leads" / "1")))
    return tmp_path


def children(process: int) -> list[int]:
    """Processes started by a process."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    if not listed.exists():
        pytest.skip("this system does not list the children of a process")
    return [int(pid) for pid in listed.read_text().split()]


def strangers(address: str) -> httpx.Client:
    """Whoever asks by this opens a new connection each time, so that all workers answer some."""
    return httpx.Client(base_url=address, headers={"connection": "close"}, timeout=20)


def test_workers_answer_count_and_drain_together(models: Path) -> None:
    """Two workers answer; metrics add up over both; SIGTERM under load fails no request."""
    more = {"LEADML_WORKERS": "2", "LEADML_JOBS_DIR": str(models / "jobs")}
    with running(models, **more) as (process, address, _), strangers(address) as client:
        assert len(children(process.pid)) == 2
        for _ in range(40):
            assert client.post("/v1/score", json=LEAD).status_code == 200
        deadline = time.monotonic() + 60
        while True:
            text = client.get("/metrics").text
            counted = 'leadml_request_seconds_count{route="/v1/score",status="200"} 40.0' in text
            if counted:
                break
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        failures: list[str] = []
        stopped = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=address) as client:
                while not stopped.is_set():
                    try:
                        if client.post("/v1/score", json=LEAD).status_code != 200:
                            failures.append("status")
                    except httpx.ConnectError:
                        return  # the listener is gone: a balancer would know by now
                    except httpx.HTTPError as error:
                        failures.append(type(error).__name__)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        stopped.set()
        for thread in threads:
            thread.join(10)
        assert failures == []


def test_dead_worker_is_replaced(models: Path) -> None:
    """After a worker was killed there are two again, and the address answers all the time."""
    with running(models, LEADML_WORKERS="2") as (process, address, _), strangers(address) as client:
        first = children(process.pid)
        os.kill(first[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(set(children(process.pid)) - {first[0]}) < 2:
            assert client.post("/v1/score", json=LEAD).status_code == 200
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_workers_do_not_outlive_who_started_them(models: Path) -> None:
    """A supervisor that is killed leaves no worker and no folder behind, and the port is free."""
    place = models / "temporary"
    place.mkdir()
    more = {"LEADML_WORKERS": "2", "LEADML_DRAIN_S": "0.1", "TMPDIR": str(place)}
    with running(models, **more) as (process, address, _):
        assert list(place.iterdir())
        workers = children(process.pid)
        assert httpx.post(address + "/v1/score", json=LEAD).status_code == 200
        process.kill()
        process.wait(10)
        deadline = time.monotonic() + 60
        while any(_runs(pid) for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert list(place.iterdir()) == []
        with pytest.raises(httpx.ConnectError):
            httpx.post(address + "/v1/score", json=LEAD)


def _runs(process: int) -> bool:
    """Whether a process has not ended; one that nobody waited for has."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_keys_of_all_workers(models: Path) -> None:
    """With a key the server listens elsewhere; revoked, it ends in all workers within 5 s."""
    store = Store(f"sqlite:///{models / 'leadml.db'}")
    store.migrate()
    text, key = store.create_key("crm", ["read", "score"])
    more = {"LEADML_WORKERS": "2", "LEADML_HOST": "0.0.0.0"}
    with running(models, **more) as (process, announced, said):
        try:
            _keys_end_everywhere(announced.replace("0.0.0.0", "127.0.0.1"), store, text, key.prefix)
            assert any("for keys and signed-in people" in line for line in said)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    store.close()


def _keys_end_everywhere(address: str, store: Store, text: str, prefix: str) -> None:
    headers = {"authorization": f"Bearer {text}"}
    with strangers(address) as client:

        def ask(headers: dict[str, str]) -> int:
            return client.get("/v1/model", headers=headers).status_code

        assert {ask(headers) for _ in range(20)} == {200}
        assert {ask({}) for _ in range(20)} == {401}
        assert client.get("/health/live").status_code == 200
        answer = client.post("/v1/score", json={**LEAD, "lead_id": "L9"}, headers=headers)
        assert answer.json()["decision_id"]
        store.revoke_key(prefix)
        revoked = latest = time.monotonic()
        refused = 0
        while refused < 40:  # in a row: both workers have answered, none took it
            refused += 1
            if ask(headers) == 200:
                refused, latest = 0, time.monotonic()
                assert latest - revoked < 5
                time.sleep(0.02)
        assert ask(headers) == 401
