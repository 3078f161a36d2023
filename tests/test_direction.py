"""Numbers whose total effect may not move against a direction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from learned import learned, table

from leadml import LeadScorer
from leadml.errors import ConfigError, NotProven
from leadml.scorecard import PairTable, Scorer
from leadml.scorecard.direction import isotonic, worst_step
from leadml.training.config import ColumnPlan, TrainConfig
from leadml.training.encoding import encode
from leadml.training.learning import learn, prove
from leadml.training.train import train
from tests import hand_made

FINITE = st.floats(-100, 100, allow_nan=False)


@given(arrays(np.float64, st.integers(1, 30), elements=FINITE), st.randoms())
def test_isotonic_is_the_nearest_sequence_that_never_falls(values, random):
    """It never falls, keeps the weighted mean, and no other such sequence is nearer."""
    weights = np.array([random.uniform(0.1, 5) for _ in values])
    found = isotonic(values, weights)
    assert (np.diff(found) >= 0).all()
    assert weights @ found == pytest.approx(weights @ values, abs=1e-6)
    other = np.sort(np.array([random.uniform(-100, 100) for _ in values]))
    assert weights @ (found - values) ** 2 <= weights @ (other - values) ** 2 + 1e-6
    toward = found + 1e-3 * (other - found)  # still never falls: the set is convex
    assert weights @ (found - values) ** 2 <= weights @ (toward - values) ** 2 + 1e-6


def test_the_worst_step_is_what_the_worst_lead_sees():
    """Walking one number up under every bin of the other columns finds the same step."""
    card = hand_made.scorecard()
    against = np.random.default_rng(0).normal(0, 2, (5, 4))
    card = replace(card, pairs=(*card.pairs, PairTable(1, 3, against)))
    scorer = Scorer(card)
    xs = [0.0, 0.5, np.nextafter(0.5, 1), 1.0, 2.5, np.nextafter(2.5, 3), 10_000.0, 2e4]
    worst = 0.0
    for industry in ("Software", "Healthcare", "Retail", "Mining", "unseen", None):
        for employees in (5.0, 50.0, 500.0, 2000.0, None):
            walk = [
                scorer.one(
                    {"industry": industry, "employees": employees, "pricing_page_views_30d": x}
                ).log_odds
                for x in xs
            ]
            worst = min(worst, *np.diff(walk))
    assert worst < -0.05
    assert worst_step(card, "pricing_page_views_30d", "up") == pytest.approx(worst, abs=1e-9)


def test_a_category_has_no_direction():
    """Asking for one is a mistake of the caller."""
    with pytest.raises(ValueError, match="no direction"):
        worst_step(hand_made.scorecard(), "industry", "up")


@pytest.fixture(scope="module")
def directed():
    """The usual table, learned with directions that its data contradict in places."""
    frame, y, schema, encoded, _ = learned()
    wanted = {"visits": "up", "employees": "up"}  # employees truly lower the odds
    return frame, schema, encoded, learn(schema, encoded, y, folds=3, monotone=wanted)


def test_without_constraints_the_column_does_move_against():
    """The test below could fail: free, the chance falls with employees."""
    *_, free = learned()
    assert worst_step(free.scorecard, "employees", "up") < -0.05


def test_the_total_effect_never_moves_against_its_direction(directed):
    """Proven over all bins of all other columns, pairs included; boosters agree to 1e-9."""
    _, _, encoded, found = directed
    for name in ("visits", "employees"):
        assert worst_step(found.scorecard, name, "up") > -1e-9
    proof = prove(found, encoded)
    assert proof.max_difference < 1e-9
    assert max(proof.against.values()) < 1e-9
    assert worst_step(found.scorecard, "visits", "down") < -0.1  # it still rises


def test_walking_up_never_lowers_the_chance_of_any_lead(directed):
    """Real leads with visits raised step by step: no step lowers their log-odds."""
    frame, _, _, found = directed
    some = frame.head(60)
    walk = np.stack(
        [
            Scorer(found.scorecard).frame(some.assign(visits=x)).log_odds
            for x in np.arange(-1, 13, 0.25)
        ]
    )
    assert np.diff(walk, axis=0).min() > -1e-9
    assert np.ptp(walk, axis=0).min() > 0.2


def test_the_out_of_fold_curves_keep_the_direction_too(directed):
    """Weights and calibration are chosen on models of the same shape as the served one."""
    frame, schema, encoded, found = directed
    assert np.isfinite(found.out_of_fold).all()
    part = found.additive.parts[schema.names.index("employees")]
    assert np.cumsum(part.slopes).min() > -1e-12
    assert encode(schema, frame).matrix.shape == encoded.matrix.shape


def test_a_scorecard_that_breaks_its_word_is_not_proven(directed):
    """A cell moved against the direction by a thousandth is found by the proof."""
    _, schema, encoded, found = directed
    at = schema.names.index("visits")
    broken = found.scorecard.columns[at]
    level = broken.level.copy()
    level[1] = level[0] - 5.0
    columns = list(found.scorecard.columns)
    columns[at] = replace(broken, level=level)
    wrong = replace(found, scorecard=replace(found.scorecard, columns=tuple(columns)))
    with pytest.raises(NotProven):
        prove(wrong, encoded)
    free = replace(learned()[-1], monotone={"employees": "up"})
    with pytest.raises(NotProven, match="against the direction 'up'"):
        prove(free, encoded)


def test_a_training_keeps_to_the_plan_of_its_columns():
    """`monotone` of leadml.toml reaches the served scorecard and is said in the notes."""
    frame, y = table(700)
    config = TrainConfig.from_dict(
        {"target": "won", "folds": 2, "columns": {"employees": {"monotone": "up"}}}
    )
    found = train(frame.assign(won=y.astype(int)), config)
    assert worst_step(found.scorecard, "employees", "up") > -1e-9
    assert found.facts["proof"]["against"]["employees"] < 1e-9
    assert "More employees never lowers a lead's chance: you asked for it." in found.facts["notes"]
    assert TrainConfig.from_dict(config.as_dict()) == config


def test_a_direction_for_a_category_is_refused():
    """By the configuration where the kind is said, by the training where the data say it."""
    with pytest.raises(ConfigError, match="no order"):
        TrainConfig.from_dict({"columns": {"a": {"kind": "category", "monotone": "up"}}})
    with pytest.raises(ConfigError, match="'up' or 'down'"):
        TrainConfig.from_dict({"columns": {"a": {"monotone": "sideways"}}})
    frame, y = table(300)
    config = TrainConfig(target="won", columns={"city": ColumnPlan(monotone="up")})
    with pytest.raises(ConfigError, match="holds categories") as caught:
        train(frame.assign(won=y.astype(int)), config)
    assert caught.value.column == "city"


def test_the_estimator_takes_directions():
    """`LeadScorer(monotone=…)` holds them, and refuses what is no number."""
    frame, y = table(500)
    model = LeadScorer(folds=2, monotone={"employees": "up"}).fit(frame, y)
    assert worst_step(model.scorecard_, "employees", "up") > -1e-9
    with pytest.raises(ConfigError, match="column of numbers"):
        LeadScorer(monotone={"source": "up"}).fit(frame, y)
