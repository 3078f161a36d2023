"""BottleCRM on this machine: an environment of its own, a server, a worker, its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["ADMIN", "Crm", "NoCrm", "environment", "free_port", "newer_python", "running", "until"]

REQUIREMENT: Final = "django-crm>=1.35,<2"
OLDEST: Final = (3, 12)
ADMIN: Final = ("admin@example.com", "only-on-this-machine")
STARTS_WITHIN_S: Final = 60.0
RETRIED_S: Final = 150.0
"""Within this time the CRM has sent a webhook a second time."""
HOME: Final = Path(__file__).parent


class NoCrm(Exception):
    """BottleCRM cannot be installed or started here; says why and what to do."""


def environment(home: Path) -> Path:
    """The folder of commands of an environment that holds BottleCRM; made if it is not there.

    Parameters
    ----------
    home
        Folder of the environment.

    Raises
    ------
    NoCrm
        There is no Python 3.12, or the package registry is out of reach.
    """
    commands = home / "bin"
    ready = home / ".ready"
    if ready.is_file() and ready.read_text("utf-8") == REQUIREMENT:
        return commands
    python = newer_python()
    uv = shutil.which("uv") or str(Path(".tools/bin/uv").resolve())
    if not Path(uv).is_file():
        uv = ""
    if python is None and not uv:
        raise NoCrm("BottleCRM needs Python 3.12 or newer, and none was found. Fix: install one")
    shutil.rmtree(home, ignore_errors=True)
    chosen = python or "3.12"  # uv downloads it where it may
    if uv:
        steps = [
            [uv, "venv", "--quiet", "--python", chosen, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(commands / "python"), REQUIREMENT],
        ]
    else:
        steps = [
            [chosen, "-m", "venv", str(home)],
            [str(commands / "python"), "-m", "pip", "install", "--quiet", REQUIREMENT],
        ]
    for step in steps:
        outer = {**os.environ, "UV_PYTHON_DOWNLOADS": "automatic"}
        outer.pop("UV_PROJECT_ENVIRONMENT", None)
        done = subprocess.run(step, env=outer, capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1].strip()
            raise NoCrm(
                f"BottleCRM could not be installed: {why}. "
                "Fix: install Python 3.12 and see whether the package registry answers"
            )
    ready.write_text(REQUIREMENT, "utf-8")
    return commands


def newer_python() -> str | None:
    """A Python on this machine that is new enough, by running those that are named so."""
    named = [sys.executable]
    named += [found for minor in range(12, 16) if (found := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named += [str(path) for path in sorted(pyenv.glob("3.1[2-9]*/bin/python"))]
    for python in named:
        asked = [python, "-c", "import sys, venv; print(*sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0 and tuple(map(int, done.stdout.split())) >= OLDEST:
            return python
    return None


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(what: str, look: Any, within_s: float = RETRIED_S) -> Any:
    """What ``look`` returns once that is true.

    Raises
    ------
    TimeoutError
        It never was.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"waited {within_s:.0f} s in vain for: {what}")


@dataclass
class Crm:
    """BottleCRM, running.

    Parameters
    ----------
    url
        Where its REST API is.
    commands, surroundings
        Folder of its commands and the environment variables they need.
    token
        Sent as bearer; :meth:`sign_in` sets it.
    """

    url: str
    commands: Path
    surroundings: dict[str, str]
    token: str = ""

    def manage(self, *words: str, **more: str) -> str:
        """Run one of its management commands."""
        done = subprocess.run(
            [str(self.commands / "django-admin"), *words],
            cwd=self.surroundings["CRM_DIR"],  # it writes its logs where it is started
            env={**self.surroundings, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoCrm(f"django-admin {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def sign_in(self, email: str, org: str | None = None) -> None:
        """Be a user, in an organization if one is named."""
        words = ["devlogin", email, *(["--org", org] if org else ["--create"])]
        said = self.manage(*words)
        self.token = next(
            line.split()[1] for line in said.splitlines() if line.startswith("access_token")
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its REST API as the signed-in user.

        Raises
        ------
        NoCrm
            It refused.
        """
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise NoCrm(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz/", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


@contextlib.contextmanager
def running(commands: Path, folder: Path, near: str) -> Iterator[Crm]:
    """BottleCRM with an empty database, its server and its worker, until the block ends.

    Parameters
    ----------
    commands
        As :func:`environment` returns it.
    folder
        Of its database, queue and logs.
    near
        The one address of this machine to which its webhooks may go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("queue", "control"):
        (folder / name).mkdir(exist_ok=True)
    port = free_port()
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(HOME),
        "DJANGO_SETTINGS_MODULE": "bottlecrm_settings",
        "CRM_DIR": str(folder),
        "CRM_WEBHOOK_NEAR": near,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DEBUG": "true",
        "ADMIN_EMAIL": ADMIN[0],
        "ADMIN_PASSWORD": ADMIN[1],
    }
    crm = Crm(f"http://127.0.0.1:{port}", commands, surroundings)
    crm.manage("migrate", "--run-syncdb")
    crm.manage("create_default_admin")
    server = [str(commands / "uvicorn"), "crm.asgi:application", "--port", str(port)]
    worker = [str(commands / "celery"), "-A", "crm", "worker", "--pool", "solo", "--beat"]
    with (
        (folder / "server.log").open("w") as server_log,
        (folder / "worker.log").open("w") as worker_log,
        _process([*server, "--log-level", "warning"], folder, surroundings, server_log),
        _process(
            [*worker, "--without-gossip", "--without-mingle"], folder, surroundings, worker_log
        ),
    ):
        until("BottleCRM's server", crm.is_up, STARTS_WITHIN_S)
        yield crm


@contextlib.contextmanager
def _process(
    words: list[str], folder: Path, surroundings: dict[str, str], log: IO[str]
) -> Iterator[None]:
    """A process in a folder; stopped, with its children, at the end."""
    process = subprocess.Popen(
        words, cwd=folder, env=surroundings, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield
    finally:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, kind)
            try:
                process.wait(8)
                break
            except subprocess.TimeoutExpired:
                continue
