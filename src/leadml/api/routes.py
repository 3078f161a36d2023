"""The routes of version 1, from bytes to bytes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from leadml.api.bodies import parse, read_body
from leadml.api.desk import Desk, key_of, refuse_others
from leadml.api.document import document_of
from leadml.api.drain import State
from leadml.api.metrics import Metrics, Tally
from leadml.api.problems import send_bytes
from leadml.api.recorder import Recorder
from leadml.api.table import OPEN, Entry
from leadml.api.written import Draft, Pen, refusal
from leadml.errors import (
    Draining,
    InvalidBody,
    InvalidField,
    InvalidParameter,
    LeadmlError,
    NoModel,
    Overloaded,
    StoreError,
    TooManyLeads,
)
from leadml.leads import Kind
from leadml.service.memory import Memory
from leadml.service.serving import Served, Serving
from leadml.store import Claim, Decision, Recorded, Store

__all__ = [
    "LEAD_ID_SHOWN",
    "OFF_LOOP_BYTES",
    "Options",
    "Routes",
    "lead_of",
    "options_of",
    "served_now",
]

OFF_LOOP_BYTES: Final = 32_768
"""A larger single lead is parsed and scored off the event loop."""

LEAD_ID_SHOWN: Final = 200
LEVELS_SHOWN: Final = 50
_MADE: Final = ("created_at", "run_id", "leadml_version", "seconds")

PROMETHEUS: Final = b"text/plain; version=0.0.4; charset=utf-8"
T = TypeVar("T")

_ONE_LEAD: Final = frozenset({"lead_id", "lead", "contact_consent"})
_MANY_LEADS: Final = frozenset({"leads"})
_OPTIONS: Final = frozenset({"reasons", "record"})


class Options(NamedTuple):
    """What the query of a scoring request asks for; ``n_reasons`` None means all."""

    n_reasons: int | None = 5
    record: bool = True


@lru_cache(maxsize=128)
def options_of(query: bytes) -> Options:
    """Read ``?reasons=`` (0 and up, or ``all``) and ``?record=`` (``true``, ``false``).

    Raises
    ------
    InvalidParameter
        Another parameter, one given twice, or another value.

    Examples
    --------
    >>> options_of(b"reasons=all&record=false")
    Options(n_reasons=None, record=False)
    """
    if not query:
        return Options()
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=8)
    except (UnicodeDecodeError, ValueError):
        raise InvalidParameter("the query cannot be read", fix=_QUERY_FIX) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidParameter("a query parameter occurs twice", fix=_QUERY_FIX)
    if not found.keys() <= _OPTIONS:
        raise InvalidParameter("there is no such query parameter here", fix=_QUERY_FIX)
    reasons = found.get("reasons", "5")
    record = found.get("record", "true")
    if reasons != "all" and not (reasons.isascii() and reasons.isdigit() and len(reasons) <= 4):
        raise InvalidParameter("reasons must be a whole number or all", fix=_QUERY_FIX)
    if record not in ("true", "false"):
        raise InvalidParameter("record must be true or false", fix=_QUERY_FIX)
    return Options(None if reasons == "all" else int(reasons), record == "true")


_QUERY_FIX: Final = "the parameters are reasons=N or reasons=all, and record=true or false"


class _Lead(NamedTuple):
    lead_id: str | None
    fields: dict[str, Any]
    consent: bool | None


def lead_of(data: Any) -> _Lead:
    """One lead of a request, its envelope checked."""
    if type(data) is not dict:
        raise InvalidBody("a lead must be a JSON object", fix=_ONE_FIX)
    if not data.keys() <= _ONE_LEAD:
        refuse_others(data, _ONE_LEAD, "", "put the lead's own fields inside lead")
    try:
        fields = data["lead"]
    except KeyError:
        raise InvalidBody("the field lead is missing", pointer="/lead", fix=_ONE_FIX) from None
    if type(fields) is not dict:
        raise InvalidField("lead must be an object of fields", pointer="/lead", fix=_ONE_FIX)
    lead_id = data.get("lead_id")
    if type(lead_id) is int:
        lead_id = str(lead_id)
    elif lead_id is not None and not (type(lead_id) is str and 0 < len(lead_id) <= LEAD_ID_SHOWN):
        raise InvalidField(
            f"lead_id must be a text of 1 to {LEAD_ID_SHOWN} characters",
            column="lead_id",
            pointer="/lead_id",
            fix="send the id your CRM knows the lead by, or leave it out",
        )
    consent = data.get("contact_consent")
    if consent is not None and type(consent) is not bool:
        raise InvalidField(
            "contact_consent must be true or false",
            column="contact_consent",
            pointer="/contact_consent",
        )
    return _Lead(lead_id, fields, consent)


_ONE_FIX: Final = 'send {"lead_id": "…", "lead": {"field": value, …}}'
_MANY_FIX: Final = 'send {"leads": [{"lead_id": "…", "lead": {"field": value, …}}, …]}'


def score_drafted(
    pen: Pen, body: bytes, n_reasons: int | None, memory: Memory | None = None
) -> tuple[Draft, Decision | None]:
    """Answer the body of ``POST /v1/score``; raises the tree's request errors.

    With a memory the decision comes along, ready to be stored there.
    """
    lead_id, fields, consent = lead_of(parse(body))
    draft = pen.one(lead_id, fields, n_reasons)
    if memory is None:
        return draft, None
    return draft, pen.decision(draft, fields, consent, memory.value_of(fields))


def _listed(body: bytes, most: int) -> list[Any]:
    """The leads of the body of ``POST /v1/scores``, unread."""
    data = parse(body)
    if type(data) is not dict:
        raise InvalidBody("the body must be a JSON object", fix=_MANY_FIX)
    refuse_others(data, _MANY_LEADS, "", _MANY_FIX)
    if "leads" not in data:
        raise InvalidBody("the field leads is missing", pointer="/leads", fix=_MANY_FIX)
    raw = data["leads"]
    if type(raw) is not list:
        raise InvalidField("leads must be a list", pointer="/leads", fix=_MANY_FIX)
    if len(raw) > most:
        raise TooManyLeads(
            f"one request carries at most {most} leads",
            pointer="/leads",
            fix="split the list, or score the file: leadml score FILE --output OUT",
        )
    return raw


def _plain(raw: list[Any]) -> tuple[list[str | None], list[dict[str, Any]]] | None:
    """Ids and fields of leads that need no closer look; None where one of them does."""
    if set(map(type, raw)) != {dict}:
        return None
    fields = [item.get("lead") for item in raw]
    lead_ids = [item.get("lead_id") for item in raw]
    named = sum("lead_id" in item for item in raw)
    if set(map(type, fields)) != {dict} or sum(map(len, raw)) != len(raw) + named:
        return None
    for lead_id in lead_ids:
        if lead_id is not None and not (type(lead_id) is str and 0 < len(lead_id) <= LEAD_ID_SHOWN):
            return None
    return lead_ids, fields


class Drafts(NamedTuple):
    """Answers of ``POST /v1/scores`` to be recorded: drafts, and refusals as JSON."""

    results: list[Draft | bytes]
    decisions: list[Decision]
    refused: Counter[str]


def scores_drafted(
    pen: Pen, body: bytes, n_reasons: int | None, most: int, memory: Memory
) -> Drafts:
    """Answer the body of ``POST /v1/scores``, with the decisions to be stored."""
    made = Drafts([], [], Counter())
    for item in _listed(body, most):
        lead_id = None
        try:
            lead_id, fields, consent = lead_of(item)
            draft = pen.one(lead_id, fields, n_reasons)
        except LeadmlError as error:
            made.results.append(refusal(lead_id, error))
            made.refused[error.code] += 1
            continue
        made.results.append(draft)
        made.decisions.append(pen.decision(draft, fields, consent, memory.value_of(fields)))
    return made


def scores_finished(
    pen: Pen, made: Drafts, recorded: Sequence[Recorded] | None
) -> tuple[bytes, Tally]:
    """The whole answer once its decisions are stored (None where they are lost), and the counts."""
    results, tally = _finished(pen, made, recorded)
    return pen.whole(results), tally


def _finished(
    pen: Pen, made: Drafts, recorded: Sequence[Recorded] | None
) -> tuple[list[bytes], Tally]:
    tally = Tally({}, {}, dict(made.refused), [])
    kept = iter(recorded or ())
    results = []
    for draft in made.results:
        if isinstance(draft, bytes):
            results.append(draft)
            continue
        found = pen.lost(draft) if recorded is None else pen.recorded(draft, next(kept))
        tally.note(found.proposed_stage, found.probability, found.warnings)
        results.append(found.body)
    return results, tally


def scores_written(pen: Pen, body: bytes, n_reasons: int | None, most: int) -> tuple[bytes, Tally]:
    """The answer to the body of ``POST /v1/scores``, of which nothing is recorded; the counts."""
    raw = _listed(body, most)
    refused: dict[int, LeadmlError] = {}
    plain = _plain(raw)
    if plain is None:
        read: list[_Lead] = []
        for row, item in enumerate(raw):
            try:
                read.append(lead_of(item))
            except LeadmlError as error:
                refused[row] = error
        plain = [lead.lead_id for lead in read], [lead.fields for lead in read]
    written, tally = pen.many(*plain, n_reasons)
    for row, fault in refused.items():  # in ascending order
        written.insert(row, refusal(None, fault))
        tally.refused[fault.code] = tally.refused.get(fault.code, 0) + 1
    return pen.whole(written), tally


def served_now(serving: Serving, metrics: Metrics) -> None:
    """Tell the metrics what is served."""
    metrics.swaps = serving.swaps
    metrics.rejected = Counter(serving.rejected)
    metrics.degraded = serving.degraded is not None
    try:
        served = serving.current()
    except NoModel:
        return
    metrics.model = {
        "model_version": served.versions.model,
        "policy_version": served.versions.policy,
        "digest": served.digest,
    }


def model_of(served: Served) -> dict[str, Any]:
    """What is served and why: ``GET /v1/model``."""
    found: dict[str, Any] = {
        "name": served.name,
        "version": served.version,
        "model_version": served.versions.model,
        "policy_version": served.versions.policy,
        "digest": served.digest,
    }
    made = served.manifest.get("made", {})
    found["training"] = {
        **served.facts.get("model", {}),
        **{key: made[key] for key in _MADE if key in made},
    }
    for key in ("verdict", "data", "labels", "protocol", "metrics", "baselines", "size"):
        if key in served.facts:
            found[key] = served.facts[key]
    fields: dict[str, dict[str, Any]] = {}
    for column in served.scorer.schema.columns:
        field = fields.setdefault(column.source, {"field": column.source, "role": column.role})
        if column.derive:
            field["kind"] = "timestamp"
            continue
        field["kind"] = column.kind.value
        field["missing_share"] = round(column.missing_share, 4)
        if column.kind is Kind.CATEGORY:
            field["levels"] = list(column.levels[:LEVELS_SHOWN])
            field["n_levels"] = len(column.levels) + len(column.pooled)
        elif column.low is not None and column.high is not None:
            field["low"], field["high"] = column.low, column.high
    found["fields"] = list(fields.values())
    return found


class Routes:
    """All endpoints over one :class:`~leadml.service.serving.Serving`.

    Parameters
    ----------
    desk
        Limits, and the memory where decisions are kept; one that is off keeps nothing.
    serving
        What is served; taken once per request.
    state
        Whether the server drains.
    metrics
        Told of every score.
    pool
        Threads for batches and large bodies; None uses the event loop's own.
    """

    def __init__(
        self,
        desk: Desk,
        serving: Serving,
        state: State,
        metrics: Metrics,
        pool: Executor | None = None,
    ) -> None:
        self.desk = desk
        self.settings = settings = desk.settings
        self.serving = serving
        self.state = state
        self.metrics = metrics
        self.memory = memory = desk.memory
        self._remembers = memory.is_on
        self._recorder = Recorder(memory)
        self.pool = pool
        self._off = 0
        self._pen: Pen | None = None
        self._limit = settings.max_body_bytes
        self._timeout_s = settings.body_timeout_s

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [
            Entry("/v1/score", "POST", self.score, "score", "score", hot=True),
            Entry("/v1/scores", "POST", self.scores, "score", "scores", hot=True),
            Entry("/health/ready", "GET", self.ready, OPEN, "ready"),
            Entry("/health/live", "GET", self.live, OPEN, "live"),
            Entry("/v1/model", "GET", self.model, "read", "model"),
            Entry("/openapi.json", "GET", self.document, OPEN, ""),
            Entry("/metrics", "GET", self.counts, "read", "metrics"),
        ]

    async def score(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One lead."""
        served = self.serving.current()
        n_reasons, record = options_of(scope["query_string"])
        record, once = record and self._remembers, key_of(scope)
        body = await read_body(scope, receive, self._limit, self._timeout_s)
        pen, memory = self._pen_of(served), self.memory if record else None
        if len(body) <= OFF_LOOP_BYTES:
            draft, decision = score_drafted(pen, body, n_reasons, memory)
        else:
            draft, decision = await self._off_loop(score_drafted, pen, body, n_reasons, memory)
        if decision is None:
            found = pen.unrecorded(draft)
        elif once is not None:
            made = Drafts([draft], [decision], Counter())
            await self._once(scope, send, body, pen, made, alone=True)
            return
        else:
            kept = await self._remember((decision,))
            found = pen.lost(draft) if kept is None else pen.recorded(draft, kept[0])
        self.metrics.written(found.proposed_stage, found.probability, found.warnings)
        await send_bytes(send, 200, found.body)

    async def scores(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Up to ``max_leads_per_request`` leads under one model version."""
        served = self.serving.current()
        n_reasons, record = options_of(scope["query_string"])
        record, once = record and self._remembers, key_of(scope)
        self._refuse_if_full()
        body = await read_body(scope, receive, self._limit, self._timeout_s)
        most = self.settings.max_leads_per_request
        pen = self._pen_of(served)
        if not record:
            found, tally = await self._off_loop(scores_written, pen, body, n_reasons, most)
        else:
            drafts = await self._off_loop(scores_drafted, pen, body, n_reasons, most, self.memory)
            if once is not None and drafts.decisions:
                await self._once(scope, send, body, pen, drafts)
                return
            kept = await self._remember(drafts.decisions) if drafts.decisions else []
            found, tally = await self._off_loop(scores_finished, pen, drafts, kept)
        self.metrics.add(tally)
        await send_bytes(send, 200, found)

    def _pen_of(self, served: Served) -> Pen:
        """What writes the answers of a model; made anew when another is served."""
        pen = self._pen
        if pen is None or pen.served is not served:
            pen = self._pen = Pen(served)
        return pen

    async def _remember(self, decisions: Sequence[Decision]) -> list[Recorded] | None:
        """Store decisions in one transaction; None where they are lost and nobody minds.

        Raises
        ------
        StoreUnavailable, StorageFull
            The database does not take them, and no setting lets answers go without.
        """
        try:
            recorded = await self._recorder.record(decisions)
        except StoreError as error:
            self.memory.suspect(error)
            if not self.settings.score_without_store:
                self.metrics.decisions["refused"] += len(decisions)
                raise
            self.metrics.decisions["lost"] += len(decisions)
            return None
        self.metrics.decisions["recorded"] += len(decisions)
        return recorded

    async def _once(
        self,
        scope: Scope,
        send: Send,
        body: bytes,
        pen: Pen,
        made: Drafts,
        *,
        alone: bool = False,
    ) -> None:
        """Record and answer what counts once for its ``Idempotency-Key``.

        Parameters
        ----------
        alone
            The answer is that of the only lead.

        Raises
        ------
        StoreUnavailable, StorageFull
            It cannot be recorded: without a record nobody could tell it from its repeat.
        """
        counted: list[tuple[bytes, Tally]] = []

        def effect(store: Store, claimed: Claim | None) -> tuple[int, str]:
            def told(recorded: list[Recorded]) -> tuple[int, str | None]:
                results, tally = _finished(pen, made, recorded)
                counted[:] = [(results[0] if alone else pen.whole(results), tally)]
                kept = all(one.kept for one in recorded)  # nothing is kept of erased leads
                return 200, counted[0][0].decode() if kept else None

            store.record_decisions(made.decisions, claimed=claimed, answer=told)
            return 200, counted[0][0].decode()

        n_decisions = len(made.decisions)
        try:
            status, answer = await self.desk.once(scope, body, effect)
        except StoreError:
            self.metrics.decisions["refused"] += n_decisions
            raise
        for _, tally in counted:  # none for a repeat
            self.metrics.add(tally)
            self.metrics.decisions["recorded"] += n_decisions
        await send_bytes(send, status, answer.encode())

    def _refuse_if_full(self) -> None:
        """Take no further batch where as many as ``max_batches`` are at work."""
        if self._off >= self.settings.max_batches:
            self.metrics.overloaded["/v1/scores"] += 1
            raise Overloaded(
                "too many batches wait already",
                fix="try again after the seconds that Retry-After names",
            )

    async def _off_loop(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run in the pool, where a bounded number may wait.

        Raises
        ------
        Overloaded
            As many as ``max_batches`` are there already.
        """
        self._refuse_if_full()
        self._off += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, work, *arguments)
        finally:
            self._off -= 1

    async def model(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is served and why."""
        await send_bytes(send, 200, orjson.dumps(model_of(self.serving.current())))

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The process answers."""
        await send_bytes(send, 200, b'{"status":"live"}')

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A model is served and the server is not about to stop."""
        if self.state.draining:
            raise Draining("the server is about to stop", fix="send requests to another one")
        served = self.serving.current()
        reason = self.serving.degraded
        problem = self.memory.problem
        if problem is not None:
            if not self.settings.score_without_store:
                raise problem
            reason = problem.detail
        found = {
            "status": "degraded" if reason else "ready",
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
        }
        if reason:
            found["reason"] = reason
        await send_bytes(send, 200, orjson.dumps(found))

    async def counts(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the server did so far, for Prometheus."""
        served_now(self.serving, self.metrics)
        self.metrics.forgetful = self.memory.problem is not None
        await send_bytes(send, 200, self.metrics.text(), PROMETHEUS)

    async def document(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The OpenAPI document; names the fields of the served model where one is served."""
        await send_bytes(send, 200, orjson.dumps(document_of(self.served_or_none())))

    def served_or_none(self) -> Served | None:
        """What is served, if anything is."""
        try:
            return self.serving.current()
        except LeadmlError:
            return None
