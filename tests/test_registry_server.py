"""The registry and its follower against a real MLflow server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion
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
