"""The route by which a past is brought in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.types import Receive, Scope, Send

from leadml.api.describing import (
    FAULT,
    Piece,
    array,
    body_of,
    flag,
    moment,
    object_of,
    operation,
    ref,
    responses_of,
    text,
    whole,
)
from leadml.api.desk import Desk, invalid, object_in, refuse_others, send_json
from leadml.api.lives import lead_id_in, past_in, report_of
from leadml.api.table import Entry
from leadml.errors import InvalidBody, LeadmlError, TooManyLeads
from leadml.service.history import Arrival, Brought, bring
from leadml.service.serving import Serving

__all__ = ["PIECE", "HistoryRoutes"]

T = TypeVar("T")

_BODY: Final = frozenset({"leads", "outcomes"})
_LEAD: Final = frozenset({"lead_id", "lead", "as_of", "contact_consent"})
_FIX: Final = (
    'send {"leads": [{"lead_id": "…", "lead": {…}, "as_of": "2025-11-20T14:05:00Z"}, …], '
    '"outcomes": [{"lead_id": "…", "outcome": "won", "occurred_at": "2025-12-01T09:00:00Z"}, …]}'
)


class HistoryRoutes:
    """Endpoints over :mod:`leadml.service.history`."""

    def __init__(self, desk: Desk, serving: Serving) -> None:
        self.desk = desk
        self.serving = serving

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [Entry("/v1/history", "POST", self.bring, "manage", "bringHistory")]

    async def bring(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leads of the past as they were known then, and what became of them."""
        served = self.serving.current()
        data = object_in(await self.desk.body(scope, receive), _BODY, _FIX)
        if not data:
            raise InvalidBody("leads and outcomes are both missing", fix=_FIX)
        refused = Brought()
        arrivals = self._read(data, "leads", _arrival_of, refused)
        reports = self._read(data, "outcomes", report_of, refused)
        memory = self.desk.memory
        found = await self.desk.ask(lambda _: bring(memory, served, arrivals, reports))
        found.add(refused)
        told = {"model_version": served.versions.model, **found.as_dict()}
        await send_json(send, told)

    def _read(
        self, data: dict[str, Any], name: str, read: Callable[[Any, str], T], refused: Brought
    ) -> list[T]:
        """The items of a list that can be read; the others are counted."""
        items = data.get(name, [])
        most = self.desk.settings.max_leads_per_request
        if type(items) is not list:
            raise invalid(name, "a list", fix=_FIX)
        if len(items) > most:
            raise TooManyLeads(
                f"one request carries at most {most} {name}",
                pointer=f"/{name}",
                fix="split the list, or bring files: leadml import LEADS OUTCOMES",
            )
        found: list[T] = []
        for place, item in enumerate(items):
            try:
                found.append(read(item, f"/{name}/{place}"))
            except LeadmlError as error:
                refused.count(name, None, error, known=False)
        return found


def _arrival_of(item: Any, at: str) -> Arrival:
    if type(item) is not dict:
        raise InvalidBody("a lead must be a JSON object", pointer=at, fix=_FIX)
    refuse_others(item, _LEAD, at, _FIX)
    lead_id = lead_id_in(item, at)
    lead = item.get("lead")
    if type(lead) is not dict:
        raise invalid("lead", "an object of fields", at, _FIX)
    as_of = past_in(item, "as_of", at)
    if as_of is None:
        raise invalid("as_of", "a moment of the past with its zone", at, _FIX)
    consent = item.get("contact_consent")
    if consent is not None and type(consent) is not bool:
        raise invalid("contact_consent", "true or false", at)
    return Arrival(lead_id, lead, as_of, consent)


_EXAMPLE: Final = {
    "leads": [
        {
            "lead_id": "00Q5e000001xyz",
            "lead": {"industry": "Healthcare", "employees": 240},
            "as_of": "2025-11-20T14:05:00Z",
        }
    ],
    "outcomes": [
        {"lead_id": "00Q5e000001xyz", "outcome": "won", "occurred_at": "2025-12-01T09:00:00Z"}
    ],
}


def _counts(what: str) -> dict[str, Any]:
    return object_of(
        f"{what}, counted.",
        {
            "accepted": whole("Recorded now."),
            "duplicates": whole("Known already; nothing changed."),
            "refused": whole("Not recorded; see errors."),
        },
        ("accepted", "duplicates", "refused"),
    )


PIECE: Final = Piece(
    paths={
        "/v1/history": {
            "post": operation(
                "bringHistory",
                "leads",
                "manage",
                "Bring in the past",
                "Leads as they were known at a moment of the past, and what became of them. They "
                "are scored by the model that is served and make training tables; nobody is told "
                "of them, and no model is judged by them. A repeat changes nothing.",
                responses_of(
                    "PastTaken",
                    "What was recorded.",
                    ("400", "408", "413", "415", "422"),
                ),
                body=body_of("Past", _EXAMPLE),
            )
        }
    },
    schemas={
        "Past": object_of(
            "A past.",
            {
                "leads": array("Leads as they were known then.", ref("Arrival")),
                "outcomes": array("What became of leads.", ref("Outcome")),
            },
            closed=True,
            example=_EXAMPLE,
        ),
        "Arrival": object_of(
            "A lead as it was known at a moment of the past.",
            {
                "lead_id": text("Its id in your CRM.", minLength=1, maxLength=255),
                "lead": ref("Lead"),
                "as_of": moment("The moment, with its zone."),
                "contact_consent": flag("Whether it had agreed to be contacted."),
            },
            ("lead_id", "lead", "as_of"),
            closed=True,
        ),
        "PastTaken": object_of(
            "What was recorded.",
            {
                "model_version": text("The model that scored the leads."),
                "leads": _counts("Leads"),
                "outcomes": _counts("Outcomes"),
                "errors": array("The first refusals.", ref("PastError")),
            },
            ("model_version", "leads", "outcomes", "errors"),
        ),
        "PastError": object_of(
            "Why an item was not recorded.",
            {
                "kind": text("Of what list.", enum=["leads", "outcomes"]),
                "lead_id": text("Of the lead, where it could be read."),
                **FAULT,
            },
            ("kind", "code", "detail"),
        ),
    },
)
