"""Where a lead stands, folded from all that happened to it.

A life is a set of events: scores, reports of people, changes of consent. The standing
is the fold of these events sorted by the time at which they *occurred*, so the order
in which they arrive changes nothing.

People decide, scores propose:

- A score moves a lead among ``cold``, ``nurture`` and ``mql`` only, and leaves every
  other stage alone.
- It lifts at a line of the policy and lets go only below :data:`HOLD` of that line
  (hysteresis), so that a lead near a line does not flap.
- A lead that may not be contacted is lifted to ``nurture`` at most.
- A lead that sales rejected rests for :data:`REST_DAYS` before a score may lift it to
  ``mql`` again.
- ``accepted`` makes ``sal``, ``rejected`` ``nurture``, ``opportunity`` ``sql``, ``won``
  ``customer``, ``lost`` and ``disqualified`` make ``lost``. Steps may be skipped, and a
  lost lead may come back.
- A step is closed by what was reached before it: an opportunity closes ``accepted`` and
  ``rejected`` (sales has answered), a win closes everything but another win. What was
  once reached stays reached, so a closed step stays closed whatever is reported later:
  this is why refusing it cannot make the order of arrival matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leadml.errors import StepNotOpen
from leadml.leads.vocabulary import Outcome, Stage

__all__ = [
    "HOLD",
    "NEWCOMER",
    "REST_DAYS",
    "Consented",
    "Event",
    "Reported",
    "Scored",
    "Standing",
    "before",
    "fold",
    "open_steps",
    "ordered",
    "place_of",
    "require_open",
    "step",
    "trace",
]

HOLD: Final = 0.85
"""A lead keeps its stage until its probability falls below this share of the line."""

REST_DAYS: Final = 30
"""Days after a rejection during which no score lifts the lead to ``mql``."""

_REST: Final = timedelta(days=REST_DAYS)
_REACHED: Final = {Outcome.ACCEPTED: 1, Outcome.OPPORTUNITY: 2, Outcome.WON: 3}
_CLOSED_FROM: Final = {
    Outcome.ACCEPTED: 2,
    Outcome.REJECTED: 2,
    Outcome.OPPORTUNITY: 3,
    Outcome.LOST: 3,
    Outcome.DISQUALIFIED: 3,
    Outcome.WON: 4,
}
_LEADS_TO: Final = {
    Outcome.ACCEPTED: Stage.SAL,
    Outcome.REJECTED: Stage.NURTURE,
    Outcome.OPPORTUNITY: Stage.SQL,
    Outcome.WON: Stage.CUSTOMER,
    Outcome.LOST: Stage.LOST,
    Outcome.DISQUALIFIED: Stage.LOST,
}
_RANK: Final = {outcome: rank for rank, outcome in enumerate(_LEADS_TO)}
_LADDER: Final = (Stage.COLD, Stage.NURTURE, Stage.MQL)


@dataclass(frozen=True, slots=True)
class Scored:
    """A score, with the lines of the policy under which it was made.

    Parameters
    ----------
    at
        When, aware UTC.
    probability
        As shown (four significant digits), in [0, 1].
    nurture, mql
        Lines of the policy, ``nurture <= mql``.
    """

    at: datetime
    probability: float
    nurture: float
    mql: float


@dataclass(frozen=True, slots=True)
class Reported:
    """What people say became of the lead, at the time it happened."""

    at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Consented:
    """Whether the lead may be contacted from then on."""

    at: datetime
    may_contact: bool


Event = Scored | Reported | Consented


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a lead stands after its latest event.

    Parameters
    ----------
    stage
        The stage.
    since
        When the lead entered it; None before the first event.
    reached
        The furthest step ever: 0 none, 1 accepted, 2 opportunity, 3 won.
    may_contact
        Whether it may be contacted, as far as known.
    rejected_at
        Latest rejection, None without one.
    latest
        Time of the latest event that counted, None before the first.
    """

    stage: Stage = Stage.COLD
    since: datetime | None = None
    reached: int = 0
    may_contact: bool = True
    rejected_at: datetime | None = None
    latest: datetime | None = None


NEWCOMER: Final = Standing()


def open_steps(standing: Standing) -> tuple[Outcome, ...]:
    """The reports that a lead standing there may get.

    >>> [str(step) for step in open_steps(Standing(Stage.SQL, reached=2))]
    ['opportunity', 'won', 'lost', 'disqualified']
    """
    return tuple(o for o in Outcome if standing.reached < _CLOSED_FROM[o])


def require_open(standing: Standing, outcome: Outcome) -> None:
    """Refuse a step that what was reached before has closed.

    Raises
    ------
    StepNotOpen
        Names the stage and the steps that are open.

    Examples
    --------
    >>> require_open(Standing(Stage.CUSTOMER, reached=3), Outcome.LOST)
    Traceback (most recent call last):
    leadml.errors.StepNotOpen: 'lost' is not open for a lead that was won ...
    """
    if standing.reached < _CLOSED_FROM[outcome]:
        return
    was = "was won" if standing.reached == 3 else "is an opportunity"
    steps = ", ".join(open_steps(standing))
    error = StepNotOpen(
        f"'{outcome}' is not open for a lead that {was} (stage '{standing.stage}'); "
        f"open steps: {steps}",
        fix=f"report one of: {steps}; or correct occurred_at",
    )
    error.open_steps = tuple(str(step) for step in open_steps(standing))
    raise error


def step(standing: Standing, event: Event) -> Standing:
    """The standing after one event that did not occur before ``standing.latest``.

    A report whose step is closed changes nothing.
    """
    reached, rejected_at = standing.reached, standing.rejected_at
    may_contact = standing.may_contact
    if isinstance(event, Scored):
        moved = _proposed(standing, event)
    elif isinstance(event, Reported):
        if reached >= _CLOSED_FROM[event.outcome]:
            return standing
        moved = _LEADS_TO[event.outcome]
        reached = max(reached, _REACHED.get(event.outcome, 0))
        if event.outcome is Outcome.REJECTED:
            rejected_at = event.at
    else:
        may_contact = event.may_contact
        withdrawn = standing.stage is Stage.MQL and not may_contact
        moved = Stage.NURTURE if withdrawn else standing.stage
    since = event.at if moved is not standing.stage or standing.since is None else standing.since
    return Standing(moved, since, reached, may_contact, rejected_at, event.at)


def _proposed(standing: Standing, event: Scored) -> Stage:
    if standing.stage not in _LADDER:
        return standing.stage
    held = _LADDER.index(standing.stage)
    height = 0
    for rung, line in ((1, event.nurture), (2, event.mql)):
        if event.probability >= (HOLD * line if held >= rung else line):
            height = rung
    if height == 2 and not standing.may_contact:
        return Stage.NURTURE
    if height == 2 and standing.rejected_at is not None and held < 2:
        rested = event.at - standing.rejected_at >= _REST
        return Stage.MQL if rested else Stage.NURTURE
    return _LADDER[height]


def ordered(events: Iterable[Event]) -> list[Event]:
    """Events by the time they occurred; ties by kind, so that any order gives one answer.

    At the same moment consent counts first (a withdrawal last), then scores, then reports
    from the first step to the last.
    """
    return sorted(events, key=place_of)


def place_of(event: Event) -> tuple[datetime, int, float, float, float]:
    """What events are sorted by: the time they occurred, then the kind."""
    if isinstance(event, Consented):
        return event.at, 0, float(not event.may_contact), 0.0, 0.0
    if isinstance(event, Scored):
        return event.at, 1, event.probability, event.mql, event.nurture
    return event.at, 2, float(_RANK[event.outcome]), 0.0, 0.0


def trace(events: Iterable[Event], start: Standing = NEWCOMER) -> Iterator[tuple[Event, Standing]]:
    """Each event in the order of time, with the standing after it."""
    standing = start
    for event in ordered(events):
        standing = step(standing, event)
        yield event, standing


def fold(events: Iterable[Event], start: Standing = NEWCOMER) -> Standing:
    """The standing after all events, whatever their order here.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = [datetime(2026, 11, d, tzinfo=UTC) for d in range(1, 4)]
    >>> events = [
    ...     Reported(day[2], Outcome.REJECTED),
    ...     Scored(day[0], 0.2, 0.05, 0.1),
    ...     Reported(day[1], Outcome.ACCEPTED),
    ... ]
    >>> str(fold(events).stage), str(fold(events[1:]).stage)
    ('nurture', 'sal')
    """
    standing = start
    for event in ordered(events):
        standing = step(standing, event)
    return standing


def before(events: Sequence[Event], event: Event) -> Standing:
    """The standing at the moment of ``event``, from the events that come before it."""
    place = place_of(event)
    return fold(other for other in events if place_of(other) < place)
