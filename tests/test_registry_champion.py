"""The champion: found, followed, and never replaced by a bundle that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import NoModel, RegistryError
from leadml.registry.aliases import Named
from leadml.registry.champion import Champion, read_pointer, write_pointer
from leadml.registry.tracking import Registry
from leadml.registry.writing import copy_bundle
from tests import hand_made, tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions; the first is champion."""
    return tracked.with_two(tmp_path)


@pytest.fixture
def champion(registry: Registry) -> Any:
    """A follower of that registry that holds version 1."""
    champion = Champion(registry.models_dir, "leads", registry.tracking_uri, retry_after_s=0.2)
    assert champion.poll()
    yield champion
    champion.close()


def until(moved: Any, seconds: float = 60.0) -> bool:
    """Poll as a server does until something is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if moved():
            return True
        time.sleep(0.05)
    return False


# --- without MLflow -----------------------------------------------------------------


def local(models: Path, version: str, base: float = -2.0) -> Named:
    """A version in the models folder, as the registry leaves it."""
    return Named(version, hand_made.bundle(models / "leads" / version, base=base))


def test_no_model_is_said_so(tmp_path: Path) -> None:
    """Before the first training there is nothing to serve, and nothing is wrong."""
    champion = Champion(tmp_path / "models", "leads")
    assert not champion.poll()
    assert champion.degraded is None
    with pytest.raises(NoModel, match="no version of 'leads'"):
        champion.current()


def test_the_pointer_is_followed(tmp_path: Path) -> None:
    """A moved pointer moves the champion; polling again changes nothing."""
    first, second = local(tmp_path, "1"), local(tmp_path, "2", -1.5)
    write_pointer(tmp_path, "leads", first)
    champion = Champion(tmp_path, "leads")
    assert champion.current()[0] == "1"
    assert not champion.poll()
    write_pointer(tmp_path, "leads", second)
    assert champion.poll()
    version, bundle = champion.current()
    assert (version, bundle.digest) == ("2", second.digest)
    assert bundle.scorecard.base == -1.5


def test_the_same_version_with_another_digest_is_another_model(tmp_path: Path) -> None:
    """A registry begun anew gives version 1 a second time: it is followed too."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    champion = Champion(tmp_path, "leads")
    champion.poll()
    again = local(tmp_path, "1", -1.0)
    write_pointer(tmp_path, "leads", again)
    assert champion.poll()
    assert champion.current()[1].digest == again.digest


def test_a_swapped_bundle_is_not_served(tmp_path: Path) -> None:
    """A sound bundle that is not the one pointed at stays out."""
    first = local(tmp_path, "1")
    write_pointer(tmp_path, "leads", first)
    local(tmp_path, "1", -1.0)
    champion = Champion(tmp_path, "leads")
    with pytest.raises(NoModel, match="was promised"):
        champion.current()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\x00",
        b'{"version":"1"}',
        b'{"version":"../1","digest":"' + b"a" * 64 + b'","moved_at":""}',
        b'{"version":1,"digest":"' + b"a" * 64 + b'","moved_at":""}',
        b'{"version":"1","digest":"short","moved_at":""}',
        b" " * 100_000,
    ],
)
def test_a_damaged_pointer_keeps_what_is_held(tmp_path: Path, content: bytes) -> None:
    """A pointer that is none is an error for its reader, and no reason to stop serving."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    champion = Champion(tmp_path, "leads")
    champion.poll()
    (tmp_path / "leads" / "champion.json").write_bytes(content)
    with pytest.raises(RegistryError, match="no pointer"):
        read_pointer(tmp_path, "leads")
    assert not champion.poll()
    assert champion.current()[0] == "1"
    assert champion.degraded is not None


def test_pointers_come_back_as_written(tmp_path: Path) -> None:
    """A pointer names version, digest and time; no file of the writing stays behind."""
    named = Named("12", "ab" * 32)
    write_pointer(tmp_path, "leads", named)
    pointer = read_pointer(tmp_path, "leads")
    assert pointer is not None
    assert pointer.named == named
    assert [path.name for path in (tmp_path / "leads").iterdir()] == ["champion.json"]


def test_bad_bundles_are_refused_while_the_old_one_answers(tmp_path: Path) -> None:
    """Thirty damaged versions in a row: none is held, each is named, the good next one is."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    champion = Champion(tmp_path, "leads")
    champion.poll()
    good = tmp_path / "good"
    digest = hand_made.bundle(good, base=-1.5)
    names = sorted(path.name for path in good.iterdir())
    for i in range(30):
        version = str(i + 2)
        folder = tmp_path / "leads" / version
        shutil.copytree(good, folder)
        path = folder / names[i % len(names)]
        data = path.read_bytes()
        if i % 3 == 0:
            path.write_bytes(data[: len(data) // 2])
        elif i % 3 == 1:
            path.write_bytes(data[:5] + bytes([data[5] ^ 1]) + data[6:])
        else:
            path.unlink()
        write_pointer(tmp_path, "leads", Named(version, digest))
        assert not champion.poll()
        assert champion.current()[0] == "1"
        assert f"version {version} is not served" in str(champion.last_error)
    copy_bundle(good, tmp_path / "leads" / "31")
    assert champion.poll()
    assert champion.current()[0] == "31"
    assert champion.degraded is None


def test_a_refused_bundle_is_not_read_again_and_again(tmp_path: Path) -> None:
    """A damaged bundle is read once, until it is replaced."""
    from leadml.registry.bundle import Bundle, read_bundle

    reads = []

    def read(folder: Path, digest: str) -> Bundle:
        reads.append(folder.name)
        return read_bundle(folder, digest=digest)

    named = local(tmp_path, "1")
    (tmp_path / "leads" / "1" / "card.md").write_text("changed")
    write_pointer(tmp_path, "leads", named)
    champion = Champion(tmp_path, "leads", read=read)
    for _ in range(5):
        champion.poll()
    assert reads == ["1"]
    local(tmp_path, "1")
    assert champion.poll()


# --- with MLflow's database ----------------------------------------------------------


def test_a_promotion_is_followed(registry: Registry, champion: Champion) -> None:
    """``promote`` and ``rollback`` reach a running follower at its next look."""
    assert champion.current()[0] == "1"
    registry.promote("leads", "2")
    assert champion.poll()
    assert champion.current()[0] == "2"
    registry.rollback("leads")
    assert champion.poll()
    assert champion.current()[0] == "1"
    assert champion.degraded is None


def test_an_alias_moved_in_mlflow_is_followed(registry: Registry, champion: Champion) -> None:
    """MLflow's own client or pages move the alias: followed at once, and the pointer with it."""
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert champion.poll()
    assert champion.current()[0] == "2"
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "2"


def test_a_version_that_is_not_here_is_fetched_by_a_child(
    registry: Registry, champion: Champion
) -> None:
    """The old version answers while a child process fetches and verifies the new one."""
    shutil.rmtree(registry.models_dir / "leads" / "2")
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    start = time.monotonic()
    assert not champion.poll()
    assert time.monotonic() - start < 2
    assert champion.current()[0] == "1"
    assert until(champion.poll)
    assert champion.current()[0] == "2"
    assert champion.degraded is None


def test_a_damaged_version_is_fetched_again(registry: Registry, champion: Champion) -> None:
    """A local copy that fails its proof is replaced by MLflow's."""
    (registry.models_dir / "leads" / "2" / "policy.json").write_bytes(b"{}")
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert not champion.poll()
    assert "version 2 is not served" in str(champion.degraded)
    assert until(champion.poll)
    assert champion.current()[0] == "2"
    assert champion.degraded is None


def test_a_version_that_cannot_be_fetched_is_named(registry: Registry, champion: Champion) -> None:
    """Damaged here and in MLflow: the old version stays, with the reason."""
    shutil.rmtree(registry.models_dir / "leads" / "2")
    for path in registry.models_dir.parent.glob("mlartifacts/models/*/artifacts/artifacts/bundle"):
        (path / "scorecard.json").write_bytes(b"{}")
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert until(lambda: champion.poll() or "cannot be fetched" in str(champion.degraded))
    assert "bundle_rejected" in str(champion.degraded)
    assert champion.current()[0] == "1"
    tracked.client(registry).set_registered_model_alias("leads", "champion", "1")
    assert not champion.poll()
    assert champion.degraded is None


def test_a_version_of_somebody_else_is_not_served(registry: Registry, champion: Champion) -> None:
    """An alias on a version that leadml did not register is refused with that reason."""
    client = tracked.client(registry)
    (registry.models_dir.parent / "foreign").mkdir()
    client.create_model_version("leads", source=str(registry.models_dir.parent / "foreign"))
    client.set_registered_model_alias("leads", "champion", "3")
    assert not champion.poll()
    assert "not registered by leadml" in str(champion.degraded)
    assert champion.current()[0] == "1"


def test_a_hanging_fetch_is_ended(registry: Registry, tmp_path: Path) -> None:
    """A child that takes too long is killed, and that is said."""
    shutil.rmtree(registry.models_dir / "leads" / "1")
    champion = Champion(
        registry.models_dir, "leads", registry.tracking_uri, fetch_limit_s=0.0, retry_after_s=60.0
    )
    assert not champion.poll()
    assert not champion.poll()
    assert "longer than 0 s" in str(champion.degraded)
    champion.close()


@pytest.mark.parametrize("harm", ["gone", "damaged", "locked", "empty"])
def test_without_its_database_the_local_copy_answers(
    registry: Registry, champion: Champion, harm: str
) -> None:
    """MLflow's database gone or broken: the verified copy is served, now and after a restart."""
    path = registry.models_dir.parent / "mlflow.db"
    if harm == "gone":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(b"no database" * 1000)
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        path.mkdir()
    assert not champion.poll()
    assert champion.current()[0] == "1"
    assert "local copy" in str(champion.degraded)
    restarted = Champion(registry.models_dir, "leads", registry.tracking_uri)
    assert restarted.current()[0] == "1"
    assert "local copy" in str(restarted.degraded)


def test_a_read_only_models_folder_is_served(registry: Registry, champion: Champion) -> None:
    """Where the pointer cannot be written the new champion is served all the same."""
    if os.geteuid() == 0:
        # root writes anywhere: a folder in the pointer's place has the same effect
        pointer = registry.models_dir / "leads" / "champion.json"
        pointer.unlink()
        pointer.mkdir()
    else:
        (registry.models_dir / "leads").chmod(0o555)
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert champion.poll()
    assert champion.current()[0] == "2"
    assert "pointer is not moved" in str(champion.degraded)


def test_a_deleted_alias_keeps_the_last_champion(registry: Registry, champion: Champion) -> None:
    """Deleting the alias stops nothing: the pointer still names what was served."""
    tracked.client(registry).delete_registered_model_alias("leads", "champion")
    assert not champion.poll()
    assert champion.current()[0] == "1"
    assert champion.degraded is None


def test_following_is_cheap(champion: Champion) -> None:
    """A look at the database that finds nothing new takes milliseconds."""
    start = time.perf_counter()
    for _ in range(50):
        champion.poll()
    assert (time.perf_counter() - start) / 50 < 0.02


def test_serving_imports_no_learner() -> None:
    """Bundles and champion come without MLflow, pandas, scikit-learn, LightGBM or SciPy."""
    code = (
        "import sys, leadml.registry.champion, leadml.registry.pyfunc\n"
        "heavy = {'mlflow', 'pandas', 'sklearn', 'lightgbm', 'scipy', 'sqlalchemy', 'requests'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- with an MLflow server --------------------------------------------------------------


class Lying(BaseHTTPRequestHandler):
    """A server that answers what it was told to."""

    code, body, pause_s, seen = 200, b"{}", 0.0, ""

    def do_GET(self) -> None:
        type(self).seen = self.headers.get("Authorization", "")
        time.sleep(self.pause_s)
        if self.path == "/elsewhere":
            self.code = 200
        self.send_response(self.code)
        if self.code == 302:
            self.send_header("Location", "/elsewhere")
        with suppress(OSError):  # the client may have left
            self.end_headers()
            self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Any:
    """A lying server in a thread."""
    Lying.code, Lying.body, Lying.pause_s = 200, b"{}", 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lying)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def mlflow_says(version: str, digest: str) -> bytes:
    """The answer of MLflow's REST API to a question for an alias."""
    tags = [{"key": "leadml.digest", "value": digest}]
    return json.dumps({"model_version": {"version": version, "tags": tags}}).encode()


def test_an_alias_is_asked_over_http(tmp_path: Path, server: str) -> None:
    """The answer of MLflow's REST API is followed."""
    first, second = local(tmp_path, "1"), local(tmp_path, "2", -1.5)
    champion = Champion(tmp_path, "leads", server)
    Lying.body = mlflow_says("1", first.digest)
    assert champion.current()[0] == "1"
    Lying.body = mlflow_says("2", second.digest)
    assert champion.poll()
    assert champion.current()[0] == "2"
    assert champion.degraded is None


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b"<html>welcome</html>"),
        (200, b"[]"),
        (200, b'{"model_version": 3}'),
        (200, b'{"model_version": {"version": "../../etc", "tags": []}}'),
        (200, b'{"model_version": {"version": "2", "tags": [{"key": 1}]}}'),
        (200, b"[" * 50_000),
        (302, b""),
        (401, b"who are you"),
        (404, b"not found"),
        (500, b"{}"),
        (503, b""),
    ],
)
def test_a_lying_server_moves_nothing(tmp_path: Path, server: str, code: int, body: bytes) -> None:
    """Whatever answers instead of MLflow, the local copy is served and the reason named."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    champion = Champion(tmp_path, "leads", server)
    Lying.code, Lying.body = code, body
    assert champion.current()[0] == "1"
    assert champion.degraded
    assert len(champion.degraded) < 400


@pytest.mark.parametrize(
    "said",
    [
        {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Registered Model not found"},
        {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found."},
    ],
)
def test_no_such_alias_is_an_answer(tmp_path: Path, server: str, said: dict[str, str]) -> None:
    """MLflow saying that there is no champion is no fault."""
    Lying.code, Lying.body = 404, json.dumps(said).encode()
    champion = Champion(tmp_path, "leads", server)
    assert not champion.poll()
    assert champion.degraded is None


def test_a_hanging_server_is_not_waited_for(tmp_path: Path, server: str) -> None:
    """A server that never answers costs two seconds, then the local copy is served."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    Lying.pause_s = 4.0
    start = time.monotonic()
    champion = Champion(tmp_path, "leads", server)
    assert champion.current()[0] == "1"
    assert time.monotonic() - start < 3.5
    assert "does not answer" in str(champion.degraded)


def test_redirects_are_not_followed(tmp_path: Path, server: str) -> None:
    """Credentials and trust go to the server that was named, not to where it points."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    Lying.code, Lying.body = 302, mlflow_says("2", local(tmp_path, "2", -1.5).digest)
    champion = Champion(tmp_path, "leads", server)
    assert champion.current()[0] == "1"
    assert "answers 302" in str(champion.degraded)


def test_credentials_are_those_of_mlflow(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's variables or the address name the user; a password is never repeated."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0k")
    Champion(tmp_path, "leads", server).poll()
    assert Lying.seen == "Bearer t0k"
    Lying.code = 403
    champion = Champion(tmp_path, "leads", server.replace("://", "://u:geheim@"))
    champion.poll()
    assert Lying.seen.startswith("Basic ")
    assert "geheim" not in str(champion.degraded)


def test_other_databases_are_followed_by_the_pointer(tmp_path: Path) -> None:
    """A registry that only MLflow can read is followed through the pointer file."""
    write_pointer(tmp_path, "leads", local(tmp_path, "1"))
    champion = Champion(tmp_path, "leads", "postgresql://u:p@127.0.0.1:1/mlflow")
    assert champion.current()[0] == "1"
    assert champion.degraded is None
