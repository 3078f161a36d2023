"""Routes of the policy: what holds, who changed it, what another setting would mean."""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Receive, Scope, Send

from leadml.api.describing import (
    Piece,
    array,
    body_of,
    flag,
    moment,
    number,
    object_of,
    operation,
    parameter,
    ref,
    responses_of,
    text,
    whole,
)
from leadml.api.desk import Desk, invalid, object_in, send_json
from leadml.api.door import caller_of
from leadml.api.query import asked_in, number_in
from leadml.api.table import Entry
from leadml.service.policies import NOTE_LENGTH, Policies

__all__ = ["PIECE", "PolicyRoutes"]

FIGURES: Final = frozenset(
    {
        "basis",
        "capacity_per_week",
        "sql_capacity_per_week",
        "mql_precision",
        "sql_precision",
        "value",
        "cost_mql",
        "cost_sql",
        "leads_per_week",
    }
)
"""Names of a plan, as a body gives them."""

_CHANGE: Final = FIGURES | {"note", "after"}

_PLAN_FIX: Final = 'send a plan, such as {"basis": "capacity", "capacity_per_week": 40}'


class PolicyRoutes:
    """Endpoints over :class:`leadml.service.policies.Policies`."""

    def __init__(self, desk: Desk, policies: Policies) -> None:
        self.desk = desk
        self.policies = policies

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [
            Entry("/v1/policy", "GET", self.current, "read", "policy"),
            Entry("/v1/policy", "PUT", self.put, "manage", "changePolicy", also="policy"),
            Entry("/v1/policy/versions", "GET", self.versions, "read", "policyVersions"),
            Entry("/v1/policy/preview", "POST", self.preview, "read", "previewPolicy"),
            Entry("/v1/policy/curve", "GET", self.curve, "read", "policyCurve", ("value", "cost")),
        ]

    async def current(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The thresholds in force, how they were chosen and what to expect of them."""
        await send_json(send, self.policies.current())

    async def put(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write a new version and serve it."""
        data = await self._object(scope, receive, _CHANGE)
        note = data.pop("note", "")
        if type(note) is not str:
            raise invalid("note", "a text")
        after = data.pop("after", None)
        if after is not None:
            after = _version_of(after)
        author = caller_of(scope).name
        found = await self.desk.count(
            lambda: self.policies.put(data, author=author, note=note, after=after)
        )
        await send_json(send, found)

    async def versions(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All versions, newest first."""
        found = await self.desk.count(self.policies.versions)
        await send_json(send, {"versions": found})

    async def preview(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What another setting would have meant."""
        asked = await self._object(scope, receive, FIGURES)
        await send_json(send, await self.desk.count(lambda: self.policies.preview(asked)))

    async def curve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What every line would have meant."""
        value, cost = (number_in(asked_in(scope), name) for name in ("value", "cost"))
        await send_json(send, await self.desk.count(lambda: self.policies.curve(value, cost)))

    async def _object(
        self, scope: Scope, receive: Receive, known: frozenset[str]
    ) -> dict[str, Any]:
        return object_in(await self.desk.body(scope, receive), known, _PLAN_FIX)


def _version_of(after: Any) -> int:
    if type(after) is str and after.isascii() and after.isdigit() and len(after) <= 9:
        return int(after)
    if type(after) is int and 0 <= after < 10**9:
        return after
    raise invalid("after", "the policy_version that was looked at")


# --- described ---------------------------------------------------------------------

_CHANGING: Final = ("400", "408", "409", "413", "415", "422")
_NUMBER: Final = {"type": "number"}
_CHANCE: Final = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_FIGURE: Final = {"type": "number", "minimum": 1e-6, "maximum": 1e12}

_PLAN: Final[dict[str, Any]] = {
    "basis": text(
        "What decides: as many leads as can be worked, the share that shall convert, or "
        "whether a lead is worth its cost.",
        enum=["capacity", "precision", "value"],
        default="capacity",
    ),
    "capacity_per_week": {
        **_FIGURE,
        "description": "Leads that sales can work in a week; limits the MQL line on every basis.",
    },
    "sql_capacity_per_week": {
        **_FIGURE,
        "description": "Leads that can be met in a week; a quarter of the capacity if left out.",
    },
    "mql_precision": {**_CHANCE, "description": "Share that shall convert above the MQL line."},
    "sql_precision": {**_CHANCE, "description": "Share that shall convert above the SQL line."},
    "value": {**_FIGURE, "description": "Worth of a conversion."},
    "cost_mql": {**_FIGURE, "description": "Cost of working a lead as MQL."},
    "cost_sql": {
        **_FIGURE,
        "description": "Cost of working a lead as SQL; four times the MQL cost if left out.",
    },
    "leads_per_week": {
        **_FIGURE,
        "description": "Leads that come in during a usual week; if left out, the last weeks "
        "recorded tell, or else the model's own history.",
    },
}

_EXAMPLE_PLAN: Final = {"basis": "capacity", "capacity_per_week": 40}

_LINES: Final[dict[str, Any]] = {
    "mql": number("From here on a lead is an MQL."),
    "sql": number("From here on an SQL is proposed."),
    "nurture": number("From here on nurturing pays."),
    "basis": text("What decided.", enum=["capacity", "precision", "value"]),
    "capacity_per_week": number("Leads that can be worked in a week, if that was given."),
    "reason": text("Why the lines are where they are."),
    "expected": array("What happens at or above each line.", ref("Expectation")),
    "expected_on": text(
        "What `expected` was counted on. `training`: the leads that the model was tested on; "
        "`decisions`: the last matured weeks recorded here. The figures of both differ.",
        enum=["decisions", "training"],
    ),
    "plan": ref("Plan"),
}

_LOOKED_AT: Final = object_of(
    "The leads that were counted.",
    {
        "source": text(
            "`decisions`: the last matured weeks recorded here; `training`: the leads the model "
            "was tested on, while too few decisions have matured.",
            enum=["decisions", "training"],
        ),
        "sentence": text("Which leads these are."),
        "n_leads": whole("Leads."),
        "n_conversions": whole("Conversions among them."),
        "leads_per_week": number("Leads of a usual week."),
        "leads_per_week_known": flag("False where the weekly number is only assumed."),
        "from": moment("When the first of the weeks began."),
        "to": moment("When the last of the weeks ended."),
        "model_versions": {
            "type": "object",
            "description": "Decisions by the version that made them.",
            "additionalProperties": {"type": "integer"},
        },
    },
    ("source", "sentence", "n_leads", "n_conversions", "leads_per_week", "leads_per_week_known"),
)


def _column(description: str) -> dict[str, Any]:
    return array(description, _NUMBER)


PIECE: Final = Piece(
    paths={
        "/v1/policy": {
            "get": operation(
                "policy",
                "model",
                "read",
                "The thresholds in force",
                "The lines, the plan they were drawn by, and what to expect of them on the leads "
                "that the model was tested on; a preview counts on the last matured weeks.",
                responses_of("Policy", "The thresholds in force."),
            ),
            "put": operation(
                "changePolicy",
                "model",
                "manage",
                "Change the thresholds",
                "Writes a new version of the policy. The lines are drawn for the model that is "
                "served, and anew for every later one; all workers follow within a second.",
                responses_of("Policy", "The thresholds in force from now on.", _CHANGING),
                body=body_of("PolicyChange", {**_EXAMPLE_PLAN, "note": "Two more people."}),
            ),
        },
        "/v1/policy/versions": {
            "get": operation(
                "policyVersions",
                "model",
                "read",
                "Who changed the thresholds",
                "All versions, newest first; empty while the lines are those of the training.",
                responses_of("PolicyVersions", "All versions, newest first."),
            )
        },
        "/v1/policy/preview": {
            "post": operation(
                "previewPolicy",
                "model",
                "read",
                "Try other thresholds",
                "What another setting would have meant on leads whose outcome is known, beside "
                "the setting in force. Nothing changes.",
                responses_of("Preview", "Both settings on the same leads.", _CHANGING),
                body=body_of("Plan", _EXAMPLE_PLAN),
            )
        },
        "/v1/policy/curve": {
            "get": operation(
                "policyCurve",
                "model",
                "read",
                "Every possible MQL line",
                "What each MQL line would have meant on leads whose outcome is known, as columns "
                "of one length, for a slider that answers at once.",
                responses_of("Curve", "The curve.", ("409", "422")),
                parameters=("curve_value", "curve_cost"),
            )
        },
    },
    schemas={
        "Plan": object_of("What is asked of the lines.", _PLAN, closed=True, example=_EXAMPLE_PLAN),
        "PolicyChange": object_of(
            "A plan, why, and which version it was derived from.",
            {
                **_PLAN,
                "note": text("Why.", maxLength=NOTE_LENGTH),
                "after": text(
                    "The policy_version that was looked at; another one by now is a conflict.",
                    pattern="^[0-9]{1,9}$",
                ),
            },
            closed=True,
            example={**_EXAMPLE_PLAN, "note": "Two more people.", "after": "1"},
        ),
        "Policy": object_of(
            "Thresholds in probability; above 1 nobody is proposed.",
            {
                "policy_version": text("Version of the thresholds."),
                "model_version": text("The model that the lines were drawn for."),
                "version": text("The same as policy_version."),
                **_LINES,
                "author": text("Who wrote this version; left out for lines of the training."),
                "note": text("Why."),
                "at": moment("When it was written."),
                "problem": text("Why the newest version is not applied to this model."),
            },
            ("policy_version", "model_version", "mql", "sql", "nurture", "basis", "plan"),
        ),
        "PolicyVersions": object_of(
            "All versions of the policy.",
            {
                "versions": array(
                    "Newest first; lines as they were drawn when written.", ref("PolicyVersion")
                )
            },
            ("versions",),
        ),
        "PolicyVersion": object_of(
            "One version of the policy.",
            {
                "policy_version": text("Its number."),
                "version": text("The same."),
                "model_version": text("The model that was served then."),
                **{name: shape for name, shape in _LINES.items() if "expected" not in name},
                "author": text("Who wrote it."),
                "note": text("Why."),
                "at": moment("When."),
            },
            ("policy_version", "mql", "sql", "nurture", "author", "note", "at"),
        ),
        "Setting": object_of(
            "Lines and what they would have meant.",
            _LINES,
            ("mql", "sql", "nurture", "basis", "expected", "expected_on", "plan"),
        ),
        "Preview": object_of(
            "Another setting beside the one in force, on the same leads.",
            {
                "model_version": text("What is served."),
                "policy_version": text("Version in force."),
                "looked_at": ref("LookedAt"),
                "setting": ref("Setting"),
                "current": ref("Setting"),
            },
            ("model_version", "policy_version", "looked_at", "setting", "current"),
        ),
        "LookedAt": _LOOKED_AT,
        "Expectation": object_of(
            "What happens at or above a line.",
            {
                "stage": text("Of the line.", enum=["mql", "sql"]),
                "cutoff": number("The line."),
                "volume_per_week": ref("Estimate"),
                "precision": ref("Estimate"),
                "conversions_per_week": ref("Estimate"),
                "recall": ref("Estimate"),
                "value_per_week": ref("Estimate"),
            },
            (
                "stage",
                "cutoff",
                "volume_per_week",
                "precision",
                "conversions_per_week",
                "recall",
            ),
        ),
        "Estimate": object_of(
            "A figure with its 95 % interval; weekly figures have the range of a usual week.",
            {
                "value": number("The figure."),
                "low": number("Lower end, where one is shown."),
                "high": number("Upper end, where one is shown."),
            },
            ("value",),
        ),
        "Curve": object_of(
            "Every possible MQL line.",
            {
                "model_version": text("What is served."),
                "policy_version": text("Version in force."),
                "looked_at": ref("LookedAt"),
                "mql": number("The MQL line in force."),
                "sql": number("The SQL line in force."),
                "curve": ref("CurvePoints"),
            },
            ("model_version", "policy_version", "looked_at", "mql", "sql", "curve"),
        ),
        "CurvePoints": object_of(
            "Columns of one length, the strictest line first.",
            {
                "n": whole("Leads counted."),
                "n_conversions": whole("Conversions among them."),
                "leads_per_week": number("Leads of a usual week."),
                "leads_per_week_known": flag("Not only assumed."),
                "cutoff": _column("The line."),
                "leads": _column("Leads at or above it."),
                "conversions": _column("Conversions among them."),
                "share_of_leads": _column("Share of all leads."),
                "volume_per_week": ref("CurveColumn"),
                "precision": ref("CurveColumn"),
                "conversions_per_week": ref("CurveColumn"),
                "recall": ref("CurveColumn"),
                "value_per_week": ref("CurveColumn"),
            },
            ("n", "n_conversions", "cutoff", "volume_per_week", "precision"),
        ),
        "CurveColumn": object_of(
            "A figure for every line, with its 95 % interval.",
            {
                "value": _column("The figure."),
                "low": _column("Lower end."),
                "high": _column("Upper end."),
            },
            ("value", "low", "high"),
        ),
    },
    parameters={
        "curve_value": parameter(
            "value", "query", "Worth of a conversion; the plan's if left out.", _FIGURE
        ),
        "curve_cost": parameter(
            "cost", "query", "Cost of working a lead; the plan's if left out.", _FIGURE
        ),
    },
)
