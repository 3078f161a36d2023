"""leadml.webhooks.schedule."""

import random

from hypothesis import given
from hypothesis import strategies as st

from leadml.webhooks.schedule import JITTER, STANDARD_S, Schedule


def test_the_pauses_are_those_of_the_specification():
    """At once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in 3 days."""
    hours = 3600
    assert (
        *(0, 5, 300, 1800),
        *(2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours),
    ) == STANDARD_S
    assert 3 * 86_400 < Schedule().span_s < 4 * 86_400


@given(st.integers(0, 12), st.integers(), st.one_of(st.none(), st.floats(0, 1e5)))
def test_pauses_vary_by_a_tenth_and_respect_what_was_asked(attempts, seed, asked):
    """Every pause lies within a tenth of the schedule's, or beyond what the receiver asked."""
    pause = Schedule(chance=random.Random(seed)).pause_s(attempts, asked)
    if attempts >= len(STANDARD_S):
        assert pause is None
        return
    usual = STANDARD_S[attempts]
    assert pause >= max(usual * (1 - JITTER), asked or 0) - 1e-6
    assert pause <= max(usual, asked or 0) * (1 + JITTER) + 1e-6


def test_pauses_differ():
    """Receivers that were down are not all called at the same moment."""
    schedule = Schedule(chance=random.Random(1))
    assert len({schedule.pause_s(3) for _ in range(50)}) == 50
