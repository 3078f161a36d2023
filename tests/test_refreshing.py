"""A champion moved to the newest base rate."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learned import learned, table

from leadml.errors import TooFewOutcomes
from leadml.scorecard import Scorer
from leadml.training.config import TrainConfig
from leadml.training.learning import with_reference
from leadml.training.refreshing import recalibrate
from leadml.training.rivals import Rival

CONFIG = TrainConfig(target="won", order_by="rows")


@pytest.fixture(scope="module")
def champion():
    """A scorecard from before the base rate moved."""
    frame, _, _, _, found = learned()
    return Rival("leads@1", with_reference(found.scorecard, frame), CONFIG.as_dict())


def moved(n=3000, shift=0.6):
    """Newer leads of whom more convert than the champion expects."""
    frame, y = table(n, seed=21)
    random = np.random.default_rng(5)
    return frame.assign(won=np.maximum(y, random.random(n) < shift * 0.4).astype(int))


def test_only_the_intercept_moves(champion):
    """Every log-odds moves by the same amount, towards what happened."""
    frame = moved()
    found = recalibrate(frame, CONFIG, champion, {})
    before = Scorer(champion.scorecard).frame(frame)
    after = Scorer(found.scorecard).frame(frame)
    gap = after.log_odds - before.log_odds
    assert np.ptp(gap) < 1e-9
    assert gap[0] > 0.2
    newest = frame.won.to_numpy()[-1000:]
    assert abs(after.probability[-1000:].mean() - newest.mean()) < 0.02
    assert abs(before.probability[-1000:].mean() - newest.mean()) > 0.05


def test_the_gate_compares_with_the_champion_as_it_is(champion):
    """After a real move the recalibrated version passes and is better."""
    found = recalibrate(moved(), CONFIG, champion, {"notes": ["kept"]})
    assert found.facts["gate"]["passed"]
    assert "as served" in found.facts["gate"]["lines"][-1]["sentence"]
    assert found.facts["notes"][-1] == "kept"
    assert "only the intercept moved" in found.facts["notes"][0]


def test_too_few_mature_leads_are_refused(champion):
    """Below fifty nothing is moved, and the command says what is missing."""
    with pytest.raises(TooFewOutcomes, match="49 leads"):
        recalibrate(moved(49), CONFIG, champion, {})


def dated(n):
    """Leads of whom one comes each hour."""
    return moved(n).assign(came=pd.date_range("2026-01-01", periods=n, freq="h").astype(str))


def test_leads_that_the_champion_learned_from_are_no_test(champion):
    """What it has seen may move the intercept, but the move is tried on newer leads alone."""
    frame, config = dated(1000), replace(CONFIG, order_by="", created_at="came")
    seen = pd.Timestamp(frame.came[879], tz="UTC").timestamp()
    found = recalibrate(frame, config, replace(champion, seen_until=seen), {})
    assert len(found.tested) == 120
    with pytest.raises(TooFewOutcomes, match=r"only 40 leads .* newer than all that leads@1"):
        recalibrate(frame.head(920), config, replace(champion, seen_until=seen), {})
