"""The pages on which people sign in, see who they are, change their password."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from leadml.api.door import refuse_foreign
from leadml.api.sessions import Sessions, ended, issued, signed_in, token_in
from leadml.api.site import GUARDS, SiteRoutes, csrf_cookie, is_read_by_people
from leadml.api.table import OPEN, Entry
from leadml.errors import (
    ConfigError,
    LeadmlError,
    NotFound,
    Overloaded,
    SignInFailed,
    SignInThrottled,
)
from leadml.reports.site.render import render_page
from leadml.reports.site.texts import say
from leadml.service.site import Site
from leadml.settings import Settings

__all__ = ["SignInRoutes", "next_of"]

MOST_WAITING: Final = 16
"""Sign-ins that may wait for the one that is looked at; more are sent away."""

_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")


def next_of(text: str) -> str:
    """Where to go after signing in: an address of this server, ``/`` for anything else.

    >>> next_of("/leads?stage=mql"), next_of("//evil.example"), next_of("https://evil.example")
    ('/leads?stage=mql', '/', '/')
    """
    if not _LOCAL.fullmatch(text) or text.startswith("/sign-"):
        return "/"
    return text


class SignInRoutes(SiteRoutes):
    """Signing in and out, and one's own account.

    Parameters
    ----------
    settings
        Limits.
    site
        Tells what stands around every page.
    sessions
        Finds who is signed in already.
    """

    def __init__(self, settings: Settings, site: Site, sessions: Sessions) -> None:
        super().__init__(settings, site, sessions.door)
        self.sessions = sessions
        self.public_url = sessions.public_url
        self._one = asyncio.Semaphore(1)  # a password takes 64 MiB and all cores for a moment
        self._waiting = 0

    def entries(self) -> Iterable[Entry]:
        """The routes of this room."""
        yield Entry("/sign-in", "GET", self.page, OPEN, "", refused=self.refused)
        yield Entry("/sign-in", "POST", self.sign_in, OPEN, "", refused=self.refused)
        yield Entry("/sign-out", "POST", self.sign_out, OPEN, "", refused=self.refused)
        yield Entry("/account", "GET", self.account, "read", "", refused=self.refused)
        yield Entry("/account", "POST", self.change, "read", "", refused=self.refused)

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The form; who is signed in already goes on."""
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=40))
        goal = next_of(asked.get("next", "/"))
        if self.door.guarded is False or await self.sessions(scope) is not None:
            await _see(send, goal)
            return
        await self._ask(scope, send, goal, left="left" in asked)

    async def sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a session, or show the form again with what was wrong."""
        refuse_foreign(scope)
        form = await self._fields(scope, receive)
        goal = next_of(form.get("next", "/"))
        if self.door.guarded is False:
            await _see(send, goal)
            return
        name, password = form.get("name", ""), form.get("password", "")
        client = scope.get("client")
        try:
            token = await self._token(name, password, client[0] if client else "")
        except (SignInFailed, SignInThrottled) as error:
            if not is_read_by_people(scope):
                raise
            await self._ask(scope, send, goal, name=name, fault=error)
            return
        await _see(send, goal, issued(scope, token, self.public_url))

    async def sign_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the session."""
        token = token_in(scope, self.public_url)
        if token and await self.sessions(scope) is not None:
            await self._form(scope, receive)
            store = self.door.memory.require()
            await asyncio.to_thread(store.people.sign_out, token)
        await _see(send, "/sign-in?left=1", ended(scope, self.public_url))

    async def account(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Who one is, and the form for another password."""
        if signed_in(scope) is None and self.door.guarded is not False:
            raise _no_person()
        await self._tell(scope, send)

    async def change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change one's own password; all sessions of the person end, this one goes on anew."""
        form = await self._form(scope, receive)
        person = signed_in(scope)
        if person is None:
            raise _no_person()
        if form.get("new") != form.get("again"):
            await self._tell(scope, send, fault=ConfigError(say("account.differ")))
            return
        name, old, new = person.session.name, form.get("old", ""), form.get("new", "")
        client = scope.get("client")
        people = self.door.memory.require().people

        def renewed() -> str:
            people.sign_in(name, old, client[0] if client else "")
            people.set_password(name, new, by=name)
            return people.sign_in(name, new)[0]

        try:
            token = await self._alone(renewed)
        except (SignInFailed, SignInThrottled, ConfigError) as error:
            await self._tell(scope, send, fault=error)
            return
        await _see(send, "/account?done=password", issued(scope, token, self.public_url))

    async def _tell(self, scope: Scope, send: Send, fault: LeadmlError | None = None) -> None:
        person = signed_in(scope)
        facts: dict[str, Any] = {"page": "account", "name": "", "role": "", "fault": ""}
        if person is not None:
            facts |= {"name": person.session.name, "role": person.session.role}
        if isinstance(fault, SignInFailed):
            facts["fault"] = say("account.wrong")
        elif isinstance(fault, SignInThrottled):
            facts["fault"] = say("sign_in.wait", n=fault.retry_after_s)
        elif fault is not None:
            facts["fault"] = fault.detail
        around = self._around(scope) | {"facts_address": "", "frame": self.site.frame()}
        write = partial(render_page, "account", facts, around)
        body = (await asyncio.to_thread(write)).encode()
        await _send(send, 200 if fault is None else fault.status, body, csrf_cookie(around))

    async def _token(self, name: str, password: str, address: str) -> str:
        people = self.door.memory.require().people
        return await self._alone(lambda: people.sign_in(name, password, address)[0])

    async def _alone(self, run: Callable[[], str]) -> str:
        """What hashes passwords runs one at a time, while few wait."""
        if self._waiting >= MOST_WAITING:
            raise Overloaded("too many people sign in at once", fix="try again in a second")
        self._waiting += 1
        try:
            async with self._one:
                return await asyncio.to_thread(run)
        finally:
            self._waiting -= 1

    async def _ask(
        self,
        scope: Scope,
        send: Send,
        goal: str,
        *,
        name: str = "",
        left: bool = False,
        fault: LeadmlError | None = None,
    ) -> None:
        facts: dict[str, Any] = {"next": goal, "name": name[:100], "left": left, "fault": ""}
        if self.door.memory.is_on:
            people = self.door.memory.require().people
            facts["nobody"] = not await asyncio.to_thread(people.listed)
        else:
            facts["nobody"] = True
        headers: list[tuple[bytes, bytes]] = []
        if isinstance(fault, SignInThrottled):
            facts["fault"], facts["wait_s"] = "wait", fault.retry_after_s
            headers.append((b"retry-after", str(fault.retry_after_s).encode()))
        elif fault is not None:
            facts["fault"] = "wrong"
        around = self._around(scope) | {"bare": True, "person": None, "facts_address": ""}
        write = partial(render_page, "sign_in", facts, around)
        body = (await asyncio.to_thread(write)).encode()
        await _send(send, 200 if fault is None else fault.status, body, headers)


async def _see(send: Send, path: str, *headers: tuple[bytes, bytes]) -> None:
    """Go on to another page."""
    await _send(send, 303, b"", [(b"location", path.encode("ascii")), *headers])


async def _send(
    send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *GUARDS,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _no_person() -> NotFound:
    return NotFound(say("account.nobody"), fix=say("account.nobody_fix"))
