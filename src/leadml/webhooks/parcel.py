"""What is sent, to whom, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from leadml.errors import InvalidField
from leadml.webhooks.reply import CallFailed, Reply, retry_after_s

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["Message", "Receiver", "Reception", "Shape", "invalid_option", "reception_of"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the outbox holds it.

    Parameters
    ----------
    message_id
        The same each time it is sent.
    sequence
        Grows with each message of a lead: who gets two in the wrong order can tell.
    payload
        ``type``, ``timestamp`` and ``data``.
    lead_id
        "" for a message about no lead.
    attributes
        Latest attributes of the lead.
    """

    message_id: str
    sequence: int
    payload: Mapping[str, Any]
    lead_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of event."""
        return str(self.payload["type"])

    @property
    def data(self) -> Mapping[str, Any]:
        """What happened."""
        found: Mapping[str, Any] = self.payload["data"]
        return found


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages go and what opens the door there.

    Parameters
    ----------
    url
        Of the receiver, or the root of a CRM's API.
    kind
        One of ``KINDS``.
    lead_fields
        Attributes of the lead that it asks for.
    options
        What its kind needs; nothing secret.
    secrets
        That sign for it, newest first.
    credential
        That signs in there.
    """

    url: str
    kind: str = "generic"
    lead_fields: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    credential: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reception:
    """What came of one message.

    Parameters
    ----------
    delivered
        Whether the receiver took it.
    status
        Its HTTP status; None if it did not answer.
    error
        What went wrong, in words that repeat nothing the receiver said.
    retry_after_s
        How long it wants to be left alone, in seconds.
    gone
        The receiver wants nothing any more.
    sent
        False if it was not tried at all.
    """

    delivered: bool
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None
    gone: bool = False
    sent: bool = True


class Shape(Protocol):
    """The form in which one kind of receiver takes messages.

    Its module holds ``MOST`` (messages in one call), ``LEADS_ONLY`` (whether it takes
    messages about leads alone) and these functions.
    """

    MOST: int
    LEADS_ONLY: bool

    def check(self, receiver: Receiver) -> None:
        """Raise InvalidField where an option or the credential is missing or wrong."""

    def send(self, wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
        """Send messages; what came of each, in their order."""


def reception_of(answer: Reply | CallFailed) -> Reception:
    """The usual reading of an answer: 2xx is taken, 410 ends it, the rest is tried again."""
    if isinstance(answer, CallFailed):
        wait_s = None if answer.sent else 0.0
        return Reception(False, error=answer.why, retry_after_s=wait_s, sent=answer.sent)
    status = answer.status
    if answer.is_success:
        return Reception(True, status)
    wait_s = retry_after_s(answer) if status in (429, 503) else None
    if 300 <= status < 400:
        error = "redirects are not followed"
    elif status == 410:
        error = "the receiver is gone"
    elif status in (429, 503):
        error = "the receiver asks for patience"
    else:
        error = f"the receiver answered {status}"
    return Reception(False, status, error, wait_s, gone=status == 410)


def invalid_option(name: str, why: str) -> InvalidField:
    """The error for an option that a shape cannot use."""
    return InvalidField(why, column=name, pointer=f"/options/{name}", fix="see docs/webhooks.md")
