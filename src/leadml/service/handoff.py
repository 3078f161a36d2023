"""Webhooks as people set them up: add, change, rotate, look, send again, try."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from leadml.errors import AddressRefused, InvalidField, NotFound
from leadml.service.delivering import receiver_of
from leadml.service.memory import Memory
from leadml.settings import Settings
from leadml.store import Store, new_id
from leadml.store.announcing import EVENTS, USUAL_EVENTS
from leadml.store.endpoints import Endpoint
from leadml.store.outgoing import Outgoing
from leadml.webhooks import Guard, Message, Receiver, shape_of

__all__ = ["CHANGES", "Handoff", "handoff_of"]

CHANGES: Final = ("url", "note", "events", "lead_fields", "options", "credential", "state")
"""What of a webhook can be changed; its kind cannot."""

STATES: Final = ("waiting", "delivered", "dead", "withheld")
"""Of deliveries."""

NOTE_LENGTH: Final = 500


class Handoff:
    """Webhooks of one memory.

    Parameters
    ----------
    require
        Gives the memory, or raises while it cannot be used.
    guard
        Decides which addresses may be called.
    timeout_s
        Longest wait when a webhook is tried.
    """

    def __init__(
        self, require: Callable[[], Store], guard: Guard, *, timeout_s: float = 15.0
    ) -> None:
        self._require = require
        self._guard = guard
        self._timeout_s = timeout_s

    @property
    def _outgoing(self) -> Outgoing:
        return self._require().outgoing

    def add(
        self,
        *,
        url: str,
        kind: str = "generic",
        note: str = "",
        events: Sequence[str] | None = None,
        lead_fields: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
        credential: str | None = None,
        by: str,
    ) -> dict[str, Any]:
        """Make a webhook; ``secret`` stands in the answer this once.

        Parameters
        ----------
        url
            Of the receiver, or the root of a CRM's API.
        kind
            One of ``KINDS``.
        events
            Types of messages; those that its kind can take when left out.
        lead_fields
            Attributes of the lead that it is told.
        options
            What its kind needs.
        credential
            By which leadml signs in there.
        by
            Who makes it.

        Raises
        ------
        AddressRefused
            The URL leads inside and is not on the list of open addresses.
        InvalidField
            Kind, events, options or credential do not fit each other.
        ExtraMissing
            The client of this kind is not installed.
        """
        shape = shape_of(kind)
        chosen = _events_for(kind, shape.LEADS_ONLY, events)
        _check_note(note)
        receiver = Receiver(
            url=url,
            kind=kind,
            lead_fields=tuple(lead_fields),
            options=dict(options or {}),
            credential=credential or None,
        )
        self._check(receiver)
        secret, made = self._outgoing.add(
            url=url,
            kind=kind,
            note=note,
            events=chosen,
            lead_fields=lead_fields,
            options=receiver.options,
            credential=receiver.credential,
            by=by,
        )
        return {**made.as_dict(), "url": url, "secret": secret}

    def listed(self) -> dict[str, Any]:
        """All webhooks, oldest first, and how far the deliveries are."""
        outgoing = self._outgoing
        return {
            "webhooks": [endpoint.as_dict() for endpoint in outgoing.endpoints()],
            "deliveries": outgoing.standing().as_dict(),
        }

    def one(self, endpoint_id: str) -> dict[str, Any]:
        """One webhook; raises WebhookUnknown where there is none."""
        return self._outgoing.endpoint(endpoint_id).as_dict()

    def change(self, endpoint_id: str, changes: Mapping[str, Any], *, by: str) -> dict[str, Any]:
        """Change some of :data:`CHANGES`; one that becomes active again gets what it missed.

        Raises
        ------
        WebhookUnknown, AddressRefused, InvalidField
            There is none of that id, or it could not work like that.
        """
        outgoing = self._outgoing
        endpoint = outgoing.endpoint(endpoint_id)
        values = dict(changes)
        if "events" in values:
            leads_only = shape_of(endpoint.kind).LEADS_ONLY
            values["events"] = _events_for(endpoint.kind, leads_only, values["events"])
        if "note" in values:
            _check_note(values["note"])
        if "credential" in values:
            values["credential"] = values["credential"] or None
        state = values.get("state", "active")
        if state not in ("active", "disabled"):
            raise InvalidField("state must be active or disabled", column="state", pointer="/state")
        if state == "disabled":
            values["state_reason"] = "disabled by hand"
        known = receiver_of(endpoint)
        self._check(
            Receiver(
                url=values.get("url", known.url),
                kind=known.kind,
                lead_fields=tuple(values.get("lead_fields", known.lead_fields)),
                options=values.get("options", known.options),
                credential=values.get("credential", known.credential),
            )
        )
        return outgoing.change(endpoint_id, values, by=by).as_dict()

    def rotate(self, endpoint_id: str, *, overlap_s: float = 86_400.0, by: str) -> dict[str, Any]:
        """Make the next secret, shown this once; both sign until the overlap ends."""
        secret, endpoint = self._outgoing.rotate(endpoint_id, overlap_s=overlap_s, by=by)
        return {**endpoint.as_dict(), "secret": secret}

    def remove(self, endpoint_id: str, *, by: str) -> dict[str, Any]:
        """Delete a webhook with its deliveries."""
        return {"removed": endpoint_id, "waiting": self._outgoing.remove(endpoint_id, by=by)}

    def deliveries(
        self,
        endpoint_id: str,
        *,
        state: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> dict[str, Any]:
        """Deliveries of a webhook, newest first, each with the log of its attempts."""
        if state is not None and state not in STATES:
            raise InvalidField(f"state must be one of: {', '.join(STATES)}", column="state")
        found = self._outgoing.listed(endpoint_id, state=state, limit=limit, before=before)
        answer: dict[str, Any] = {"deliveries": found}
        if len(found) == limit:
            answer["next_cursor"] = found[-1]["id"]
        return answer

    def replay(
        self, endpoint_id: str, delivery_id: str | None = None, *, by: str
    ) -> dict[str, Any]:
        """Send one delivery again, or all that were given up."""
        return {"replayed": self._outgoing.replay(endpoint_id, delivery_id, by=by)}

    def test(self, endpoint_id: str, lead_id: str | None = None) -> dict[str, Any]:
        """Send a signed ``webhook.test`` message now, whatever state the webhook is in.

        Parameters
        ----------
        lead_id
            Whose score is sent; the kinds that write into records of a CRM need one.

        Returns
        -------
        dict
            ``delivered``, ``duration_ms``, and ``status``, ``error`` and ``fix`` where known.

        Raises
        ------
        WebhookUnknown, NotFound, InvalidField
            There is no such webhook or lead, the kind needs a lead, or the lead objected.
        """
        endpoint = self._outgoing.endpoint(endpoint_id)
        message = self._trial(endpoint, lead_id)
        from leadml.webhooks.wire import Wire

        wire = Wire(self._guard, timeout_s=self._timeout_s)
        start = time.monotonic()
        try:
            with wire.within(2 * self._timeout_s):
                (found,) = shape_of(endpoint.kind).send(wire, receiver_of(endpoint), [message])
        finally:
            wire.close()
        answer: dict[str, Any] = {
            "delivered": found.delivered,
            "message_id": message.message_id,
            "duration_ms": round(1000 * (time.monotonic() - start), 1),
        }
        if found.status is not None:
            answer["status"] = found.status
        if found.error is not None:
            answer["error"] = found.error
        if not found.delivered and (fix := self._opening(endpoint.url)):
            answer["fix"] = fix
        return answer

    def _opening(self, url: str) -> str | None:
        """What would let an address be called; None where it may be."""
        try:
            self._guard.addresses(self._guard.read(url))
        except AddressRefused as error:
            return error.fix
        except OSError:  # it cannot be resolved: nothing here would help
            return None
        return None

    def _trial(self, endpoint: Endpoint, lead_id: str | None) -> Message:
        data: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        if lead_id is not None:
            lead = self._require().lead(lead_id)
            if lead is None:
                raise NotFound("nothing is known of this lead", fix="score it first")
            if lead["objection"]:
                raise InvalidField("the lead objected; nothing is sent about it", column="lead_id")
            data = {"lead_id": lead_id, "stage": lead["stage"], **lead.get("explained", {})}
            data |= {name: lead[name] for name in ("probability", "score") if name in lead}
            attributes = lead["attributes"]
        elif shape_of(endpoint.kind).LEADS_ONLY:
            raise InvalidField(
                f"a webhook of the kind {endpoint.kind} is tried with a lead",
                column="lead_id",
                pointer="/lead_id",
                fix="name the lead_id of a lead whose record the CRM has",
            )
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return Message(
            message_id=new_id("msg"),
            sequence=0,
            payload={"type": "webhook.test", "timestamp": at, "data": data},
            lead_id=lead_id or "",
            attributes=attributes,
        )

    def _check(self, receiver: Receiver) -> None:
        place = self._guard.read(receiver.url)
        with contextlib.suppress(OSError):  # a name may be made later; each delivery looks again
            self._guard.addresses(place)
        if receiver.kind not in ("generic", "slack") and "?" in receiver.url:
            raise InvalidField(
                "the address of a CRM's API has no query", column="url", pointer="/url"
            )
        shape_of(receiver.kind).check(receiver)


def _events_for(kind: str, leads_only: bool, events: Sequence[str] | None) -> list[str]:
    if events is None:
        return [e for e in USUAL_EVENTS if e.startswith("lead.") or not leads_only]
    wrong = [e for e in events if leads_only and e in EVENTS and not e.startswith("lead.")]
    if wrong:
        raise InvalidField(
            f"a webhook of the kind {kind} takes events of leads only",
            column="events",
            pointer="/events",
        )
    return list(events)


def _check_note(note: str) -> None:
    if len(note) > NOTE_LENGTH:
        raise InvalidField(
            f"note must have at most {NOTE_LENGTH} characters", column="note", pointer="/note"
        )


def handoff_of(settings: Settings, memory: Memory) -> Handoff:
    """Webhooks as the settings allow them."""
    guard = Guard(settings.webhook_allow.split(","))
    return Handoff(memory.require, guard, timeout_s=settings.webhook_timeout_s)
