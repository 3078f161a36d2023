"""The worker that brings messages to their receivers."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import ExtraMissing, LeadmlError, StoreError, WebhookUnknown
from leadml.service.memory import Memory
from leadml.settings import Settings
from leadml.store import Store
from leadml.store.deliveries import Attempt, Leased
from leadml.store.endpoints import Endpoint
from leadml.store.outgoing import Outgoing
from leadml.webhooks import (
    Guard,
    Message,
    Receiver,
    Reception,
    Schedule,
    shape_of,
)

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["Deliverer", "deliverer_of", "message_of", "receiver_of"]

KEPT_DAYS: Final = 30.0
"""Finished deliveries and their messages are dropped after so many days."""

_GONE: Final = "the receiver answered 410 Gone"
_CLOSEST_S: Final = 0.05
_IN_A_ROW: Final = 16  # messages that one sender takes to one receiver, noted together
_TIDY_S: Final = 3600.0
_CONFIGURE_S: Final = 60.0
_MOST_BACKOFF_S: Final = 3.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    endpoint: Endpoint
    leased: list[Leased]


class Deliverer:
    """Takes messages out of the memory and sends them, until it is stopped.

    Each message reaches each of its receivers at least once; one that was sent twice
    carries the same id. Any number of workers, in any number of processes, may share a
    memory.

    Parameters
    ----------
    require
        Gives the memory, or raises while it cannot be used.
    wire
        By which receivers are called.
    schedule
        When a message is tried again.
    threads
        Messages under way at once.
    per_endpoint
        Of these, for one receiver that took the last one; any other gets one at a time, so
        that receivers that are down hold up nobody.
    lease_s
        After which another worker may take a message that this one leased; by default
        four times the longest call, and longer than all calls for one batch may take.
    poll_s
        Longest pause before the memory is looked at; messages written by this process
        are noticed at once.
    kept_days
        How long finished deliveries are kept.
    """

    def __init__(
        self,
        require: Callable[[], Store],
        wire: Wire,
        *,
        schedule: Schedule | None = None,
        threads: int = 16,
        per_endpoint: int = 4,
        lease_s: float | None = None,
        poll_s: float = 0.4,
        kept_days: float = KEPT_DAYS,
    ) -> None:
        self._require = require
        self._wire = wire
        self._schedule = schedule or Schedule()
        self._threads = threads
        self._per_endpoint = per_endpoint
        self._lease_s = lease_s or 4 * wire.timeout_s
        self._poll_s = poll_s
        self._kept_days = kept_days
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._sound: set[str] = set()
        self._runner: threading.Thread | None = None
        self._senders: list[threading.Thread] = []
        self._tidied = 0.0
        self.results: Counter[str] = Counter()
        """Attempts so far by what came of them: delivered, failed, dead."""

    # --- life -----------------------------------------------------------------------

    def start(self) -> None:
        """Work in threads of its own, none of which keeps the process alive; once."""
        self._runner = threading.Thread(target=self.run, name="leadml-deliver", daemon=True)
        self._runner.start()

    def wake(self) -> None:
        """Look at the memory now."""
        self._news.set()

    def is_idle(self) -> bool:
        """Whether nothing is under way, unsorted or due."""
        outgoing = self._require().outgoing
        unsorted, due = outgoing.next_due()
        now_us = time.time_ns() // 1000
        with self._lock:
            under_way = sum(self._under_way.values())
        return not under_way and not unsorted and all(at_us > now_us for at_us in due.values())

    def stop(self, wait_s: float = 2.0) -> None:
        """Take nothing more; wait so long for what is under way.

        What is still under way then is sent again by the next worker.
        """
        end = time.monotonic() + wait_s
        self._stopping.set()
        self._news.set()
        for thread in [*([self._runner] if self._runner else []), *self._senders]:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        self._wire.close()

    def run(self) -> None:
        """Work until :meth:`stop`; the loop of the worker's own thread."""
        for place in range(self._threads):
            sender = threading.Thread(target=self._send, name=f"leadml-send-{place}", daemon=True)
            sender.start()
            self._senders.append(sender)
        backoff_s = 0.0
        while not self._stopping.is_set():
            self._news.clear()
            try:
                pause_s = self._round()
                backoff_s = 0.0
            except LeadmlError as error:
                backoff_s = min(max(2 * backoff_s, 0.25), _MOST_BACKOFF_S)
                pause_s = backoff_s
                if not isinstance(error, StoreError):
                    log.warning("deliveries wait", extra={"code": error.code})
            except Exception as error:  # noqa: BLE001 - messages are kept; the worker goes on
                backoff_s = pause_s = _MOST_BACKOFF_S
                log.error("a round of deliveries failed", extra=_fault(error))
            self._stopping.wait(_CLOSEST_S)  # many commits in a row are one reason to look
            self._news.wait(pause_s)
        for _ in self._senders:
            self._tasks.put(None)

    # --- one round --------------------------------------------------------------------

    def _round(self) -> float:
        """Sort new messages, lease what is due, pass it on; seconds until the next look."""
        store = self._require()
        store.on_messages(self.wake)
        outgoing = store.outgoing
        with self._lock:
            free = self._threads - sum(self._under_way.values())
            busy = {name for name, n in self._under_way.items() if n >= self._per_endpoint}
        unsorted, due = outgoing.next_due(busy)
        if unsorted:
            while outgoing.fan_out() and not self._stopping.is_set():
                pass
            _, due = outgoing.next_due(busy)
        if time.monotonic() - self._tidied > _TIDY_S:
            self._tidied = time.monotonic()
            outgoing.forget_old(self._kept_days)
        now_us = time.time_ns() // 1000
        ready = sorted((at_us, name) for name, at_us in due.items() if at_us <= now_us)
        if ready and free > 0:
            endpoints = {endpoint.endpoint_id: endpoint for endpoint in outgoing.endpoints()}
            for _, name in ready:
                if free <= 0 or self._stopping.is_set():
                    break
                if name in endpoints:
                    free -= self._lease(store, endpoints[name], free)
        later = [at_us for at_us in due.values() if at_us > now_us]
        pause_s = (min(later) - now_us) / 1e6 if later else self._poll_s
        return min(pause_s, self._poll_s)

    def _lease(self, store: Store, endpoint: Endpoint, free: int) -> int:
        """Lease what is due for one endpoint; returns how many senders that takes."""
        most = shape_of(endpoint.kind).MOST
        with self._lock:
            allowed = self._per_endpoint if endpoint.endpoint_id in self._sound else 1
            room = min(free, allowed - self._under_way[endpoint.endpoint_id])
        if room <= 0:
            return 0
        limit = most if most > 1 else _IN_A_ROW * room
        leased = store.outgoing.claim(endpoint.endpoint_id, limit=limit, lease_s=self._lease_s)
        n_tasks = min(room if most == 1 else 1, len(leased))
        with self._lock:
            self._under_way[endpoint.endpoint_id] += n_tasks
        for place in range(n_tasks):
            self._tasks.put(_Task(endpoint, leased[place::n_tasks]))
        return n_tasks

    # --- sending ------------------------------------------------------------------------

    def _send(self) -> None:
        """The loop of one sender."""
        while (task := self._tasks.get()) is not None:
            try:
                self._deliver(task)
            except Exception as error:  # noqa: BLE001 - the lease ends, and it is sent again
                log.error("a delivery could not be noted", extra=_fault(error))
            finally:
                with self._lock:
                    self._under_way[task.endpoint.endpoint_id] -= 1
                self._news.set()

    def _deliver(self, task: _Task) -> None:
        endpoint = task.endpoint
        if self._stopping.is_set():  # give it back, for the next worker to take at once
            self._require().outgoing.settle([_untouched(one) for one in task.leased])
            return
        attempts, receptions = self._sent(endpoint, task.leased)
        outgoing = self._patiently(lambda: self._require().outgoing)
        self._patiently(lambda: outgoing.settle(attempts))
        with self._lock:
            for attempt in attempts:
                if attempt.counts:
                    self.results["failed" if attempt.state == "waiting" else attempt.state] += 1
            if any(reception.delivered for reception in receptions):
                self._sound.add(endpoint.endpoint_id)
            else:
                self._sound.discard(endpoint.endpoint_id)
        with contextlib.suppress(WebhookUnknown):  # it was removed meanwhile
            self._heed(outgoing, endpoint, receptions)

    def _heed(
        self, outgoing: Outgoing, endpoint: Endpoint, receptions: Sequence[Reception]
    ) -> None:
        """Leave a receiver alone that asks for it, for a while or for good."""
        if any(reception.gone for reception in receptions):
            changes = {"state": "disabled", "state_reason": _GONE}
            self._patiently(lambda: outgoing.change(endpoint.endpoint_id, changes, by="delivery"))
            log.warning("a webhook was disabled", extra={"reason": _GONE})
        waits = [one.retry_after_s for one in receptions if one.retry_after_s]
        if waits:
            until_us = time.time_ns() // 1000 + int(1e6 * max(waits))
            self._patiently(lambda: outgoing.pause(endpoint.endpoint_id, until_us))

    def _sent(
        self, endpoint: Endpoint, leased: Sequence[Leased]
    ) -> tuple[list[Attempt], list[Reception]]:
        """Send by as many calls as the shape needs; after a failure the rest is given back."""
        most = shape_of(endpoint.kind).MOST
        attempts: list[Attempt] = []
        receptions: list[Reception] = []
        begun = time.monotonic()
        with self._wire.within(0.75 * self._lease_s):
            for at in range(0, len(leased), most):
                batch = leased[at : at + most]
                at_us, start = time.time_ns() // 1000, time.monotonic()
                found = self._called(endpoint, [message_of(one) for one in batch])
                took_ms = 1000 * (time.monotonic() - start)
                receptions += found
                attempts += [
                    self._attempt(one, reception, at_us, took_ms)
                    for one, reception in zip(batch, found, strict=True)
                ]
                spent_s = time.monotonic() - begun
                if spent_s > 0.4 * self._lease_s or not any(one.delivered for one in found):
                    break
        attempts += [_untouched(one) for one in leased[len(attempts) :]]
        return attempts, receptions

    def _called(self, endpoint: Endpoint, messages: list[Message]) -> list[Reception]:
        try:
            return shape_of(endpoint.kind).send(self._wire, receiver_of(endpoint), messages)
        except ExtraMissing as error:
            reception = Reception(False, error=str(error), sent=False, retry_after_s=_CONFIGURE_S)
        except Exception as error:  # noqa: BLE001 - a client that breaks loses no message
            log.error("a receiver could not be called", extra=_fault(error))
            reception = Reception(False, error=f"leadml failed here: {type(error).__name__}")
        return [reception] * len(messages)

    def _attempt(self, leased: Leased, reception: Reception, at_us: int, took_ms: float) -> Attempt:
        state, pause_s = "delivered", 0.0
        if not reception.delivered:
            next_s = (
                self._schedule.pause_s(leased.attempts + 1, reception.retry_after_s)
                if reception.sent
                else reception.retry_after_s
            )
            state, pause_s = ("dead", 0.0) if next_s is None else ("waiting", next_s)
        return Attempt(
            leased=leased,
            at_us=at_us,
            state=state,
            next_attempt_us=time.time_ns() // 1000 + int(1e6 * pause_s),
            status=reception.status,
            error=reception.error,
            duration_ms=took_ms,
            counts=reception.sent,
        )

    def _patiently(self, act: Callable[[], Any]) -> Any:
        """Do something with the memory, again and again for as long as the lease lasts."""
        end, pause_s = time.monotonic() + self._lease_s / 4, 0.05
        while True:
            try:
                return act()
            except StoreError:
                if time.monotonic() > end or self._stopping.wait(pause_s):
                    raise
                pause_s = min(2 * pause_s, 1.0)


def _untouched(leased: Leased) -> Attempt:
    """No attempt at all: the message is given back, to be taken at once."""
    at_us = time.time_ns() // 1000
    return Attempt(leased, at_us, "waiting", at_us, counts=False)


def _fault(error: BaseException) -> dict[str, str]:
    """What a log may tell of a fault: its kind and place, for its words may quote a lead."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"fault": type(error).__name__, "places": place}


def message_of(leased: Leased) -> Message:
    """A leased message as shapes take it."""
    return Message(
        message_id=leased.message_id,
        sequence=leased.seq,
        payload=leased.payload,
        lead_id=leased.lead_id,
        attributes=leased.attributes,
    )


def receiver_of(endpoint: Endpoint) -> Receiver:
    """An endpoint as shapes take it."""
    return Receiver(
        url=endpoint.url,
        kind=endpoint.kind,
        lead_fields=endpoint.lead_fields,
        options=endpoint.options,
        secrets=endpoint.secrets,
        credential=endpoint.credential,
    )


def deliverer_of(settings: Settings, memory: Memory) -> Deliverer:
    """The worker that the settings describe; nothing is started."""
    from leadml.webhooks.wire import Wire

    wire = Wire(Guard(settings.webhook_allow.split(",")), timeout_s=settings.webhook_timeout_s)
    return Deliverer(memory.require, wire)
