"""Learning, compiling and proving a scorecard."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learned import learned, table
from sklearn.metrics import log_loss, roc_auc_score

from leadml.errors import NotProven
from leadml.leads import Schema
from leadml.scorecard import Scorer
from leadml.scorecard.effects import effects_of, pairs_of
from leadml.training.blending import affine_calibration, blend_weights, log_loss_of
from leadml.training.encoding import columns_of, encode
from leadml.training.learning import learn, prove


def test_the_scorecard_equals_its_boosters_on_every_row_and_on_hostile_ones():
    """Missing, unseen, exact thresholds, their neighbours and 1e300: at most 1e-9 apart."""
    _, _, _, encoded, found = learned()
    proof = prove(found, encoded)
    assert proof.rows == len(encoded) + 2000
    assert proof.max_difference < 1e-9
    assert proof.additivity < 1e-9


def test_a_wrong_scorecard_is_not_proven():
    """Moving one cell by a thousandth is found."""
    _, _, _, encoded, found = learned()
    table_ = found.scorecard.columns[0]
    level = table_.level.copy()
    level[3] += 1e-3
    columns = (replace(table_, level=level), *found.scorecard.columns[1:])
    wrong = replace(found, scorecard=replace(found.scorecard, columns=columns))
    with pytest.raises(NotProven, match="differs from its boosters"):
        prove(wrong, encoded)


def test_effects_average_to_zero_on_the_training_rows():
    """Every main effect over its rows, every pair over the product of its marginals."""
    frame, _, _, encoded, found = learned()
    card = found.scorecard
    for i, (column, effect) in enumerate(zip(card.schema.columns, card.columns, strict=True)):
        values = encoded.matrix[:, i]
        mean = effect.level @ effect.share
        if effect.slope.any():
            at = np.searchsorted(effect.thresholds, values)
            at[np.isnan(values)] = effect.missing_bin
            x = np.clip(np.nan_to_num(values), *effect.clip)
            mean += (effect.slope[at] * np.where(np.isnan(values), 0, x)).mean()
        assert mean == pytest.approx(0, abs=1e-9), column.name
        assert effect.share.sum() == pytest.approx(1)
    for pair in card.pairs:
        first, second = card.columns[pair.first].share, card.columns[pair.second].share
        np.testing.assert_allclose(pair.cells @ second, 0, atol=1e-9)
        np.testing.assert_allclose(first @ pair.cells, 0, atol=1e-9)
    assert len(frame) == len(encoded)


def test_the_same_seed_gives_the_same_scorecard_whatever_the_jobs():
    """One fold at a time or two at once: equal to the last bit."""
    _, y, schema, encoded, found = learned()
    again = learn(schema, encoded, y, folds=4, jobs=2)
    assert again.scorecard.as_dict() == found.scorecard.as_dict()


def test_column_order_barely_matters():
    """Reversed columns rank new leads alike (bags draw columns at random)."""
    frame, y, *_ = learned()
    new, truth = table(3000, seed=9)
    chances = []
    for names in (list(frame.columns), list(frame.columns)[::-1]):
        schema = Schema(columns_of(frame, names))
        found = learn(schema, encode(schema, frame), y, folds=4)
        chances.append(Scorer(found.scorecard).frame(new).probability)
    assert np.corrcoef(*chances)[0, 1] > 0.98
    assert abs(roc_auc_score(truth, chances[0]) - roc_auc_score(truth, chances[1])) < 0.01


def test_shuffled_outcomes_teach_nothing():
    """Without a signal the AUC on new leads is near one half."""
    frame, y, schema, encoded, _ = learned()
    shuffled = np.random.default_rng(1).permutation(y)
    found = learn(schema, encoded, shuffled, folds=4)
    new, truth = table(4000, seed=5)
    assert roc_auc_score(truth, Scorer(found.scorecard).frame(new).log_odds) == pytest.approx(
        0.5, abs=0.08
    )
    assert len(frame) == len(y)


def test_chances_on_new_leads_are_calibrated():
    """Predicted and observed share agree on leads of the same kind."""
    _, _, _, _, found = learned()
    new, truth = table(20_000, seed=3)
    chances = Scorer(found.scorecard).frame(new).probability
    assert chances.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert log_loss(truth, chances) < log_loss(truth, np.full(len(truth), truth.mean())) - 0.03


def test_the_interaction_is_found():
    """Referral pays only after two visits: with enough rows that pair is the strongest."""
    frame, y = table(8000)
    schema = Schema(columns_of(frame, frame.columns))
    found = learn(schema, encode(schema, frame), y, folds=3)
    assert set(pairs_of(found.scorecard)[0]["columns"]) == {"visits", "source"}


def test_below_fifteen_conversions_only_the_base_rate_is_learned():
    """Every lead gets the same chance, that of the table."""
    frame, y = table(300)
    few = np.zeros(len(y))
    few[:14] = 1
    schema = Schema(columns_of(frame, frame.columns))
    found = learn(schema, encode(schema, frame), few)
    chances = Scorer(found.scorecard).frame(frame).probability
    assert np.unique(chances).tolist() == [pytest.approx(14.5 / 301)]
    assert prove(found, encode(schema, frame)).max_difference == 0


def test_an_empty_and_a_constant_column_do_no_harm():
    """They get tables whose points are zero."""
    frame, y = table(400)
    frame = frame.assign(nothing=np.nan, always="x")
    schema = Schema(columns_of(frame, frame.columns))
    found = learn(schema, encode(schema, frame), y, folds=3)
    prove(found, encode(schema, frame))
    for name in ("nothing", "always"):
        at = schema.names.index(name)
        effect = found.scorecard.columns[at]
        assert effect.level @ effect.share == pytest.approx(0, abs=1e-9)


def test_weights_follow_evidence_and_stay_near_equal_without_it():
    """A useless part loses its weight on many rows and keeps most of it on few."""
    random = np.random.default_rng(0)
    z = random.normal(0, 2, 20_000)
    y = (random.random(20_000) < 1 / (1 + np.exp(-z))).astype(float)
    noise = random.normal(0, 2, 20_000)
    many = blend_weights(y, [z, noise])
    assert many[0] > 0.95
    few = blend_weights(y[:30], [z[:30], noise[:30]])
    assert few[1] > many[1]
    assert many.sum() == pytest.approx(1)
    assert (many >= 0).all()


def test_affine_calibration_undoes_a_known_distortion():
    """Log-odds stretched by two and shifted by one come back."""
    random = np.random.default_rng(2)
    z = random.normal(-1, 1.5, 40_000)
    y = (random.random(40_000) < 1 / (1 + np.exp(-z))).astype(float)
    slope, intercept = affine_calibration(y, 2 * z + 1)
    assert slope == pytest.approx(0.5, abs=0.02)
    assert intercept == pytest.approx(-0.5, abs=0.04)
    assert log_loss_of(y, slope * (2 * z + 1) + intercept) <= log_loss_of(y, 2 * z + 1)


def test_effects_say_what_was_learned():
    """More visits raise the odds; importance adds up to one."""
    frame, _, _, _, found = learned()
    contributions = Scorer(found.scorecard).frame(frame).contributions
    effects = effects_of(found.scorecard, contributions)
    assert sum(effect["importance"] for effect in effects) == pytest.approx(1)
    visits = next(effect for effect in effects if effect["column"] == "visits")
    assert visits["points"][-1]["log_odds_to"] > visits["points"][0]["log_odds_from"] + 0.5
    cities = next(effect for effect in effects if effect["column"] == "city")
    assert sum(point["share"] for point in cities["points"]) == pytest.approx(1, abs=0.02)


def test_future_rows_change_nothing_in_the_past():
    """What was learned from the first rows does not depend on rows that came later."""
    frame, y = table(900)
    past = frame.iloc[:700]
    schema = Schema(columns_of(past, past.columns))
    alone = learn(schema, encode(schema, past), y[:700], folds=3)
    later = pd.concat([past, frame.iloc[700:].assign(city="new")])
    again = Schema(columns_of(later.iloc[:700], later.columns))
    assert learn(again, encode(again, past), y[:700], folds=3).scorecard.as_dict() == (
        alone.scorecard.as_dict()
    )


def test_calendar_columns_are_proven_too():
    """The proof holds where columns are derived from a timestamp, hostile parts included."""
    frame, y = table(600)
    hours = np.random.default_rng(1).integers(0, 24 * 90, len(frame))
    frame["created_at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(hours, unit="h")
    schema = Schema(columns_of(frame, ["visits", "source"], created_at="created_at"))
    assert "created_at.hour" in schema.names
    encoded = encode(schema, frame)
    found = learn(schema, encoded, y, folds=2)
    assert prove(found, encoded).max_difference < 1e-9
    scored = Scorer(found.scorecard).frame(frame).log_odds
    np.testing.assert_allclose(Scorer(found.scorecard).one(dict(frame.iloc[0])).log_odds, scored[0])


def test_numbers_without_end_are_proven_too():
    """Infinities beside small numbers give a scorecard that still equals its boosters."""
    frame, y = table(600)
    random = np.random.default_rng(1)
    frame["endless"] = random.choice([np.finfo(float).max, -np.finfo(float).max, 3.0, 4.0], 600)
    schema = Schema(columns_of(frame, frame.columns))
    encoded = encode(schema, frame)
    proof = prove(learn(schema, encoded, y, folds=3), encoded)
    assert proof.max_difference < 1e-9


def test_a_column_named_like_a_calendar_part_keeps_its_name():
    """Calendar parts of the creation step aside for columns of the table."""
    frame = pd.DataFrame({"at": ["2024-01-05", "2024-02-07"], "at.weekday": [1, 2]})
    found = columns_of(frame, ["at.weekday"], created_at="at")
    assert [column.name for column in found] == ["at.weekday", "at.weekday_", "at.day"]
    assert found[1].derive == "weekday"
