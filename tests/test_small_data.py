"""Few conversions: never a refusal from ten on, and never more said than is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from learned import table
from sklearn.metrics import roc_auc_score

from leadml import LeadScorer
from leadml.errors import TooFewConversions
from leadml.scorecard import Scorer
from leadml.training.config import TrainConfig
from leadml.training.train import train

SEEDS = (0, 1, 2)


def few(conversions: int, seed: int = 0, per: int = 8) -> pd.DataFrame:
    """The usual table with that many conversions, and ``per`` leads for each of them."""
    frame, y = table(conversions * per * 3, seed)
    won = np.flatnonzero(y == 1)[:conversions]
    lost = np.flatnonzero(y == 0)[: conversions * (per - 1)]
    rows = np.sort(np.concatenate((won, lost)))
    return frame.iloc[rows].reset_index(drop=True).assign(won=y[rows].astype(int))


def trained(conversions: int, seed: int = 0, order_by: str = ""):
    """A training on them."""
    return train(few(conversions, seed), TrainConfig(target="won", folds=3, order_by=order_by))


@pytest.mark.parametrize("order_by", ["", "rows"])
@pytest.mark.parametrize("conversions", [10, 14])
def test_below_fifteen_every_lead_gets_the_base_rate(conversions, order_by):
    """Not refused: one chance for all, provisional, and the sentence says from where on more."""
    found = trained(conversions, order_by=order_by)
    assert found.facts["verdict"]["rule"] == "base_rate_only"
    assert found.facts["verdict"]["word"] == "provisional"
    chances = Scorer(found.scorecard).frame(few(conversions)).probability
    assert np.ptp(chances) == 0
    assert chances[0] == pytest.approx(1 / 8, abs=0.02)
    assert found.policy.mql <= found.policy.sql


def test_below_ten_nothing_can_be_learned():
    """Nine conversions are refused with what to bring."""
    with pytest.raises(TooFewConversions, match="only 9 conversions"):
        trained(9)


@pytest.mark.parametrize("conversions", [15, 40, 99])
def test_below_a_hundred_it_is_provisional(conversions):
    """Leads are ranked, but nobody is told to trust it; the interval is wide or not shown."""
    found = trained(conversions, seed=1)
    assert found.facts["verdict"]["word"] in ("provisional", "no")
    rule = found.facts["verdict"]["rule"]
    assert rule in ("few_conversions", "no_better_than_chance", "blocked")
    auc = found.facts["metrics"]["roc_auc"]
    if conversions < 20:
        assert auc.get("low") is None
    else:
        assert auc["high"] - auc["low"] > 0.05


def test_more_conversions_rank_better():
    """The learning curve rises on new leads: 15, 40, 100, 300 conversions, mean of three draws."""
    new, truth = table(6000, seed=99)

    def auc(conversions, seed):
        leads = few(conversions, seed)
        model = LeadScorer(folds=3, prove=False).fit(leads.drop(columns="won"), leads["won"])
        return roc_auc_score(truth, model.decision_function(new))

    curve = [float(np.mean([auc(k, seed) for seed in SEEDS])) for k in (15, 40, 100, 300)]
    assert curve[0] > 0.58
    assert curve[-1] > curve[0] + 0.03
    assert all(later > earlier - 0.01 for earlier, later in itertools.pairwise(curve))
    assert curve[-1] > 0.72


def test_from_a_hundred_on_it_is_judged_in_full():
    """The rule no longer is the number of conversions."""
    found = trained(120)
    assert found.facts["verdict"]["rule"] not in ("base_rate_only", "few_conversions")
