"""The OpenAPI document, written by hand and kept true by tests.

No pydantic model stands on the way of a request, so nothing could generate it. It
keeps to what CRM importers can read: named objects, no unions of objects, operation
ids of letters, digits and underscores, a summary and a description everywhere.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from leadml import __version__
from leadml.api import history, hooks_described, lives_described, performance, policies
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
    with_scopes,
)
from leadml.leads import Column, Kind
from leadml.service.serving import Served

__all__ = ["document_of"]

_NUMBER_TEXT: Final = r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)?\s*$"

_PROBABILITY: Final = {"type": "number", "minimum": 0, "maximum": 1}
_PERCENTILE: Final = {"type": "integer", "minimum": 0, "maximum": 100}
_STRING: Final = {"type": "string"}
_STAGES: Final = ["cold", "nurture", "mql", "sql"]

_EXAMPLE_REQUEST: Final = {
    "lead_id": "00Q5e000001xyz",
    "lead": {
        "industry": "Healthcare",
        "country": "DE",
        "employees": 240,
        "source": "Webinar",
        "pricing_page_views_30d": 3,
        "emails_opened_30d": 5,
        "days_since_last_visit": 2,
    },
    "contact_consent": True,
}

_EXAMPLE_ANSWER: Final = {
    "lead_id": "00Q5e000001xyz",
    "probability": 0.3124,
    "score": 93,
    "grade": "A",
    "proposed_stage": "sql",
    "stage": "mql",
    "fit_score": 71,
    "engagement_score": 96,
    "base_probability": 0.053,
    "reasons": [
        {
            "field": "pricing_page_views_30d",
            "value": "3",
            "log_odds": 0.6931,
            "odds_ratio": 2.0,
            "role": "engagement",
            "text": "3 pricing page views in 30 days: odds 2.0 times a typical lead's",
        },
        {
            "field": "industry",
            "value": "Healthcare",
            "log_odds": 0.4055,
            "odds_ratio": 1.5,
            "role": "fit",
            "text": "industry Healthcare: odds 1.5 times a typical lead's",
        },
        {
            "field": "country",
            "value": "DE",
            "log_odds": -0.1054,
            "odds_ratio": 0.9,
            "role": "fit",
            "text": "country DE: odds 0.9 times a typical lead's",
        },
    ],
    "other_log_odds": 1.1009,
    "model_version": "leads@7",
    "policy_version": "3",
    "decision_id": "dec_01KAN2Y7Q6W3V8ZQ4T5R9M1XBC",
    "warnings": [
        {
            "code": "unseen_category",
            "field": "source",
            "detail": "value hardly or never seen in training; scored as unknown",
        }
    ],
}

_EXAMPLE_PROBLEM: Final = {
    "type": "urn:leadml:problem:invalid_field",
    "title": "A field has the wrong type",
    "status": 422,
    "code": "invalid_field",
    "detail": "lead.employees must be a number",
    "pointer": "/lead/employees",
    "request_id": "req_5f0c2a9be1d34f70",
}


def document_of(served: Served | None) -> dict[str, Any]:
    """The OpenAPI 3.1 document, the caller's own to change.

    Parameters
    ----------
    served
        When given, the schema ``Lead`` names the fields that this model reads.
    """
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "leadml",
            "version": __version__,
            "summary": "Calibrated, exactly explained lead scores.",
            "description": (
                "Answers how likely a lead is to convert, why, and which stage that proposes. "
                "Fields without a value are left out of answers, never null. Every error is a "
                "problem document (RFC 9457)."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this server"}],
        "tags": [
            {"name": "scoring", "description": "Leads in, answers out."},
            {"name": "leads", "description": "What is known of leads and became of them."},
            {"name": "model", "description": "What is served."},
            {"name": "files", "description": "Files of leads in, files of answers out."},
            {
                "name": "webhooks",
                "description": "Who is told of what happens, and whether it came.",
            },
            {"name": "operations", "description": "For those who run the server."},
        ],
        "security": [{name: []} for name in _SECURITY],
        "paths": _all_paths(),
        "components": {
            "schemas": _schemas(served) | _merged("schemas"),
            "parameters": _parameters() | _merged("parameters"),
            "securitySchemes": _SECURITY,
        },
    }
    return deepcopy(made)  # rooms describe themselves with words that they share


_SECURITY: Final = {
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The key in a header of its own, for HubSpot, Zapier and Power Platform.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, the key as password, for callers that know nothing else.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key as bearer token, for Salesforce named credentials and programs.",
    },
}


PIECES: Final[tuple[Piece, ...]] = (
    lives_described.PIECE,
    history.PIECE,
    policies.PIECE,
    performance.PIECE,
    hooks_described.PIECE,
)
"""What the rooms of routes add, in the order in which it is shown."""


def _all_paths() -> dict[str, Any]:
    found = _paths()
    for piece in PIECES:
        for path, item in piece.paths.items():
            found[path] = found.get(path, {}) | item
    return with_scopes(found)


def _merged(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for piece in PIECES:
        found |= getattr(piece, kind)
    return found


def _paths() -> dict[str, Any]:
    scoring = ("400", "403", "408", "409", "410", "413", "415", "422", "503")
    asked = ("reasons", "record", "idempotency_key")
    counts = {
        "200": {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problem_responses(("403",)),
    }
    return {
        "/v1/score": {
            "post": operation(
                "score",
                "scoring",
                "score",
                "Score one lead",
                "Probability, score, grade, stage and reasons of one lead.",
                responses_of("ScoreAnswer", "The lead's answer.", scoring),
                parameters=asked,
                body=body_of("ScoreRequest", _EXAMPLE_REQUEST),
            )
        },
        "/v1/scores": {
            "post": operation(
                "scores",
                "scoring",
                "score",
                "Score many leads",
                "All leads under one model version; results stand in the order of the "
                "request. A lead that cannot be read gets an `error` and spoils no other.",
                responses_of("ScoresAnswer", "One result per lead.", scoring),
                parameters=asked,
                body=body_of("ScoresRequest", {"leads": [_EXAMPLE_REQUEST]}),
            )
        },
        "/v1/model": _get("model", "read", "Model", "The model that is served", ("403", "503")),
        "/health/live": _get("live", "open", "Health", "Whether the process answers", ("403",)),
        "/health/ready": _get(
            "ready", "open", "Health", "Whether leads can be scored", ("403", "503")
        ),
        **_job_paths(),
        "/metrics": {
            "get": operation(
                "metrics",
                "operations",
                "read",
                "Counts for Prometheus",
                "Requests, scores, warnings, swaps: what docs/metrics.md lists.",
                counts,
            )
        },
    }


def _get(
    name: str, scope: str, schema: str, summary: str, problems: tuple[str, ...]
) -> dict[str, Any]:
    tag = "operations" if scope == "open" else "model"
    answers = responses_of(schema, f"{summary}.", problems)
    return {"get": operation(name, tag, scope, summary, f"{summary}.", answers)}


def _job_paths() -> dict[str, Any]:
    file = {"schema": {"type": "string", "format": "binary"}}
    kinds = ("text/csv", "application/vnd.apache.parquet")
    upload = {
        "required": True,
        "description": "The file itself, not a form; it may be packed (gzip, zip).",
        "content": dict.fromkeys((*kinds, "application/octet-stream"), file),
    }
    answers = {
        "description": "One row per lead in the order of the file, as `leadml score` writes it.",
        "content": dict.fromkeys(kinds, file),
    }
    return {
        "/v1/jobs": {
            "post": operation(
                "createJob",
                "files",
                "score",
                "Score a file",
                "Takes a CSV or Parquet file of any size and scores it in the background, all "
                "rows under one model version, to the digits of the other routes.",
                responses_of("Job", "The job that will score the file.", _UPLOAD, "202"),
                parameters=("job_reasons", "result_format", "allow_missing"),
                body=upload,
            )
        },
        "/v1/jobs/{id}": {
            "get": operation(
                "job",
                "files",
                "score",
                "How far a job is",
                "How far a job is.",
                responses_of("Job", "How far a job is.", ("403", "404")),
                parameters=("job_id",),
            )
        },
        "/v1/jobs/{id}/result": {
            "get": operation(
                "jobResult",
                "files",
                "score",
                "Download what a job scored",
                "The answers; a row that could not be read has a code in `error`.",
                {"200": answers, **problem_responses(("403", "404", "409"))},
                parameters=("job_id",),
            )
        },
    }


_UPLOAD: Final = ("400", "403", "404", "408", "413", "415", "422", "503")


def _parameters() -> dict[str, Any]:
    return {
        "reasons": parameter(
            "reasons",
            "query",
            "How many reasons, strongest first: a number from 0, or `all`.",
            {"type": "string", "pattern": "^([0-9]{1,4}|all)$", "default": "5"},
        ),
        "record": parameter(
            "record",
            "query",
            "Whether the decision is recorded, where there is a memory.",
            {"type": "string", "enum": ["true", "false"], "default": "true"},
        ),
        "job_id": parameter("id", "path", "The `job_id` that POST /v1/jobs gave.", _STRING),
        "job_reasons": parameter(
            "reasons",
            "query",
            "How many reasons per lead, as sentences: 0 to 50.",
            {"type": "integer", "minimum": 0, "maximum": 50, "default": 3},
        ),
        "result_format": parameter(
            "format",
            "query",
            "What the result is.",
            {"type": "string", "enum": ["csv", "parquet"], "default": "csv"},
        ),
        "allow_missing": parameter(
            "allow_missing",
            "query",
            "Score columns that the file lacks as missing, instead of refusing it.",
            {"type": "string", "enum": ["true", "false"], "default": "false"},
        ),
    }


def _lead_schema(served: Served | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "description": (
            "The lead's fields by the names of the training table, each with one value. Unknown "
            "ones beside known ones are named in `warnings`; at least one must be known."
        ),
        "additionalProperties": True,
        "minProperties": 1,
    }
    if served is not None:
        fields: dict[str, Any] = {}
        for column in served.scorer.schema.columns:
            fields.setdefault(column.source, _field_schema(column))
        found["properties"] = fields
    return found


def _field_schema(column: Column) -> dict[str, Any]:
    if column.derive:
        return {"type": ["string", "null"], "description": f"{column.role}; a time, ISO 8601"}
    if column.kind is Kind.CATEGORY:
        return {
            "type": ["string", "number", "boolean", "null"],
            "description": f"{column.role}; a category, for instance {_levels(column)}",
        }
    return {
        "type": ["number", "string", "boolean", "null"],
        "pattern": _NUMBER_TEXT,
        "description": f"{column.role}; a number, as such or as text",
    }


def _levels(column: Column) -> str:
    return ", ".join(level[:40] for level in column.levels[:3]) or "any text"


_AT_TIMES: Final = ("lead_id", "other_log_odds", "decision_id", "persisted")


def _schemas(served: Served | None) -> dict[str, Any]:
    answer = {
        "lead_id": text("The id of the request, if it had one."),
        "probability": {
            **_PROBABILITY,
            "description": "Calibrated chance of converting within the horizon, four digits.",
        },
        "score": {**_PERCENTILE, "description": "Percent of reference leads that it outranks."},
        "grade": text("By the thresholds.", enum=["A", "B", "C", "D"]),
        "proposed_stage": text("What the thresholds say.", enum=_STAGES),
        "stage": text(
            "Where the lead stands; the score alone lifts it to mql at most.",
            enum=["cold", "nurture", "mql", "sal", "sql", "customer", "lost"],
        ),
        "fit_score": {**_PERCENTILE, "description": "Percentile of who the lead is."},
        "engagement_score": {**_PERCENTILE, "description": "Percentile of what the lead did."},
        "base_probability": {
            **_PROBABILITY,
            "description": "Chance of a typical lead, at which every effect is zero.",
        },
        "reasons": array("Strongest first.", ref("Reason")),
        "other_log_odds": number("Sum of the reasons left out; absent with reasons=all."),
        "model_version": text("Name and version of the model."),
        "policy_version": text("Version of the thresholds."),
        "decision_id": text("Of the record of this decision; absent if nothing was recorded."),
        "persisted": flag("False where the memory did not answer; else absent."),
        "warnings": array("What the reader should know.", ref("Warning")),
    }
    always = tuple(key for key in answer if key not in _AT_TIMES)
    return {
        "Lead": _lead_schema(served),
        "ScoreRequest": object_of(
            "One lead to score.",
            {
                "lead_id": {
                    "type": ["string", "integer", "null"],
                    "minLength": 1,
                    "maxLength": 200,
                    "description": "The id your CRM knows the lead by.",
                },
                "lead": ref("Lead"),
                "contact_consent": {
                    "type": ["boolean", "null"],
                    "description": "Whether the lead agreed to be contacted.",
                },
            },
            ("lead",),
            closed=True,
            example=_EXAMPLE_REQUEST,
        ),
        "ScoreAnswer": object_of("One lead's answer.", answer, always, example=_EXAMPLE_ANSWER),
        "Reason": object_of(
            "One column's exact contribution to the log-odds.",
            {
                "field": text("The column."),
                "value": text("What the lead had; absent if nothing was given."),
                "log_odds": number("Points, four digits."),
                "odds_ratio": number("The same as a factor."),
                "role": text("Which criterion it belongs to.", enum=["fit", "engagement"]),
                "text": text("The same in words."),
            },
            ("field", "log_odds", "odds_ratio", "role", "text"),
        ),
        "Warning": object_of(
            "Something the reader of an answer should know.",
            {
                "code": text("What, as a stable code."),
                "field": text("Which field."),
                "detail": text("What, in words."),
            },
            ("code", "detail"),
        ),
        "ScoresRequest": object_of(
            "Leads to score.",
            {
                "leads": array(
                    "The leads, in any order, 1,000 unless set otherwise.", ref("ScoreRequest")
                )
            },
            ("leads",),
            closed=True,
        ),
        "ScoresAnswer": object_of(
            "One result per lead, in the order of the request.",
            {
                "model_version": text("The one model version of all results."),
                "policy_version": text("The one version of the thresholds."),
                "results": array("As many as leads.", ref("ScoresResult")),
            },
            ("model_version", "policy_version", "results"),
        ),
        "ScoresResult": object_of(
            "A lead's answer, or its error.", {**answer, "error": ref("LeadError")}
        ),
        "LeadError": object_of(
            "Why one lead of many has no answer.",
            FAULT,
            ("code", "detail"),
        ),
        "Job": object_of(
            "A file that is scored in the background.",
            {
                "job_id": text("Its id."),
                "state": text("How far it is.", enum=["queued", "running", "done", "failed"]),
                "created_at": moment("When the file had arrived, UTC."),
                "finished_at": moment("When it was done or failed, UTC."),
                "bytes": whole("Size of the file."),
                "result_format": text("What the result is.", enum=["csv", "parquet"]),
                "rows": whole("Rows of the file, once read."),
                "rows_done": whole("Rows answered so far."),
                "n_row_errors": whole("Rows that cannot be read."),
                "row_errors": array("The first 20 of them.", ref("RowError")),
                "model_version": text("The one model version of all rows."),
                "policy_version": text("The one version of the thresholds."),
                "error": ref("JobError"),
            },
            ("job_id", "state", "created_at", "bytes", "result_format"),
        ),
        "RowError": object_of(
            "Why one row of a file has no answer.",
            {
                "row": whole("The row below the header, from 1."),
                **FAULT,
            },
            ("row", "code", "detail"),
        ),
        "JobError": object_of(
            "Why a whole file was refused.",
            {
                "code": text("What, as a stable code."),
                "title": text("The kind in words."),
                "detail": text("What happened."),
                "column": text("Which column, where one is at fault."),
                "rows": array("Which rows, from 1.", {"type": "integer"}),
                "fix": text("What to do."),
            },
            ("code", "title", "detail"),
        ),
        "Problem": object_of(
            "A failure (RFC 9457).",
            {
                "type": text("A name of the kind of failure."),
                "title": text("The kind in words."),
                "status": whole("The HTTP status."),
                "code": text("The stable code."),
                "detail": text("What happened; never a value of the request."),
                "pointer": text("Where in the body (RFC 6901)."),
                "fix": text("What to do."),
                "request_id": text("The same as the header X-Request-ID."),
            },
            ("type", "title", "status", "code", "detail", "request_id"),
            example=_EXAMPLE_PROBLEM,
        ),
        "Model": object_of(
            "What is served and why.",
            {
                "name": text("The registered model."),
                "version": text("Its version."),
                "model_version": text("Both, as answers name them."),
                "policy_version": text("Version of the thresholds."),
                "digest": text("Digest of the bundle."),
                "training": {"type": "object", "description": "When and how it was trained."},
                "verdict": {"type": "object", "description": "Whether to trust it, and the rule."},
                "data": {"type": "object", "description": "What it learned from."},
                "labels": {"type": "object", "description": "What counted as conversion."},
                "protocol": {"type": "object", "description": "How it was tested."},
                "metrics": {"type": "object", "description": "How well it did, with intervals."},
                "size": {"type": "object", "description": "Columns, pairs and cells."},
                "fields": array("The fields of a lead that it reads.", ref("Field")),
            },
            ("name", "version", "model_version", "policy_version", "digest", "fields"),
        ),
        "Field": object_of(
            "A field of a lead.",
            {
                "field": text("Its name."),
                "role": text("Fit or engagement.", enum=["fit", "engagement"]),
                "kind": text("What it holds.", enum=["number", "category", "timestamp"]),
                "missing_share": {
                    **_PROBABILITY,
                    "description": "Share of training leads without it.",
                },
                "levels": array("The most frequent categories.", {"type": "string"}),
                "n_levels": whole("How many categories there are."),
                "low": number("Smallest number in training."),
                "high": number("Largest number in training."),
            },
            ("field", "role", "kind"),
        ),
        "Health": object_of(
            "How the server is.",
            {
                "status": text("In one word.", enum=["live", "ready", "degraded"]),
                "model_version": text("What is served."),
                "policy_version": text("Version of the thresholds."),
                "reason": text("Why it is degraded."),
            },
            ("status",),
        ),
    }
