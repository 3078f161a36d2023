"""A search for better parameters, believed only where it is better than noise."""

import time

import numpy as np
import pytest
from learned import table

from leadml import LeadScorer
from leadml.leads import Schema
from leadml.training import searching
from leadml.training.config import TrainConfig
from leadml.training.encoding import columns_of, encode
from leadml.training.learning import learn, prove
from leadml.training.searching import search
from leadml.training.train import train
from leadml.training.trees import recipes_of


def encoded_table(n=600, seed=0):
    """The usual table, encoded."""
    frame, y = table(n, seed)
    schema = Schema(columns_of(frame, frame.columns))
    return frame, y, schema, encode(schema, frame)


def spoiled(n, n_columns, seed=0):
    """Recipes that learn next to nothing, so that a search has something to find."""
    spoil = {"min_data_in_leaf": int(0.45 * n)}
    return tuple(recipe.changed(spoil) for recipe in recipes_of(n, n_columns, seed))


def test_the_usual_recipe_stays_where_nothing_is_plainly_better():
    """On labels without signal no trial wins by more than noise, whatever it scored."""
    _, y, schema, encoded = encoded_table()
    shuffled = np.random.default_rng(3).permutation(y)
    found = search(schema, encoded, shuffled, 4.0, seed=1)
    assert not found.better
    assert found.changes == ({}, {})
    assert found.trials >= 1
    assert "usual recipe stayed" in found.sentence


def test_a_poor_recipe_is_replaced(monkeypatch):
    """Where the recipe is far from good, the best trial beats it on fresh folds."""
    monkeypatch.setattr(searching, "recipes_of", spoiled)
    _, y, schema, encoded = encoded_table()
    found = search(schema, encoded, y, 6.0)
    assert found.better
    assert found.difference + 2 * found.error < 0
    assert found.changes[0]["min_data_in_leaf"] <= 30
    assert "replaced the usual recipe" in found.sentence
    assert found.as_dict()["better"]


def test_the_time_is_kept():
    """However short or long: the search ends about then, and tells how far it is."""
    _, y, schema, encoded = encoded_table()
    told = []
    for seconds in (0.05, 3.0):
        started = time.perf_counter()
        found = search(
            schema, encoded, y, seconds, progress=lambda step, done, total: told.append(done)
        )
        took = time.perf_counter() - started
        assert took < seconds + 12, "the recipe itself and one fold may run over"
        assert found.seconds == pytest.approx(took, abs=0.5)
    assert max(told) <= 3.0
    none = search(schema, encoded, y, 0.01)
    assert none.trials == 0
    assert not none.better


def test_changed_parameters_are_learned_with_and_proven():
    """The boosters carry them, and the scorecard still equals the boosters."""
    _, y, schema, encoded = encoded_table(400)
    changes = ({"learning_rate": 0.031}, {"lambda_l2": 7.5})
    found = learn(schema, encoded, y, folds=2, changes=changes)
    assert "[learning_rate: 0.031]" in found.bags[0].boosters[0].model_to_string()
    assert "[lambda_l2: 7.5]" in found.bags[1].boosters[0].model_to_string()
    assert prove(found, encoded).max_difference < 1e-9


def test_a_training_searches_in_the_past_only():
    """One search on the rows before the test serves test and final model; the notes tell."""
    frame, y = table(700)
    config = TrainConfig(target="won", order_by="rows", folds=2, search_seconds=2)
    steps = []
    found = train(
        frame.assign(won=y.astype(int)),
        config,
        progress=lambda step, done, total: steps.append((step, total)),
    )
    assert {total for step, total in steps if step == "searching"} == {2.0}
    assert found.facts["recipe"]["search"]["trials"] >= 0
    assert found.facts["recipe"]["search"]["sentence"] in found.facts["notes"]


def test_folds_share_the_time():
    """Without an order every fold searches in its own rows; the parts add up to the time."""
    frame, y = table(400)
    config = TrainConfig(target="won", folds=2, search_seconds=3)
    steps = []
    train(
        frame.assign(won=y.astype(int)),
        config,
        progress=lambda step, done, total: steps.append((step, total)),
    )
    assert {total for step, total in steps if step == "searching"} == {1.0}


def test_the_estimator_searches_if_asked():
    """`LeadScorer(search_seconds=…)` keeps what was found."""
    frame, y = table(400)
    model = LeadScorer(folds=2, search_seconds=1).fit(frame, y)
    assert model.searched_.seconds > 0
    assert LeadScorer(folds=2).fit(frame, y).searched_ is None
