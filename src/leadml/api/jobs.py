"""Routes of files that are scored in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import IO, Any, Final, NamedTuple, TypeVar

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.bodies import Disconnected
from leadml.api.problems import send_bytes
from leadml.api.query import asked_in, choice_in, whole_in
from leadml.api.table import Entry
from leadml.errors import (
    BodyTimeout,
    InvalidBody,
    NotFound,
    StorageFull,
    TooLarge,
    UnsupportedEncoding,
)
from leadml.service.jobs import Jobs, Upload
from leadml.settings import Settings

__all__ = ["JobOptions", "JobRoutes", "job_options_of"]

PIECE: Final = 1 << 20
_MEDIA: Final = {"csv": b"text/csv; charset=utf-8", "parquet": b"application/vnd.apache.parquet"}
MOST_REASONS: Final = 50
_FULL: Final = frozenset({28, 122})  # ENOSPC, EDQUOT
T = TypeVar("T")


class JobOptions(NamedTuple):
    """What the query of ``POST /v1/jobs`` asks for."""

    reasons: int = 3
    format: str = "csv"
    allow_missing: bool = False


def job_options_of(asked: Mapping[str, str]) -> JobOptions:
    """Read ``reasons``, ``format`` and ``allow_missing``.

    Raises
    ------
    InvalidParameter
        Another value.

    Examples
    --------
    >>> job_options_of({"reasons": "5", "format": "parquet"})
    JobOptions(reasons=5, format='parquet', allow_missing=False)
    """
    missing = choice_in(asked, "allow_missing", ("true", "false"), "false")
    return JobOptions(
        whole_in(asked, "reasons", 3, 0, MOST_REASONS),
        choice_in(asked, "format", _MEDIA, "csv"),
        missing == "true",
    )


class JobRoutes:
    """Endpoints over :class:`leadml.service.jobs.Jobs`.

    Parameters
    ----------
    settings
        Limits.
    jobs
        What is kept and done.
    pool
        Threads for disks; None uses the event loop's own.
    """

    def __init__(self, settings: Settings, jobs: Jobs, pool: Executor | None = None) -> None:
        self.settings = settings
        self.jobs = jobs
        self.pool = pool

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [
            Entry("/v1/jobs", "POST", self.create, "score", "createJob", JobOptions._fields),
            Entry("/v1/jobs/{id}", "GET", self.state, "score", "job"),
            Entry("/v1/jobs/{id}/result", "GET", self.result, "score", "jobResult"),
        ]

    async def create(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a file, a piece at a time, and answer with the job that scores it."""
        if not self.settings.max_jobs:
            raise NotFound("jobs are switched off here", fix="set LEADML_MAX_JOBS above 0")
        options = job_options_of(asked_in(scope))
        limit = self.settings.max_job_bytes
        for name, value in scope["headers"]:
            if name == b"content-length" and (len(value) > 15 or int(value) > limit):
                raise _too_large(limit)
            if name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
                raise UnsupportedEncoding(
                    "the body is compressed by Content-Encoding, which is not read here",
                    fix="send the file as it is; a packed file (.gz, .zip) may be sent as such",
                )
        upload = await self._on_disk(self.jobs.upload)
        try:
            await self._receive(receive, upload, limit)
            if not upload.size:
                raise InvalidBody("the body is empty", fix="send a CSV or Parquet file as the body")
            asked = {
                "reasons": options.reasons,
                "result_format": options.format,
                "allow_missing": options.allow_missing,
            }
            job_id = await self._on_disk(upload.finish, asked)
        except BaseException:
            upload.abandon()
            raise
        where = (b"location", f"/v1/jobs/{job_id}".encode())
        state = orjson.dumps(await self._on_disk(self.jobs.state, job_id))
        await send_bytes(send, 202, state, headers=[where])

    async def _receive(self, receive: Receive, upload: Upload, limit: int) -> None:
        piece = bytearray()
        more = True
        while more:
            try:
                async with asyncio.timeout(self.settings.body_timeout_s):  # per part, not in all
                    message = await receive()
            except TimeoutError:
                raise BodyTimeout("no part of the file came in time", fix="send it again") from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            piece += message.get("body", b"")
            more = message.get("more_body", False)
            if upload.size + len(piece) > limit:
                raise _too_large(limit)
            if len(piece) >= PIECE or not more:
                await self._on_disk(upload.write, bytes(piece))
                piece.clear()

    async def state(self, scope: Scope, receive: Receive, send: Send) -> None:
        """How far a job is."""
        found = await self._on_disk(self.jobs.state, scope["path_params"]["id"])
        await send_bytes(send, 200, orjson.dumps(found))

    async def result(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answers, a piece at a time."""
        path, ending = await self._on_disk(self.jobs.result, scope["path_params"]["id"])
        file: IO[bytes] = await self._on_disk(path.open, "rb")
        with file:
            name = f'attachment; filename="scores.{ending}"'.encode()
            headers = [
                (b"content-type", _MEDIA[ending]),
                (b"content-length", str(path.stat().st_size).encode()),
                (b"content-disposition", name),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while piece := await self._on_disk(file.read, PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _on_disk(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what touches the disk beside the event loop.

        Raises
        ------
        StorageFull
            The disk is full.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.pool, work, *arguments)
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFull(
                    "the disk of the jobs is full", fix="free some space and send it again"
                ) from None
            raise


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the file is larger than {limit} bytes",
        fix="split it, or score it where it lies: leadml score FILE --output OUT",
    )
