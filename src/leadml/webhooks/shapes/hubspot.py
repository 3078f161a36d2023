"""Properties of HubSpot contacts, up to 100 in one call of the official client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from leadml.webhooks.parcel import Message, Receiver, Reception, reception_of
from leadml.webhooks.records import check_options, fields_of, record_id, require_client
from leadml.webhooks.reply import CallFailed, Reply
from leadml.webhooks.tokens import check_credential

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["FIELDS", "LEADS_ONLY", "MOST", "check", "send"]

MOST: Final = 100
LEADS_ONLY: Final = True

FIELDS: Final = {
    "score": "leadml_score",
    "probability": "leadml_probability",
    "stage": "leadml_stage",
    "reasons": "leadml_reasons",
}
"""What is told, and the property that holds it, unless the option ``fields`` says otherwise."""

_NO_ID: Final = Reception(False, error="the lead has no id that HubSpot knows")
_PAUSE_S: Final = 10.0  # its limits count requests in ten seconds


def check(receiver: Receiver) -> None:
    """A token of a private app; ``id_field`` and ``id_property`` name contacts otherwise."""
    require_client("hubspot")
    check_credential(receiver)
    check_options(receiver, {"id_field": r".{1,255}", "id_property": r"[a-z][a-z0-9_]{0,99}"})


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Update the contacts of all messages; a contact that fails spoils no other."""
    require_client("hubspot")
    found: dict[str, Reception] = {}
    waiting = []
    for message in messages:
        contact = record_id(message, receiver)
        if contact is None:
            found[message.message_id] = _NO_ID
        else:
            waiting.append((contact, message))
    api = _api(wire, receiver)
    while waiting:  # one call may name a contact once
        batch = dict(reversed(waiting))
        batch = {contact: message for contact, message in waiting if batch[contact] is message}
        waiting = [pair for pair in waiting if batch.get(pair[0]) is not pair[1]]
        found |= _update(api, receiver, batch)
    return [found[message.message_id] for message in messages]


def _update(api: Any, receiver: Receiver, batch: dict[str, Message]) -> dict[str, Reception]:
    """Update different contacts by one call; where it is refused as a whole, by halves."""
    from hubspot.crm.contacts import (
        ApiException,
        BatchInputSimplePublicObjectBatchInput,
        SimplePublicObjectBatchInput,
    )

    names = receiver.options.get("fields", FIELDS)
    asked = BatchInputSimplePublicObjectBatchInput(
        inputs=[
            SimplePublicObjectBatchInput(
                id=contact,
                id_property=receiver.options.get("id_property"),
                properties={name: str(value) for name, value in fields_of(message, names).items()},
            )
            for contact, message in batch.items()
        ]
    )
    everyone = [message.message_id for message in batch.values()]
    try:
        answer, status, _ = api.update_with_http_info(asked)
    except CallFailed as failed:
        return dict.fromkeys(everyone, reception_of(failed))
    except ApiException as error:
        if error.status in (400, 404) and len(batch) > 1:
            return _by_halves(api, receiver, batch)
        return dict.fromkeys(everyone, _refused(error))
    if status != 207:
        return dict.fromkeys(everyone, Reception(True, status))
    failed_ids = {
        contact for error in answer.errors or () for contact in (error.context or {}).get("ids", ())
    }
    if not failed_ids & batch.keys():
        return _by_halves(api, receiver, batch) if len(batch) > 1 else {everyone[0]: _PART}
    return {
        message.message_id: _PART if contact in failed_ids else Reception(True, status)
        for contact, message in batch.items()
    }


_PART: Final = Reception(False, 207, "HubSpot did not update this contact")


def _by_halves(api: Any, receiver: Receiver, batch: dict[str, Message]) -> dict[str, Reception]:
    pairs = list(batch.items())
    middle = len(pairs) // 2
    return _update(api, receiver, dict(pairs[:middle])) | _update(
        api, receiver, dict(pairs[middle:])
    )


def _refused(error: Any) -> Reception:
    headers = {name.lower(): value for name, value in dict(error.headers or {}).items()}
    reception = reception_of(Reply(error.status, headers, b""))
    if error.status == 429 and reception.retry_after_s is None:
        return Reception(False, 429, reception.error, _PAUSE_S)
    # 410 is no promise of HubSpot's: only a webhook's receiver ends it that way
    return Reception(False, error.status, reception.error, reception.retry_after_s)


def _api(wire: Wire, receiver: Receiver) -> Any:
    """The official client over our own wire."""
    from hubspot import HubSpot

    def over_the_wire(package: Any, name: str, given: dict[str, Any]) -> Any:
        configuration = package.Configuration(host=receiver.url.rstrip("/"))
        configuration.access_token = given["access_token"]
        client = package.ApiClient(configuration)
        client.rest_client.pool_manager = _Pool(wire)
        return getattr(package, name)(client)

    made = HubSpot(access_token=receiver.credential, api_factory=over_the_wire)
    return made.crm.contacts.batch_api


class _Pool:
    """What the client takes for its pool of connections."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def request(
        self, method: str, url: str, *, headers: dict[str, str], body: str | None = None, **_: Any
    ) -> _Answer:
        """Send a request over the wire."""
        content = (body or "").encode()
        return _Answer(self._wire.call(method, url, headers=headers, content=content))


class _Answer:
    """A reply as the client reads it."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.reason = ""
        self.data = reply.body
        self._headers = reply.headers

    def getheaders(self) -> dict[str, str]:
        """All headers."""
        return dict(self._headers)

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """One header."""
        return self._headers.get(name.lower(), default)
