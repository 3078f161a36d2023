"""leadml.training.intake: how many leads come in, and the chances they get."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from test_train import CONFIG, history

from leadml.datasets.simulate import END, simulate
from leadml.scorecard import Scorer
from leadml.thresholds import Cohort, ThresholdPlan, policy_of
from leadml.training.config import TrainConfig
from leadml.training.intake import FEWEST, leads_per_week, newest_unlearned
from leadml.training.labels import label
from leadml.training.train import train

SHARES = (0.05, 0.1, 0.2, 0.4)
NEW = timedelta(days=60)


def test_weekly_volume_is_the_median_of_recent_full_weeks():
    """2,400 leads in 360 days are about 47 a week."""
    weekly, known = leads_per_week(label(history(), CONFIG))
    assert known
    assert weekly == pytest.approx(2400 / 360 * 7, rel=0.05)


def test_newest_leads_are_those_nobody_learned_from():
    """The leads younger than the horizon, and no others; without times, or too few, none."""
    frame = history()
    labels = label(frame, CONFIG)
    newest = newest_unlearned(labels)
    assert not labels.known[newest].any()
    assert set(newest) == set(np.flatnonzero(~labels.known))
    assert len(newest) == labels.n_immature
    timeless = replace(CONFIG, created_at="", outcome_at="", horizon_days=None)
    assert newest_unlearned(label(frame, timeless)).size == 0
    few = replace(CONFIG, horizon_days=3)
    assert 0 < label(frame, few).n_immature < FEWEST
    assert newest_unlearned(label(frame, few)).size == 0


def fares(past, config, future):
    """By what factor the leads to come miss the share that each line was drawn for.

    Gives, per share, the factor of the lines as drawn, that of lines drawn on the tested
    model's own chances, and whether as many came as the range of a usual week says.
    """
    result = train(past, config)
    chances = Scorer(result.scorecard).frame(future).probability
    weeks = NEW.days / 7
    weekly = len(future) / weeks
    cohort = Cohort.from_dict(result.facts["cohort"])
    assert cohort.newest >= FEWEST
    own = Cohort.of(result.tested[:, 1], result.tested[:, 0], weekly)
    found = []
    for share in SHARES:
        plan = ThresholdPlan(capacity_per_week=share * weekly, leads_per_week=weekly)
        policy = policy_of(cohort, plan)
        volume = policy.expected[0].volume_per_week
        assert volume.value <= share * weekly + 1e-9
        proposed = (chances >= policy.mql).sum() / weeks
        before = (chances >= policy_of(own, plan).mql).mean()
        found.append((proposed / volume.value, before / share, volume.low, proposed, volume.high))
    return np.array(found).T


def test_lines_let_through_what_they_say_when_leads_change():
    """Leads have had more visits lately: the served model proposes what its lines say of them.

    Lines drawn on the tested leads' own chances would propose far more.
    """
    random = np.random.default_rng(5)
    days = np.sort(random.uniform(0, 360 + NEW.days, 5000))
    visits = random.poisson(np.where(days < 290, 2.5, 3.5)).astype(float)
    source = random.choice(["web", "fair", "ad"], days.size)
    chance = 1 / (1 + np.exp(3 - 0.45 * visits - 0.8 * (source == "fair")))
    created = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(days, unit="D")
    frame = pd.DataFrame({"visits": visits, "source": source, "created": created})
    past = frame[days < 360]
    won = random.random(len(past)) < chance[days < 360]
    seen = won & (days[days < 360] + random.uniform(1, 50, len(past)) < 360)
    config = TrainConfig(
        target="won", created_at="created", horizon_days=60, recency="all", folds=3
    )
    now, before, low, proposed, high = fares(
        past.assign(won=seen.astype(int)), config, frame[days >= 360]
    )
    assert ((low <= proposed) & (proposed <= high)).all()
    assert np.abs(now - 1).max() < 0.2
    assert np.abs(before - 1).max() > 0.3


def test_every_figure_at_a_line_counts_the_same_leads():
    """Levels of a column hold together as many leads above the line as the policy expects."""
    result = train(history(), CONFIG)
    cohort = Cohort.from_dict(result.facts["cohort"])
    above, _ = cohort.above(result.policy.mql)
    for column in result.facts["segments"]:
        told = sum(round(level["chosen"] * level["n"]) for level in column["levels"])
        assert told == above


@pytest.mark.slow
def test_lines_let_through_what_they_say_in_simulated_histories():
    """Over five histories the share proposed is missed less than by the tested model's lines."""
    found = []
    for seed in range(5):
        leads = simulate(6000, seed, months=20).leads
        born = pd.to_datetime(leads["created_at"], utc=True)
        won_at = pd.to_datetime(leads["converted_at"], utc=True)
        until = END - NEW
        past = leads[born < until]
        won = (won_at[past.index] < until).astype(int)  # what was known by then
        config = TrainConfig(
            target="converted",
            id="lead_id",
            created_at="created_at",
            outcome_at="converted_at",
            horizon_days=90,
            as_of=until.isoformat(),
            recency="all",
        )
        past = past.assign(converted=won, converted_at=past["converted_at"].where(won.astype(bool)))
        found.append(fares(past, config, leads[born >= until]))
    now, before, low, proposed, high = np.concatenate(found, axis=1)
    assert ((low <= proposed) & (proposed <= high)).mean() >= 0.9
    assert np.sqrt(np.mean((now - 1) ** 2)) < 0.8 * np.sqrt(np.mean((before - 1) ** 2))
