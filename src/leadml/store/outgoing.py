"""What the memory offers to those who hand messages on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from leadml.store import announcing, deliveries, endpoints
from leadml.store.deliveries import Attempt, Leased, Standing
from leadml.store.endpoints import Endpoint
from leadml.store.records import now, us_of

__all__ = ["Outgoing"]

T = TypeVar("T")
Effect = Callable[[sa.Connection], Any]


class Outgoing:
    """Endpoints and deliveries of one store; see the functions of the same names.

    Parameters
    ----------
    write, read
        Run a function within a transaction of the store.
    note
        Adds an entry to the audit log: connection, actor, action, subject, detail.
    """

    def __init__(
        self,
        write: Callable[[Effect], Any],
        read: Callable[[Effect], Any],
        note: Callable[[sa.Connection, str, str, str, Any], None],
    ) -> None:
        self._write = write
        self._read = read
        self._note = note

    # --- endpoints ----------------------------------------------------------------

    def add(self, *, by: str, **given: Any) -> tuple[str, Endpoint]:
        """Make an endpoint; its secret is returned this once. See ``endpoints.add``."""

        def effect(connection: sa.Connection) -> tuple[str, Endpoint]:
            secret, made = endpoints.add(connection, **given)
            self._note(connection, by, "webhook.add", made.endpoint_id, {"kind": made.kind})
            return secret, made

        return self._write(effect)

    def endpoints(self) -> list[Endpoint]:
        """All endpoints, oldest first."""
        return self._read(endpoints.listed)

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """One endpoint; raises WebhookUnknown where there is none."""
        return self._read(lambda connection: endpoints.find(connection, endpoint_id))

    def change(self, endpoint_id: str, changes: Mapping[str, Any], *, by: str) -> Endpoint:
        """Change what is named. See ``endpoints.change``."""

        def effect(connection: sa.Connection) -> Endpoint:
            changed = endpoints.change(connection, endpoint_id, changes)
            detail = {"changed": sorted(changes)}
            if "state" in changes:
                detail["state"] = changes["state"]
            self._note(connection, by, "webhook.change", endpoint_id, detail)
            if changes.get("state") == "active":
                connection.info["announced"] = True
            return changed

        return self._write(effect)

    def pause(self, endpoint_id: str, until_us: int) -> None:
        """Send an endpoint nothing until a moment, as it asked."""
        changes = {"paused_until_us": until_us}
        self._write(lambda connection: endpoints.change(connection, endpoint_id, changes))

    def rotate(
        self, endpoint_id: str, *, overlap_s: float = 86_400.0, by: str
    ) -> tuple[str, Endpoint]:
        """Make the next secret, returned this once; both sign until the overlap ends."""

        def effect(connection: sa.Connection) -> tuple[str, Endpoint]:
            made = endpoints.rotate(connection, endpoint_id, overlap_s)
            self._note(connection, by, "webhook.rotate", endpoint_id, {})
            return made

        return self._write(effect)

    def remove(self, endpoint_id: str, *, by: str) -> int:
        """Delete an endpoint with its deliveries; returns how many of them were waiting."""

        def effect(connection: sa.Connection) -> int:
            waiting = endpoints.remove(connection, endpoint_id)
            self._note(connection, by, "webhook.remove", endpoint_id, {"waiting": waiting})
            return waiting

        return self._write(effect)

    # --- deliveries ---------------------------------------------------------------

    def fan_out(self, limit: int = 500) -> int:
        """Make a row for each endpoint that wants a message; returns messages taken."""
        return self._write(lambda connection: deliveries.fan_out(connection, limit))

    def next_due(self, skip: Iterable[str] = ()) -> tuple[bool, dict[str, int]]:
        """Whether messages wait to be sorted, and when each endpoint is next due."""
        left_out = tuple(skip)
        return self._read(lambda connection: deliveries.next_due(connection, left_out))

    def claim(self, endpoint_id: str, *, limit: int, lease_s: float) -> list[Leased]:
        """Lease what is due for an endpoint, at most one message of each lead."""
        return self._write(
            lambda connection: deliveries.claim(
                connection, endpoint_id, limit=limit, lease_s=lease_s
            )
        )

    def settle(self, attempts: Sequence[Attempt]) -> int:
        """Note what came of attempts; returns how many were still this worker's."""
        return self._write(lambda connection: deliveries.settle(connection, attempts))

    def listed(
        self,
        endpoint_id: str,
        *,
        state: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[dict[str, Any]]:
        """Deliveries of an endpoint, newest first, each with the log of its attempts."""

        def look(connection: sa.Connection) -> list[dict[str, Any]]:
            endpoints.find(connection, endpoint_id)
            return deliveries.listed(
                connection, endpoint_id, state=state, limit=limit, before=before
            )

        return self._read(look)

    def replay(self, endpoint_id: str, delivery_id: str | None = None, *, by: str) -> int:
        """Send again: one delivery, or all that were given up; returns how many."""

        def effect(connection: sa.Connection) -> int:
            endpoints.find(connection, endpoint_id)
            found = deliveries.replay(connection, endpoint_id, delivery_id)
            self._note(connection, by, "webhook.replay", endpoint_id, {"deliveries": found})
            return found

        return self._write(effect)

    def standing(self) -> Standing:
        """How many deliveries wait, how long the oldest does, how many were given up."""
        return self._read(deliveries.standing)

    def forget_old(self, days: float) -> int:
        """Drop what was finished more than so many days ago, bit by bit; returns rows gone."""
        before_us = us_of(now()) - int(days * 86_400e6)
        total = 0
        while gone := self._write(lambda connection: deliveries.forget_old(connection, before_us)):
            total += gone
        return total

    # --- messages of no lead ---------------------------------------------------------

    def announce(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write a message that stands for itself."""
        at_us = us_of(now())
        self._write(lambda connection: announcing.announce(connection, kind, data, at_us=at_us))

    def announce_model(self, model_version: str, data: Mapping[str, Any]) -> bool:
        """Tell of a newly served model, once; False if it was the last one told of."""
        at_us = us_of(now())
        return self._write(
            lambda connection: announcing.announce_model(
                connection, model_version, data, at_us=at_us
            )
        )
