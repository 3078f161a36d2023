"""The route of the live truth about the model."""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Receive, Scope, Send

from leadml.api.describing import Piece, object_of, operation, parameter, ref, responses_of, text
from leadml.api.desk import Desk, send_json
from leadml.api.query import asked_in, whole_in
from leadml.api.table import Entry
from leadml.service.past import WEEKS
from leadml.service.serving import Serving
from leadml.service.watching import MOST_WEEKS, Watch

__all__ = ["PIECE", "PerformanceRoutes"]


class PerformanceRoutes:
    """Endpoints over :class:`leadml.service.watching.Watch`."""

    def __init__(self, desk: Desk, serving: Serving, watch: Watch) -> None:
        self.desk = desk
        self.serving = serving
        self.watch = watch

    def entries(self) -> list[Entry]:
        """The routes of this room."""
        return [
            Entry("/v1/performance", "GET", self.performance, "read", "performance", ("weeks",))
        ]

    async def performance(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What was predicted and what happened."""
        weeks = whole_in(asked_in(scope), "weeks", WEEKS, 1, MOST_WEEKS)
        served = self.serving.current()
        found = await self.desk.count(lambda: self.watch.report(served, weeks))
        await send_json(send, found)


# --- described ---------------------------------------------------------------------


def _list(description: str, name: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": ref(name)}


def _number(description: str) -> dict[str, Any]:
    return {"type": "number", "description": description}


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


_HAPPENED: Final[dict[str, Any]] = {
    "n": _count("Leads."),
    "n_conversions": _count("Conversions among them."),
    "from": _number("Smallest chance."),
    "to": _number("Largest chance."),
    "predicted": _number("Mean chance."),
    "observed": _number("Share that converted."),
    "low": _number("Lower end of its 95 % interval."),
    "high": _number("Upper end of its 95 % interval."),
}

PIECE: Final = Piece(
    paths={
        "/v1/performance": {
            "get": operation(
                "performance",
                "model",
                "read",
                "The live truth",
                "On leads whose horizon has passed since they were scored: what was predicted and "
                "what happened; drift of inputs and chances; proposals against the capacity; a "
                "verdict with its rule. Counted at most once a minute.",
                responses_of("Performance", "The live truth.", ("422",)),
                parameters=("weeks",),
            )
        }
    },
    schemas={
        "Performance": object_of(
            "What was predicted and what happened.",
            {
                "model_version": text("What is served."),
                "policy_version": text("Version of the thresholds."),
                "as_of": text("When this was counted.", format="date-time"),
                "from": text("Leads scored from here on count.", format="date-time"),
                "to": text("A horizon ago.", format="date-time"),
                "horizon_days": _count("Days within which a conversion counts."),
                "outcome": text("What counts as conversion."),
                "protocol": text("Which leads these are."),
                "n_leads": _count("Matured leads."),
                "n_conversions": _count("Conversions among them."),
                "verdict": ref("Verdict"),
                "metrics": {
                    "type": "object",
                    "description": "Figures with intervals; empty unless both outcomes were seen.",
                },
                "promised": {
                    "type": "object",
                    "description": "The same figures as they stood at the training.",
                },
                "calibration": _list("Predicted and happened, by like chances.", "Happened"),
                "gains": {
                    "type": "array",
                    "description": "Share of the conversions among the best leads.",
                    "items": {"type": "object"},
                },
                "weeks": _list("By week of the score.", "Happened"),
                "stages": _list("By proposed stage.", "Happened"),
                "versions": _list("By model version.", "Happened"),
                "drift": object_of(
                    "The leads of the last four weeks against those of the training.",
                    {
                        "from": text("Leads scored from here on count.", format="date-time"),
                        "to": text("When this was counted.", format="date-time"),
                        "probability": ref("Drift"),
                        "inputs": _list("Every column, the most moved first.", "Drift"),
                    },
                    ("from", "to", "inputs"),
                ),
                "capacity": ref("Capacity"),
                "signals": {
                    "type": "array",
                    "description": "What deserves a look.",
                    "items": ref("Signal"),
                },
                "needs_look": {"type": "boolean", "description": "Whether there is a signal."},
            },
            (
                *("model_version", "policy_version", "as_of", "n_leads", "verdict", "metrics"),
                *("weeks", "stages", "drift", "capacity", "signals", "needs_look"),
            ),
        ),
        "Verdict": object_of(
            "What the model may be used for.",
            {
                "word": text("In one word.", enum=["trust", "rank", "provisional", "no"]),
                "sentence": text("In one sentence."),
                "rule": text("The rule that decided (docs/verdict.md, docs/monitoring.md)."),
            },
            ("word", "sentence", "rule"),
        ),
        "Happened": object_of(
            "What was predicted and what happened in a group of leads.",
            {
                "week": text("Monday of the week, UTC."),
                "stage": text("Proposed stage."),
                "model_version": text("Model version."),
                **_HAPPENED,
                "roc_auc": _number("How well it ranked within the group, where that can be told."),
                "word": text("In a word.", enum=["in line", "look", "too few to judge"]),
            },
            ("n", "n_conversions", "predicted", "observed", "low", "high"),
        ),
        "Drift": object_of(
            "How far the values of a column have moved.",
            {
                "name": text("The column, or probability."),
                "psi": _number("Population stability index."),
                "chance": _number("What luck alone reaches once in 1,000 times."),
                "word": text(
                    "In a word.",
                    enum=["steady", "moved", "shifted", "too few to judge", "calendar"],
                ),
                "n_then": _count("Leads of the training."),
                "n_now": _count("Leads of today."),
                "importance": _number("Share of the column in what moves the chances."),
                "bins": _list("Shares by group.", "DriftBin"),
            },
            ("name", "psi", "chance", "word", "n_then", "n_now", "bins"),
        ),
        "DriftBin": object_of(
            "A group of values.",
            {
                "label": text("Which values."),
                "then": _number("Share of the leads of the training."),
                "now": _number("Share of the leads of today."),
                "n_now": _count("Leads of today."),
            },
            ("label", "then", "now", "n_now"),
        ),
        "Capacity": object_of(
            "Proposals of whole weeks against the capacity.",
            {
                "exceeded": {"type": "boolean", "description": "Whether by more than luck."},
                "sentence": text("The same in words."),
                "week": text("Monday of the last whole week, UTC."),
                "weeks": {
                    "type": "array",
                    "description": "Proposals per week, the oldest first.",
                    "items": {"type": "integer"},
                },
                "capacity_per_week": _number("Leads that sales can work in a week."),
                "proposals": _count("Proposals of the last whole week."),
                "chance": _number("Chance of so many, or more, at the rate of the capacity."),
                "per_week": ref("Estimate"),
            },
            ("exceeded", "sentence", "week", "weeks"),
        ),
        "Signal": object_of(
            "What deserves a look.",
            {"code": text("As a stable code."), "sentence": text("In words.")},
            ("code", "sentence"),
        ),
    },
    parameters={
        "weeks": parameter(
            "weeks",
            "query",
            "How many matured weeks to look back.",
            {"type": "integer", "minimum": 1, "maximum": MOST_WEEKS, "default": WEEKS},
        )
    },
)
