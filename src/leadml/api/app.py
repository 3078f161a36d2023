"""The FastAPI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from leadml import __version__
from leadml.api.desk import Desk
from leadml.api.document import document_of
from leadml.api.documents import DocumentRoutes
from leadml.api.door import Door
from leadml.api.drain import State, draining_on_sigterm
from leadml.api.gate import Gate
from leadml.api.history import HistoryRoutes
from leadml.api.hooks import MOST_CALLING, HookRoutes
from leadml.api.jobs import JobRoutes
from leadml.api.lives import LifeRoutes
from leadml.api.log import places_of
from leadml.api.metrics import Metrics
from leadml.api.page import page_of
from leadml.api.performance import PerformanceRoutes
from leadml.api.policies import PolicyRoutes
from leadml.api.problems import send_bytes
from leadml.api.protocol import SERVER
from leadml.api.rates import Rates
from leadml.api.routes import Routes, served_now
from leadml.api.sessions import Sessions
from leadml.api.sign_in import SignInRoutes
from leadml.api.site import SiteRoutes, is_read_by_people
from leadml.api.table import OPEN, Endpoint, Entry, Room, Way, crossings_of
from leadml.errors import LeadmlError
from leadml.service.delivering import deliverer_of
from leadml.service.handoff import handoff_of
from leadml.service.jobs import Jobs
from leadml.service.memory import Memory
from leadml.service.policies import Policies
from leadml.service.serving import Serving
from leadml.service.site import Site
from leadml.service.watching import Watch
from leadml.settings import Settings

__all__ = ["FIRST_LOOK_S", "Application", "create_app"]

FIRST_LOOK_S: Final = 4.0
"""The server starts without a model when the first look takes longer."""

JOBS_POLL_S: Final = 0.3

ALARM_POLL_S: Final = 60.0
"""Pause between two looks at the capacity, in seconds."""

POLICY_POLL_S: Final = 0.5
"""Pause between two looks at the policy, in seconds; all workers follow within a second."""
MEMORY_POLL_S: Final = 1.0
HAND_OVER_POLL_S: Final = 2.0
CLEAN_POLL_S: Final = 20.0

log = logging.getLogger(__name__)


class Application(FastAPI):
    """FastAPI whose hot routes are answered before its middlewares and its routing.

    Those cost more than a score does. Parts added with ``add_middleware`` therefore do
    not see the paths of ``hot``; what every request must pass belongs into the gate.
    """

    hot: Mapping[str, ASGIApp] = MappingProxyType({})
    """Applications by the path of a POST."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a hot route at once, anything else as FastAPI does."""
        if scope["type"] == "http" and scope["method"] == "POST":
            hot = self.hot.get(scope["path"])
            if hot is not None:
                await hot(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


_DOCS_GUARDS: Final = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-frame-options", b"DENY"),
]


def create_app(
    settings: Settings | None = None,
    serving: Serving | None = None,
    *,
    exchange: Path | None = None,
) -> FastAPI:
    """Build the application; nothing is read or started before its lifespan begins.

    Parameters
    ----------
    settings
        Limits and places; the environment's when left out.
    serving
        What is served; by default the champion of ``settings.model_name`` in
        ``settings.models_dir``.
    exchange
        Folder in which workers of one server exchange their counts.

    Returns
    -------
    FastAPI
        With the scoring routes as plain ASGI endpoints: bytes in, bytes out, and in
        front of all middlewares (:class:`Application`).
    """
    settings = settings or Settings()
    serving = serving or Serving.of(settings)
    state = State(head_timeout_s=settings.head_timeout_s)
    metrics = Metrics(exchange)
    memory = Memory(settings)
    door = Door(memory)
    door.rates = Rates(settings.rate_limit) if settings.rate_limit else None
    desk = Desk(settings, memory)
    routes = Routes(desk, serving, state, metrics)
    jobs = Jobs(settings)
    filed = JobRoutes(settings, jobs)
    written = DocumentRoutes(routes.served_or_none, settings.public_url)
    serving.follow_policy(memory.policy)
    policies = Policies(memory, serving)
    watch = Watch(policies.past)
    sessions = door.sessions = Sessions(door, settings.public_url)
    site = Site(settings, serving, memory, policies)
    pages, sign_in = SiteRoutes(settings, site, door), SignInRoutes(settings, site, sessions)
    hooks = HookRoutes(desk, handoff_of(settings, memory))
    rooms: list[Room] = [
        LifeRoutes(desk, serving),
        routes,
        written,
        filed,
        HistoryRoutes(desk, serving),
        PolicyRoutes(desk, policies),
        PerformanceRoutes(desk, serving, watch),
        hooks,
        pages,
        sign_in,
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        looker = ThreadPoolExecutor(1, thread_name_prefix="leadml-champion")
        worker = ThreadPoolExecutor(1, thread_name_prefix="leadml-jobs")
        looked, remembered, drawn = asyncio.Event(), asyncio.Event(), asyncio.Event()
        with contextlib.ExitStack() as crew:
            for room, attribute, n_threads, name in (
                (routes, "pool", 1, "batch"),
                (filed, "pool", 4, "files"),
                (door, "pool", 1, "keys"),
                (door, "strangers", 1, "strangers"),
                (desk, "pool", 4, "memory"),
                (desk, "counting", 2, "counting"),
                (hooks, "pool", MOST_CALLING, "calling"),
            ):
                pool = ThreadPoolExecutor(n_threads, thread_name_prefix=f"leadml-{name}")
                setattr(room, attribute, pool)
                crew.callback(setattr, room, attribute, None)
                crew.callback(pool.shutdown, wait=False, cancel_futures=True)
            chores = [
                _watch(memory, remembered, metrics),
                _clean(memory),
                _follow(serving, looker, settings.champion_poll_s, looked, metrics),
                _mind(serving, memory, watch, metrics),
                _draw(serving, memory, remembered, drawn),
                _hand_over(settings, serving, memory, metrics),
            ]
            if settings.max_jobs:
                chores.append(_work(jobs, worker))
            tasks = [asyncio.create_task(chore) for chore in chores]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_S):
                    for seen in (looked, remembered, drawn):
                        await seen.wait()
            try:
                with draining_on_sigterm(state, settings.drain_s):
                    yield {SERVER: state}
            finally:
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                worker.submit(jobs.close)  # behind a step that may still run
                await asyncio.to_thread(worker.shutdown)
                looker.submit(serving.close)  # behind a look that may still run
                looker.shutdown(wait=False)
        site.fresh.close()
        await asyncio.to_thread(memory.close)

    app = Application(
        title="leadml",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,  # its pages load scripts from a CDN; /docs is our own
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.serving = serving
    app.state.server = state
    app.openapi = lambda: document_of(routes.served_or_none())  # type: ignore[method-assign]

    async def docs(scope: Any, receive: Any, send: Any) -> None:
        html = page_of(document_of(routes.served_or_none()))
        await send_bytes(send, 200, html.encode(), b"text/html; charset=utf-8", _DOCS_GUARDS)

    entries = [entry for room in rooms for entry in room.entries()]
    entries.append(Entry("/docs", "GET", docs, OPEN, ""))
    endpoints = [Endpoint(entry, door) for entry in entries]
    for path, crossing in crossings_of(endpoints).items():
        methods = list(crossing.endpoints)
        app.router.routes.append(Way(path, crossing, methods))
    given: dict[str, Any] = {
        "door": door,
        "allow_open": settings.allow_open,
        "public_host": urlsplit(settings.public_url).netloc.lower(),
        "state": state,
        "metrics": metrics,
    }
    app.add_middleware(Gate, **given)
    app.hot = {
        endpoint.entry.path: Gate(endpoint, **given, max_waiting=settings.max_waiting)
        for endpoint in endpoints
        if endpoint.entry.hot
    }
    app.state.entries = tuple(entries)
    app.state.memory = memory

    async def lost(request: Request, failure: Exception) -> Any:
        """People get a page; every other failure is left to the gate."""
        known = isinstance(failure, HTTPException) and failure.status_code == 404
        if not known or request.method != "GET" or not is_read_by_people(request.scope):
            raise failure
        return pages.lost

    app.add_exception_handler(HTTPException, lost)
    app.add_exception_handler(RequestValidationError, _pass_on)
    return app


async def _pass_on(request: Request, failure: Exception) -> NoReturn:
    """Leave every failure to the gate, which alone writes problem documents."""
    raise failure


async def _follow(
    serving: Serving,
    looker: ThreadPoolExecutor,
    pause_s: float,
    looked: asyncio.Event,
    metrics: Metrics,
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.run_in_executor(looker, serving.refresh)
            served_now(serving, metrics)
            metrics.share()
        except Exception as error:  # noqa: BLE001 - the server outlives any fault of its follower
            log.error(
                "the champion could not be followed",
                extra={"fault": type(error).__name__, "places": places_of(error)},
            )
        looked.set()
        await asyncio.sleep(pause_s)


async def _watch(memory: Memory, looked: asyncio.Event, metrics: Metrics) -> None:
    """Open the memory, notice keys made elsewhere and a database that comes back."""
    while memory.is_on:
        try:
            await asyncio.to_thread(memory.look)
            metrics.forgetful = memory.problem is not None
        except Exception as error:  # noqa: BLE001 - the server outlives any fault of its database
            log.error(
                "the memory could not be looked at",
                extra={"fault": type(error).__name__, "places": places_of(error)},
            )
        looked.set()
        await asyncio.sleep(MEMORY_POLL_S)
    looked.set()


async def _clean(memory: Memory) -> None:
    """Overwrite what erasures left behind, many of them at once; drop old answers."""
    while memory.is_on:
        await asyncio.sleep(CLEAN_POLL_S)
        try:
            await asyncio.to_thread(memory.clean)
        except LeadmlError as error:
            log.error("what was erased is not overwritten yet", extra={"code": error.code})


async def _draw(
    serving: Serving, memory: Memory, remembered: asyncio.Event, looked: asyncio.Event
) -> None:
    """Follow the policy; while the memory cannot be asked, the lines before hold."""
    await remembered.wait()
    while memory.is_on:
        try:
            await asyncio.to_thread(serving.refresh_policy)
        except LeadmlError:  # the watcher of the database tells of it
            looked.set()
        except Exception as error:  # noqa: BLE001 - the server outlives any fault of its database
            log.error(
                "the policy could not be followed",
                extra={"fault": type(error).__name__, "places": places_of(error)},
            )
        looked.set()
        await asyncio.sleep(POLICY_POLL_S)
    looked.set()


async def _mind(serving: Serving, memory: Memory, watch: Watch, metrics: Metrics) -> None:
    """Look whether proposals outgrow the capacity; receivers are told once a week."""
    while memory.is_on:
        await asyncio.sleep(ALARM_POLL_S)
        try:
            room = await asyncio.to_thread(watch.alarm, serving.current())
        except LeadmlError:  # no model yet, or a database that its own watcher tells of
            continue
        except Exception as error:  # noqa: BLE001 - the server outlives any fault of its database
            log.error(
                "the capacity could not be looked at",
                extra={"fault": type(error).__name__, "places": places_of(error)},
            )
            continue
        metrics.room = {"capacity_exceeded": float(room.exceeded)}
        if room.proposals is not None:
            metrics.room["proposals_last_week"] = float(room.proposals)
        if room.capacity_per_week is not None:
            metrics.room["capacity_per_week"] = room.capacity_per_week


async def _hand_over(
    settings: Settings, serving: Serving, memory: Memory, metrics: Metrics
) -> None:
    """Send messages to their receivers; tell of a new model; count what waits."""
    deliverer = None
    announced = ""
    try:
        if memory.is_on and settings.deliver:
            deliverer = await asyncio.to_thread(deliverer_of, settings, memory)
            deliverer.start()
        while memory.is_on:
            await asyncio.sleep(HAND_OVER_POLL_S)
            try:
                outgoing = memory.require().outgoing
                served = serving.current()
                if served.versions.model != announced:
                    told = {"policy_version": served.versions.policy}
                    await asyncio.to_thread(outgoing.announce_model, served.versions.model, told)
                    announced = served.versions.model
                standing = await asyncio.to_thread(outgoing.standing)
            except LeadmlError:  # no model yet, or a database that its own watcher tells of
                continue
            metrics.hand_over = {
                "webhook_waiting": float(standing.waiting + standing.unsorted),
                "webhook_dead": float(standing.dead),
                "webhook_oldest_seconds": standing.oldest_s,
            }
    finally:
        if deliverer is not None:
            await asyncio.to_thread(deliverer.stop)


async def _work(jobs: Jobs, worker: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.run_in_executor(worker, jobs.step)
        except Exception as error:  # noqa: BLE001 - a full disk today must not end all jobs
            log.error(
                "a job could not be worked on",
                extra={"fault": type(error).__name__, "places": places_of(error)},
            )
        await asyncio.sleep(JOBS_POLL_S)
