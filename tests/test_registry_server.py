"""The registry and its follower against a real MLflow server."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leadml.errors import RegistryError
from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion, read_pointer
from leadml.registry.tracking import Registry
from tests import hand_made, tracked

pytestmark = pytest.mark.slow  # the server alone takes ten seconds to start and to stop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``mlflow server`` on a free loopback port, with artefacts behind it."""
    folder = tmp_path_factory.mktemp("server")
    tracked.template(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artefacts")]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=1) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert child.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(child.pid, signal.SIGKILL)  # its workers answer SIGTERM slowly
        child.wait(timeout=20)


def test_a_server_is_used_as_a_database_is(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Train, promote, follow, fetch and roll back over HTTP, with not a word on stdout."""
    registry = Registry(server, tmp_path / "models")
    assert registry.versions("leads") == []
    champion = Champion(tmp_path / "models", "leads", server)
    assert not champion.poll()
    assert champion.degraded is None
    first = tracked.train(registry)
    assert first.alias == "champion"
    assert champion.poll()
    second = tracked.train(registry, -1.5)
    assert second.alias == "challenger"
    assert registry.promote("leads", "challenger").version == "2"
    assert champion.poll()
    assert champion.current()[1].digest == second.digest

    tracked.client(registry).set_registered_model_alias("leads", "champion", "1")
    shutil.rmtree(first.bundle)
    start = time.monotonic()
    while not champion.poll():
        assert champion.current()[0] == "2"
        assert time.monotonic() - start < 20, champion.degraded
        time.sleep(0.05)
    assert champion.current()[1].digest == first.digest
    assert champion.degraded is None

    shutil.rmtree(second.bundle)
    assert read_bundle(registry.fetch("leads", "2")).digest == second.digest
    assert [info.aliases for info in registry.versions("leads")] == [(), ("champion",)]
    assert capfd.readouterr().out == ""


def test_plain_mlflow_loads_a_version_from_the_server(server: str, tmp_path: Path) -> None:
    """Another process that knows only the server's address scores with the champion."""
    registry = Registry(server, tmp_path / "models")
    hand_made.bundle(tmp_path / "bundle")
    registry.log_training(tmp_path / "bundle", facts=hand_made.facts(), name="others")
    code = (
        "import mlflow, pandas as pd\n"
        "model = mlflow.pyfunc.load_model('models:/others@champion')\n"
        "print(model.predict(pd.DataFrame({'industry': ['Retail']}))['grade'][0])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MLFLOW_TRACKING_URI": server},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() in {"A", "B", "C", "D"}


class Stopping(BaseHTTPRequestHandler):
    """Passes requests on to MLflow until it falls silent, before or after one is carried out."""

    protocol_version = "HTTP/1.1"
    server: StoppingServer

    def do_any(self) -> None:
        self.close_connection = True
        stopped = self.server.left <= 0
        self.server.left -= 1
        if stopped and not (self.server.carries_out and self.server.left == -1):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        with closing(upstream):
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            said = answer.read()
        if stopped:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Connection", "close")  # or a client may take a line that is closing
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815 (http.server calls them so)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


class StoppingServer(ThreadingHTTPServer):
    """A proxy that stops after so many requests."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), Stopping)
        self.upstream = address.removeprefix("http://")
        self.left, self.carries_out = 1000, False


@pytest.fixture
def stopping(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoppingServer]:
    """A proxy before the server."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    proxy = StoppingServer(server)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("carries_out", [False, True], ids=["refused", "answer lost"])
def test_a_server_that_stops_during_a_promotion(
    server: str, stopping: StoppingServer, tmp_path: Path, carries_out: bool
) -> None:
    """At whichever request: one error; no reason of what never was; a repetition succeeds."""
    name = "lost" if carries_out else "refused"
    models = tmp_path / "models"
    sound = Registry(server, models)
    for base in (-2.0, -1.5):
        hand_made.bundle(tmp_path / "bundle", base=base)
        sound.log_training(tmp_path / "bundle", facts=hand_made.facts(), name=name)
    failing = Registry(f"http://127.0.0.1:{stopping.server_port}", models)
    stopping.carries_out = carries_out
    moved = 0
    for asked in range(100):
        stopping.left = asked
        said = None
        try:
            failing.promote(name, "2", f"try {asked}")
        except RegistryError as error:
            said = error
        if stopping.left >= 0:
            assert said is None
            break
        if said is not None:  # what comes after the promotion may fail unsaid
            assert (said.code, bool(said.fix)) == ("registry", True)
            assert f":{stopping.server_port}" in said.detail
        newest, oldest = sound.versions(name)
        (champion,) = [each for each in (newest, oldest) if "champion" in each.aliases]
        if champion is oldest and not moved:
            assert (newest.reason, newest.promoted_at) == ("", "")
        if champion is newest:
            moved += 1
            assert sound.promote(name, "2", "again").version == "2"
            assert sound.versions(name)[0].aliases == ("champion",)
            assert sound.rollback(name).version == "1"
        follower = Champion(models, name, server)
        assert follower.current()[0] == "1"
        assert read_pointer(models, name).version == "1"
    assert asked > 8
    assert moved >= 3
    assert sound.rollback(name).version == "1"
