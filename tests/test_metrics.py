"""leadml.evaluation.metrics."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from leadml.errors import DataError
from leadml.evaluation.metrics import (
    Metrics,
    calibration_fit,
    ece_of,
    measure,
    paired_bootstrap,
    roc_auc_of,
    share_in_top,
)


def simulated(n, seed=0, slope=1.0, shift=0.0, digits=None):
    """Outcomes and predictions whose log-odds are off by a slope and a shift."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2.0, 1.2, n)
    y = (rng.random(n) < expit(margin)).astype(float)
    p = expit(slope * margin + shift)
    return y, p if digits is None else np.round(p, digits)


@pytest.mark.parametrize("digits", [None, 2, 1])
def test_figures_equal_scikit_learn(digits):
    """AUC, average precision, log loss and Brier equal scikit-learn's, ties included."""
    y, p = simulated(3000, digits=digits)
    found = measure(y, p, "here")
    assert found.roc_auc.value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found.pr_auc.value == pytest.approx(average_precision_score(y, p), abs=1e-12)
    assert found.brier.value == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    if digits is None:
        assert found.log_loss.value == pytest.approx(log_loss(y, p), abs=1e-12)


def test_slope_and_intercept_equal_a_logistic_fit():
    """The calibration slope is the unpenalised logistic slope; the intercept recovers a shift."""
    y, p = simulated(20_000, slope=1.4, shift=0.5)
    slope, intercept = calibration_fit(y, p)
    margin = np.log(p / (1 - p))
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(margin[:, None], y)
    assert slope.value == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    y, p = simulated(40_000, shift=0.5)
    _, intercept = calibration_fit(y, p)
    assert intercept.low < -0.5 < intercept.high


def test_wald_intervals_are_those_of_the_information_matrix():
    """Slope and intercept intervals come from the inverse information of their fits."""
    y, p = simulated(3000, slope=1.7)
    slope, intercept = calibration_fit(y, p)
    margin = np.log(p / (1 - p))
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(margin[:, None], y)
    fitted = reference.predict_proba(margin[:, None])[:, 1]
    design = np.column_stack([np.ones(y.size), margin])
    covariance = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    half = 1.959964 * np.sqrt(covariance[1, 1])
    assert slope.high - slope.value == pytest.approx(half, rel=1e-3)
    assert slope.value - slope.low == pytest.approx(half, rel=1e-3)
    shifted = expit(margin + intercept.value)
    half = 1.959964 / np.sqrt((shifted * (1 - shifted)).sum())
    assert intercept.high - intercept.value == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_auc_interval_equals_delong_by_hand(share):
    """The interval is DeLong's from all pairs, on the logit scale, whichever class is rarer."""
    rng = np.random.default_rng(4)
    y = (rng.random(400) < share).astype(float)
    p = np.round(expit(y + rng.normal(0, 1.0, 400)), 2)
    won, lost = p[y == 1], p[y == 0]
    pairs = (won[:, None] > lost) + 0.5 * (won[:, None] == lost)
    auc = pairs.mean()
    variance = (
        pairs.mean(axis=1).var(ddof=1) / won.size + pairs.mean(axis=0).var(ddof=1) / lost.size
    )
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    found = measure(y, p, "here").roc_auc
    assert found.value == pytest.approx(auc, abs=1e-12)
    assert found.low == pytest.approx(expit(logit - half), abs=1e-6)
    assert found.high == pytest.approx(expit(logit + half), abs=1e-6)


def test_right_chances_are_not_called_wrong():
    """The calibration error of right chances is noise: its interval reaches down to about 0."""
    lows = []
    for seed in range(40):
        y, p = simulated(1500, seed=seed)
        found = measure(y, p, "here", seed=seed).ece
        assert found.value > 0.005
        lows.append(found.low)
    assert np.mean(np.array(lows) < 0.005) > 0.9


def test_no_slope_where_none_exists():
    """A constant prediction has no slope; perfect separation has none either."""
    y = np.array([0.0, 1.0] * 50)
    slope, intercept = calibration_fit(y, np.full(100, 0.3))
    assert slope is None
    assert intercept.value == pytest.approx(np.log(7 / 3), abs=1e-6)
    slope, _ = calibration_fit(y, np.where(y == 1, 0.9, 0.1))
    assert slope is None


def test_no_interval_below_twenty_conversions():
    """With 19 conversions no figure shows an interval, with 20 they all do."""
    rng = np.random.default_rng(1)
    p = rng.random(400)
    for conversions in (19, 20):
        y = np.zeros(400)
        y[np.argsort(-p + rng.normal(0, 0.3, 400))[:conversions]] = 1
        found = measure(y, p, "here").as_dict()
        with_interval = {name for name, part in found.items() if "low" in part}
        if conversions == 19:
            assert with_interval == set()
        else:
            assert with_interval == set(found) - {"n", "n_conversions", "predicted_rate"}


def test_intervals_cover_the_truth():
    """In 80 repeated samples the 95 % intervals hold the true figure about that often."""
    y, p = simulated(300_000, seed=99, slope=1.3, shift=-0.3)
    truth = measure(y, p, "truth")
    names = ("roc_auc", "pr_auc", "log_loss", "brier", "ece", "calibration_slope",
             "calibration_intercept", "lift_top_decile", "top_fifth_share")  # fmt: skip
    covered = dict.fromkeys(names, 0)
    for seed in range(80):
        y, p = simulated(1500, seed=seed, slope=1.3, shift=-0.3)
        found = measure(y, p, "sample", seed=seed)
        for name in names:
            part = getattr(found, name)
            covered[name] += part.low <= getattr(truth, name).value <= part.high
    for name, count in covered.items():
        # the calibration error's own bias costs its interval some coverage
        assert count / 80 >= (0.75 if name == "ece" else 0.87), (name, count)


def test_forty_thousand_leads_within_a_second():
    """All intervals of 40,000 leads take at most a second."""
    y, p = simulated(40_000)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        measure(y, p, "here")
        took.append(time.perf_counter() - started)
    assert min(took) < 1.0


def test_same_seed_same_figures():
    """Two measurements with one seed are equal, intervals included; they survive JSON."""
    y, p = simulated(3000)
    first, second = measure(y, p, "here", seed=3), measure(y, p, "here", seed=3)
    assert first == second
    assert Metrics.from_dict(first.as_dict()) == first


def test_a_perfect_ranking_is_not_called_certain():
    """AUC 1 on 25 conversions keeps an interval that reaches below 0.9."""
    y = np.array([1.0] * 25 + [0.0] * 100)
    found = measure(y, np.where(y == 1, 0.9, 0.1), "here")
    assert found.roc_auc.value == found.roc_auc.high == 1.0
    assert 0.8 < found.roc_auc.low < 0.9


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([], []),
        ([1, 1], [0.5, 0.6]),
        ([0, 1], [0.5, 1.2]),
        ([0, 1], [0.5, float("nan")]),
        ([0, 1], [0.5]),
        ([0, 2], [0.5, 0.6]),
        ([0, float("nan")], [0.5, 0.6]),
    ],
)
def test_what_cannot_be_measured_is_refused(y, p):
    """Empty, one-class, out-of-range, unequal or unknown input is a named error."""
    with pytest.raises(DataError):
        measure(y, p, "here")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-300, 300)), min_size=2, max_size=60))
def test_auc_ignores_monotone_transforms(rows):
    """AUC stays the same under a strictly rising transform and mirrors under a falling one."""
    y = np.array([row[0] for row in rows], dtype=float)
    score = np.array([row[1] for row in rows], dtype=float)
    auc = roc_auc_of(y, score)
    assert roc_auc_of(y, score**3 + 5 * score) == auc
    assert roc_auc_of(y, -score) == pytest.approx(1 - auc, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60),
    st.integers(0, 2**16),
)
def test_row_order_changes_nothing(rows, seed):
    """Shuffled rows give the same calibration error and the same share in the top fifth."""
    y = np.array([row[0] for row in rows], dtype=float)
    p = np.array([row[1] for row in rows], dtype=float) / 20
    order = np.random.default_rng(seed).permutation(len(rows))
    assert ece_of(y, p) == pytest.approx(ece_of(y[order], p[order]), abs=1e-12)
    assert share_in_top(y, p, 0.2) == pytest.approx(share_in_top(y[order], p[order], 0.2))


def test_calibration_error_of_known_cases():
    """A right constant has error 0; one that is off by 0.1 has error 0.1; ties stay together."""
    y = np.array([1.0] * 30 + [0.0] * 70)
    assert ece_of(y, np.full(100, 0.3)) == pytest.approx(0.0, abs=1e-12)
    assert ece_of(y, np.full(100, 0.4)) == pytest.approx(0.1, abs=1e-12)


def test_ties_at_the_edge_count_in_proportion():
    """Where all leads tie, the top fifth holds a fifth of the conversions."""
    y = np.array([1.0] * 10 + [0.0] * 90)
    assert share_in_top(y, np.full(100, 0.5), 0.2) == pytest.approx(0.2)
    assert share_in_top(y, y, 0.05) == pytest.approx(0.5)


def test_paired_bootstrap_tells_better_from_same():
    """A clearly better model has an interval below 0; a copy has a difference of exactly 0."""
    y, good = simulated(6000)
    bad = simulated(6000, slope=0.3, shift=-1.0)[1]
    found = paired_bootstrap(y, good, bad)
    assert found.difference.high < 0
    assert found.share_a_better == 1.0
    same = paired_bootstrap(y, good, good)
    assert same.difference.value == same.difference.low == same.difference.high == 0.0
    assert same.share_a_better == 0.5
    constant = paired_bootstrap(np.zeros(50), np.full(50, 0.1), np.full(50, 0.2)).difference
    assert constant.low == pytest.approx(constant.high)
    mirrored = paired_bootstrap(y, bad, good)
    assert mirrored.difference.value == pytest.approx(-found.difference.value)


def test_paired_bootstrap_covers_zero_for_equals():
    """Of 100 pairs of equally good models about 5 intervals leave out zero."""
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        margin = rng.normal(-1.5, 1.0, 800)
        y = (rng.random(800) < expit(margin)).astype(float)
        a, b = expit(margin + rng.normal(0, 0.3, (2, 800)))
        found = paired_bootstrap(y, a, b, draws=400, seed=seed).difference
        wrong += not found.low <= 0 <= found.high
    assert wrong <= 12
