"""The routes of leads in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from leadml.api.describing import (
    FAULT,
    Piece,
    array,
    body_of,
    flag,
    moment,
    number,
    object_of,
    operation,
    parameter,
    problem_responses,
    ref,
    responses_of,
    text,
    whole,
)

__all__ = ["PIECE"]

_WRITING: Final = ("400", "408", "409", "413", "415", "422")
_STAGES: Final = ["cold", "nurture", "mql", "sal", "sql", "customer", "lost"]
_OUTCOMES: Final = ["accepted", "rejected", "opportunity", "won", "lost", "disqualified"]
_ID: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_CHANCE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_MOMENT: Final = "with its zone, from 1970 on, not in the future; now if left out"

_EXAMPLE_OUTCOMES: Final = {
    "outcomes": [
        {
            "lead_id": "00Q5e000001xyz",
            "outcome": "accepted",
            "occurred_at": "2026-11-20T14:05:00Z",
            "by": "sales",
        },
        {
            "lead_id": "00Q5e000001abc",
            "outcome": "rejected",
            "reason": "no_budget",
            "occurred_at": "2026-11-20T14:07:00Z",
        },
    ]
}
_EXAMPLE_OUTCOMES_TAKEN: Final = {
    "accepted": 2,
    "duplicates": 0,
    "refused": 0,
    "results": [
        {"lead_id": "00Q5e000001xyz", "stage": "sal"},
        {"lead_id": "00Q5e000001abc", "stage": "nurture"},
    ],
}
_EXAMPLE_EVENTS: Final = {
    "events": [
        {
            "lead_id": "00Q5e000001xyz",
            "event": "page_view",
            "occurred_at": "2026-11-20T14:05:00Z",
            "details": {"page": "pricing"},
        }
    ]
}


def _lead_id(description: str = "The id your CRM knows the lead by.") -> dict[str, Any]:
    return {
        "type": ["string", "integer"],
        "minLength": 1,
        "maxLength": 255,
        "description": description,
    }


_FREE: Final = {"type": "object", "additionalProperties": True}
_GIVEN_MOMENT: Final = {"type": ["string", "null"], "format": "date-time"}
_DETAILS: Final = {
    "type": ["object", "null"],
    "maxProperties": 50,
    "additionalProperties": {
        "type": ["string", "number", "boolean", "null"],
        "maxLength": 2_000,
    },
}
_CONSENT: Final[dict[str, Any]] = {
    "contact_consent": flag("Whether it may be contacted, if told."),
    "objection": flag("Whether the lead objected."),
}
_SCORED: Final[dict[str, Any]] = {
    "probability": {**_CHANCE, "description": "Of the latest score."},
    "score": whole("Of the latest score, 0 to 100."),
    "proposed_stage": text("What the thresholds said.", enum=["cold", "nurture", "mql", "sql"]),
}
_EXPECTED: Final = number("Probability times what winning the lead is worth.")

PIECE: Final = Piece(
    paths={
        "/v1/leads": {
            "get": operation(
                "leads",
                "leads",
                "read",
                "List or search leads",
                "Those that changed last come first; of one stage, the most promising. A search "
                "looks for the start of an id, and for a text in the attributes of the 20,000 "
                "leads that come first; it has one page.",
                responses_of("Leads", "A page of leads.", ("422",)),
                parameters=("stage", "q", "source", "limit", "cursor"),
            )
        },
        "/v1/leads/{id}": {
            "get": operation(
                "lead",
                "leads",
                "read",
                "Look at a lead",
                "Where it stands, its latest score and the trend of it, consent, the steps open.",
                responses_of("LeadView", "The lead.", ("404", "422")),
                parameters=("lead_id",),
            ),
            "delete": operation(
                "eraseLead",
                "leads",
                "manage",
                "Erase a lead",
                "Deletes all that is stored about a lead, within a minute also from the bytes of "
                "the database. A keyed hash of its id keeps it out of training; later scores of "
                "it are not recorded. Asked again, it answers 200 with zeros; an id of which "
                "nothing was ever stored is 404 and stays free.",
                responses_of("Erased", "What was deleted.", ("404", "422")),
                parameters=("lead_id",),
            ),
        },
        "/v1/leads/{id}/history": {
            "get": operation(
                "leadHistory",
                "leads",
                "read",
                "Read the history of a lead",
                "Scores, reports, consent and events in the order of time, each with the stage "
                "after it.",
                responses_of("LeadHistory", "What happened.", ("404", "422")),
                parameters=("lead_id",),
            )
        },
        "/v1/leads/{id}/export": {
            "get": operation(
                "exportLead",
                "leads",
                "manage",
                "Export all that is known of a lead",
                "Every stored row about a lead, for a request of access; noted in the audit log.",
                responses_of("Export", "All that is stored.", ("404", "422")),
                parameters=("lead_id",),
            )
        },
        "/v1/leads/{id}/consent": {
            "put": operation(
                "setConsent",
                "leads",
                "outcomes",
                "Note consent or objection",
                "Consent to contact, or an objection to it. Without consent, or after an "
                "objection, a lead is never proposed and never in the queue.",
                responses_of("ConsentNoted", "Where the lead stands then.", ("410", *_WRITING)),
                parameters=("lead_id",),
                body=body_of("Consent", {"contact_consent": False, "by": "unsubscribe link"}),
            )
        },
        "/v1/decisions/{id}": {
            "get": operation(
                "decision",
                "leads",
                "read",
                "Look at a past decision",
                "Inputs, contributions, lines and versions of one score: all that is needed to "
                "replay it.",
                responses_of("Decision", "The decision.", ("404", "422")),
                parameters=("decision_id",),
            )
        },
        "/v1/outcomes": {
            "post": operation(
                "reportOutcomes",
                "leads",
                "outcomes",
                "Report what became of leads",
                "Late, repeated and out of order as it may come; a report counts once. One that "
                "is refused spoils no other and stands in the results; a single one is answered "
                "with the problem itself, such as 409 `step_not_open`, which names the open "
                "steps. What sales learnt (budget, authority, need, timing) goes into details.",
                responses_of(
                    "OutcomesTaken", "One result per report, in their order.", ("410", *_WRITING)
                ),
                parameters=("idempotency_key",),
                body=body_of("Outcomes", _EXAMPLE_OUTCOMES),
            )
        },
        "/v1/events": {
            "post": operation(
                "reportEvents",
                "leads",
                "outcomes",
                "Report what leads did",
                "Page views, clicks, calls: kept with the lead's history and export. The same "
                "event of a lead at the same moment counts once.",
                responses_of(
                    "EventsTaken", "One result per event, in their order.", ("410", *_WRITING)
                ),
                parameters=("idempotency_key",),
                body=body_of("Events", _EXAMPLE_EVENTS),
            )
        },
        "/v1/queue": {
            "get": operation(
                "queue",
                "leads",
                "read",
                "See whom to work next",
                "Leads at `mql` with consent and without objection, not in work, by expected "
                "value (probability times value), as many as the week's capacity leaves after "
                "the leads that sales answered in the last seven days. As JSON, or as a CSV "
                "file with `format=csv` or `Accept: text/csv`.",
                {
                    "200": {
                        "description": "A page of the queue.",
                        "content": {
                            "application/json": {"schema": ref("Queue")},
                            "text/csv": {"schema": {"type": "string"}},
                        },
                    },
                    **problem_responses(("422",)),
                },
                parameters=(
                    "limit",
                    "cursor",
                    "lead_value",
                    "capacity",
                    "fields",
                    "queue_format",
                ),
            )
        },
    },
    schemas={
        "Leads": object_of(
            "A page of leads.",
            {
                "leads": array("The leads.", ref("LeadRow")),
                "next_cursor": text("Where the next page begins; absent on the last."),
            },
            ("leads",),
        ),
        "LeadRow": object_of(
            "A lead in a list.",
            {
                "lead_id": text("Its id."),
                "stage": text("Where it stands.", enum=_STAGES),
                "stage_since": moment("Since when."),
                "updated": moment("When it last changed."),
                **_SCORED,
                **_CONSENT,
                "expected_value": _EXPECTED,
                "attributes": {**_FREE, "description": "As last sent."},
            },
            ("lead_id", "stage", "updated", "objection", "attributes"),
        ),
        "LeadView": object_of(
            "A lead as it stands.",
            {
                "lead_id": text("Its id."),
                "stage": text("Where it stands.", enum=_STAGES),
                "stage_since": moment("Since when."),
                "first_seen": moment("When it was first heard of."),
                "updated": moment("When it last changed."),
                **_CONSENT,
                "open_steps": array(
                    "Outcomes that may be reported.", {"type": "string", "enum": _OUTCOMES}
                ),
                "latest": ref("LatestScore"),
                "expected_value": _EXPECTED,
                "trend": ref("Trend"),
                "bant": {
                    **_FREE,
                    "description": "Budget, authority, need and timing as last reported.",
                },
                "attributes": {**_FREE, "description": "As last sent."},
            },
            ("lead_id", "stage", "objection", "open_steps", "attributes"),
        ),
        "LatestScore": object_of(
            "The latest score of a lead.",
            {
                "decision_id": text("Of its record."),
                "at": moment("When."),
                **_SCORED,
                "model_version": text("Name and version of the model."),
                "policy_version": text("Version of the thresholds."),
                "reasons": array("Strongest first.", ref("ReasonTold")),
            },
            ("decision_id", "at", "probability", "score"),
        ),
        "ReasonTold": object_of(
            "A reason in words.",
            {"field": text("The column."), "text": text("What it did to the odds.")},
            ("field", "text"),
        ),
        "Trend": object_of(
            "How the latest score moved.",
            {
                "direction": text("In one word.", enum=["rising", "steady", "falling"]),
                "log_odds_change": number("In log-odds."),
                "odds_ratio": number("The same as a factor."),
                "since": moment("When the score compared with was made."),
                "rule": text("What makes it so."),
            },
            ("direction", "log_odds_change", "odds_ratio", "since", "rule"),
        ),
        "LeadHistory": object_of(
            "What happened to a lead.",
            {
                "lead_id": text("Its id."),
                "history": array("In the order of time.", ref("HistoryEntry")),
            },
            ("lead_id", "history"),
        ),
        "HistoryEntry": object_of(
            "Something that happened.",
            {
                "at": moment("When it happened."),
                "event": text("What.", enum=["scored", "consent", "did", *_OUTCOMES]),
                "stage": text("Where the lead stood after it.", enum=_STAGES),
                "what": text("The event, for `did`."),
                "probability": {**_CHANCE, "description": "For `scored`."},
                "score": whole("For `scored`."),
                "decision_id": text("For `scored`."),
                "model_version": text("For `scored`."),
                "policy_version": text("For `scored`."),
                "may_contact": flag("For `consent`."),
                "reason": text("As reported."),
                "by": text("Who reported it."),
                "details": {**_FREE, "description": "As reported."},
            },
            ("at", "event", "stage"),
        ),
        "Export": object_of(
            "All that is stored about a lead, table by table.",
            {
                "lead": {**_FREE, "description": "As it stands."},
                **{
                    name: array(f"All {name}.", {"type": "object"})
                    for name in (
                        "decisions",
                        "outcomes",
                        "events",
                        "consents",
                        "changes",
                        "messages",
                        "deliveries",
                    )
                },
            },
        ),
        "Erased": object_of(
            "What was deleted.",
            {
                "erased": {
                    "type": "object",
                    "description": "Rows by table.",
                    "additionalProperties": {"type": "integer"},
                }
            },
            ("erased",),
        ),
        "Consent": object_of(
            "What was said about contact; at least one of the first two.",
            {
                "contact_consent": {
                    "type": ["boolean", "null"],
                    "description": "Whether the lead may be contacted.",
                },
                "objection": {
                    "type": ["boolean", "null"],
                    "description": "Whether the lead objects to being proposed.",
                },
                "by": {
                    "type": ["string", "null"],
                    "maxLength": 200,
                    "description": "Who says so; the key's name if left out.",
                },
                "at": {**_GIVEN_MOMENT, "description": f"When, {_MOMENT}."},
            },
            closed=True,
        ),
        "ConsentNoted": object_of(
            "Where the lead stands after it.",
            {
                "lead_id": text("Its id."),
                "stage": text("Where it stands.", enum=_STAGES),
                **_CONSENT,
            },
            ("lead_id", "stage"),
        ),
        "Decision": object_of(
            "One score, with all that is needed to replay it.",
            {
                "decision_id": text("Its id."),
                "lead_id": text("Of the lead, if it had an id."),
                "imported": flag("True for a past that was brought in later."),
                "at": moment("When."),
                "inputs": {**_FREE, "description": "Fields as they were sent."},
                "probability": {**_CHANCE, "description": "As shown."},
                "log_odds": number("Before rounding."),
                "contributions": array("Log-odds per column of the model.", {"type": "number"}),
                "score": whole("0 to 100."),
                "fit_score": whole("0 to 100."),
                "engagement_score": whole("0 to 100."),
                "grade": text("A to D."),
                "proposed_stage": text("What the thresholds said."),
                "stage": text("Where the lead stood after it.", enum=_STAGES),
                "contact_consent": flag("What the request said."),
                "nurture_line": number("Of the policy then."),
                "mql_line": number("Of the policy then."),
                "sql_line": number("Of the policy then."),
                "model_version": text("Name and version of the model."),
                "policy_version": text("Version of the thresholds."),
                "bundle_digest": text("Digest of the model's bundle."),
            },
            ("decision_id", "at", "inputs", "probability", "log_odds", "contributions"),
        ),
        "Outcomes": object_of(
            "Reports of what became of leads.",
            {"outcomes": array("1,000 at most unless set otherwise.", ref("Outcome"))},
            ("outcomes",),
            closed=True,
        ),
        "Outcome": object_of(
            "What became of one lead.",
            {
                "lead_id": _lead_id(),
                "outcome": text("What.", enum=_OUTCOMES),
                "occurred_at": {**_GIVEN_MOMENT, "description": f"When it happened, {_MOMENT}."},
                "reason": {
                    "type": ["string", "null"],
                    "maxLength": 2_000,
                    "description": "Why; needed for `rejected`.",
                },
                "by": {
                    "type": ["string", "null"],
                    "maxLength": 200,
                    "description": "Who says so.",
                },
                "details": {
                    **_DETAILS,
                    "description": "More, as budget, authority, need and timing.",
                },
            },
            ("lead_id", "outcome"),
            closed=True,
        ),
        "OutcomesTaken": object_of(
            "What came of the reports.",
            {
                "accepted": whole("New ones."),
                "duplicates": whole("Those known already."),
                "refused": whole("Those that do not count."),
                "results": array("One per report.", ref("OutcomeResult")),
            },
            ("accepted", "duplicates", "refused", "results"),
            example=_EXAMPLE_OUTCOMES_TAKEN,
        ),
        "OutcomeResult": object_of(
            "What came of one report.",
            {
                "lead_id": text("Of the lead."),
                "stage": text("Where it stands now.", enum=_STAGES),
                "duplicate": flag("True if it was known already."),
                "warnings": array(
                    "`lead_unknown` where no score of the lead is remembered: "
                    "the report is kept, but the id may be mistyped.",
                    ref("Warning"),
                ),
                "error": ref("ReportError"),
            },
        ),
        "ReportError": object_of(
            "Why one report of many does not count.",
            {
                **FAULT,
                "open_steps": array(
                    "For `step_not_open`: what may be reported instead.",
                    {"type": "string", "enum": _OUTCOMES},
                ),
            },
            ("code", "detail"),
        ),
        "Events": object_of(
            "What leads did.",
            {"events": array("1,000 at most unless set otherwise.", ref("Event"))},
            ("events",),
            closed=True,
        ),
        "Event": object_of(
            "Something that one lead did.",
            {
                "lead_id": _lead_id(),
                "event": text("What, as page_view.", minLength=1, maxLength=100),
                "occurred_at": {**_GIVEN_MOMENT, "description": f"When, {_MOMENT}."},
                "details": {**_DETAILS, "description": "More, one value each."},
            },
            ("lead_id", "event"),
            closed=True,
        ),
        "EventsTaken": object_of(
            "What came of the events.",
            {
                "accepted": whole("New ones."),
                "duplicates": whole("Those known already."),
                "refused": whole("Those that do not count."),
                "results": array("One per event.", ref("EventResult")),
            },
            ("accepted", "duplicates", "refused", "results"),
        ),
        "EventResult": object_of(
            "What came of one event.",
            {
                "lead_id": text("Of the lead."),
                "duplicate": flag("True if it was known already."),
                "error": ref("ReportError"),
            },
        ),
        "Queue": object_of(
            "Whom to work next.",
            {
                "leads": array("By expected value.", ref("QueuedLead")),
                "next_cursor": text("Where the next page begins; absent on the last."),
                "capacity": ref("CapacityLeft"),
            },
            ("leads",),
        ),
        "QueuedLead": object_of(
            "A lead to work.",
            {
                "lead_id": text("Its id."),
                "probability": {**_CHANCE, "description": "Of the latest score."},
                "score": whole("0 to 100."),
                "expected_value": _EXPECTED,
                "stage_since": moment("Since when it is an MQL."),
                "decision_id": text("Of the latest score."),
                "attributes": {**_FREE, "description": "The fields asked for."},
            },
            ("lead_id", "probability", "expected_value"),
        ),
        "CapacityLeft": object_of(
            "What can still be worked this week.",
            {
                "per_week": number("Leads that can be worked."),
                "taken": whole("Leads that sales answered in the last seven days."),
                "left": whole("The rest."),
            },
            ("per_week", "taken", "left"),
        ),
    },
    parameters={
        "lead_id": parameter("id", "path", "The id your CRM knows the lead by.", _ID),
        "decision_id": parameter("id", "path", "The `decision_id` of an answer.", _ID),
        "stage": parameter(
            "stage", "query", "Only leads that stand there.", {"type": "string", "enum": _STAGES}
        ),
        "q": parameter(
            "q",
            "query",
            "Start of an id, or a text in an attribute.",
            {"type": "string", "maxLength": 200},
        ),
        "source": parameter(
            "source",
            "query",
            "Value of the attribute `source`.",
            {"type": "string", "maxLength": 200},
        ),
        "limit": parameter(
            "limit",
            "query",
            "Most leads on a page; 10,000 in a CSV file.",
            {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 50},
        ),
        "cursor": parameter(
            "cursor", "query", "`next_cursor` of the page before.", {"type": "string"}
        ),
        "lead_value": parameter(
            "value",
            "query",
            "What winning a lead is worth; 1 if left out.",
            {"type": "number", "minimum": 0, "maximum": 1e12},
        ),
        "capacity": parameter(
            "capacity",
            "query",
            "Leads that can be worked in a week, or `all`; the policy's if left out.",
            {"type": "string", "pattern": "^([0-9]{1,9}|all)$"},
        ),
        "fields": parameter(
            "fields",
            "query",
            "Attributes to show, up to 20, with commas between.",
            {"type": "string", "maxLength": 4_000},
        ),
        "queue_format": parameter(
            "format",
            "query",
            "What the answer is.",
            {"type": "string", "enum": ["json", "csv"], "default": "json"},
        ),
        "idempotency_key": parameter(
            "Idempotency-Key",
            "header",
            "Makes the request count once in 24 hours, however often it is sent.",
            {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        ),
    },
)
