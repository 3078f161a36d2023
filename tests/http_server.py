"""A real server on a free loopback port, in a thread of the test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn

from leadml.api.app import create_app
from leadml.api.protocol import Protocol
from leadml.service.serving import Serving
from leadml.settings import Settings


@contextlib.contextmanager
def serve(settings: Settings, serving: Serving) -> Iterator[str]:
    """Serve until the block ends; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(settings, serving)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
