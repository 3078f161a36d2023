"""What pages show at a glance: traffic, stages, answers of sales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import tables
from leadml.store.records import iso_of, moment_of_us, us_of

__all__ = ["Glances"]

NEWEST: Final = 400
"""Leads changed last, whose sources and owners are offered to filter by."""

_WEEK_US: Final = 7 * 86_400_000_000

Read = Callable[[Callable[[sa.Connection], Any]], Any]


class Glances:
    """Counts over many rows, each by one index alone.

    Parameters
    ----------
    read
        Runs a look in a reading transaction.
    """

    def __init__(self, read: Read) -> None:
        self._read = read

    def traffic(self, *, monday: datetime, weeks: int) -> list[dict[str, Any]]:
        """Decisions by week and proposed stage, the earliest week first.

        Parameters
        ----------
        monday
            Beginning of the newest week, aware.
        weeks
            How many, that one included.
        """
        return self._read(lambda on: _traffic(on, us_of(monday), weeks))

    def stages(self) -> dict[str, int]:
        """How many leads stand in each stage."""
        c = tables.leads.c

        def look(on: sa.Connection) -> dict[str, int]:
            chosen = sa.select(c.stage, sa.func.count()).group_by(c.stage)
            found: dict[str, int] = {stage: int(n) for stage, n in on.execute(chosen)}
            return found

        return self._read(look)

    def answers(self, since: datetime) -> dict[str, Any]:
        """What sales said to proposals made since then.

        Returns
        -------
        dict
            ``proposed`` (leads that became MQL by a score), ``accepted`` (or further),
            ``rejected`` by reason, ``unanswered``.
        """
        return self._read(lambda on: _answers(on, us_of(since)))

    def crossed(self, line: float, *, since: datetime, until: datetime) -> list[datetime]:
        """When leads were scored at or above a chance for the first time ever, each once.

        Parameters
        ----------
        line
            In [0, 1].
        since, until
            The moments that are told, aware; ``until`` itself is left out.
        """
        d, before = tables.decisions.c, tables.decisions.alias("before")
        earlier = sa.exists().where(
            before.c.lead_id == d.lead_id,
            before.c.at_us < us_of(since),
            before.c.probability >= line,
        )
        first = (
            sa.select(sa.func.min(d.at_us))
            .where(d.at_us >= us_of(since), d.at_us < us_of(until), d.probability >= line)
            .where(d.lead_id.is_not(None), sa.not_(earlier))
            .group_by(d.lead_id)
        )
        return self._read(lambda on: [moment_of_us(at_us) for (at_us,) in on.execute(first)])

    def explained(self, lead_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Main reasons and grade of the latest score, by lead."""
        c = tables.leads.c

        def look(on: sa.Connection) -> dict[str, dict[str, Any]]:
            chosen = sa.select(c.lead_id, c.explained).where(c.lead_id.in_(list(lead_ids)))
            return {
                lead_id: orjson.loads(explained)
                for lead_id, explained in on.execute(chosen)
                if explained is not None
            }

        return self._read(look) if lead_ids else {}

    def attributes(self, lead_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Attributes as they are now, by lead."""
        c = tables.leads.c

        def look(on: sa.Connection) -> dict[str, dict[str, Any]]:
            chosen = sa.select(c.lead_id, c.attributes).where(c.lead_id.in_(list(lead_ids)))
            return {lead_id: orjson.loads(text) for lead_id, text in on.execute(chosen)}

        return self._read(look) if lead_ids else {}

    def values(self, name: str) -> list[str]:
        """Values of an attribute among the leads changed last, the most frequent first."""
        c = tables.leads.c

        def look(on: sa.Connection) -> list[str]:
            newest = sa.select(c.attributes).order_by(c.updated_us.desc(), c.lead_id).limit(NEWEST)
            seen: dict[str, int] = {}
            for (text,) in on.execute(newest):
                value = orjson.loads(text).get(name)
                if isinstance(value, str) and 0 < len(value) <= 80:
                    seen[value] = seen.get(value, 0) + 1
            return sorted(seen, key=lambda value: (-seen[value], value))[:40]

        return self._read(look)


def _traffic(on: sa.Connection, monday_us: int, weeks: int) -> list[dict[str, Any]]:
    d = tables.decisions.c
    begin = monday_us - (weeks - 1) * _WEEK_US
    week = (d.at_us - begin).op("/", precedence=8)(sa.literal_column(str(_WEEK_US))).label("week")
    chosen = (
        sa.select(week, d.proposed_stage, sa.func.count())
        .where(d.at_us >= begin, d.at_us < monday_us + _WEEK_US)
        .group_by(week, d.proposed_stage)
    )
    found: list[dict[str, Any]] = [
        {"week": str(iso_of(begin + i * _WEEK_US))[:10]} | {str(stage): 0 for stage in _PROPOSED}
        for i in range(weeks)
    ]
    for at, stage, n in on.execute(chosen):
        found[int(at)][str(stage)] = int(n)
    for each in found:
        each["scored"] = sum(each[str(stage)] for stage in _PROPOSED)
    return found


_PROPOSED: Final = (Stage.COLD, Stage.NURTURE, Stage.MQL, Stage.SQL)


def _answers(on: sa.Connection, since_us: int) -> dict[str, Any]:
    s, o = tables.stages.c, tables.outcomes.c
    proposed = sa.select(s.lead_id, s.at_us).where(s.stage == str(Stage.MQL), s.at_us >= since_us)
    at: dict[str, int] = {}
    for lead_id, at_us in on.execute(proposed):  # grouped here: the database would leave its index
        at[lead_id] = max(at_us, at.get(lead_id, 0))
    said: dict[str, tuple[int, str, str]] = {}
    chosen = sa.select(o.lead_id, o.occurred_us, o.outcome, o.reason).where(
        o.outcome.in_([str(outcome) for outcome in Outcome]), o.occurred_us >= since_us
    )
    for lead_id, occurred_us, outcome, reason in on.execute(chosen):
        asked = at.get(lead_id)
        if asked is None or occurred_us < asked:
            continue
        before = said.get(lead_id)
        if before is None or occurred_us < before[0]:
            said[lead_id] = (occurred_us, outcome, reason or "")
    rejected: dict[str, int] = {}
    accepted = 0
    for _, outcome, reason in said.values():
        if outcome in (Outcome.REJECTED, Outcome.DISQUALIFIED):
            rejected[reason] = rejected.get(reason, 0) + 1
        else:
            accepted += 1
    return {
        "since": str(iso_of(since_us)),
        "proposed": len(at),
        "accepted": accepted,
        "rejected": dict(sorted(rejected.items(), key=lambda item: (-item[1], item[0]))),
        "unanswered": len(at) - len(said),
    }
