"""How far back a model learns, chosen by tries inside the history."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import ConfigError
from leadml.training.config import TrainConfig
from leadml.training.recency import ALL, NEWEST, choose_recency, moved, parts
from leadml.training.train import train


def turned(n=2600, at=0.5, seed=2):
    """Leads in order of time; from ``at`` on the sources swap what they promise."""
    random = np.random.default_rng(seed)
    source = random.integers(0, 3, n)
    visits = random.poisson(3, n)
    late = np.arange(n) >= at * n
    promise = np.where(late, np.array([0.9, -0.9, 0.0])[source], np.array([-0.9, 0.9, 0.0])[source])
    y = (random.random(n) < 1 / (1 + np.exp(1.2 - 2 * promise - 0.1 * visits))).astype(int)
    frame = pd.DataFrame({"source": np.array(["fair", "web", "ad"])[source], "visits": visits})
    return frame.assign(won=y)


CONFIG = TrainConfig(target="won", order_by="rows", folds=3)


@pytest.fixture(scope="module")
def found():
    """Trainings on a world that turned round, by policy."""
    frame = turned()
    return {
        policy: train(frame, replace(CONFIG, recency=policy)).facts
        for policy in ("auto", "all", "newest")
    }


def test_a_world_that_turned_round_is_learned_from_its_newest_part(found):
    """Both tries speak for it, and the leads of the test, which none has seen, agree."""
    chosen = found["auto"]["recipe"]["recency"]
    assert chosen["policy"] == NEWEST
    assert len(chosen["tried"]) == 2
    assert all(one[NEWEST] < one[ALL] for one in chosen["tried"])
    loss = {policy: facts["metrics"]["log_loss"]["value"] for policy, facts in found.items()}
    assert loss["auto"] < loss["all"] - 0.02
    assert loss["auto"] == loss["newest"]
    assert any("source changed; the newest 30 %" in note for note in found["auto"]["notes"])
    assert any("held out and moved the chance" in note for note in found["auto"]["notes"])


def test_what_people_ask_for_is_done_and_said(found):
    """``newest`` needs no reason in the data; ``all`` needs no note."""
    assert any("you asked for it" in note for note in found["newest"]["notes"])
    assert found["newest"]["recipe"]["recency"]["tried"] == []
    assert "recency" not in found["all"]["recipe"]


def test_the_tested_leads_have_no_say():
    """Whatever becomes of the leads of the test, the model it tests is the same."""
    frame = turned(2000)
    other = frame.copy()
    last = slice(1600, None)
    other.loc[other.index[last], "won"] = 1 - other["won"].to_numpy()[last]
    config = replace(CONFIG, test_share=0.2)
    first, second = train(frame, config), train(other, config)
    assert (first.tested[:, 1] == second.tested[:, 1]).all()
    assert (first.tested[:, 0] != second.tested[:, 0]).all()


def test_a_steady_world_is_not_tried():
    """Where nothing moved all leads count, and nothing is said of it."""
    frame = turned(at=0.0)
    assert moved(frame, frame.won.to_numpy(float), np.arange(2600.0), ("source", "visits")) == ""
    facts = train(frame, CONFIG).facts
    assert "recency" not in facts["recipe"]
    assert not any("newest 30 %" in note for note in facts["notes"])


def test_the_rate_and_the_columns_that_moved_are_named():
    """The reason stands in words."""
    frame = turned(at=0.85)
    y = frame.won.to_numpy(float)
    assert moved(frame, y, np.arange(2600.0), ("source", "visits")) == "source changed"
    y[2080:] = np.arange(520) % 10 < 7
    assert "the conversion rate moved" in moved(frame, y, np.arange(2600.0), ("visits",))


@given(st.lists(st.integers(0, 50), min_size=10, max_size=400), st.sampled_from([ALL, NEWEST]))
def test_what_is_held_out_is_newer_than_what_is_learned_from(days, policy):
    """No row is on both sides, and none learned from is newer than one held out."""
    order = np.array(days, dtype=float)
    learned_from, held = parts(order, len(order), policy)
    assert not set(learned_from) & set(held)
    if len(held):
        assert order[learned_from].max() <= order[held].min()
    if policy == ALL:
        assert len(learned_from) == len(order)


def decided(gain_of_window, noise=0.0):
    """What is chosen where the newest part gains so much probability of what happened."""
    y = np.tile([1.0, 0.0, 0.0], 2000)

    def fit(policy, past):
        gain = 0.0 if policy == ALL else gain_of_window[len(past) > 5000]

        def predict(window):
            shaken = np.random.default_rng(len(past)).normal(0, noise, len(window))
            right = 0.6 + (gain + shaken if policy == NEWEST else 0.0)
            return np.where(y[window] > 0, right, 1 - right)

        return predict

    return choose_recency(y, np.arange(6000.0), 0.0, "something moved", fit)


def test_the_newest_part_has_to_win_every_try():
    """A loss in one of two tries keeps all leads, however large the other gain."""
    assert decided((0.05, 0.05)).policy == NEWEST
    found = decided((-0.01, 0.2))
    assert found.policy == ALL
    assert found.tried[1][NEWEST] < found.tried[1][ALL]
    assert "not plainly better" in found.sentence


def test_a_gain_within_noise_is_none():
    """Better in both tries, but by less than two standard errors: all leads count."""
    found = decided((0.012, 0.012), noise=0.1)
    assert all(one[NEWEST] < one[ALL] for one in found.tried)
    assert found.policy == ALL


def test_tries_learn_only_from_outcomes_that_were_known_by_then():
    """Before each window lies a gap of the time after which an outcome is known."""
    y = np.tile([1.0, 0.0, 0.0], 2000)
    order = np.random.default_rng(0).permutation(6000).astype(float)
    seen = []

    def fit(policy, past):
        return lambda window: (
            seen.append((order[past].max(), order[window].min())) or np.full(len(window), 0.3)
        )

    choose_recency(y, order, 250.0, "something moved", fit)
    assert len(seen) == 4
    assert all(newest + 250.0 <= first for newest, first in seen)
    assert {first for _, first in seen} == {4800.0, 5400.0}


def test_a_short_history_is_not_cut():
    """Fewer than a hundred conversions in the newest part: all of it counts, and why."""
    y = np.tile([1.0, 0.0, 0.0, 0.0], 100)
    found = choose_recency(y, np.arange(400.0), 0.0, "something moved", lambda policy, past: None)
    assert found.policy == ALL
    assert "too short" in found.sentence


def test_a_wrong_word_is_refused():
    """The choices are named."""
    with pytest.raises(ConfigError, match="'auto' or 'all' or 'newest'"):
        TrainConfig(recency="new")
