"""The pages for managers, and the forms on them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.bodies import read_body
from leadml.api.door import Door, caller_of
from leadml.api.gate import request_id_of
from leadml.api.policies import FIGURES
from leadml.api.problems import send_problem
from leadml.api.sessions import cookies_of, proven, signed_in
from leadml.api.table import OPEN, Entry
from leadml.errors import (
    InvalidBody,
    InvalidField,
    InvalidParameter,
    LeadmlError,
    NotFound,
    PolicyOvertaken,
    Unauthorized,
)
from leadml.reports.site.people import stage_name
from leadml.reports.site.render import asset, render_fault, render_page, render_part
from leadml.reports.site.texts import TEXTS, say
from leadml.reports.site.thresholds import SLIDERS
from leadml.service.site import Site
from leadml.settings import Settings

__all__ = ["GUARDS", "POLICY", "SiteRoutes", "csrf_cookie", "is_read_by_people"]

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load: nothing that is not served here."""

FORM_BYTES: Final = 65_536
THEMES: Final = ("auto", "light", "dark")
CSRF: Final = "leadml_csrf"
THEME: Final = "leadml_theme"

_KINDS: Final = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
GUARDS: Final = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
]

Facts = dict[str, Any]


class SiteRoutes:
    """Endpoints over :class:`leadml.service.site.Site`.

    Facts are looked up in threads; ``?format=json`` gives them as they are.

    Parameters
    ----------
    settings
        Limits.
    site
        Tells the facts.
    door
        Knows who asks.
    """

    def __init__(self, settings: Settings, site: Site, door: Door) -> None:
        self.settings = settings
        self.site = site
        self.door = door

    def entries(self) -> Iterable[Entry]:
        """The pages, their files and their forms; none is part of the API's document."""
        pages = (
            ("/", self.overview),
            ("/leads", self.leads),
            ("/lead", self.lead),
            ("/thresholds", self.thresholds),
            ("/model", self.model),
            ("/versions", self.versions),
        )
        for path, run in pages:
            yield Entry(path, "GET", run, "read", "", refused=self.refused)
        yield Entry("/static/{name}", "GET", self.file, OPEN, "")
        yield Entry(
            "/thresholds", "POST", self.save, "manage", "", also="policy", refused=self.refused
        )
        for path, scope, run in (
            ("/lead/outcome", "outcomes", self.outcome),
            ("/versions/promote", "manage", self.promote),
            ("/versions/rollback", "manage", self.rollback),
        ):
            yield Entry(path, "POST", run, scope, "", refused=self.refused)

    # --- pages ------------------------------------------------------------------------

    async def overview(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trust, traffic, capacity, what happened, who is next."""
        _asked(scope)
        await self._page(scope, send, "overview", self.site.overview)

    async def leads(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The queue, or leads found by stage, source, owner or words."""
        asked = _asked(scope, "stage", "source", "owner", "q", "after")
        await self._page(scope, send, "leads", partial(self.site.leads, asked))

    async def lead(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One lead and why it scored what it did."""
        asked = _asked(scope, "id")
        await self._page(scope, send, "lead", partial(self.site.lead, asked.get("id", "")))

    async def outcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep what became of a lead."""
        form = await self._form(scope, receive)
        lead_id = form.get("id", "")
        stage = await asyncio.to_thread(
            partial(
                self.site.report_outcome,
                lead_id,
                form.get("outcome", ""),
                by=caller_of(scope).name,
                reason=form.get("reason", "") if form.get("outcome") == "rejected" else "",
            )
        )
        await _see(send, "/lead", done="reported", version=stage, id=lead_id)

    async def thresholds(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where the lines stand, what others would mean; ``?part=result`` gives that alone."""
        asked = _asked(scope, "part", *FIGURES, "csrf", "note", "after")
        told = partial(self.site.thresholds, _plan_of(asked))
        if asked.get("part") == "result" and not _wants_json(scope):
            body = await asyncio.to_thread(
                lambda: render_part("thresholds", "result", told()).encode()
            )
            kind = b"text/html; charset=utf-8"
            await _answer(send, 200, body, kind, [(b"cache-control", b"no-store")])
            return
        await self._page(scope, send, "thresholds", told)

    async def model(self, scope: Scope, receive: Receive, send: Send) -> None:
        """How good a version is, and what it learned."""
        asked = _asked(scope, "version")
        await self._page(scope, send, "model", partial(self.site.model, asked.get("version")))

    async def versions(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All versions, two side by side."""
        asked = _asked(scope, "new", "old")
        told = partial(self.site.versions, asked.get("new"), asked.get("old"))
        await self._page(scope, send, "versions", told)

    # --- forms ------------------------------------------------------------------------

    async def save(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write a new version of the policy."""
        form = await self._form(scope, receive)
        caller = caller_of(scope)
        after = form.get("after", "")
        note = form.get("note", "")
        try:
            version = await asyncio.to_thread(
                partial(
                    self.site.save_policy,
                    _plan_of(form),
                    author=caller.name,
                    note=note,
                    after=int(after) if after.isascii() and after.isdigit() else None,
                )
            )
        except PolicyOvertaken:  # what was set and written is kept, beside the newest lines
            kept = {name: form[name] for name in FIGURES if form.get(name)}
            await _see(send, "/thresholds", done="overtaken", **kept, note=note[:400])
            return
        await _see(send, "/thresholds", done="saved", version=version)

    async def promote(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make a version the champion."""
        form = await self._form(scope, receive)
        version = form.get("version", "")
        await asyncio.to_thread(
            partial(
                self.site.promote,
                version,
                form.get("reason", ""),
                by=caller_of(scope).name,
                overrule=form.get("overrule") == "yes",
            )
        )
        await _see(send, "/versions", done="promoted", version=version)

    async def rollback(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the champion before this one champion again."""
        form = await self._form(scope, receive)
        await asyncio.to_thread(
            partial(self.site.rollback, form.get("reason", ""), by=caller_of(scope).name)
        )
        await _see(send, "/versions", done="rolled_back")

    # --- files ------------------------------------------------------------------------

    async def file(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A style sheet, script or picture; names with a hash never change."""
        name = str(scope["path_params"]["name"])
        found = asset(name)
        if found is None:
            raise NotFound("there is no such file")
        plain, content = found
        lasting = b"public, max-age=31536000, immutable" if plain != name else b"max-age=3600"
        await _answer(
            send, 200, content, _KINDS[name.rpartition(".")[2]], [(b"cache-control", lasting)]
        )

    # --- inside -----------------------------------------------------------------------

    async def _page(self, scope: Scope, send: Send, page: str, told: Callable[[], Facts]) -> None:
        as_json = _wants_json(scope)
        around = self._around(scope)
        body = await asyncio.to_thread(self._written, page, told, around, as_json)
        kind = b"application/json" if as_json else b"text/html; charset=utf-8"
        await _answer(
            send, 200, body, kind, [(b"cache-control", b"no-store"), *csrf_cookie(around)]
        )

    def _written(self, page: str, told: Callable[[], Facts], around: Facts, as_json: bool) -> bytes:
        facts = told()
        if as_json:
            return orjson.dumps(facts)
        around["frame"] = self.site.frame()
        return render_page(page, facts, around).encode()

    def _around(self, scope: Scope) -> Facts:
        """Who looks, in which colours, and what has just happened."""
        jar = cookies_of(scope)
        caller = caller_of(scope)
        open_ = self.door.guarded is False
        theme = jar.get(THEME, "auto")
        person = signed_in(scope)
        token = person.proof if person else jar.get(CSRF, "")
        fresh = len(token) != 43
        query = scope["query_string"].decode("latin-1")
        parts = [pair for pair in parse_qsl(query, max_num_fields=40) if pair[0] != "done"]
        return {
            "theme": theme if theme in THEMES else "auto",
            "csrf": secrets.token_urlsafe(32) if fresh else token,
            "csrf_fresh": fresh,
            "open": ("all" if self.settings.allow_open else "here") if open_ else "",
            "person": None if open_ else {"name": caller.name},
            "can_manage": "manage" in caller.scopes,
            "can_policy": bool(caller.scopes & {"policy", "manage"}),
            "can_write": "outcomes" in caller.scopes,
            "note": dict(parts).get("note", "")[:400],
            "flash": _flash(dict(parse_qsl(query, max_num_fields=40))),
            "facts_address": f"{scope['path']}?{urlencode([*parts, ('format', 'json')])}",
        }

    async def _form(self, scope: Scope, receive: Receive) -> dict[str, str]:
        """The fields of a form that was made here.

        Raises
        ------
        InvalidBody
            It is no form.
        CsrfInvalid
            It does not carry the token of the page it stands on.
        """
        form = await self._fields(scope, receive)
        person = signed_in(scope)
        proven(form.pop("csrf", ""), person.proof if person else cookies_of(scope).get(CSRF, ""))
        return form

    async def _fields(self, scope: Scope, receive: Receive) -> dict[str, str]:
        """The fields of a form, wherever it was made."""
        body = await read_body(scope, receive, FORM_BYTES, self.settings.body_timeout_s)
        try:
            pairs = parse_qsl(
                body.decode("utf-8"), keep_blank_values=True, max_num_fields=40, errors="strict"
            )
        except ValueError:
            raise InvalidBody("the form cannot be read") from None
        return dict(pairs)

    async def refused(self, scope: Scope, receive: Receive, send: Send, error: LeadmlError) -> None:
        """A failure as a page, or as a problem document for programs."""
        if _wants_json(scope) or not is_read_by_people(scope):
            request_id = scope.get("leadml.request_id") or request_id_of(scope)
            await send_problem(send, error, request_id)
            return
        if type(error) is Unauthorized:
            if scope["method"] == "GET":
                await self._to_sign_in(scope, send)
                return
            more = {"frame": None, "bare": True, "person": None, "sign_in": _back_of(scope)}
            gone = Unauthorized(say("fault.gone"), fix=say("fault.gone_fix"))
            await self._fault(scope, send, gone, more, title=say("fault.gone_title"))
            return
        await self._fault(scope, send, error, {"frame": self.site.frame()})

    async def lost(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An address at which nothing is, as a page; it tells nothing to whoever is not let in."""
        error = NotFound(say("fault.lost"), fix=say("fault.lost_fix"))
        around = {"frame": None, "person": None, "bare": self.door.guarded is not False}
        await self._fault(scope, send, error, around)

    async def _fault(
        self, scope: Scope, send: Send, error: LeadmlError, more: Facts, title: str = ""
    ) -> None:
        fault = {"title": title or error.title, "detail": error.detail, "fix": error.fix or ""}
        around = self._around(scope) | {"facts_address": ""} | more
        body = render_fault(fault, around).encode()
        await _answer(
            send,
            error.status,
            body,
            b"text/html; charset=utf-8",
            [(b"cache-control", b"no-store"), *csrf_cookie(around)],
        )

    async def _to_sign_in(self, scope: Scope, send: Send) -> None:
        """Ask who it is.

        A browser that comes over a link of another site keeps its session back; it is sent
        to the same page once more, then from here.
        """
        query = scope["query_string"].decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        if _header(scope, b"sec-fetch-site") == "cross-site":
            body = _AGAIN.format(address=escape(path)).encode()
            kind = b"text/html; charset=utf-8"
            await _answer(send, 200, body, kind, [(b"cache-control", b"no-store")])
            return
        location = f"/sign-in?{urlencode({'next': path})}".encode()
        await _answer(send, 303, b"", b"text/plain", [(b"location", location)])


def is_read_by_people(scope: Scope) -> bool:
    """Whether a browser asks for a page, not a program for an answer."""
    return "text/html" in _header(scope, b"accept")


def _back_of(scope: Scope) -> str:
    """Where to sign in and come back to the page that the form stood on."""
    page = urlsplit(_header(scope, b"referer"))
    here = page.netloc and page.netloc == _header(scope, b"host")
    path = page.path + (f"?{page.query}" if page.query else "") if here else "/"
    return f"/sign-in?{urlencode({'next': path})}"


_AGAIN: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0;url={address}"><title>leadml</title>'
    '<p><a href="{address}">leadml</a></p></html>'
)


def _asked(scope: Scope, *names: str) -> dict[str, str]:
    """Parameters of the query that a page knows; empty ones count as left out.

    Raises
    ------
    InvalidParameter
        The query cannot be read or holds something else.
    """
    try:
        pairs = parse_qsl(scope["query_string"].decode("ascii"), max_num_fields=40)
    except (UnicodeDecodeError, ValueError):
        raise InvalidParameter("the query cannot be read") from None
    found = {key: value for key, value in pairs if value}
    unknown = found.keys() - {*names, "format", "done", "said"}
    if unknown:
        raise InvalidParameter("there is no such query parameter here")
    return found


def _plan_of(asked: Mapping[str, str]) -> dict[str, Any]:
    """The figures of a plan as a form or a query gives them; shares come in percent.

    Raises
    ------
    InvalidField
        A figure is no number.
    """
    found: dict[str, Any] = {}
    basis = asked.get("basis")
    if not basis:
        return {}
    elsewhere = {name for name, bases in SLIDERS if basis not in bases}
    for name in FIGURES - elsewhere:  # a form without script sends every slider
        text = asked.get(name, "")
        if not text:
            continue
        if name == "basis":
            found[name] = text
            continue
        try:
            figure = float(text)
        except ValueError:
            raise InvalidField(f"{name} must be a number", column=name) from None
        found[name] = figure / 100 if name.endswith("precision") else figure
    return found


def _flash(query: Mapping[str, str]) -> dict[str, str] | None:
    """What a form did, told once; only texts of the catalogue are shown."""
    key = f"done.{query.get('done', '')}"
    if key not in TEXTS:
        return None
    tone = "warn" if key == "done.overtaken" else "pass"
    return {"tone": tone, "said": say(key, version=stage_name(query.get("said", "")[:20]))}


def _wants_json(scope: Scope) -> bool:
    return b"format=json" in scope["query_string"].split(b"&")


def _header(scope: Scope, name: bytes) -> str:
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == name), "")


def csrf_cookie(around: Facts) -> list[tuple[bytes, bytes]]:
    """The header that keeps the token of a page's forms, where it is new."""
    if not around["csrf_fresh"]:
        return []
    said = f"{CSRF}={around['csrf']}; Path=/; HttpOnly; SameSite=Strict"
    return [(b"set-cookie", said.encode())]


async def _see(send: Send, path: str, *, done: str, version: str = "", **more: str) -> None:
    """Go on to a page that tells what was done."""
    query = {**more, "done": done} | ({"said": version} if version else {})
    await _answer(
        send, 303, b"", b"text/plain", [(b"location", f"{path}?{urlencode(query)}".encode())]
    )


async def _answer(
    send: Send, status: int, body: bytes, kind: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                *GUARDS,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
