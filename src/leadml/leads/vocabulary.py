"""Roles of columns, stages of a lead, outcomes that sales report."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Availability", "Kind", "Outcome", "Role", "Stage"]


class Role(StrEnum):
    """What a column of the history is for."""

    ID = "id"
    CREATED_AT = "created_at"
    OUTCOME = "outcome"
    OUTCOME_AT = "outcome_at"
    FIT = "fit"
    ENGAGEMENT = "engagement"
    CONSENT = "consent"
    GROUP = "group"
    IGNORE = "ignore"

    @property
    def learns(self) -> bool:
        """Whether a column of this role may become part of the scorecard."""
        return self in (Role.FIT, Role.ENGAGEMENT)


class Availability(StrEnum):
    """When the value of a column is known."""

    CREATION = "creation"
    SCORING = "scoring"
    AFTER = "after"


class Kind(StrEnum):
    """How the values of a learning column are read."""

    NUMBER = "number"
    CATEGORY = "category"


class Stage(StrEnum):
    """Where a lead stands; the score alone lifts it to ``mql`` at most."""

    COLD = "cold"
    NURTURE = "nurture"
    MQL = "mql"
    SAL = "sal"
    SQL = "sql"
    CUSTOMER = "customer"
    LOST = "lost"


class Outcome(StrEnum):
    """What became of a lead, as sales reports it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    OPPORTUNITY = "opportunity"
    WON = "won"
    LOST = "lost"
    DISQUALIFIED = "disqualified"
