"""Weeks of simulated business in a memory, so that pages can be tried."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from leadml.errors import NoModel
from leadml.leads.vocabulary import Outcome
from leadml.service.answers import Exact, answers
from leadml.service.history import in_parts
from leadml.service.memory import Memory, decision_of
from leadml.service.models import served_of
from leadml.service.opening import opened_memory
from leadml.service.serving import Served
from leadml.service.slim import need_training
from leadml.settings import Settings
from leadml.store import Decision, Report
from leadml.store.records import new_id

__all__ = ["MONTHS", "seed_memory"]

MONTHS: Final = 7
"""Length of the simulated business, in months: some weeks have matured, some have not."""

LATER: Final = 0.35
"""Share of the leads that are scored again, after they came back or stayed away."""

NOT_SENT: Final = frozenset({"lead_id", "converted", "converted_at", "email", "phone"})
REASONS: Final = (
    "Wrong size",
    "No budget",
    "Wrong person",
    "Not now",
    "Cannot be reached",
    "Already a customer",
)
PART: Final = 500
_FIRST: Final = (
    *("Northwind", "Brightwater", "Saltmarsh", "Tidewell", "Copperleaf", "Harbour Lane", "Kestrel"),
    *("Fernhill", "Oakridge", "Silverline", "Bluefield", "Stonebridge", "Larkspur", "Juniper"),
    *("Redwood", "Summit", "Meadow", "Granite", "Willow", "Amber", "Cedar", "Falcon", "Harvest"),
    *("Ironside", "Lakeside", "Maple", "Orchard", "Pioneer", "Quarry", "Raven", "Sterling"),
)
_SECOND: Final = (
    *("Labs", "Clinics", "Foods", "Care", "Hotels", "Dental", "Freight", "Software", "Works"),
    *("Logistics", "Energy", "Textiles", "Interiors", "Analytics", "Systems", "Partners"),
    *("Robotics", "Media", "Outdoor", "Packaging", "Studios", "Health", "Build", "Mobility"),
)
_COUNTS: Final = ("page_views_30d", "pricing_page_views_30d", "emails_opened_30d")


def seed_memory(settings: Settings, n_leads: int, seed: int) -> dict[str, int]:
    """Simulate the past months of a company and record them as the API would.

    Nothing is added where decisions are remembered already. The leads are others than those
    of any training with another seed, of the same kind: what the model promises can be held
    against what happens to them.

    Parameters
    ----------
    settings
        Name the model and the database.
    n_leads
        Simulated leads.
    seed
        Of the simulation.

    Returns
    -------
    dict
        Number of ``leads``, ``decisions`` and ``outcomes`` recorded.

    Raises
    ------
    NoModel
        Nothing can be served yet.
    """
    need_training()
    from leadml.datasets.simulate import simulate

    with opened_memory(settings) as memory:
        store = memory.require()
        if store.first_decision() is not None:
            return {"leads": 0, "decisions": 0, "outcomes": 0}
        served = served_of(settings)
        now = datetime.now(UTC)
        history = simulate(n_leads, seed=seed, months=MONTHS, end=now)
        chance = random.Random(seed)
        rows = [_row(row) for row in history.leads.to_dict("records")]
        n_decisions = n_outcomes = 0
        for decisions in in_parts(_decisions(served, memory, rows, chance, now), PART):
            store.record_decisions(decisions)
            n_decisions += len(decisions)
        for reports in in_parts(_reports(history.outcomes.to_dict("records"), chance, now), PART):
            n_outcomes += sum(came.error is None for came in store.record_reports(reports))
    if not n_decisions:
        raise NoModel("no simulated lead could be scored", fix="train on a simulated history")
    return {"leads": len(rows), "decisions": n_decisions, "outcomes": n_outcomes}


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a frame without what is missing there."""
    return {key: value for key, value in row.items() if value == value and value is not None}


def _decisions(
    served: Served,
    memory: Memory,
    rows: Sequence[Mapping[str, Any]],
    chance: random.Random,
    now: datetime,
) -> Iterator[Decision]:
    """Each lead scored when it came, some again later, in the order of time."""
    asked: list[tuple[datetime, str, dict[str, Any], bool | None]] = []
    for row in rows:
        at = _moment(row["created_at"])
        fields = {key: _plain(value) for key, value in row.items() if key not in NOT_SENT}
        lead_id, consent = _id(row), _consent(row.get("contact_consent"))
        fields = {"company": _company(chance)} | fields
        asked.append((at, lead_id, fields, consent))
        while chance.random() < LATER:
            at += timedelta(days=chance.uniform(3, 24))
            fields = _later(fields, chance)
            if at < now:
                asked.append((at, lead_id, fields, None))
    asked.sort(key=lambda each: (each[0], each[1]))
    keep: dict[int, Exact] = {}
    found = answers(
        served.scorer,
        served.policy,
        served.versions,
        [lead_id for _, lead_id, _, _ in asked],
        [fields for _, _, fields, _ in asked],
        5,
        keep,
    )
    for place, (at, _, fields, consent) in enumerate(asked):
        said = found[place]
        if isinstance(said, dict):
            value = memory.value_of(fields)
            made = decision_of(served, fields, consent, said, keep[place], value)
            yield replace(made, at=at, decision_id=new_id("dec", at))


def _id(row: Mapping[Any, Any]) -> str:
    """An id that no lead of a training has."""
    return f"S{str(row['lead_id']).lstrip('L')}"


def _company(chance: random.Random) -> str:
    """A made-up name."""
    return f"{chance.choice(_FIRST)} {chance.choice(_SECOND)}"


def _later(fields: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same lead some weeks later: it came back, or it stayed away."""
    warm = chance.random() < 0.5
    found = dict(fields)
    for name in _COUNTS:
        if name in found:
            count = int(found[name])
            found[name] = count + chance.randint(0, 3) if warm else count // 2
    if "days_since_last_visit" in found or not warm:
        found["days_since_last_visit"] = chance.randint(0, 4) if warm else chance.randint(10, 50)
    return found


def _reports(
    rows: Sequence[Mapping[Any, Any]], chance: random.Random, now: datetime
) -> Iterator[Report]:
    """What sales reported of them, the earliest first."""
    people = ("anna", "ben", "carla")
    for row in sorted(rows, key=lambda each: str(each["occurred_at"])):
        outcome, at = Outcome(str(row["outcome"])), _moment(row["occurred_at"])
        if at > now:
            continue
        rejected = outcome is Outcome.REJECTED
        yield Report(
            _id(row),
            outcome,
            at,
            reason=chance.choices(REASONS, (5, 4, 3, 3, 2, 1))[0] if rejected else None,
            by=chance.choice(people),
        )


def _consent(value: Any) -> bool | None:
    return None if value is None else str(value).lower() == "true"


def _plain(value: Any) -> Any:
    """A value of a frame as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _moment(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
