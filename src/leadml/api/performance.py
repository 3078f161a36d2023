"""The route of the live truth about the model."""

from __future__ import annotations

from typing import Any, Final

from starlette.types import Receive, Scope, Send

from leadml.api.describing import (
    Piece,
    array,
    flag,
    moment,
    number,
    object_of,
    operation,
    parameter,
    ref,
    responses_of,
    text,
)
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


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


_HAPPENED: Final[dict[str, Any]] = {
    "n": _count("Leads."),
    "n_conversions": _count("Conversions among them."),
    "from": number("Smallest chance."),
    "to": number("Largest chance."),
    "predicted": number("Mean chance."),
    "observed": number("Share that converted."),
    "low": number("Lower end of its 95 % interval."),
    "high": number("Upper end of its 95 % interval."),
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
                "as_of": moment("When this was counted."),
                "from": moment("Leads scored from here on count."),
                "to": moment("A horizon ago."),
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
                "calibration": array("Predicted and happened, by like chances.", ref("Happened")),
                "gains": array(
                    "Share of the conversions among the best leads.", {"type": "object"}
                ),
                "weeks": array("By week of the score.", ref("Happened")),
                "stages": array("By proposed stage.", ref("Happened")),
                "versions": array("By model version.", ref("Happened")),
                "drift": object_of(
                    "The leads of the last four weeks against those of the training.",
                    {
                        "from": moment("Leads scored from here on count."),
                        "to": moment("When this was counted."),
                        "probability": ref("Drift"),
                        "inputs": array("Every column, the most moved first.", ref("Drift")),
                    },
                    ("from", "to", "inputs"),
                ),
                "capacity": ref("Capacity"),
                "signals": array("What deserves a look.", ref("Signal")),
                "needs_look": flag("Whether there is a signal."),
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
                "roc_auc": number("How well it ranked within the group, where that can be told."),
                "word": text("In a word.", enum=["in line", "look", "too few to judge"]),
            },
            ("n", "n_conversions", "predicted", "observed", "low", "high"),
        ),
        "Drift": object_of(
            "How far the values of a column have moved.",
            {
                "name": text("The column, or probability."),
                "psi": number("Population stability index."),
                "chance": number("What luck alone reaches once in 1,000 times."),
                "word": text(
                    "In a word.",
                    enum=["steady", "moved", "shifted", "too few to judge", "calendar"],
                ),
                "n_then": _count("Leads of the training."),
                "n_now": _count("Leads of today."),
                "importance": number("Share of the column in what moves the chances."),
                "bins": array("Shares by group.", ref("DriftBin")),
            },
            ("name", "psi", "chance", "word", "n_then", "n_now", "bins"),
        ),
        "DriftBin": object_of(
            "A group of values.",
            {
                "label": text("Which values."),
                "then": number("Share of the leads of the training."),
                "now": number("Share of the leads of today."),
                "n_now": _count("Leads of today."),
            },
            ("label", "then", "now", "n_now"),
        ),
        "Capacity": object_of(
            "Proposals of whole weeks against the capacity.",
            {
                "exceeded": flag("Whether by more than luck."),
                "sentence": text("The same in words."),
                "week": text("Monday of the last whole week, UTC."),
                "weeks": array("Proposals per week, the oldest first.", {"type": "integer"}),
                "capacity_per_week": number("Leads that sales can work in a week."),
                "proposals": _count("Proposals of the last whole week."),
                "chance": number("Chance of so many, or more, at the rate of the capacity."),
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
