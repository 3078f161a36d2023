"""HTTP that connects to checked addresses only, follows nothing, and ends in time."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpcore
import httpx

from leadml import __version__
from leadml.errors import AddressRefused
from leadml.webhooks.guard import Guard, Place
from leadml.webhooks.reply import MOST_READ, CallFailed, Reply

__all__ = ["Wire"]

_TRIED: Final = 3
_IDLE_S: Final = 2.0
_OURS: Final = {"user-agent": f"leadml/{__version__}", "accept-encoding": "identity"}


class _Call(threading.local):
    """What the connections of a thread must know of the call under way."""

    scheme: str = "http"
    ends_at: float = 0.0
    all_end_at: float = float("inf")

    def left(self, timeout: float | None) -> float:
        """Seconds until the call ends, at most ``timeout``."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the call took too long")
        return left if timeout is None else min(left, timeout)


class Wire:
    """Calls receivers; safe to share between threads.

    Parameters
    ----------
    guard
        Decides about every address, each time a connection is made.
    timeout_s
        From the beginning of a call to the end of its answer.
    """

    def __init__(self, guard: Guard, *, timeout_s: float = 15.0) -> None:
        self.guard = guard
        self.timeout_s = timeout_s
        self._call = _Call()
        self._lock = threading.Lock()
        self._transport: httpx.BaseTransport | None = None
        self._closed = False

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Reply:
        """Send one request and read its answer.

        Raises
        ------
        CallFailed
            The address is refused, or no whole answer came in time.
        """
        try:
            self._call.scheme = self.guard.read(url).scheme
            target = httpx.URL(url)
            target.host.encode()  # reads it as a name beyond ASCII, which may fail
        except AddressRefused as error:
            raise CallFailed(f"the address is refused: {error}", permanent=True) from error
        except (httpx.InvalidURL, UnicodeError) as error:  # such as a name that is no IDN
            raise CallFailed("the address is refused: it cannot be read", permanent=True) from error
        now = time.monotonic()
        if now >= self._call.all_end_at:
            raise CallFailed("there was no time left for this one")
        self._call.ends_at = min(now + self.timeout_s, self._call.all_end_at)
        # not by a client: that would write addresses, which may be secret, into the log
        asked = httpx.Request(
            method,
            target,
            headers=_OURS | dict(headers or {}),
            content=content,
            extensions={"timeout": httpx.Timeout(self.timeout_s).as_dict()},
        )
        try:
            answer = self._opened().handle_request(asked)
            try:
                body = self._read(answer)
            finally:
                answer.close()
        except AddressRefused as error:
            raise CallFailed(f"the address is refused: {error}", permanent=True) from error
        except httpx.TimeoutException as error:
            raise CallFailed("no whole answer came in time") from error
        except httpx.ConnectError as error:
            raise CallFailed(_why(error)) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise CallFailed("the connection broke or the answer is no HTTP") from error
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status_code, names, body)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let all calls of this thread in the block end in so many seconds."""
        before = self._call.all_end_at
        self._call.all_end_at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._call.all_end_at = before

    def _read(self, answer: httpx.Response) -> bytes:
        """The body up to a limit; what lies beyond is not waited for."""
        parts, size = [], 0
        for part in answer.iter_raw():  # nothing is unpacked: a few bytes may hide gigabytes
            parts.append(part)
            size += len(part)
            if size >= MOST_READ:
                break
        return b"".join(parts)[:MOST_READ]

    def close(self) -> None:
        """Close all connections, for good: a call that comes later fails."""
        with self._lock:
            transport, self._transport = self._transport, None
            self._closed = True
        if transport is not None:
            transport.close()

    def _opened(self) -> httpx.BaseTransport:
        with self._lock:
            if self._closed:
                raise CallFailed("leadml is stopping", sent=False)
            if self._transport is None:
                self._transport = _Transport(_Backend(self.guard, self._call))
            return self._transport


def _why(error: httpx.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "the certificate of the receiver does not prove its name"
        cause = cause.__cause__ or cause.__context__
    return "no connection could be made"


class _Transport(httpx.HTTPTransport):
    """httpx's own transport over connections that are made by us."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=_IDLE_S,
            network_backend=backend,
        )


class _Backend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to an address that was checked."""

    def __init__(self, guard: Guard, call: _Call) -> None:
        self._guard = guard
        self._call = call
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to one of the host's addresses, all of which were checked."""
        try:
            found = self._guard.addresses(Place(self._call.scheme, host.strip("[]"), port))
        except OSError as error:
            raise httpcore.ConnectError("the host cannot be resolved") from error
        fault: Exception | None = None
        for address in found[:_TRIED]:
            try:
                stream = self._plain.connect_tcp(
                    address,
                    port,
                    timeout=self._call.left(timeout),
                    socket_options=socket_options,
                )
                return _Stream(stream, self._call)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Never: sockets of this machine are not called."""
        raise httpcore.ConnectError("sockets of this machine are not called")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection on which a call ends at its deadline, however slowly bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, call: _Call) -> None:
        self._stream = stream
        self._call = call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there until the deadline."""
        return self._stream.read(max_bytes, self._call.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write until the deadline."""
        self._stream.write(buffer, self._call.left(timeout))

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Encrypt it; the certificate must prove the host's name, not the address."""
        found = self._stream.start_tls(ssl_context, server_hostname, self._call.left(timeout))
        return _Stream(found, self._call)

    def get_extra_info(self, info: str) -> Any:
        """What the connection below knows."""
        return self._stream.get_extra_info(info)
