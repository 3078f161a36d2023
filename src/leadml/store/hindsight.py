"""What was decided and what followed, as columns to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import announcing, tables
from leadml.store.auditing import get_note, set_note
from leadml.store.records import moment_of_us, us_of
from leadml.store.telling import plain

__all__ = [
    "Followed",
    "arrivals",
    "decisions",
    "exceeded",
    "first_decision",
    "followed",
    "known_decisions",
    "newest_inputs",
    "proposals",
]

_LIVE: Final = tables.decisions.c.imported.is_not(True)
"""Decisions that somebody saw when they were made."""

_NOTE: Final = "capacity_announced"
_LOCK: Final = 4_951_206_740


@dataclass(frozen=True, slots=True)
class Followed:
    """First decisions of leads within a span, each with what followed; one entry a lead.

    Parameters
    ----------
    at_us
        Moments of the decisions, microseconds since 1970 UTC, ascending.
    probability, score
        As shown.
    proposed_stage
        What the lines said.
    model_version, policy_version
        Under which it was decided.
    delay_us
        From the decision to the conversion; None where none followed.
    """

    at_us: list[int]
    probability: list[float]
    score: list[int]
    proposed_stage: list[str]
    model_version: list[str]
    policy_version: list[str]
    delay_us: list[int | None]

    def __len__(self) -> int:
        return len(self.at_us)


def followed(
    connection: sa.Connection,
    *,
    since: datetime,
    until: datetime,
    as_of: datetime,
    outcome: Outcome,
) -> Followed:
    """First decision of each lead, if it fell into ``[since, until)``, and what followed.

    A past that was brought in later does not count: the model may have learned from it.
    Leads that object, and leads that had converted before, are left out, as in training.

    Parameters
    ----------
    as_of
        Outcomes that happened later are not known yet.
    outcome
        What counts as a conversion.
    """
    d, o = tables.decisions.c, tables.outcomes.c
    first = (
        sa.select(d.lead_id, sa.func.min(d.at_us).label("at_us"))
        .where(d.lead_id.is_not(None), d.at_us < us_of(until), _LIVE)
        .group_by(d.lead_id)
        .having(sa.func.min(d.at_us) >= us_of(since))
        .subquery()
    )
    won = (
        sa.select(o.lead_id, sa.func.min(o.occurred_us).label("won_us"))
        .where(o.outcome == str(outcome), o.occurred_us <= us_of(as_of))
        .group_by(o.lead_id)
        .subquery()
    )
    objecting = sa.select(tables.leads.c.lead_id).where(tables.leads.c.objection.is_(True))
    chosen = (
        sa.select(
            d.lead_id,
            d.at_us,
            d.probability,
            d.score,
            d.proposed_stage,
            d.model_version,
            d.policy_version,
            won.c.won_us,
        )
        .join(first, sa.and_(d.lead_id == first.c.lead_id, d.at_us == first.c.at_us))
        .outerjoin(won, won.c.lead_id == d.lead_id)
        .where(d.lead_id.not_in(objecting), _LIVE)
        .order_by(d.at_us, d.lead_id, d.decision_id)
    )
    found = Followed([], [], [], [], [], [], [])
    before: str | None = None
    for row in connection.execute(chosen):
        lead_id, at_us, probability, score, proposed, model, policy, won_us = row
        if lead_id == before or (won_us is not None and won_us < at_us):
            continue
        before = lead_id
        found.at_us.append(at_us)
        found.probability.append(probability)
        found.score.append(score)
        found.proposed_stage.append(proposed)
        found.model_version.append(model)
        found.policy_version.append(policy)
        found.delay_us.append(None if won_us is None else won_us - at_us)
    return found


def arrivals(connection: sa.Connection, *, since: datetime, until: datetime) -> list[datetime]:
    """When leads were decided on for the first time, within ``[since, until)``, ascending."""
    d = tables.decisions.c
    first = sa.func.min(d.at_us)
    chosen = (
        sa.select(first)
        .where(d.lead_id.is_not(None), d.at_us < us_of(until))
        .group_by(d.lead_id)
        .having(first >= us_of(since))
        .order_by(first)
    )
    return [moment_of_us(at_us) for at_us in connection.execute(chosen).scalars()]


def first_decision(connection: sa.Connection) -> datetime | None:
    """When the memory began, a past that was brought in later left aside."""
    d = tables.decisions.c
    oldest = sa.select(d.at_us).where(_LIVE).order_by(d.at_us).limit(1)
    found = connection.execute(oldest).scalar()
    return None if found is None else moment_of_us(found)


def proposals(connection: sa.Connection, *, since: datetime, until: datetime) -> list[datetime]:
    """When leads became ``mql`` by a score, within ``[since, until)``, ascending."""
    s = tables.stages.c
    chosen = (
        sa.select(s.at_us)
        .join(tables.decisions, tables.decisions.c.decision_id == s.cause)
        .where(s.stage == str(Stage.MQL), s.at_us >= us_of(since), s.at_us < us_of(until), _LIVE)
        .order_by(s.at_us)
    )
    return [moment_of_us(at_us) for at_us in connection.execute(chosen).scalars()]


def newest_inputs(connection: sa.Connection, limit: int, since: datetime) -> list[dict[str, Any]]:
    """Inputs of the newest decisions, newest first."""
    d = tables.decisions.c
    chosen = (
        sa.select(d.inputs)
        .where(d.at_us >= us_of(since), _LIVE)
        .order_by(d.at_us.desc(), d.decision_id)
        .limit(limit)
    )
    return [orjson.loads(inputs) for inputs in connection.execute(chosen).scalars()]


def decisions(
    connection: sa.Connection,
    *,
    ids: Sequence[str] | None = None,
    sample: int | None = None,
    since: datetime | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 1_000,
) -> list[dict[str, Any]]:
    """Past decisions with all that is needed to replay them.

    Parameters
    ----------
    ids
        These, as far as they are known.
    sample
        So many at random.
    since
        Made from then on.
    after
        Moment (microseconds) and id of the last one of the page before.
    limit
        Most in a page; does not limit ``ids`` and ``sample``.
    """
    d = tables.decisions.c
    chosen = sa.select(tables.decisions)
    if since is not None:
        chosen = chosen.where(d.at_us >= us_of(since))
    if ids is not None:
        chosen = chosen.where(d.decision_id.in_(list(ids)))
    elif sample is not None:
        picked = sa.select(d.decision_id).order_by(sa.func.random()).limit(sample)
        if since is not None:
            picked = picked.where(d.at_us >= us_of(since))
        chosen = chosen.where(d.decision_id.in_(picked))
    else:
        if after is not None:
            at_us, decision_id = after
            chosen = chosen.where(
                sa.or_(d.at_us > at_us, sa.and_(d.at_us == at_us, d.decision_id > decision_id))
            )
        chosen = chosen.limit(limit)
    chosen = chosen.order_by(d.at_us, d.decision_id)
    return [plain(row) for row in connection.execute(chosen).mappings()]


def known_decisions(
    connection: sa.Connection, marks: Iterable[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of these leads were decided on at that very moment (microseconds)."""
    wanted = set(marks)
    d = tables.decisions.c
    chosen = sa.select(d.lead_id, d.at_us).where(d.lead_id.in_({lead_id for lead_id, _ in wanted}))
    return {(lead_id, at_us) for lead_id, at_us in connection.execute(chosen)} & wanted


def exceeded(connection: sa.Connection, week: str, data: dict[str, Any], *, at_us: int) -> bool:
    """Tell once a week, however many processes notice it, that proposals outgrow capacity.

    Parameters
    ----------
    week
        The week that is over, as ``2026-11-16`` (its Monday).

    Returns
    -------
    bool
        False if that week was told of already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if (get_note(connection, _NOTE) or "") >= week:
        return False
    set_note(connection, _NOTE, week)
    announcing.announce(connection, "capacity.exceeded", data, at_us=at_us)
    return True
