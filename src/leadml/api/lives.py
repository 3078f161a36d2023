"""Routes of leads: what is known of them, what became of them, whom to work next."""

from __future__ import annotations

import base64
import binascii
import functools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.desk import (
    Desk,
    csv_of,
    invalid,
    object_in,
    refuse_others,
    send_json,
)
from leadml.api.door import caller_of
from leadml.api.lives_described import PIECE
from leadml.api.problems import send_bytes
from leadml.api.query import asked_in, choice_in, number_in, whole_in
from leadml.api.table import Entry
from leadml.errors import (
    ImpossibleValue,
    InvalidBody,
    InvalidField,
    InvalidParameter,
    LeadErased,
    LeadmlError,
    NoModel,
    NotFound,
    StepNotOpen,
    TooManyLeads,
)
from leadml.leads import Outcome, Stage
from leadml.service.serving import Serving
from leadml.store import (
    Claim,
    Happening,
    Report,
    Reporting,
    Store,
    Waiting,
    checked_id,
)

__all__ = ["PIECE", "LifeRoutes", "lead_id_in", "past_in", "report_of"]

MOST_PER_PAGE: Final = 1_000
MOST_ROWS: Final = 10_000
MOST_FIELDS: Final = 20
MOST_DETAILS: Final = 50
DETAIL_LENGTH: Final = 2_000
EVENT_LENGTH: Final = 100
AHEAD: Final = timedelta(minutes=5)
"""So far may the clocks of others go ahead of ours."""

_OUTCOME: Final = frozenset({"lead_id", "outcome", "occurred_at", "reason", "by", "details"})
_EVENT: Final = frozenset({"lead_id", "event", "occurred_at", "details"})
_CONSENT: Final = frozenset({"contact_consent", "objection", "by", "at"})
_OUTCOMES: Final = tuple(str(outcome) for outcome in Outcome)
_OUTCOMES_FIX: Final = (
    'send {"outcomes": [{"lead_id": "…", "outcome": "accepted", '
    '"occurred_at": "2026-11-20T14:05:00Z"}, …]}'
)
_EVENTS_FIX: Final = (
    'send {"events": [{"lead_id": "…", "event": "page_view", '
    '"occurred_at": "2026-11-20T14:05:00Z"}, …]}'
)
_CONSENT_FIX: Final = 'send {"contact_consent": true} or {"objection": true}'
_MOMENT_FIX: Final = "write it like 2026-11-20T14:05:00Z"
_SEARCH: Final = ("stage", "q", "source", "limit", "cursor")
_QUEUE: Final = ("limit", "cursor", "value", "capacity", "fields", "format")
_COLUMNS: Final = (
    "lead_id",
    "probability",
    "score",
    "expected_value",
    "stage_since",
    "decision_id",
)


class LifeRoutes:
    """Endpoints over what the memory knows of leads.

    Parameters
    ----------
    desk
        Asks the memory.
    serving
        Whose policy limits the queue.
    """

    def __init__(self, desk: Desk, serving: Serving) -> None:
        self.desk = desk
        self.serving = serving

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [
            Entry("/v1/leads", "GET", self.listed, "read", "leads", _SEARCH),
            Entry("/v1/leads/{id}/history", "GET", self.history, "read", "leadHistory"),
            Entry("/v1/leads/{id}/export", "GET", self.export, "manage", "exportLead"),
            Entry("/v1/leads/{id}/consent", "PUT", self.consent, "outcomes", "setConsent"),
            Entry("/v1/leads/{id}", "GET", self.lead, "read", "lead"),
            Entry("/v1/leads/{id}", "DELETE", self.erase, "manage", "eraseLead"),
            Entry("/v1/decisions/{id}", "GET", self.decision, "read", "decision"),
            Entry("/v1/outcomes", "POST", self.outcomes, "outcomes", "reportOutcomes"),
            Entry("/v1/events", "POST", self.events, "outcomes", "reportEvents"),
            Entry("/v1/queue", "GET", self.queue, "read", "queue", _QUEUE),
        ]

    # --- one lead -------------------------------------------------------------------

    async def lead(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A lead as it stands."""
        lead_id = _id_of(scope)
        found = await self.desk.ask(lambda store: store.lives.lead(lead_id))
        await send_json(send, _known(found))

    async def history(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What happened to a lead, in the order of time."""
        lead_id = _id_of(scope)
        found = await self.desk.ask(lambda store: store.lives.history(lead_id))
        await send_json(send, {"lead_id": lead_id, "history": _known(found)})

    async def export(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All that is stored about a lead."""
        lead_id, by = _id_of(scope), caller_of(scope).name
        await send_json(send, await self.desk.ask(lambda store: store.export(lead_id, by=by)))

    async def erase(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delete all that is stored about a lead; what it left behind is overwritten soon."""
        lead_id, by = _id_of(scope), caller_of(scope).name
        found = await self.desk.ask(
            lambda store: store.erase(lead_id, by=by, scrub=False, only_known=True)
        )
        await send_json(send, {"erased": found.rows})

    async def consent(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note consent to contact, or an objection."""
        lead_id = _id_of(scope)
        body = await self.desk.body(scope, receive)
        data = object_in(body, _CONSENT, _CONSENT_FIX)
        given = {name: _flag(data, name) for name in ("contact_consent", "objection")}
        if set(given.values()) == {None}:
            raise InvalidBody("contact_consent or objection is missing", fix=_CONSENT_FIX)
        by = _text(data, "by", 200) or caller_of(scope).name
        at = past_in(data, "at")

        def effect(store: Store) -> dict[str, Any]:
            stage = store.set_consent(lead_id, by=by, at=at, **given)
            known = store.lives.lead(lead_id) or {}
            kept = ("contact_consent", "objection")
            said = {name: known[name] for name in kept if name in known}
            return {"lead_id": lead_id, "stage": str(stage), **said}

        await send_json(send, await self.desk.ask(effect))

    async def decision(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A past decision with all that is needed to replay it."""
        decision_id = _id_of(scope)
        found = await self.desk.ask(lambda store: store.decision(decision_id))
        if found is None:
            raise NotFound("there is no such decision", fix="see decision_id in an answer")
        await send_json(send, found)

    # --- many leads ----------------------------------------------------------------

    async def listed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leads, page by page; or the first that a search finds."""
        asked = asked_in(scope)
        limit = whole_in(asked, "limit", 50, 1, MOST_PER_PAGE)
        stage = _stage(asked)
        q, source = asked.get("q", "").strip(), asked.get("source", "").strip()
        if len(q) > 200 or len(source) > 200:
            raise InvalidParameter("a text to search for has at most 200 characters")
        after = _cursor(asked, 2)
        if after is not None and (q or source):
            raise InvalidParameter(
                "a search has no second page", fix="search for more, or raise limit"
            )
        found = await self.desk.ask(
            lambda store: store.lives.page(
                limit, stage=stage, q=q, source=source, after=None if after is None else after[:2]
            )
        )
        last = (found[-1]["order"], found[-1]["lead_id"]) if found else ()
        for lead in found:
            del lead["order"]
        answer: dict[str, Any] = {"leads": found}
        if len(found) == limit and not q and not source:
            answer["next_cursor"] = _cursor_of(*last)
        await send_json(send, answer)

    async def queue(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whom to work next, as JSON or as a call list."""
        asked = asked_in(scope)
        table = _wants_csv(scope, asked)
        limit = whole_in(asked, "limit", 50, 1, MOST_ROWS if table else MOST_PER_PAGE)
        names = _fields(asked)
        value = _value(asked, self.desk.settings.value_field)
        after = _cursor(asked, 3)
        capacity = self._capacity(asked)
        place = None if after is None else (after[0], after[1])
        left = None if after is None else after[2]
        most = limit if left is None else min(limit, int(left))
        page: Waiting = await self.desk.ask(lambda store: store.lives.waiting(most, place, names))
        if left is None and capacity is not None:
            left = max(0, math.floor(capacity) - page.taken)
        leads = page.leads if left is None else page.leads[: int(left)]
        more: dict[str, Any] = {}
        rest = None if left is None else int(left) - len(leads)
        if leads and len(page.leads) == limit and rest != 0:
            last = leads[-1]
            more["next_cursor"] = _cursor_of(last["expected_value"], last["lead_id"], rest)
        if value is not None:
            for lead in leads:
                lead["expected_value"] = lead["probability"] * value
        for lead in leads:
            lead["expected_value"] = round(lead["expected_value"], 6)
        if table:
            await _send_table(scope, send, leads, names, asked, more)
            return
        answer: dict[str, Any] = {"leads": leads, **more}
        if capacity is not None:
            answer["capacity"] = {
                "per_week": capacity,
                "taken": page.taken,
                "left": max(0, math.floor(capacity) - page.taken),
            }
        await send_json(send, answer)

    def _capacity(self, asked: dict[str, str]) -> float | None:
        """Leads that can be worked in a week: as asked, else as the policy says; None is all."""
        if asked.get("capacity") == "all":
            return None
        given = _from_zero(asked, "capacity")
        if given is not None:
            return given
        try:
            return self.serving.current().policy.capacity_per_week
        except NoModel:
            return None

    # --- what is reported ------------------------------------------------------------

    async def outcomes(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What became of leads: late, repeated and out of order as it may come."""
        body = await self.desk.body(scope, receive)
        read = self._read(body, "outcomes", _OUTCOMES_FIX, report_of)
        by = caller_of(scope).prefix or None
        reports = [
            Report(r.lead_id, r.outcome, r.occurred_at, r.reason, r.by or by, r.details)
            for r in read
            if isinstance(r, Report)
        ]

        def effect(store: Store, claimed: Claim | None) -> tuple[int, str]:
            answer = functools.partial(_kept, read)
            results = store.record_reports(reports, claimed=claimed, answer=answer)
            return 200, _told(read, results)

        await self._count(scope, send, body, effect)

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What leads did."""
        body = await self.desk.body(scope, receive)
        read = self._read(body, "events", _EVENTS_FIX, _happening_of)
        happenings = [item for item in read if isinstance(item, Happening)]

        def effect(store: Store, claimed: Claim | None) -> tuple[int, str]:
            answer = functools.partial(_kept, read)
            results = store.record_happenings(happenings, claimed=claimed, answer=answer)
            return 200, _told(read, results)

        await self._count(scope, send, body, effect)

    async def _count(
        self,
        scope: Scope,
        send: Send,
        body: bytes,
        effect: Callable[[Store, Claim | None], tuple[int, str]],
    ) -> None:
        status, answer = await self.desk.once(scope, body, effect)
        await send_bytes(send, status, answer.encode())

    def _read(self, body: bytes, name: str, fix: str, read: Callable[[Any, str], Any]) -> list[Any]:
        """The items of a body, each read or with the error that says why not."""
        data = object_in(body, frozenset({name}), fix)
        if name not in data:
            raise InvalidBody(f"the field {name} is missing", pointer=f"/{name}", fix=fix)
        items = data[name]
        if type(items) is not list:
            raise invalid(name, "a list", fix=fix)
        most = self.desk.settings.max_leads_per_request
        if len(items) > most:
            raise TooManyLeads(
                f"one request carries at most {most} {name}",
                pointer=f"/{name}",
                fix="split the list",
            )
        found: list[Any] = []
        for place, item in enumerate(items):
            try:
                found.append(read(item, f"/{name}/{place}"))
            except LeadmlError as error:
                found.append(_Unread(error, _shown_id(item)))
        return found


_NEVER_SCORED: Final = {
    "code": "lead_unknown",
    "field": "lead_id",
    "detail": "no score of this lead is remembered; the report is kept. Is the id the same?",
}


class _Unread:
    """An item that could not be read."""

    def __init__(self, error: LeadmlError, lead_id: str | None) -> None:
        self.error = error
        self.lead_id = lead_id


def _told(read: list[Any], results: list[Any]) -> str:
    """The answer to a batch: one bad item spoils no other, a single one is the whole failure."""
    made = iter(results)
    found: list[dict[str, Any]] = []
    accepted = duplicates = 0
    for item in read:
        result = item if isinstance(item, _Unread) else next(made)
        if result.error is not None:
            if len(read) == 1:
                raise result.error
            found.append(_refused(result))
            continue
        if result.duplicate:
            duplicates += 1
        else:
            accepted += 1
        told: dict[str, Any] = {"lead_id": result.lead_id}
        if isinstance(result, Reporting):
            told["stage"] = str(result.stage)
        if result.duplicate:
            told["duplicate"] = True
        if isinstance(result, Reporting) and not result.scored:
            told["warnings"] = [_NEVER_SCORED]
        found.append(told)
    refused = len(read) - accepted - duplicates
    answer: dict[str, Any] = {"accepted": accepted, "duplicates": duplicates, "refused": refused}
    return orjson.dumps({**answer, "results": found}).decode()


def _kept(read: list[Any], results: list[Any]) -> tuple[int, str | None]:
    """Status and answer for a repeat; none is kept that tells of an erased lead."""
    told = _told(read, results)
    erased = any(isinstance(result.error, LeadErased) for result in results)
    return 200, None if erased else told


def _refused(result: Any) -> dict[str, Any]:
    error: LeadmlError = result.error
    told: dict[str, Any] = {} if result.lead_id is None else {"lead_id": result.lead_id}
    if isinstance(result, Reporting) and result.stage is not None:
        told["stage"] = str(result.stage)
    shown: dict[str, Any] = {"code": error.code}
    if error.column is not None:
        shown["field"] = error.column
    shown["detail"] = error.detail
    if isinstance(error, StepNotOpen):
        shown["open_steps"] = list(error.open_steps)
    return {**told, "error": shown}


# --- reading -------------------------------------------------------------------------


def _id_of(scope: Scope) -> str:
    return checked_id(scope["path_params"]["id"])


def _known(found: Any) -> Any:
    if not found:
        raise NotFound("this lead is not known", fix="score it, or correct the id")
    return found


def _shown_id(item: Any) -> str | None:
    found = item.get("lead_id") if type(item) is dict else None
    if type(found) is int:
        found = str(found)
    return found if type(found) is str and 0 < len(found) <= 255 else None


def lead_id_in(item: dict[str, Any], at: str) -> str:
    """The id of a lead; a number counts as its text."""
    found = item.get("lead_id")
    if type(found) is int:
        found = str(found)
    if type(found) is not str:
        raise invalid("lead_id", "a text of 1 to 255 characters", at)
    return checked_id(found)


def report_of(item: Any, at: str) -> Report:
    """What is said to have become of a lead."""
    if type(item) is not dict:
        raise InvalidBody("an outcome must be a JSON object", pointer=at, fix=_OUTCOMES_FIX)
    refuse_others(item, _OUTCOME, at, _OUTCOMES_FIX)
    lead_id = lead_id_in(item, at)
    outcome = item.get("outcome")
    if type(outcome) is not str or outcome not in _OUTCOMES:
        kind = ImpossibleValue if type(outcome) is str else InvalidField
        fix = f"send one of {', '.join(_OUTCOMES)}; a sale is won"
        raise invalid("outcome", f"one of {', '.join(_OUTCOMES)}", at, fix, kind)
    given: dict[str, Any] = {
        "occurred_at": _moment(item, "occurred_at", at),
        "reason": _text(item, "reason", DETAIL_LENGTH, at),
        "by": _text(item, "by", 200, at),
        "details": _details(item, at),
    }
    known = {name: value for name, value in given.items() if value is not None}
    return Report(lead_id, Outcome(outcome), **known)


def _happening_of(item: Any, at: str) -> Happening:
    if type(item) is not dict:
        raise InvalidBody("an event must be a JSON object", pointer=at, fix=_EVENTS_FIX)
    refuse_others(item, _EVENT, at, _EVENTS_FIX)
    lead_id = lead_id_in(item, at)
    event = _text(item, "event", EVENT_LENGTH, at)
    if not event:
        raise invalid("event", f"a text of 1 to {EVENT_LENGTH} characters", at)
    at_moment = _moment(item, "occurred_at", at)
    more = {} if at_moment is None else {"occurred_at": at_moment}
    return Happening(lead_id, event, details=_details(item, at), **more)


def _text(data: dict[str, Any], name: str, most: int, at: str = "") -> str | None:
    found = data.get(name)
    if found is None:
        return None
    if type(found) is not str or len(found) > most:
        raise invalid(name, f"a text of up to {most} characters", at)
    return found


def _flag(data: dict[str, Any], name: str) -> bool | None:
    found = data.get(name)
    if found is not None and type(found) is not bool:
        raise invalid(name, "true or false")
    return found


def _moment(data: dict[str, Any], name: str, at: str = "") -> datetime | None:
    """A moment with its zone, from 1970 on."""
    given = data.get(name)
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given).astimezone(UTC) if type(given) is str else None
        zoned = found is not None and datetime.fromisoformat(given).tzinfo is not None
    except (ValueError, OverflowError):
        zoned = False
    if not zoned or found is None or found.year < 1970:
        kind = ImpossibleValue if type(given) is str else InvalidField
        raise invalid(name, "a moment with its zone, from 1970 on", at, _MOMENT_FIX, kind)
    return found


def past_in(data: dict[str, Any], name: str, at: str = "") -> datetime | None:
    """A moment that is over: one to come would outdo whatever is said until then."""
    found = _moment(data, name, at)
    if found is not None and found > datetime.now(UTC) + AHEAD:
        raise invalid(name, "a moment of the past", at, _MOMENT_FIX, ImpossibleValue)
    return found


def _details(item: dict[str, Any], at: str) -> dict[str, Any] | None:
    found = item.get("details")
    if found is None:
        return None
    if type(found) is not dict or len(found) > MOST_DETAILS:
        raise invalid("details", f"an object of up to {MOST_DETAILS} fields", at)
    for name, value in found.items():
        flat = value is None or type(value) in (bool, int, float, str)
        if not flat or len(name) > 200 or (type(value) is str and len(value) > DETAIL_LENGTH):
            raise InvalidField(
                f"details must hold one value each: a number, true, false or a text of up to "
                f"{DETAIL_LENGTH} characters",
                column="details",
                pointer=f"{at}/details",
            )
    return found


def _stage(asked: dict[str, str]) -> Stage | None:
    given = asked.get("stage")
    if given is None:
        return None
    try:
        return Stage(given)
    except ValueError:
        raise InvalidParameter(f"stage must be one of {', '.join(Stage)}") from None


def _fields(asked: dict[str, str]) -> tuple[str, ...]:
    names = tuple(name for name in asked.get("fields", "").split(",") if name)
    if len(names) > MOST_FIELDS:
        raise InvalidParameter(f"fields names at most {MOST_FIELDS} fields")
    return names


def _from_zero(asked: dict[str, str], name: str) -> float | None:
    found = number_in(asked, name)
    if found is not None and found < 0:
        raise InvalidParameter(f"{name} must be a number from 0")
    return found


def _value(asked: dict[str, str], value_field: str) -> float | None:
    given = _from_zero(asked, "value")
    if given is not None and value_field:
        raise InvalidParameter(
            f"what a lead is worth stands in its field {value_field}",
            fix="leave value away, or unset LEADML_VALUE_FIELD",
        )
    return given


def _wants_csv(scope: Scope, asked: dict[str, str]) -> bool:
    form = choice_in(asked, "format", ("json", "csv"), "")
    if form:
        return form == "csv"
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return b"text/csv" in accepted


def _cursor_of(*place: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).rstrip(b"=").decode()


def _cursor(asked: dict[str, str], size: int) -> Any:
    """Where a page begins: order and id of the last lead before it, and what may follow."""
    given = asked.get("cursor")
    if given is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    except (ValueError, binascii.Error):
        found = None
    sound = (
        type(found) is list
        and len(found) == size
        and type(found[0]) in (int, float)
        and abs(found[0]) < 2**62
        and type(found[1]) is str
        and (size < 3 or found[2] is None or (type(found[2]) is int and 0 <= found[2] < 2**53))
    )
    if not sound:
        raise InvalidParameter("the cursor cannot be read", fix="use next_cursor as it was given")
    checked_id(found[1])
    return found


async def _send_table(
    scope: Scope,
    send: Send,
    leads: list[dict[str, Any]],
    names: tuple[str, ...],
    asked: dict[str, str],
    more: dict[str, Any],
) -> None:
    rows = (
        [
            *(lead.get(name) for name in _COLUMNS),
            *(lead.get("attributes", {}).get(name) for name in names),
        ]
        for lead in leads
    )
    headers = [(b"content-disposition", b'attachment; filename="queue.csv"')]
    if more:
        query = urlencode({**asked, "format": "csv", "cursor": more["next_cursor"]})
        headers.append((b"link", f'</v1/queue?{query}>; rel="next"'.encode()))
    body = csv_of((*_COLUMNS, *names), rows)
    await send_bytes(send, 200, body, b"text/csv; charset=utf-8", headers)
