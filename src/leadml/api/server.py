"""The server process: bind, announce, serve, stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn

from leadml.api.app import create_app
from leadml.api.gate import is_loopback
from leadml.errors import ConfigError, KeysMissing
from leadml.service.serving import Serving
from leadml.settings import Settings, unknown_settings

__all__ = ["bind", "run"]

log = logging.getLogger(__name__)


def bind(settings: Settings) -> socket.socket:
    """Take the address and port of the settings.

    Raises
    ------
    KeysMissing
        Other machines could reach the address and nothing allows that.
    ConfigError
        The address does not exist here or the port is taken.
    """
    host = settings.host
    if not settings.allow_open and not is_loopback(host):
        raise KeysMissing(
            f"no key protects this API, so it cannot listen on {host}",
            fix="set LEADML_HOST=127.0.0.1, or LEADML_ALLOW_OPEN=true behind "
            "something that checks who asks",
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
        What is served; by default the champion that the settings name.
    say
        Told in one line where the server listens, once it answers; standard error
        when left out.

    Raises
    ------
    KeysMissing, ConfigError
        See :func:`bind`.
    """
    settings = settings or Settings()
    listener = bind(settings)
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for variable, near in unknown_settings(os.environ):
        hint = f"; did you mean {near}?" if near else ""
        log.warning("there is no setting %s%s", variable, hint)
    config = uvicorn.Config(
        create_app(settings, serving),
        log_config=None,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
        timeout_keep_alive=75,
        backlog=2048,
    )
    server = _Server(config, _announcement(settings, listener), say or _to_stderr)
    # uvicorn raises the signal again once it is done: the process then ends with 0, not by it
    before = signal.signal(signal.SIGTERM, lambda *_: None) if _in_main_thread() else None
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        listener.close()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, announcement: str, say: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._announcement = announcement
        self._say = say

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._say(self._announcement)


def _announcement(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    reach = (
        "open to other machines, no key protects it"
        if not is_loopback(host)
        else "this machine only, no key needed"
    )
    return f"leadml serves {settings.model_name} on {where} ({reach}); docs at {where}/docs"


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
