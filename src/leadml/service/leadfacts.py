"""Facts of the pages on leads: who is next, who are all, why one scored what it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leadml.errors import InvalidField, InvalidParameter, LeadmlError, NotFound
from leadml.leads.vocabulary import Kind, Outcome, Stage
from leadml.service.answers import answer
from leadml.service.fresh import Fresh
from leadml.service.memory import Memory
from leadml.service.serving import Served
from leadml.store import Report

__all__ = ["PAGE", "LeadFacts", "place_of", "place_said"]

PAGE: Final = 25
"""Leads on one page of a list."""

REASON_LENGTH: Final = 400
_STAGES: Final = tuple(str(stage) for stage in Stage)


def place_said(order: float, lead_id: str) -> str:
    """A place in a list as an address carries it.

    >>> place_said(0.25, "L 7")
    '0.25~L 7'
    """
    return f"{order!r}~{lead_id}"


def place_of(text: str) -> tuple[float, str] | None:
    """The inverse of :func:`place_said`; None for "".

    Raises
    ------
    InvalidParameter
        It is no such place.
    """
    if not text:
        return None
    order, sign, lead_id = text.partition("~")
    try:
        found = float(order) if "." in order or "e" in order else int(order)
    except ValueError:
        sign = ""
        found = 0
    if not sign or not lead_id:
        raise InvalidParameter("after is no place in this list", fix="begin with the first page")
    return found, lead_id


class LeadFacts:
    """What pages ask of leads.

    Parameters
    ----------
    memory
        Where they are.
    fresh
        Keeps what is slow to count.
    """

    def __init__(self, memory: Memory, fresh: Fresh) -> None:
        self.memory = memory
        self.fresh = fresh

    # --- many -------------------------------------------------------------------------

    def queue(self, limit: int, after: tuple[float, str] | None = None) -> dict[str, Any]:
        """Leads to work next, by expected value; ``taken`` were answered in seven days."""
        store = self.memory.require()
        found = store.lives.waiting(limit, after)
        leads = self._told(found.leads)
        for lead in leads:
            lead.setdefault("stage", str(Stage.MQL))
            lead["order"] = lead["expected_value"]
        return {"leads": leads, "taken": found.taken}

    def listing(self, served: Served | None, asked: Mapping[str, str]) -> dict[str, Any]:
        """A page of leads, as ``GET /leads`` asks for it.

        Parameters
        ----------
        served
            What is served, for the sources that can be chosen.
        asked
            ``stage`` (a stage, ``queue`` or ``all``), ``source``, ``owner``, ``q``, ``after``.

        Returns
        -------
        dict
            ``leads``, ``next`` (place of the next page, "" at the end), ``asked``,
            ``stages`` (how many leads stand in each), ``sources``, ``owners``, ``taken``
            (only of the queue), ``capacity_per_week``.

        Raises
        ------
        InvalidParameter
            There is no such stage or place.
        MemoryOff, StoreUnavailable
            Nothing is remembered or can be read.
        """
        store = self.memory.require()
        wanted = asked.get("stage") or "queue"
        q, source, owner = (asked.get(name, "").strip()[:200] for name in ("q", "source", "owner"))
        if wanted not in ("queue", "all", *_STAGES):
            raise InvalidParameter(
                "there is no such stage", fix=f"one of: queue, all, {', '.join(_STAGES)}"
            )
        after = place_of(asked.get("after", ""))
        found: dict[str, Any] = {"taken": None}
        if wanted == "queue" and not (q or source or owner):
            told = self.queue(PAGE + 1, after)
            leads, found["taken"] = told["leads"], told["taken"]
        else:
            if wanted == "queue":  # a name is looked for among all leads
                stage = None if q else Stage.MQL
            else:
                stage = None if wanted == "all" else Stage(wanted)
            leads = self._told(
                store.lives.page(
                    PAGE + 1, stage=stage, q=q, source=source, owner=owner, after=after
                )
            )
        more = len(leads) > PAGE
        leads = leads[:PAGE]
        return {
            **found,
            "leads": leads,
            "next": place_said(leads[-1]["order"], leads[-1]["lead_id"]) if more else "",
            "asked": {"stage": wanted, "q": q, "source": source, "owner": owner},
            "is_first": after is None,
            "stages": self.fresh.get("stages", store.glances.stages),
            "sources": self._sources(served),
            "owners": self.fresh.get("owners", lambda: store.glances.values("owner")),
            "capacity_per_week": None if served is None else served.plan.capacity_per_week,
        }

    def _told(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows with attributes, main reasons and grade."""
        store = self.memory.require()
        ids = [row["lead_id"] for row in rows]
        explained = store.glances.explained(ids)
        bare = [row["lead_id"] for row in rows if "attributes" not in row]
        attributes = store.glances.attributes(bare)
        found = []
        for row in rows:
            said = explained.get(row["lead_id"], {})
            lead = {**row, "reasons": said.get("reasons", []), "grade": said.get("grade", "")}
            lead.setdefault("attributes", attributes.get(row["lead_id"], {}))
            found.append(lead)
        return found

    def _sources(self, served: Served | None) -> list[str]:
        if served is not None:
            for column in served.scorer.schema.columns:
                if column.source == "source" and column.kind is Kind.CATEGORY:
                    return list(column.levels)
        store = self.memory.require()
        found: list[str] = self.fresh.get("sources", lambda: store.glances.values("source"))
        return found

    # --- one --------------------------------------------------------------------------

    def lead(self, served: Served | None, lead_id: str) -> dict[str, Any]:
        """One lead: score through time, reasons that add up, its way through the stages.

        Returns
        -------
        dict
            What ``GET /v1/leads/{id}`` tells, and ``history``; ``decision`` (the latest,
            without its inputs); ``explained``: its inputs answered by the model that is
            served, with every reason, and ``base_log_odds``; ``same_model`` tells whether
            the latest decision was made by that model; ``policy_version`` holds today.

        Raises
        ------
        NotFound
            No such lead is known.
        """
        store = self.memory.require()
        found = store.lives.lead(lead_id)
        if found is None:
            raise NotFound(
                "no such lead is known here",
                fix="check the id; a lead is known once it was scored with its id",
            )
        told: dict[str, Any] = {**found, "history": store.lives.history(lead_id)}
        told["decision"] = told["explained"] = None
        latest = found.get("latest")
        decision = store.decision(latest["decision_id"]) if latest else None
        if decision is None:
            return told
        inputs = decision.pop("inputs", {})
        decision.pop("contributions", None)
        told["decision"] = decision
        if served is None:
            return told
        told["same_model"] = decision.get("bundle_digest") == served.digest
        told["base_rate"] = served.facts.get("data", {}).get("base_rate")
        if (days := served.facts.get("labels", {}).get("horizon_days")) is not None:
            told["horizon_days"] = days
        told["policy_version"] = served.versions.policy
        try:
            said = answer(
                served.scorer, served.policy, served.versions, lead_id, inputs, n_reasons=None
            )
        except LeadmlError as error:
            told["unexplained"] = error.detail
            return told
        told["explained"] = {
            name: said[name]
            for name in (
                *("probability", "score", "grade", "proposed_stage", "fit_score"),
                *("engagement_score", "base_probability", "reasons", "warnings"),
                *("model_version", "policy_version"),
            )
        }
        told["explained"]["base_log_odds"] = served.scorer.scorecard.base
        return told

    def report(self, lead_id: str, outcome: str, *, by: str, reason: str = "") -> str:
        """Keep what people say became of a lead; returns the stage it stands in then.

        Raises
        ------
        InvalidField
            There is no such outcome, or a rejection without a reason.
        StepNotOpen, LeadErased
            The lead cannot take the step.
        """
        if outcome not in [str(each) for each in Outcome]:
            raise InvalidField("there is no such outcome", column="outcome")
        said = " ".join(reason.split())[:REASON_LENGTH] or None
        if outcome == Outcome.REJECTED and said is None:
            raise InvalidField(
                "a rejection needs a reason", column="reason", fix="choose or write one"
            )
        store = self.memory.require()
        (came,) = store.record_reports([Report(lead_id, Outcome(outcome), reason=said, by=by)])
        if came.error is not None:
            raise came.error
        self.fresh.forget()
        return str(came.stage or "")
