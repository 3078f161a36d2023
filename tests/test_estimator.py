"""LeadScorer as a scikit-learn estimator."""

import copy
import pickle
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from learned import table
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import leadml
from leadml.errors import (
    ColumnMissing,
    ConfigError,
    InvalidValue,
    OutcomeInvalid,
    TableEmpty,
    TargetOneClass,
)


@pytest.fixture(scope="module")
def fitted():
    """A fitted model with its table."""
    X, y = table(800)
    return leadml.LeadScorer(folds=4).fit(X, y), X, y


def test_importing_leadml_loads_no_learning_library():
    """The estimator comes lazily."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import leadml, sys; print([m for m in ('sklearn', 'pandas', 'lightgbm') "
            "if m in sys.modules]); leadml.LeadScorer; print('sklearn' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    assert said[:2] == ["[]", "True"]


def test_it_clones_and_keeps_its_parameters():
    """Clone gives an unfitted twin."""
    twin = clone(leadml.LeadScorer(folds=3, random_state=7))
    assert twin.get_params()["folds"] == 3
    assert twin.get_params()["random_state"] == 7
    with pytest.raises(NotFittedError):
        twin.predict_proba(pd.DataFrame({"x": [1]}))


def test_it_works_in_cross_validation_and_in_a_pipeline(fitted):
    """cross_val_score and Pipeline treat it as any classifier."""
    _, X, y = fitted
    scores = cross_val_score(leadml.LeadScorer(folds=3, prove=False), X, y, cv=3, scoring="roc_auc")
    assert scores.mean() > 0.65
    steps = make_pipeline(FunctionTransformer(), leadml.LeadScorer(folds=3, prove=False))
    assert steps.fit(X, y).predict_proba(X).shape == (len(X), 2)


def test_the_second_class_counts_as_conversion_whatever_it_is_called():
    """Classes may be words; probabilities stay the same."""
    X, y = table(500)
    words = np.where(y > 0, "yes", "no")
    a = leadml.LeadScorer(folds=3, prove=False).fit(X, y)
    b = leadml.LeadScorer(folds=3, prove=False).fit(X, words)
    assert b.classes_.tolist() == ["no", "yes"]
    assert (a.predict_proba(X) == b.predict_proba(X)).all()
    assert set(b.predict(X)) <= {"no", "yes"}


@pytest.mark.parametrize(
    ("no", "yes", "given"),
    [("nein", "ja", None), ("lost", "won", None), ("x", "closed won", "closed won"), (7, 3, 3)],
)
def test_the_conversion_is_known_by_its_word(no, yes, given):
    """ja, won and what ``positive`` names count as conversion, wherever they sort."""
    X, y = table(500)
    plain = leadml.LeadScorer(folds=3, prove=False).fit(X, y)
    model = leadml.LeadScorer(folds=3, prove=False, positive=given)
    outcome = np.where(y > 0, yes, no)
    first = sorted([no, yes]).index(yes) == 0
    with pytest.warns(UserWarning, match="sorts first") if first else nullcontext():
        model.fit(X, outcome)
    assert model.positive_ == yes
    assert model.classes_.tolist() == sorted([no, yes])
    assert (model.chance(X) == plain.predict_proba(X)[:, 1]).all()
    assert (model.predict_proba(X)[:, 0 if first else 1] == model.chance(X)).all()
    assert ((model.predict(X) == yes) == (model.chance(X) > 0.5)).all()
    found = roc_auc_score(outcome, model.predict_proba(X)[:, 1])
    assert found == pytest.approx(roc_auc_score(y, plain.predict_proba(X)[:, 1]))


@pytest.mark.parametrize("positive", [None, "warmm"])
def test_words_that_do_not_say_yes_are_asked_about(positive):
    """Both are named, and how to say which one is meant."""
    X, y = table(100)
    model = leadml.LeadScorer(positive=positive)
    with pytest.raises(OutcomeInvalid, match=r"'kalt'.*'warm'") as caught:
        model.fit(X, np.where(y > 0, "warm", "kalt"))
    assert "positive" in caught.value.fix


def test_no_seed_is_a_new_seed_each_time():
    """`random_state=None` works as in scikit-learn; a generator gives the same draws again."""
    X, y = table(300)

    def weights(state):
        return leadml.LeadScorer(folds=2, prove=False, random_state=state).fit(X, y).weights_

    assert weights(None) != weights(None)
    assert weights(np.random.RandomState(3)) == weights(np.random.RandomState(3))


def test_explain_adds_up_and_speaks(fitted):
    """Base and contributions are the decision function; reasons are sentences."""
    model, X, _ = fitted
    found = model.explain(X.head(20), reasons=2)
    total = found["base"] + found["contributions"].sum(axis=1)
    np.testing.assert_allclose(total, model.decision_function(X.head(20)), atol=1e-9)
    assert all(len(reasons) == 2 and "odds" in reasons[0]["text"] for reasons in found["reasons"])
    assert found["contributions"].index.equals(X.head(20).index)


def test_array_input_works():
    """A plain numpy table gets column names x0, x1, …"""
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 3))
    y = random.random(300) < 1 / (1 + np.exp(-2 * X[:, 1]))
    model = leadml.LeadScorer(folds=3).fit(X, y)
    assert model.feature_names_in_.tolist() == ["x0", "x1", "x2"]
    assert model.predict_proba(X).shape == (300, 2)


def test_outcomes_that_cannot_be_learned_are_refused():
    """One class, three classes and gaps are named."""
    X, y = table(60)
    with pytest.raises(TargetOneClass):
        leadml.LeadScorer().fit(X, np.zeros(60))
    with pytest.raises(OutcomeInvalid, match="3 classes"):
        leadml.LeadScorer().fit(X, np.arange(60) % 3)
    gaps = y.copy()
    gaps[4] = np.nan
    with pytest.raises(OutcomeInvalid) as caught:
        leadml.LeadScorer().fit(X, gaps)
    assert caught.value.rows == (5,)


def test_rows_in_the_order_of_time_may_tell_of_drift():
    """`drift="auto"` pulls the parts together where the rate moved along the rows, else not."""
    frame, y = table(1500)
    late = np.arange(len(y)) > 1000
    moved = np.maximum(y, late * (np.random.default_rng(0).random(len(y)) < 0.4))
    free = np.array(leadml.LeadScorer(folds=2).fit(frame, moved).weights_)
    pulled = np.array(leadml.LeadScorer(folds=2, drift="auto").fit(frame, moved).weights_)
    assert np.ptp(pulled) < 0.7 * np.ptp(free)
    still = leadml.LeadScorer(folds=2, drift="auto").fit(frame, y).weights_
    assert still == leadml.LeadScorer(folds=2).fit(frame, y).weights_
    with pytest.raises(ConfigError, match="'auto'"):
        leadml.LeadScorer(drift="perhaps").fit(frame, y)


def test_it_pickles_and_copies_to_the_same_bits(fitted):
    """A fitted model goes through joblib, parallel searches and files unchanged."""
    model, X, _ = fitted
    expected = model.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (twin.predict_proba(X) == expected).all()
    assert pickle.loads(pickle.dumps(leadml.LeadScorer(folds=3))).get_params()["folds"] == 3


@pytest.mark.parametrize("rows", [10, 799])
def test_leads_without_outcomes_are_refused(rows):
    """Every lead needs its outcome: neither fewer nor more are taken."""
    X, y = table(800)
    with pytest.raises(OutcomeInvalid, match="there are 800 leads"):
        leadml.LeadScorer().fit(X, y[:rows])
    with pytest.raises(OutcomeInvalid, match=f"there are {rows} leads"):
        leadml.LeadScorer().fit(X[:rows], y)
    with pytest.raises(TableEmpty):
        leadml.LeadScorer().fit(X[:0], y[:0])


def test_outcomes_in_a_table_of_one_column_are_taken(fitted):
    """A frame of one column is as good as its column."""
    model, X, y = fitted
    twin = leadml.LeadScorer(folds=4).fit(X, np.asarray(y).reshape(-1, 1))
    assert (twin.predict_proba(X) == model.predict_proba(X)).all()


def test_columns_that_cannot_be_meant_are_refused(fitted):
    """Twins of a column, arrays of another width and tables of strangers are not scored."""
    model, X, y = fitted
    twins = pd.concat([X, X.iloc[:, :1]], axis=1)
    with pytest.raises(InvalidValue, match="more than once"):
        leadml.LeadScorer().fit(twins, y)
    with pytest.raises(InvalidValue, match="more than once"):
        model.predict_proba(twins)
    with pytest.raises(InvalidValue, match="a lead has 1 values"):
        model.predict_proba(np.ones((3, 1)))
    with pytest.raises(ColumnMissing, match="lacks"):
        model.predict_proba(pd.DataFrame({"stranger": [1.0]}))


def test_an_array_stands_for_the_columns_learned_from(fitted):
    """Values without names are taken in the order of the training's columns."""
    model, X, _ = fitted
    expected = model.predict_proba(X)
    assert (model.predict_proba(X.to_numpy(dtype=object)) == expected).all()
