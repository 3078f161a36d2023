"""Bearer tokens of CRMs: given by hand, or fetched for an application and kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from leadml.errors import InvalidField
from leadml.webhooks.parcel import Receiver
from leadml.webhooks.reply import CallFailed

if TYPE_CHECKING:
    from leadml.webhooks.wire import Wire

__all__ = ["Tokens", "application_of", "check_credential", "no_credential"]

KEPT_S: Final = 900.0
"""A token that does not say how long it lives is fetched anew after so many seconds."""

_EARLY_S: Final = 60.0


class Tokens:
    """Fetches tokens by OAuth client credentials and keeps them while they live.

    One for a process is enough; it is safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], tuple[str, float]] = {}

    def of(self, wire: Wire, receiver: Receiver, token_url: str, extra: Mapping[str, str]) -> str:
        """The bearer token for a receiver.

        Parameters
        ----------
        token_url
            Where an application gets one.
        extra
            Further fields of the form, such as the scope.

        Raises
        ------
        CallFailed
            None was given, or its giver did not answer.
        """
        credential = receiver.credential or ""
        application = application_of(credential)
        if application is None:
            return credential
        key = (credential, receiver.url, token_url, *extra.values())
        with self._lock:
            token, ends = self._kept.get(key, ("", 0.0))
            if time.monotonic() < ends:
                return token
        form = {
            "grant_type": "client_credentials",
            "client_id": application["client_id"],
            "client_secret": application["client_secret"],
            **extra,
        }
        reply = wire.call(
            "POST",
            token_url,
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
            },
            content=urlencode(form).encode(),
        )
        try:
            said: Any = json.loads(reply.body) if reply.is_success else {}
            token = said["access_token"]
            lives_s = float(said.get("expires_in", KEPT_S))
            if not isinstance(token, str):
                raise TypeError(type(token))
        except (ValueError, TypeError, KeyError):
            raise CallFailed(f"no token was given (status {reply.status})") from None
        now = time.monotonic()
        with self._lock:
            self._kept = {one: kept for one, kept in self._kept.items() if kept[1] > now}
            self._kept[key] = (token, now + max(0.0, lives_s - _EARLY_S))
        return token

    def forget(self, receiver: Receiver) -> bool:
        """Drop a token that was refused; True if another may be fetched."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == receiver.credential]:
                del self._kept[key]
        return application_of(receiver.credential or "") is not None


def application_of(credential: str) -> dict[str, str] | None:
    """The application that a credential names; None for a bare token."""
    if not credential.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(credential)
    except ValueError:
        return None
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts and {"client_id", "client_secret"} <= found.keys() else None


def check_credential(receiver: Receiver, *needed: str) -> None:
    """Refuse a credential that is neither a token nor a whole application.

    Raises
    ------
    InvalidField
        It is missing, or lacks one of ``needed``.
    """
    credential = receiver.credential or ""
    if not credential:
        raise no_credential()
    if credential.lstrip().startswith("{"):
        application = application_of(credential)
        if application is None or not set(needed) <= application.keys():
            names = ", ".join(("client_id", "client_secret", *needed))
            raise InvalidField(
                f"the credential must be a token or a JSON object of texts with {names}",
                column="credential",
                pointer="/credential",
            )
    elif not credential.isascii() or not credential.isprintable() or " " in credential:
        raise InvalidField("the credential is no token", column="credential", pointer="/credential")


def no_credential() -> InvalidField:
    """The error for a receiver that needs a credential and has none."""
    return InvalidField(
        "this kind of webhook needs a credential", column="credential", pointer="/credential"
    )
