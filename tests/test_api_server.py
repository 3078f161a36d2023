"""The server process: where it listens, what it loads, how it swaps and stops."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leadml.api.server import bind
from leadml.errors import ConfigError, KeysMissing
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.registry.signing import create_keys
from leadml.registry.trial import remember
from leadml.settings import Settings
from tests import hand_made

ROOT = Path(__file__).parents[1]
LEAD = {"lead_id": "L1", "lead": hand_made.leads(1)[0]}
BASES = {"1": -2.0, "2": -1.0}
HEAVY = ("pandas", "sklearn", "scipy", "lightgbm", "mlflow", "altair", "joblib", "optuna", "shap")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with two versions of the hand-made model; the first is champion."""
    for version, base in (("1", -2.0), ("2", -1.0)):
        digest = hand_made.bundle(tmp_path / "leads" / version, base=base)
        if version == "1":
            write_pointer(tmp_path, "leads", Named(version, digest))
    return tmp_path


def promote(models: Path, version: str) -> None:
    """Point at a version that is there."""
    digest = hand_made.bundle(models / "leads" / version, base=BASES[version])
    write_pointer(models, "leads", Named(version, digest))


@contextlib.contextmanager
def running(
    models: Path, *command: str, **more: str
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server process, ready; gives process, address and the lines it says on stderr."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("LEADML_", "MLFLOW_"))},
        "LEADML_MODELS_DIR": str(models),
        "LEADML_TRACKING_URI": "",
        "LEADML_DATABASE_URL": f"sqlite:///{models / 'leadml.db'}",
        "LEADML_CHAMPION_POLL_S": "0.05",
        "LEADML_DRAIN_S": "0.4",
        "LEADML_PORT": "0",
        "PYTHONPATH": str(ROOT),
        **more,
    }
    code = "from leadml.api.server import run; run()"
    process = subprocess.Popen(
        list(command) or [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield process, _address(process, said), said
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        process.stderr.close()


def _address(process: subprocess.Popen[str], said: list[str]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in said:
            found = re.search(r"on (http://(?:127\.0\.0\.1|0\.0\.0\.0):\d+)", line)
            if found:
                return found[1]
        time.sleep(0.01)
    raise AssertionError("".join(said))


def until_draining(address: str) -> None:
    """Ask until the server says that it is about to stop."""
    deadline = time.monotonic() + 20
    with httpx.Client(base_url=address) as client:
        while (answer := client.get("/health/ready")).status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert answer.json()["code"] == "draining"


def test_serves_and_says_where(models: Path) -> None:
    """The server says where it listens once it answers, and that no key is needed there."""
    with running(models) as (process, address, said):
        found = httpx.post(f"{address}/v1/score", json=LEAD).json()
        assert found["model_version"] == "leads@1"
        assert any("this machine only" in line for line in said)
        assert "no model yet" not in "".join(said)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_moved_champion_is_served_without_an_error(models: Path) -> None:
    """A moved champion answers within seconds; no request fails or mixes versions meanwhile."""
    with running(models) as (_, address, _), httpx.Client(base_url=address) as client:
        expected = {}
        seen = []
        deadline = time.monotonic() + 60
        promote(models, "1")
        while time.monotonic() < deadline:
            response = client.post("/v1/score", json=LEAD)
            assert response.status_code == 200
            found = response.json()
            assert found.pop("decision_id")
            seen.append(found["model_version"])
            assert expected.setdefault(found["model_version"], found) == found
            if len(seen) == 20:
                promote(models, "2")
            if found["model_version"] == "leads@2" and len(seen) > 60:
                break
        assert seen == sorted(seen)
        assert set(seen) == {"leads@1", "leads@2"}
        assert expected["leads@1"]["probability"] < expected["leads@2"]["probability"]


def test_starts_without_a_model_and_takes_the_first(tmp_path: Path) -> None:
    """A server started before any training says no_model, then serves the first champion."""
    with running(tmp_path) as (_, address, said), httpx.Client(base_url=address) as client:
        assert client.get("/health/ready").json()["code"] == "no_model"
        assert "no model yet: leadml train FILE --target COLUMN" in "".join(said)
        digest = hand_made.bundle(tmp_path / "leads" / "1")
        write_pointer(tmp_path, "leads", Named("1", digest))
        deadline = time.monotonic() + 60
        while client.get("/health/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.post("/v1/score", json=LEAD).status_code == 200


def test_damaged_bundle_is_never_served(models: Path) -> None:
    """A damaged new champion leaves the old one answering, and ready says why."""
    with running(models) as (_, address, _), httpx.Client(base_url=address) as client:
        assert client.get("/health/ready").json()["status"] == "ready"
        card = models / "leads" / "2" / "scorecard.json"
        card.write_bytes(card.read_bytes().replace(b"1", b"2", 1))
        write_pointer(models, "leads", Named("2", "0" * 64))
        deadline = time.monotonic() + 60
        while client.get("/health/ready").json()["status"] != "degraded":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.post("/v1/score", json=LEAD).json()["model_version"] == "leads@1"


def test_missing_registry_is_told_and_not_needed(models: Path) -> None:
    """Without its tracking database the server answers from the local copy, and says so."""
    uri = f"sqlite:///{models / 'none.db'}"
    with running(models, LEADML_TRACKING_URI=uri) as (_, address, _):
        found = httpx.get(f"{address}/health/ready").json()
        assert found["status"] == "degraded"
        assert "none.db is not there" in found["reason"]
        assert httpx.post(f"{address}/v1/score", json=LEAD).status_code == 200


def test_sigterm_drains_without_a_failed_request(models: Path) -> None:
    """After SIGTERM requests are still answered with Connection: close, then it ends with 0."""
    with running(models, LEADML_DRAIN_S="1") as (process, address, _):
        failures: list[str] = []
        closing = threading.Event()
        stopped = threading.Event()
        answered = [0]

        def ask() -> None:
            with httpx.Client(base_url=address) as client:
                while not stopped.is_set():
                    try:
                        response = client.post("/v1/score", json=LEAD)
                    except httpx.ConnectError:
                        stopped.set()  # the listener is gone: a balancer would know by now
                    except httpx.HTTPError as error:
                        failures.append(type(error).__name__)
                    else:
                        answered[0] += 1
                        if response.status_code != 200:
                            failures.append(str(response.status_code))
                        if response.headers.get("connection") == "close":
                            closing.set()

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        until_draining(address)
        assert process.wait(20) == 0
        stopped.set()
        for thread in threads:
            thread.join(10)
        assert failures == []
        assert closing.is_set()
        assert answered[0] > 50


def test_second_sigterm_does_not_wait(models: Path) -> None:
    """Whoever is in a hurry asks twice."""
    with running(models, LEADML_DRAIN_S="60") as (process, address, _):
        process.send_signal(signal.SIGTERM)
        until_draining(address)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_deployable_application_drains_too(models: Path) -> None:
    """`uvicorn serve.app:app` serves the same and drains on SIGTERM."""
    command = [sys.executable, "-m", "uvicorn", "serve.app:app", "--port", "0"]
    with running(models, *command, LEADML_DRAIN_S="30") as (process, address, _):
        assert httpx.post(f"{address}/v1/score", json=LEAD).status_code == 200
        process.send_signal(signal.SIGTERM)
        until_draining(address)
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_misspelt_variable_is_named(models: Path) -> None:
    """A variable that is almost a setting is named in the log."""
    with running(models, LEADML_MODEL_DIR="elsewhere") as (_, _, said):
        assert any("meant=LEADML_MODELS_DIR setting=LEADML_MODEL_DIR" in line for line in said)


def test_unverified_bundles_are_said_once(models: Path) -> None:
    """Without a public key the log says once that nobody's signature is asked for."""
    with running(models) as (_, address, said):
        httpx.get(f"{address}/health/ready")
    assert sum("LEADML_VERIFY_KEY is not set" in line for line in said) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="time and memory are read from /proc")
def test_a_signed_model_is_served_quickly_and_slim(tmp_path: Path) -> None:
    """R6: with a cached, signed bundle ready after 1.5 s of work, in at most 120 MB."""
    private, public = create_keys(tmp_path / "keys")
    folder = tmp_path / "models" / "leads"
    named = Named("1", hand_made.bundle(folder / "1", signing_key=private))
    write_pointer(tmp_path / "models", "leads", named)
    remember(folder, named.digest)
    with running(tmp_path / "models", LEADML_VERIFY_KEY=str(public)) as (process, address, said):
        assert httpx.get(f"{address}/health/ready").status_code == 200
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{process.pid}/status").read_text()
        megabytes = int(status.partition("VmRSS:")[2].split()[0]) / 1000
    assert seconds <= 1.5
    assert megabytes <= 120
    assert not any("not verified" in line for line in said)


def test_an_unsigned_model_is_not_served_where_signatures_count(models: Path) -> None:
    """With a public key an unsigned bundle is no model, and the server says why."""
    _, public = create_keys(models / "keys")
    with running(models, LEADML_VERIFY_KEY=str(public)) as (_, address, _):
        answer = httpx.get(f"{address}/health/ready")
        assert answer.status_code == 503
        assert "not signed" in answer.text


def test_serving_loads_nothing_of_learning(models: Path) -> None:
    """A process that serves, scores and describes has loaded no learning library."""
    code = f"""
import sys
from starlette.testclient import TestClient
from leadml.api import server
from leadml.api.app import create_app
from leadml.settings import Settings
with TestClient(create_app(Settings())) as client:
    assert client.post("/v1/score", json={LEAD!r}).status_code == 200
    assert client.post("/v1/scores", json={{"leads": [{LEAD!r}]}}).status_code == 200
    for path in ("/v1/model", "/v1/policy", "/health/ready", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r})))
"""
    environment = {
        **os.environ,
        "LEADML_MODELS_DIR": str(models),
        "LEADML_TRACKING_URI": "",
    }
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_open_address_without_keys_is_refused(host: str) -> None:
    """Without keys the server binds loopback only; the refusal names the fix."""
    with pytest.raises(KeysMissing) as caught:
        bind(Settings(host=host, port=0))
    assert "LEADML_ALLOW_OPEN" in (caught.value.fix or "")


def test_open_address_may_be_allowed() -> None:
    """Behind something that checks who asks, any address may be bound."""
    with bind(Settings(host="0.0.0.0", port=0, allow_open=True)) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


def test_taken_port_is_one_sentence() -> None:
    """A port in use is refused with the fix, not a traceback."""
    with (
        bind(Settings(port=0)) as listener,
        pytest.raises(ConfigError, match="cannot listen on") as caught,
    ):
        bind(Settings(port=listener.getsockname()[1]))
    assert "LEADML_PORT" in (caught.value.fix or "")
