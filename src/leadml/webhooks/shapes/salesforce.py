"""Fields of Salesforce leads, by its REST API and a known client."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from leadml.webhooks.parcel import Message, Receiver, Reception, reception_of
from leadml.webhooks.records import check_options, fields_of, record_id, require_client
from leadml.webhooks.reply import CallFailed, Reply
from leadml.webhooks.tokens import Tokens, check_credential

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["FIELDS", "LEADS_ONLY", "MOST", "check", "object_type", "send", "with_session"]

MOST: Final = 1
LEADS_ONLY: Final = True

FIELDS: Final = {
    "score": "leadml_Score__c",
    "probability": "leadml_Probability__c",
    "stage": "leadml_Stage__c",
    "reasons": "leadml_Reasons__c",
}
"""What is told, and the field that holds it, unless the option ``fields`` says otherwise."""

_VERSION: Final = "59.0"
_ID: Final = re.compile(r"[A-Za-z0-9]{14,18}")
_NO_ID: Final = Reception(False, error="the lead's id is not one of Salesforce")

OPTIONS: Final = {
    "object": r"[A-Za-z][A-Za-z0-9_]{0,79}",
    "id_field": r".{1,255}",
    "external_id": r"[A-Za-z][A-Za-z0-9_]{0,79}",
    "version": r"[1-9][0-9]{1,2}\.0",
}
_TOKENS: Final = Tokens()


def check(receiver: Receiver) -> None:
    """A token, or an application that fetches one; the URL is that of My Domain."""
    require_client("simple_salesforce")
    check_credential(receiver)
    check_options(receiver, OPTIONS)


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Update the lead of each message by itself."""
    return [_send(wire, receiver, message) for message in messages]


def _send(wire: Wire, receiver: Receiver, message: Message) -> Reception:
    named, external = record_id(message, receiver), receiver.options.get("external_id")
    if named is None or not (external or _ID.fullmatch(named)):
        return _NO_ID  # it would become part of an address
    path = f"{external}/{quote(named, safe='')}" if external else named
    fields = fields_of(message, receiver.options.get("fields", FIELDS))
    name = str(receiver.options.get("object", "Lead"))

    def act(session: Any) -> int:
        return int(object_type(session, receiver, name).update(path, fields))

    return with_session(wire, receiver, act)


def with_session(wire: Wire, receiver: Receiver, act: Callable[[Any], int]) -> Reception:
    """Do something in a session of Salesforce; a token that ended is fetched once more."""
    require_client("simple_salesforce")
    from simple_salesforce import Salesforce
    from simple_salesforce.exceptions import SalesforceError

    root = receiver.url.rstrip("/")
    for again in (True, False):
        try:
            token = _TOKENS.of(wire, receiver, f"{root}/services/oauth2/token", {})
            session = Salesforce(
                instance_url=root,
                session_id=token,
                session=_session(wire),
                version=receiver.options.get("version", _VERSION),
            )
            return Reception(True, act(session))
        except CallFailed as failed:
            return reception_of(failed)
        except _Answered as error:
            if error.reply.status == 401 and again and _TOKENS.forget(receiver):
                continue
            found = reception_of(error.reply)
            return Reception(False, found.status, found.error, found.retry_after_s)
        except SalesforceError as error:
            return Reception(False, error=f"the client failed: {type(error).__name__}")
    raise AssertionError("the second time always returns")


def object_type(session: Any, receiver: Receiver, name: str) -> Any:
    """The client's view of one type of object, at the receiver's own address."""
    found = getattr(session, name)
    version = receiver.options.get("version", _VERSION)
    root = receiver.url.rstrip("/")
    found.base_url = f"{root}/services/data/v{version}/sobjects/{name}/"
    return found


class _Answered(Exception):  # the client's own errors would repeat what Salesforce said
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def _session(wire: Wire) -> Any:
    """A session of the client's HTTP library that goes over our own wire."""
    import requests
    from requests.adapters import BaseAdapter

    class Adapter(BaseAdapter):
        def send(self, request: Any, *_: Any, **__: Any) -> Any:
            content = request.body or b""
            reply = wire.call(
                request.method,
                request.url,
                headers={name: str(value) for name, value in request.headers.items()},
                content=content.encode() if isinstance(content, str) else content,
            )
            if not reply.is_success:
                raise _Answered(reply)
            answer = requests.Response()
            answer.status_code = reply.status
            answer.headers.update(reply.headers)
            answer.raw = io.BytesIO(reply.body)
            answer.url, answer.request = request.url, request
            return answer

        def close(self) -> None:
            pass

    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, Adapter())
    return session
