"""leadml.monitoring.drift: population drift with counts and luck."""

from dataclasses import replace

import numpy as np
import pytest

from leadml.monitoring.drift import LIMITS, chance_of, drift_of, input_drift, psi, score_drift
from leadml.scorecard import Reference, Scorecard, Scorer
from tests import hand_made

SCORER = Scorer(hand_made.scorecard())
TRAINED = SCORER.many(hand_made.leads(2000, seed=5)).log_odds
REFERENCE = Reference.of(TRAINED, TRAINED, TRAINED).score


def moved(n: int = 3000, seed: int = 11) -> list[dict]:
    """Leads of another world: one industry, more page views, larger companies."""
    found = hand_made.leads(n, seed=seed)
    for place, lead in enumerate(found):
        lead["industry"] = "Retail" if place % 4 else "Aerospace"
        lead["pricing_page_views_30d"] += 3
        lead["employees"] = 4000.0
    return found


def shares_of(leads: list[dict]) -> Scorecard:
    """The hand-made scorecard with the shares that these leads have."""
    card = hand_made.scorecard()
    tables = []
    for table, at in zip(card.columns, SCORER.bins(leads), strict=True):
        share = np.bincount(at, minlength=table.n_bins) / len(at)
        tables.append(replace(table, share=share))
    return replace(card, columns=tuple(tables))


CARD = shares_of(hand_made.leads(2000, seed=5))


def test_equal_counts_have_no_index():
    """The same shares give 0, whatever the number of leads; the index is symmetric."""
    assert psi([10, 20, 70], [1000, 2000, 7000]) < 1e-3
    assert psi([900, 100], [500, 500]) == pytest.approx(psi([500, 500], [900, 100]))
    assert psi([1000, 0], [0, 1000]) > 5


def test_luck_is_told_apart():
    """Among 2,000 comparisons of equal populations about two exceed what luck allows."""
    rng = np.random.default_rng(2)
    share = np.array([0.05, 0.1, 0.15, 0.3, 0.4])
    then, now = rng.multinomial(3000, share, 2000), rng.multinomial(700, share, 2000)
    limit = chance_of(5, 3000, 700)
    above = sum(psi(a, b) > limit for a, b in zip(then, now, strict=True))
    assert above <= 8
    assert 0 < limit < LIMITS[0]


def test_words_follow_the_rule():
    """Steady, moved, shifted, too few: by index, luck and count."""
    even = np.array([500.0, 500.0])
    assert drift_of("x", "ab", even, [250, 250]).word == "steady"
    assert drift_of("x", "ab", even, [345, 155]).word == "moved"
    assert drift_of("x", "ab", even, [450, 50]).word == "shifted"
    assert drift_of("x", "ab", even, [45, 5]).word == "too few to judge"
    assert drift_of("x", "ab", even, [450, 50], judged=False).word == "calendar"
    few = drift_of("x", "abcdefghij", [12] * 10, [25, 5, 12, 12, 12, 10, 10, 10, 9, 9])
    assert LIMITS[0] <= few.psi <= few.chance  # as large by luck where leads are few
    assert few.word == "steady"


def test_leads_like_those_of_the_training_are_steady():
    """Fresh leads of the same world drift in no column and in no chance."""
    leads = hand_made.leads(3000, seed=77)
    found = input_drift(CARD, SCORER.bins(leads), 2000)
    assert {drift.word for drift in found} == {"steady"}
    assert score_drift(REFERENCE, SCORER.many(leads).log_odds, 2000).word == "steady"


def test_leads_of_another_world_are_seen():
    """Each column that moved is named, with counts that add up, and the chances too."""
    leads = moved()
    found = {drift.name: drift for drift in input_drift(CARD, SCORER.bins(leads), 2000)}
    assert {name for name, drift in found.items() if drift.word == "shifted"} == {
        "industry",
        "employees",
        "pricing_page_views_30d",
    }
    assert found["source"].word == "steady"
    new = next(b for b in found["industry"].bins if b.label == "values that training never saw")
    assert (new.then, new.n_now) == (0.0, 750)
    for drift in found.values():
        assert sum(part.n_now for part in drift.bins) == drift.n_now == 3000
        assert sum(part.then for part in drift.bins) == pytest.approx(1)
    assert score_drift(REFERENCE, SCORER.many(leads).log_odds, 2000).word == "shifted"


def test_groups_of_chances_are_those_of_the_training():
    """Tenths of the training leads, each chance in its group, and the labels say which."""
    found = score_drift(REFERENCE, TRAINED, 2000)
    assert found.psi < 1e-3
    assert all(part.then == pytest.approx(0.1, abs=0.03) for part in found.bins)
    assert found.bins[0].label.startswith("above ")
    assert found.bins[-1].label.startswith("up to ")
    moved_on = np.asarray(REFERENCE) + 0.1  # a recalibrated model: the same leads, rounded anew
    assert score_drift(moved_on, TRAINED + 0.1, 2000).psi < 1e-3


def test_one_chance_for_all_is_no_drift():
    """A model that gives everybody the same chance has one group."""
    found = score_drift(np.full(100, -2.0), np.full(300, -2.0), 500)
    assert (found.word, len(found.bins)) == ("steady", 1)
