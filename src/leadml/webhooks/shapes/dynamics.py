"""Native predictive scores of Dynamics 365: score, grade, trend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from leadml.webhooks.parcel import Message, Receiver, Reception, reception_of
from leadml.webhooks.records import check_options, record_id
from leadml.webhooks.reply import CallFailed, Reply
from leadml.webhooks.tokens import Tokens, application_of, check_credential

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["LEADS_ONLY", "MOST", "check", "send", "trend_of"]

MOST: Final = 1
LEADS_ONLY: Final = True

STEADY: Final = 2
"""A score that moved by at most so many points counts as steady."""

_GRADES: Final = {"A": 0, "B": 1, "C": 2, "D": 3}
_TOKENS: Final = Tokens()
_SIGN_IN: Final = "https://login.microsoftonline.com"


def check(receiver: Receiver) -> None:
    """A token, or an application of a tenant; the URL is that of the environment."""
    check_credential(receiver, *([] if "token_url" in receiver.options else ["tenant"]))
    check_options(
        receiver,
        {
            "id_field": r".{1,255}",
            "entity": r"lead|opportunity",
            "version": r"v9\.[0-9]",
            "token_url": r"https?://[!-~]{1,500}",
        },
    )


def trend_of(before: int | None, score: int) -> int:
    """Improving 0, steady 1, declining 2; 3 where nothing is known of before.

    >>> trend_of(40, 61), trend_of(60, 61), trend_of(60, 31), trend_of(None, 31)
    (0, 1, 2, 3)
    """
    if before is None:
        return 3
    if abs(score - before) <= STEADY:
        return 1
    return 0 if score > before else 2


def send(wire: Wire, receiver: Receiver, messages: Sequence[Message]) -> list[Reception]:
    """Upsert the predictive score of each lead."""
    return [_send(wire, receiver, message) for message in messages]


def _send(wire: Wire, receiver: Receiver, message: Message) -> Reception:
    named, score = record_id(message, receiver), message.data.get("score")
    if score is None:
        return Reception(True)  # a lead that was never scored has nothing to show there
    if named is None:
        return Reception(False, error="the lead has no id that Dynamics knows")
    entity = receiver.options.get("entity", "lead")
    key = quote("'" + named.replace("'", "''") + "'", safe="")
    root = f"{receiver.url.rstrip('/')}/api/data/{receiver.options.get('version', 'v9.2')}"
    place = f"{root}/msdyn_predictivescores(msdyn_entityid={key},msdyn_entitytype=%27{entity}%27)"
    try:
        before = _call(wire, receiver, "GET", f"{place}?$select=msdyn_score", None)
        if not before.is_success and before.status != 404:
            return _read(before)
        body: dict[str, Any] = {
            "msdyn_score": score,
            "msdyn_scoretrend": trend_of(_score_in(before), score),
        }
        if message.data.get("grade") in _GRADES:
            body["msdyn_grade"] = _GRADES[message.data["grade"]]
        return _read(_call(wire, receiver, "PATCH", place, body))
    except CallFailed as failed:
        return reception_of(failed)


def _score_in(reply: Reply) -> int | None:
    if not reply.is_success:
        return None
    try:
        found = json.loads(reply.body)["msdyn_score"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None


def _read(reply: Reply) -> Reception:
    found = reception_of(reply)
    return Reception(found.delivered, found.status, found.error, found.retry_after_s)


def _call(
    wire: Wire, receiver: Receiver, method: str, url: str, body: dict[str, Any] | None
) -> Reply:
    application = application_of(receiver.credential or "") or {}
    tenant = quote(application.get("tenant", "common"), safe="")
    token_url = receiver.options.get("token_url", f"{_SIGN_IN}/{tenant}/oauth2/v2.0/token")
    scope = {"scope": f"{receiver.url.rstrip('/')}/.default"}
    reply = Reply(401, {}, b"")
    for _ in range(2):
        token = _TOKENS.of(wire, receiver, token_url, scope)
        reply = wire.call(
            method,
            url,
            headers={
                "authorization": f"Bearer {token}",
                "accept": "application/json",
                "content-type": "application/json",
                "odata-version": "4.0",
                "odata-maxversion": "4.0",
            },
            content=b"" if body is None else json.dumps(body).encode(),
        )
        if reply.status != 401 or not _TOKENS.forget(receiver):
            break
    return reply
