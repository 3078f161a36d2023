"""The container, compose and Kubernetes files, held against the server that they start."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from tests import hand_made

SERVE = Path(__file__).parents[1] / "serve"
DOCKERFILE = (SERVE / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
VOLUMES = re.findall(r'"(/\w+)"', "".join(re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.M)))


def environment() -> dict[str, str]:
    """The variables that the container sets."""
    pairs = [shlex.split(line) for line in re.findall(r"^ENV (.*)$", DOCKERFILE, re.M)]
    return dict(pair.split("=", 1) for line in pairs for pair in line)


def test_the_container_scores_and_writes_into_its_volumes_alone(tmp_path: Path) -> None:
    """Its root may be read-only: with the variables it sets, a score is recorded all the same."""
    home = tmp_path / "home"
    home.mkdir()
    inside = {volume: tmp_path / volume.strip("/") for volume in VOLUMES}
    for folder in inside.values():
        folder.mkdir()
    digest = hand_made.bundle(inside["/models"] / "leads" / "1")
    write_pointer(inside["/models"], "leads", Named("1", digest))
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("LEADML_", "MLFLOW_"))}
    for name, value in environment().items():
        for volume, folder in inside.items():
            value = re.sub(rf"(?<!\w){volume}\b", str(folder), value)
        settings[name] = value
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings |= {"LEADML_HOST": "127.0.0.1", "LEADML_PORT": str(port), "LEADML_DRAIN_S": "0"}
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "leadml", "serve"],
        cwd=home,
        env=settings,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    if httpx.get(f"{address}/health/ready").status_code == 200:
                        break
                except httpx.ConnectError:
                    assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            lead = {"lead_id": "L1", "lead": hand_made.leads(1)[0]}
            found = httpx.post(f"{address}/v1/score", json=lead)
            assert found.status_code == 200
            assert found.json()["decision_id"].startswith("dec_")
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert (inside["/data"] / "leadml.db").exists()
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    "command", [("init", "leads.csv"), ("score", "leads.csv", "--output", "scored.csv")]
)
def test_what_is_slim_says_what_files_need(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Where only `pip install leadml` was done, a file is refused with what is missing."""
    digest = hand_made.bundle(tmp_path / "models" / "leads" / "1")
    write_pointer(tmp_path / "models", "leads", Named("1", digest))
    (tmp_path / "leads.csv").write_text("industry\nRetail\n")
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('pandas', 'pyarrow', 'sklearn', 'mlflow')))\n"
        f"sys.argv = ['leadml', *{command}]\n"
        "from leadml.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"LEADML_TRACKING_URI": "", "LEADML_DATABASE_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "extra_missing: this needs the learning part of leadml" in done.stderr
    assert "Traceback" not in done.stderr


def test_compose_and_kubernetes_give_the_memory_a_place() -> None:
    """Both make the root read-only, so both name where the memory is: a volume, a database."""
    compose = (SERVE / "compose.yaml").read_text("utf-8")
    kubernetes = (SERVE / "kubernetes.yaml").read_text("utf-8")
    assert "read_only: true" in compose
    assert all(re.search(rf":{volume}(:ro)?$", compose, re.M) for volume in VOLUMES)
    assert "readOnlyRootFilesystem: true" in kubernetes
    assert "LEADML_DATABASE_URL" in kubernetes
