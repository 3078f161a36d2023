"""Hostile bundles and registries: nothing is executed, nothing is served, nothing stops."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import logging
import os
import pickle
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leadml.errors import BundleError
from leadml.registry.aliases import Named
from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion, write_pointer
from leadml.registry.layout import LIMITS
from leadml.registry.signing import SIGNATURE, PublicKeys, create_keys
from leadml.registry.trial import Limits, remember
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import hand_made, http_server
from tests.hand_made import reseal
from tests.test_trial import busy

LEAD = {"lead_id": "L1", "lead": {"industry": "Software", "employees": 120}}
Harm = Callable[[Path, Path], "str | None"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test changes."""
    folder = tmp_path_factory.mktemp("sound") / "bundle"
    hand_made.bundle(folder)
    return folder


# --- S1: malicious artefacts -------------------------------------------------------


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.canary,))


def code(canary: Path) -> bytes:
    """Python that writes the file when it is imported or run."""
    return f"open({str(canary)!r}, 'w').close()\n".encode()


def added(name: str, data: Callable[[Path], bytes]) -> Harm:
    """One more file in the folder."""

    def harm(folder: Path, canary: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data(canary))

    return harm


def replaced(name: str, data: Callable[[Path], bytes]) -> Harm:
    """Other content under a name that belongs there, every digest made to fit."""
    return lambda folder, canary: reseal(folder, name, data(canary))


def edited(name: str, change: Callable[[Any], None]) -> Harm:
    """The JSON of a file changed, every digest made to fit."""

    def harm(folder: Path, canary: Path) -> str:
        data = json.loads((folder / name).read_bytes())
        change(data)
        return reseal(folder, name, json.dumps(data).encode())

    return harm


def instead(name: str, make: Callable[[Path], None]) -> Harm:
    """Something that is no file in the place of one."""

    def harm(folder: Path, canary: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return harm


def listed(name: str) -> Harm:
    """A manifest that names another file."""

    def harm(folder: Path, canary: Path) -> str:
        files = json.loads((folder / "manifest.json").read_bytes())["files"]
        files[name] = {"bytes": 0, "sha256": "0" * 64}
        return reseal(folder, "card.md", b"x\n", files=files)

    return harm


def pickled(canary: Path) -> bytes:
    """A pickle that runs code when it is loaded."""
    return pickle.dumps(Bomb(canary))


def array_of_objects(canary: Path) -> bytes:
    """A numpy file whose only element is such a pickle."""
    file = io.BytesIO()
    np.save(file, np.array([Bomb(canary)], dtype=object), allow_pickle=True)
    return file.getvalue()


def archive_of_zeros(_: Path) -> bytes:
    """A zip file of some kilobytes that holds 50 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scorecard.json", b" " * 50_000_000)
    return file.getvalue()


def linked_folder(folder: Path, canary: Path) -> None:
    """The version's folder is a link to a sound bundle elsewhere."""
    elsewhere = folder.parent / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)


def unix_socket(path: Path) -> None:
    """A socket that nobody listens at."""
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


ML_MODEL = b"""flavors:
  python_function:
    loader_module: evil
    code: code
    python_model: python_model.pkl
"""

ARTEFACTS: dict[str, Harm] = {
    "pickle beside": added("model.pkl", pickled),
    "pickle named scorecard": replaced("scorecard.json", pickled),
    "pickle named schema": replaced("schema.json", pickled),
    "pickle named card": replaced("card.md", pickled),
    "array of objects beside": added("scorecard.npz", array_of_objects),
    "array of objects named scorecard": replaced("scorecard.json", array_of_objects),
    "joblib beside": added("model.joblib", pickled),
    "loader_module": added("MLmodel", lambda _: ML_MODEL),
    "loader_module's code": added("code/evil.py", code),
    "python_model": added("python_model.pkl", pickled),
    "sitecustomize": added("sitecustomize.py", code),
    "a module named leadml": added("leadml.py", code),
    "a module named numpy": added("numpy/__init__.py", code),
    "path file": added("evil.pth", lambda canary: b"import os; " + code(canary)),
    "conftest": added("conftest.py", code),
    "hidden file": added(".env", code),
    "another case": added("MANIFEST.JSON", lambda _: b"{}"),
    "a name of control signs": added("card.md\n", code),
    "a hundred files": lambda folder, _: [(folder / f"x{i}").touch() for i in range(100)].clear(),
    "traversal in the manifest": listed("../../evil.py"),
    "absolute path in the manifest": listed("/etc/passwd"),
    "NUL in the manifest": listed("card.md\x00.py"),
    "link to a file": instead("policy.json", lambda path: path.symlink_to("/etc/passwd")),
    "link to zeros without end": instead("golden.json", lambda path: path.symlink_to("/dev/zero")),
    "link to itself": instead("golden.json", lambda path: path.symlink_to(path.name)),
    "link to the folder": linked_folder,
    "pipe": instead("schema.json", os.mkfifo),
    "socket": instead("schema.json", unix_socket),
    "folder named as a file": instead("schema.json", Path.mkdir),
    "zip bomb beside": added("bundle.zip", archive_of_zeros),
    "zip bomb named scorecard": replaced("scorecard.json", archive_of_zeros),
    "gzip bomb named metrics": replaced("metrics.json", lambda _: gzip.compress(b" " * 50_000_000)),
    "oversize JSON": instead(
        "metrics.json", lambda path: path.touch() or os.truncate(path, 40 * 10**9)
    ),
    "oversize and sealed": replaced("policy.json", lambda _: b" " * (LIMITS["policy.json"] + 1)),
    "deep JSON": replaced("metrics.json", lambda _: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep list": replaced("golden.json", lambda _: b"[" * 100_000),
    "endless integer": replaced("policy.json", lambda _: b'{"mql":' + b"9" * 400_000 + b"}"),
    "infinity": replaced("policy.json", lambda _: b'{"version":"1","mql":1e999,"sql":1e999}'),
    "NaN": replaced("scorecard.json", lambda _: b'{"base":NaN}'),
    "lone surrogate": replaced("policy.json", lambda _: b'{"version":"\\ud800"}'),
    "YAML that calls": replaced(
        "schema.json", lambda canary: f'!!python/object/apply:os.system ["touch {canary}"]'.encode()
    ),
    "jsonpickle in the policy": edited(
        "policy.json", lambda d: d.update({"py/object": "os.system", "py/reduce": ["id"]})
    ),
    "attributes in the schema": edited(
        "schema.json", lambda d: d["columns"][0].update({"__class__": "os.system"})
    ),
    "a derivation that is code": edited(
        "schema.json", lambda d: d["columns"][0].update(derive="__import__('os').system('id')")
    ),
    "a source that is no text": edited(
        "schema.json", lambda d: d["columns"][0].update(source=["industry"])
    ),
    "a name that is no text": edited("schema.json", lambda d: d["columns"][0].update(name=7)),
    "a level that is no text": edited("schema.json", lambda d: d["columns"][0].update(levels=[{}])),
    "a bin that is no number": edited(
        "scorecard.json", lambda d: d["columns"][0].update(missing_bin="0; import os")
    ),
    "ten million golden rows": edited("golden.json", lambda d: d.extend([d[0]] * 100_000)),
}


@pytest.mark.parametrize("name", ARTEFACTS)
def test_malicious_artefacts_are_refused(
    name: str, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S1: refused within two seconds by a named error of a few lines; no code is executed."""
    folder, canary = tmp_path / "bundle", tmp_path / "executed"
    shutil.copytree(sound, folder)
    digest = ARTEFACTS[name](folder, canary)
    monkeypatch.chdir(folder)  # as if the server had been started there
    start = time.perf_counter()
    with pytest.raises(BundleError) as refused:
        read_bundle(folder, digest=digest)
    assert time.perf_counter() - start < 2.0
    assert len(refused.value.sentence()) < 600
    assert not canary.exists()
    assert len(ARTEFACTS) >= 25


def test_the_canary_sings(tmp_path: Path) -> None:
    """The artefacts above would be noticed if anything executed them."""
    pickle.loads(pickled(tmp_path / "a"))
    exec(code(tmp_path / "b"))
    np.load(io.BytesIO(array_of_objects(tmp_path / "c")), allow_pickle=True)
    assert all((tmp_path / name).exists() for name in "abc")


# --- R2: bad bundles offered to a server under load ---------------------------------


def truncated(name: str) -> Harm:
    """A file cut in half."""
    return lambda folder, _: (folder / name).write_bytes(
        (folder / name).read_bytes()[: (folder / name).stat().st_size // 2]
    ) and None  # fmt: skip


def flipped(name: str, seed: int) -> Harm:
    """One bit of a file turned."""

    def harm(folder: Path, _: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[seed * 7919 % len(data)] ^= 1 << seed % 8
        (folder / name).write_bytes(bytes(data))

    return harm


def unsigned(folder: Path, _: Path) -> None:
    """The signature taken away."""
    (folder / SIGNATURE).unlink()


def by_the_key(harm: Harm) -> Harm:
    """Harm done by somebody who holds the signing key: only a trial finds it."""

    def signed(folder: Path, key: Path) -> str | None:
        digest = harm(folder, key)
        hand_made.sign_again(folder, key)
        return digest

    return signed


def nan_on_golden_rows(data: Any) -> None:
    """A table that gives no number where a golden row looks it up."""
    data["columns"][0]["level"] = [None] * len(data["columns"][0]["level"])


def hanging(folder: Path, key: Path) -> str:
    """Sound and signed, but its reader is busy for many seconds."""
    shutil.rmtree(folder)
    digest = busy(folder, 60_000)
    hand_made.sign_again(folder, key)
    return digest


BAD: list[Harm] = [
    *(truncated(name) for name in (*LIMITS, SIGNATURE)),
    *(flipped(name, seed) for seed, name in enumerate((*LIMITS, SIGNATURE))),
    unsigned,
    lambda folder, _: shutil.copy(folder / "card.md", folder / SIGNATURE) and None,
    lambda folder, _: hand_made.sign_again(folder, create_keys(folder.parent / "theirs")[0]),
    edited("policy.json", lambda d: d.update(mql=0.9)),
    edited("scorecard.json", nan_on_golden_rows),
    added("model.pkl", lambda canary: b""),
    instead("golden.json", os.mkfifo),
    by_the_key(edited("schema.json", lambda d: d["columns"].pop())),
    by_the_key(edited("schema.json", lambda d: d["columns"][0].update(kind="picture"))),
    by_the_key(edited("scorecard.json", nan_on_golden_rows)),
    by_the_key(edited("golden.json", lambda d: d[3]["expected"].update(log_odds=None))),
    by_the_key(edited("golden.json", lambda d: d[3]["expected"].update(score=200))),
    by_the_key(edited("policy.json", lambda d: d.update(mql=0.3))),
    hanging,
]


class Asking:
    """Clients that ask for scores as fast as they get answers."""

    def __init__(self, address: str, clients: int = 2) -> None:
        self.failed: list[str] = []
        self.versions: set[str] = set()
        self.n = 0
        self._place = address.removeprefix("http://")
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        body = json.dumps(LEAD).encode()
        with closing(http.client.HTTPConnection(self._place, timeout=20)) as connection:
            while not self._done.is_set():
                try:
                    connection.request("POST", "/v1/score", body)
                    answer = connection.getresponse()
                    found = json.loads(answer.read())
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.failed.append(repr(error))
                    return
                if answer.status != 200:
                    self.failed.append(str(found))
                else:
                    self.versions.add(found["model_version"])
                self.n += 1
                time.sleep(0.01)


def get(address: str, path: str) -> tuple[int, str]:
    """Status and text of one answer."""
    place = address.removeprefix("http://")
    with closing(http.client.HTTPConnection(place, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@contextmanager
def serving(models: Path, **options: Any) -> Iterator[tuple[str, Serving]]:
    """A server that follows the champion in a folder fifty times a second."""
    pointer = Champion(models, "leads", retry_after_s=60.0, **options)
    served = Serving("leads", pointer)
    with http_server.serve(Settings(champion_poll_s=0.02), served) as address:
        yield address, served


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_thirty_bad_bundles_under_load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R2: none is served, no request fails, and log and metrics say why; then a good one is."""
    private, public = create_keys(tmp_path / "keys")
    good, models = tmp_path / "good", tmp_path / "models"
    digest = hand_made.bundle(good, base=-1.5, signing_key=private)
    first = Named("1", hand_made.bundle(models / "leads" / "1", signing_key=private))
    remember(models / "leads", first.digest)
    write_pointer(models, "leads", first)
    assert len(BAD) >= 30
    limits = Limits(seconds=4.0)
    keys = PublicKeys.of(public)
    with (
        caplog.at_level(logging.WARNING, logger="leadml.service.serving"),
        serving(models, keys=keys, trial_limits=limits) as (address, served),
        Asking(address) as asking,
    ):
        for i, harm in enumerate(BAD, start=2):
            folder = models / "leads" / str(i)
            shutil.copytree(good, folder)
            named = Named(str(i), harm(folder, private) or digest)
            write_pointer(models, "leads", named)
            said = f"version {i} is not served"
            assert until(lambda said=said: said in str(served.degraded)), (i, served.degraded)
            assert until(  # the log is told a moment later
                lambda said=said: any(
                    said in str(getattr(record, "reason", "")) for record in caplog.records
                )
            )
        assert sum(served.rejected.values()) == len(BAD)
        assert json.loads(get(address, "/health/ready")[1])["status"] == "degraded"
        told = get(address, "/metrics")[1]
        counted = [
            float(line.rpartition(" ")[2])
            for line in told.splitlines()
            if line.startswith("leadml_bundles_rejected_total{")
        ]
        assert sum(counted) == len(BAD)
        assert asking.versions == {"leads@1"}
        shutil.copytree(good, models / "leads" / "99")
        write_pointer(models, "leads", Named("99", digest))
        assert until(lambda: "leads@99" in asking.versions)
        assert served.degraded is None
    assert asking.failed == []
    assert asking.n > 200


# --- R4: MLflow down, hanging, lying, at start and later ------------------------------


class Mlflow(BaseHTTPRequestHandler):
    """An MLflow server that can be told to misbehave."""

    protocol_version = "HTTP/1.1"
    mood, says = "well", b"{}"

    def do_GET(self) -> None:
        mood = type(self).mood
        if mood == "hanging":
            time.sleep(6.0)
            return
        body = self.says if mood in ("well", "dripping") else b"<html>welcome</html>"
        self.send_response(500 if mood == "failing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            for at in range(0, len(body), 1 if mood == "dripping" else len(body)):
                self.wfile.write(body[at : at + (1 if mood == "dripping" else len(body))])
                time.sleep(0.5 if mood == "dripping" else 0.0)
        except OSError:
            return  # the client has left

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def mlflow() -> Iterator[ThreadingHTTPServer]:
    """A fake MLflow in a thread."""
    Mlflow.mood = "well"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mlflow)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mood", ["down", "hanging", "dripping", "lying", "failing"])
def test_mlflow_is_not_needed(tmp_path: Path, mlflow: ThreadingHTTPServer, mood: str) -> None:
    """R4: ready within five seconds from the local copy, later no score fails, and it is said."""
    first = Named("1", hand_made.bundle(tmp_path / "leads" / "1"))
    write_pointer(tmp_path, "leads", first)
    remember(tmp_path / "leads", first.digest)
    tags = [{"key": "leadml.digest", "value": first.digest}]
    Mlflow.says = json.dumps({"model_version": {"version": "1", "tags": tags}}).encode()
    uri = f"http://127.0.0.1:{mlflow.server_port}"
    if mood == "down":
        with socket.create_server(("127.0.0.1", 0)) as free:
            uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    else:
        Mlflow.mood = mood
    limits = Limits()
    start = time.perf_counter()
    with serving(tmp_path, tracking_uri=uri, trial_limits=limits) as (address, served):
        status, text = get(address, "/health/ready")
        assert time.perf_counter() - start < 5.0
        assert (status, json.loads(text)["status"]) == (200, "degraded")
        assert "local copy" in json.loads(text)["reason"]
        if mood == "down":
            return
        Mlflow.mood = "well"
        assert until(lambda: served.degraded is None)
        with Asking(address) as asking:
            Mlflow.mood = mood
            assert until(lambda: served.degraded is not None)
            assert until(lambda: asking.n > 5)
            Mlflow.mood = "well"
        assert asking.failed == []
