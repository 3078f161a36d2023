"""leadml.leads.life."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import StepNotOpen
from leadml.leads import Outcome, Stage
from leadml.leads.life import (
    HOLD,
    REST_DAYS,
    Consented,
    Reported,
    Scored,
    Standing,
    before,
    fold,
    open_steps,
    require_open,
    step,
    trace,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
MOMENT = st.integers(0, 12).map(lambda days: START + timedelta(days=10 * days))
SCORED = st.builds(
    Scored,
    MOMENT,
    st.sampled_from([0.01, 0.045, 0.05, 0.07, 0.09, 0.1, 0.3]),
    st.just(0.05),
    st.just(0.1),
)
REPORTED = st.builds(Reported, MOMENT, st.sampled_from(list(Outcome)))
CONSENTED = st.builds(Consented, MOMENT, st.booleans())
LIFE = st.lists(st.one_of(SCORED, REPORTED, CONSENTED), max_size=9)


def scored(probability: float, day: float = 0) -> Scored:
    """A score under lines at 0.05 and 0.1."""
    return Scored(START + timedelta(days=day), probability, 0.05, 0.1)


def reported(outcome: Outcome, day: float = 0) -> Reported:
    """A report of something that happened on a day."""
    return Reported(START + timedelta(days=day), outcome)


def arriving(events):
    """Events as a store takes them: each refused or written, by what was written before."""
    written, refused = [], []
    for event in events:
        if isinstance(event, Reported):
            try:
                require_open(before(written, event), event.outcome)
            except StepNotOpen:
                refused.append(event)
                continue
        written.append(event)
    return written, refused


@given(st.data(), LIFE)
def test_the_order_of_arrival_changes_nothing(data, events):
    """However reports arrive, and whichever are refused on the way, the lead stands the same."""
    shuffled = data.draw(st.permutations(events))
    written, _ = arriving(shuffled)
    assert fold(written) == fold(events)


@given(LIFE, st.one_of(SCORED, REPORTED, CONSENTED))
def test_a_refused_step_would_have_changed_nothing(events, late):
    """A step that is refused stays without effect whatever is reported later."""
    written, refused = arriving(events)
    assert fold([*written, *refused, late]) == fold([*written, late])


@given(LIFE)
def test_a_score_never_does_what_people_do(events):
    """Scores move leads among cold, nurture and mql, and out of no other stage."""
    standing = Standing()
    for event, after in trace(events):
        if isinstance(event, Scored):
            ladder = {Stage.COLD, Stage.NURTURE, Stage.MQL}
            assert after.stage is standing.stage or {after.stage, standing.stage} <= ladder
        standing = after


@given(LIFE)
def test_whom_nobody_may_contact_is_no_mql(events):
    """Without consent no lead stands at mql."""
    for _, after in trace(events):
        assert after.may_contact or after.stage is not Stage.MQL


@given(st.lists(st.floats(HOLD * 0.1, 0.0999), min_size=1, max_size=20))
def test_a_lead_near_the_line_does_not_flap(probabilities):
    """Between the line and its hold a lead keeps what it is, mql or not."""
    low, high = step(Standing(), scored(0.06)), step(Standing(), scored(0.1))
    for day, probability in enumerate(probabilities, 1):
        low, high = step(low, scored(probability, day)), step(high, scored(probability, day))
        assert (low.stage, high.stage) == (Stage.NURTURE, Stage.MQL)
    assert step(high, scored(HOLD * 0.1 - 1e-6, 30)).stage is Stage.NURTURE


def test_a_score_proposes_by_the_lines():
    """Each line is inclusive, and a score reaches no further than mql."""
    stages = [fold([scored(p)]).stage for p in (0.0499, 0.05, 0.0999, 0.1, 1.0)]
    assert stages == [Stage.COLD, Stage.NURTURE, Stage.NURTURE, Stage.MQL, Stage.MQL]


@pytest.mark.parametrize(
    ("outcome", "stage"),
    [
        (Outcome.ACCEPTED, Stage.SAL),
        (Outcome.REJECTED, Stage.NURTURE),
        (Outcome.OPPORTUNITY, Stage.SQL),
        (Outcome.WON, Stage.CUSTOMER),
        (Outcome.LOST, Stage.LOST),
        (Outcome.DISQUALIFIED, Stage.LOST),
    ],
)
def test_people_decide(outcome, stage):
    """Each report leads to its stage, from wherever it is open."""
    assert fold([scored(0.2), reported(outcome, 1)]).stage is stage


def test_a_rejected_lead_rests():
    """After a rejection no score lifts a lead to mql until it has rested."""
    life = [scored(0.2), reported(Outcome.REJECTED, 1)]
    assert fold([*life, scored(0.9, 2)]).stage is Stage.NURTURE
    assert fold([*life, scored(0.9, REST_DAYS)]).stage is Stage.NURTURE
    assert fold([*life, scored(0.9, REST_DAYS + 1)]).stage is Stage.MQL


def test_a_lost_lead_may_come_back():
    """Sales may take up a lost lead again; a score may not."""
    lost = [reported(Outcome.LOST, 1)]
    assert fold([*lost, scored(0.9, 90)]).stage is Stage.LOST
    assert fold([*lost, reported(Outcome.ACCEPTED, 90)]).stage is Stage.SAL


def test_steps_close_behind_what_was_reached():
    """An opportunity closes the answers of sales, a win everything but another win."""
    assert set(open_steps(Standing())) == set(Outcome)
    assert set(open_steps(Standing(Stage.SAL, reached=1))) == set(Outcome)
    assert open_steps(Standing(Stage.CUSTOMER, reached=3)) == (Outcome.WON,)
    with pytest.raises(StepNotOpen, match="open steps: opportunity, won, lost, disqualified"):
        require_open(Standing(Stage.SQL, reached=2), Outcome.REJECTED)


def test_an_opportunity_that_was_lost_stays_one_that_was_had():
    """What was reached is never undone: no step behind it opens again by losing the lead."""
    standing = fold([reported(Outcome.OPPORTUNITY, 1), reported(Outcome.LOST, 2)])
    assert (standing.stage, standing.reached) == (Stage.LOST, 2)
    assert Outcome.ACCEPTED not in open_steps(standing)


def test_a_stage_remembers_since_when():
    """The time of a stage is that of the event that brought it, not of the latest."""
    standing = fold([scored(0.2), scored(0.25, 1), scored(0.3, 2)])
    assert (standing.since, standing.latest) == (START, START + timedelta(days=2))
