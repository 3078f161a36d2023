"""The server process: bind, announce, serve, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import uvicorn

from leadml.api.app import create_app
from leadml.api.gate import is_loopback
from leadml.api.log import configure
from leadml.api.protocol import Protocol
from leadml.api.workers import clear_up, end_with_parent, supervise
from leadml.errors import ConfigError, KeysMissing, StoreUnavailable
from leadml.registry.place import sqlite_path
from leadml.service.memory import Memory
from leadml.service.serving import UNVERIFIED, Serving
from leadml.settings import Settings, unknown_settings

__all__ = ["bind", "run"]

log = logging.getLogger(__name__)

SWITCH_S: Final = 0.0005
"""Longest that one thread keeps the interpreter from another that waits for it, in seconds.

The thread that writes decisions gives it away at every statement; with Python's own 5 ms
it would wait for the event loop longer than for the disk.
"""

LAST_REQUESTS_S: Final = 0.5
"""After the listener is closed, how long requests on open connections are waited for."""


def bind(settings: Settings, guarded: bool | None = False) -> socket.socket:
    """Take the address and port of the settings.

    Parameters
    ----------
    settings
        Name them.
    guarded
        Whether a key protects the API; None where the database did not tell, and then
        nothing is answered before it does.

    Raises
    ------
    KeysMissing
        Other machines could reach the address and nothing allows that.
    ConfigError
        The address does not exist here or the port is taken.
    """
    host = settings.host
    if not settings.allow_open and not is_loopback(host) and guarded is False:
        raise KeysMissing(
            f"no key protects this API, so it cannot listen on {host}",
            fix="make one: leadml keys create --scope score --name NAME; or set "
            "LEADML_HOST=127.0.0.1, or LEADML_ALLOW_OPEN=true behind something that checks who asks"
            if settings.database_url
            else "name a database in LEADML_DATABASE_URL and make a key there, or set "
            "LEADML_HOST=127.0.0.1",
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {settings.port}: {error.strerror}",
            fix="stop what listens there, or set LEADML_PORT (0 takes a free port)",
        ) from None


def run(
    settings: Settings | None = None,
    *,
    serving: Serving | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain and return.

    Parameters
    ----------
    settings
        The environment's when left out.
    serving
        What is served; by default the champion that the settings name. Several workers
        serve that one always.
    say
        Told in one line where the server listens, once it answers; standard error
        when left out.

    Raises
    ------
    KeysMissing, ConfigError
        See :func:`bind`.
    """
    settings = settings or Settings()
    configure(settings.log_level, settings.log_format, sys.stderr)
    guarded = _guarded(settings)
    listener = bind(settings, guarded)
    for variable, near in unknown_settings(os.environ):
        log.warning("there is no such setting", extra={"setting": variable, "meant": near})
    if not settings.verify_key:
        log.warning(UNVERIFIED)
    told = say or _to_stderr
    announcement = _announcement(settings, listener, guarded)
    if serving is None and _lacks_model(settings):
        announcement += "; no model yet: leadml train FILE --target COLUMN"
    with listener:
        if settings.workers > 1:
            supervise(settings, listener, lambda: told(announcement))
        else:
            _serve(settings, listener, lambda: told(announcement), serving)


def _serve(
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[], None],
    serving: Serving | None = None,
    exchange: Path | None = None,
) -> None:
    """Serve in this process until told to stop."""
    config = uvicorn.Config(
        create_app(settings, serving, exchange=exchange),
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
        timeout_keep_alive=75,
        backlog=2048,
    )
    server = _Server(config, listener, ready)
    # uvicorn raises the signal again once it is done: the process then ends with 0, not by it
    before = signal.signal(signal.SIGTERM, lambda *_: None) if _in_main_thread() else None
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _work(handle: int, exchange: Path, parent: int) -> None:
    """One of several workers: serve on a listener that another process has bound."""
    settings = Settings()
    configure(settings.log_level, settings.log_format, sys.stderr)
    with socket.socket(fileno=handle) as listener:
        ready = exchange / f"{os.getpid()}.ready"
        end_with_parent(parent, settings)
        try:
            _serve(settings, listener, ready.touch, exchange=exchange)
        finally:
            clear_up(parent, exchange)


class _Server(uvicorn.Server):
    """uvicorn that says where it listens and leaves no accepted connection unanswered."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            _collect_seldom()
            sys.setswitchinterval(SWITCH_S)
            self._ready()

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop accepting, answer what was accepted, then shut down as uvicorn does.

        Closing a listener resets connections that the kernel has accepted for it, and
        uvicorn's shutdown closes those whose request has not arrived yet: both would be
        failed requests of clients that did nothing wrong.
        """
        waiting = _taken_from(self._listener)
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        deadline = loop.time() + LAST_REQUESTS_S
        while self.server_state.connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets=sockets)

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return made


def _collect_seldom() -> None:
    """Spare the garbage collector what lives as long as the process.

    A batch makes thousands of short-lived objects; walking over the modules and the
    model each time costs a third of its speed. Nothing here depends on cycles being
    found soon.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def _taken_from(listener: socket.socket) -> list[socket.socket]:
    """Connections that the kernel has accepted and nobody has taken yet."""
    found: list[socket.socket] = []
    listener.setblocking(False)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # none left, or the listener is closed already
            return found
        connection.setblocking(False)
        found.append(connection)


def _guarded(settings: Settings) -> bool | None:
    """Whether a key protects the API; None where the database does not answer now.

    Raises
    ------
    ConfigError, StoreError
        The database can never be used by this version.
    """
    memory = Memory(settings)
    try:
        if memory.is_on:
            memory.open()
        return memory.guarded
    except StoreUnavailable as error:
        log.warning("the memory cannot be used yet", extra={"code": error.code})
        return None
    finally:
        memory.close()


def _announcement(settings: Settings, listener: socket.socket, guarded: bool | None) -> str:
    host, port = listener.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if guarded is not False:
        reach = "for keys and signed-in people"
    elif is_loopback(host):
        reach = "this machine only, no key needed"
    else:
        reach = "open to other machines, no key protects it"
    return (
        f"leadml serves {settings.model_name} on {where} ({reach}); "
        f"pages at {where}/, API at {where}/docs"
    )


def _lacks_model(settings: Settings) -> bool:
    """Whether no model can be there: none lies here, and no MLflow is there to ask."""
    if (Path(settings.models_dir) / settings.model_name).exists():
        return False
    database = sqlite_path(settings.tracking_uri) if settings.tracking_uri else None
    return not settings.tracking_uri or (database is not None and not database.exists())


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


if __name__ == "__main__":
    _work(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
