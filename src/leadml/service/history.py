"""A past brought into the memory: leads as they were known then, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from leadml.errors import LeadErased, LeadmlError
from leadml.service.answers import Exact, answers
from leadml.service.memory import Memory, decision_of
from leadml.service.serving import Served
from leadml.store import Report

__all__ = ["ERRORS_SHOWN", "WITHOUT_REASON", "Arrival", "Brought", "bring", "in_parts"]

ERRORS_SHOWN: Final = 20

WITHOUT_REASON: Final = "not said"
"""Reason of a rejection of the past that came without one."""

_WORDS: Final = ("accepted", "duplicates", "refused")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lead as it was known at a moment of the past.

    Parameters
    ----------
    lead_id
        Its id.
    lead
        Fields known then.
    as_of
        When, aware UTC.
    contact_consent
        What it had said about contact; None for nothing.
    """

    lead_id: str
    lead: Mapping[str, Any]
    as_of: datetime
    contact_consent: bool | None = None


@dataclass(slots=True)
class Brought:
    """What came of it, counted; ``errors`` holds the first refusals."""

    leads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_WORDS, 0))
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_WORDS, 0))
    errors: list[dict[str, Any]] = field(default_factory=list)

    def count(
        self, kind: str, lead_id: str | None, error: LeadmlError | None, *, known: bool
    ) -> None:
        """Count one item."""
        counts = self.leads if kind == "leads" else self.outcomes
        if error is None:
            counts["duplicates" if known else "accepted"] += 1
            return
        counts["refused"] += 1
        if len(self.errors) < ERRORS_SHOWN:
            told: dict[str, Any] = {"kind": kind, "code": error.code, "detail": error.detail}
            if lead_id is not None:
                told["lead_id"] = lead_id
            if error.column is not None:
                told["field"] = error.column
            self.errors.append(told)

    def add(self, other: Brought) -> None:
        """Count what another one counted."""
        for mine, its in ((self.leads, other.leads), (self.outcomes, other.outcomes)):
            for word in _WORDS:
                mine[word] += its[word]
        self.errors = (self.errors + other.errors)[:ERRORS_SHOWN]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"leads": self.leads, "outcomes": self.outcomes, "errors": self.errors}


def in_parts(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Items in lists of up to ``most``, none of them empty.

    >>> list(in_parts("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while part := list(islice(rest, most)):
        yield part


def bring(
    memory: Memory, served: Served, arrivals: Sequence[Arrival], reports: Sequence[Report]
) -> Brought:
    """Record leads of the past as decisions of the served model, and what became of them.

    Nobody is told of it, and no model is judged by it. What is there already counts as a
    duplicate, so that a repeat changes nothing.

    Parameters
    ----------
    arrivals
        Leads with the moment as of which they were known.
    reports
        Outcomes with the moment at which they happened; a rejection without a reason gets
        one (:data:`WITHOUT_REASON`).

    Raises
    ------
    MemoryOff, StoreUnavailable, StorageFull
        Nothing was recorded then.
    """
    found = Brought()
    keep: dict[int, Exact] = {}
    made = answers(
        served.scorer,
        served.policy,
        served.versions,
        [arrival.lead_id for arrival in arrivals],
        [arrival.lead for arrival in arrivals],
        0,
        keep,
    )
    decisions = []
    for place, (arrival, answer) in enumerate(zip(arrivals, made, strict=True)):
        if isinstance(answer, LeadmlError):
            found.count("leads", arrival.lead_id, answer, known=False)
            continue
        decision = decision_of(
            served,
            arrival.lead,
            arrival.contact_consent,
            answer,
            keep[place],
            memory.value_of(arrival.lead),
        )
        decisions.append(replace(decision, at=arrival.as_of, imported=True))
    quiet = [
        replace(report, imported=True, reason=report.reason or _reason_of(report))
        for report in reports
    ]
    recorded, reported = memory.require().record_history(decisions, quiet)
    for decision, one in zip(decisions, recorded, strict=True):
        error = None
        if one is not None and not one.kept:
            error = LeadErased("the lead was erased; nothing is recorded for it")
        found.count("leads", decision.lead_id, error, known=one is None)
    for result in reported:
        found.count("outcomes", result.lead_id, result.error, known=result.duplicate)
    return found


def _reason_of(report: Report) -> str | None:
    return WITHOUT_REASON if str(report.outcome) == "rejected" else None
