"""The session of a signed-in person: its cookie, and proof that a page of ours sent a form."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from leadml.api.door import Caller, Door, refuse_foreign
from leadml.errors import CsrfInvalid
from leadml.store import Session, form_token

__all__ = [
    "PROOF",
    "SIGNED_IN",
    "Sessions",
    "SignedIn",
    "cookies_of",
    "ended",
    "is_https",
    "issued",
    "proven",
    "signed_in",
    "token_in",
]

SIGNED_IN: Final = "leadml.signed_in"
"""Where in a scope stands the session of who asks."""

PROOF: Final = b"x-csrf-token"
"""Header in which a page's script proves that it is ours; forms have the field ``csrf``."""

SAFE: Final = ("GET", "HEAD", "OPTIONS")

_PLAIN: Final = "leadml_session"
_SECURE: Final = "__Host-leadml_session"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as a request carries it.

    Parameters
    ----------
    session
        Of whom.
    proof
        What forms and scripts of the session's pages send along.
    """

    session: Session
    proof: str


def signed_in(scope: Scope) -> SignedIn | None:
    """The session in which a request was let in; None for keys and for anybody."""
    found: SignedIn | None = scope.get(SIGNED_IN)
    return found


def cookies_of(scope: Scope) -> dict[str, str]:
    """Cookies by name; what is no cookie is passed over.

    >>> cookies_of({"headers": [(b"cookie", b"a=1; odd; b=2=3")]})
    {'a': '1', 'b': '2=3'}
    """
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, sign, text = part.strip().partition("=")
                if sign:
                    found.setdefault(key, text)
    return found


def is_https(scope: Scope, public_url: str = "") -> bool:
    """Whether the browser speaks HTTPS to the server or to what stands before it.

    Parameters
    ----------
    public_url
        Address that people use; believed where the request names its host.
    """
    if scope.get("scheme") == "https":
        return True
    told = urlsplit(public_url)
    if told.scheme != "https":
        return False
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return bool(host.decode("latin-1").lower() == told.netloc.lower())


def token_in(scope: Scope, public_url: str = "") -> str:
    """The session's token as a request carries it; "" for none.

    Over HTTPS only the cookie counts that no other host can have set.
    """
    name = _SECURE if is_https(scope, public_url) else _PLAIN
    return cookies_of(scope).get(name, "")


def issued(scope: Scope, token: str, public_url: str = "") -> tuple[bytes, bytes]:
    """The header that gives a browser its session; it ends with the browser."""
    return _header(is_https(scope, public_url), token, "")


def ended(scope: Scope, public_url: str = "") -> tuple[bytes, bytes]:
    """The header that takes it away."""
    return _header(is_https(scope, public_url), "", "; Max-Age=0")


def _header(secure: bool, token: str, more: str) -> tuple[bytes, bytes]:
    name = _SECURE if secure else _PLAIN
    said = f"{name}={token}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}{more}"
    return b"set-cookie", said.encode()


def proven(sent: str, kept: str) -> None:
    """Compare what a form or script sent with what its page was given.

    Raises
    ------
    CsrfInvalid
        They differ, or there is nothing to compare with.
    """
    same = hmac.compare_digest(sent.encode("utf-8", "replace"), kept.encode("utf-8", "replace"))
    if not kept or not same:
        raise CsrfInvalid(
            "the form is not from this page, or the page is too old",
            fix="load the page again and repeat",
        )


class Sessions:
    """Finds the person who asks by the session's cookie; each time anew in the database.

    A request that changes something must come from a page of this server, and below
    ``/v1/`` its script must send :data:`PROOF`; pages with forms compare the field.

    Parameters
    ----------
    door
        Knows the memory and the threads that look things up.
    public_url
        Address that people use.
    """

    def __init__(self, door: Door, public_url: str = "") -> None:
        self.door = door
        self.public_url = public_url

    async def __call__(self, scope: Scope) -> Caller | None:
        """Who asks, with what the role opens; None where no session is open.

        Raises
        ------
        OriginForeign, CsrfInvalid
            The session is open, but a page of another site may have sent this.
        StoreUnavailable
            The session cannot be looked up.
        """
        token = token_in(scope, self.public_url)
        if not token:
            return None
        people = self.door.memory.require().people
        session = await self.door.look_up(people.session, token)
        if session is None:
            return None
        proof = form_token(token)
        if scope["method"] not in SAFE:
            refuse_foreign(scope)
            if scope["path"].startswith("/v1/"):
                sent = next((value for name, value in scope["headers"] if name == PROOF), b"")
                proven(sent.decode("latin-1"), proof)
        scope[SIGNED_IN] = SignedIn(session, proof)
        return Caller(session.name, session.scopes, role=session.role)
