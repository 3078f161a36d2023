"""leadml.evaluation.verdict."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit

from leadml.evaluation.metrics import measure
from leadml.evaluation.verdict import (
    ECE_FLOOR,
    ECE_OF_BASE,
    LEARNS_FROM,
    OPENINGS,
    RATE_FLOOR,
    RULES,
    SLOPE_LIMITS,
    TRUSTS_FROM,
    verdict,
)

PAGE = Path(__file__).parents[1] / "docs" / "verdict.md"
BASE = [{"name": "base rate", "log_loss": 0.45}]


def measured(n=6000, slope=1.0, shift=0.0, seed=0, noise=False):
    """Metrics of predictions that are off by a slope and a shift, or mere noise."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2.0, 1.2, n)
    y = (rng.random(n) < expit(margin)).astype(float)
    if shift is None:  # right on the whole
        shift = brentq(lambda a: expit(slope * margin + a).mean() - y.mean(), -9, 9)
    p = expit(rng.normal(-2.0, 0.1, n)) if noise else expit(slope * margin + shift)
    return measure(y, p, "forward test")


def test_good_predictions_are_trusted():
    """Right chances on many leads are trusted; the sentence names share, promise and outcome."""
    found = verdict(measured(), 3000, BASE)
    assert (found.word, found.rule) == ("trust", "all_held")
    assert re.fullmatch(
        r"Trust it\. The top fifth of leads holds \d\d\u202f% of conversions;"
        r" predicted \d\d\u202f%, happened \d\d\u202f%\u202f±\u202f\d\.\d\.",
        found.sentence,
    ), found.sentence


@pytest.mark.parametrize(
    ("slope", "shift", "rule"),
    [(1.0, 0.6, "rate_off"), (2.2, None, "calibration_error"), (0.3, None, "calibration_error")],
)
def test_wrong_chances_are_for_ranking_only(slope, shift, rule):
    """Chances that are off, though the ranking is good, end as rank only by the right rule."""
    found = verdict(measured(slope=slope, shift=shift), 3000, BASE)
    assert found.word == "rank", found
    assert found.rule == rule, found
    assert found.sentence.startswith("Rank only. ")


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.0, "does as well"), (0.995, "does as well"), (0.9, "does better"), (1.001, None)],
)
def test_a_baseline_that_does_as_well_is_mentioned(share, words):
    """The best of them, with both figures; one that is worse is not."""
    metrics = measured()
    own = metrics.log_loss.value
    others = [{"name": "logistic regression", "log_loss": share * own}]
    said = verdict(metrics, 3000, [*BASE, *others, {"name": "Odoo", "log_loss": 2 * own}])
    assert said.word == "trust"
    if words is None:
        assert "Logistic" not in said.sentence
    else:
        shown = f"Logistic regression {words} (log loss {share * own:.3f} against {own:.3f})."
        assert said.sentence.endswith(shown)


def test_what_nobody_shall_use_is_not_compared():
    """A verdict without a model to speak of names no rival."""
    better = [{"name": "logistic regression", "log_loss": 0.01}]
    assert "Logistic" not in verdict(measured(), 12, better).sentence
    assert "Logistic" not in verdict(measured(noise=True), 3000, better).sentence


def test_bold_chances_are_named():
    """A slope far from 1 with a small calibration error is still told."""
    rng = np.random.default_rng(0)
    margin = rng.normal(-4.5, 0.8, 60_000)
    y = (rng.random(60_000) < expit(margin)).astype(float)
    found = verdict(measure(y, expit(1.45 * margin + 1.55), "forward test"), 900)
    assert found.rule == "calibration_slope", found
    assert "too bold" in found.sentence


def test_worse_than_the_base_rate_is_rank_only():
    """A good ranking whose log loss does not beat the base rate is for ranking only."""
    assert verdict(measured(), 3000, [{"name": "Base rate", "log_loss": 0.1}]).rule == (
        "worse_than_base_rate"
    )


def test_noise_is_not_to_be_used():
    """Predictions without information end as do not use."""
    found = verdict(measured(noise=True), 3000, BASE)
    assert (found.word, found.rule) == ("no", "no_better_than_chance")
    assert found.sentence.startswith("Do not use. ")


def test_few_conversions_are_provisional():
    """15 to 99 conversions are provisional; below 15 the base rate is given; 100 are judged."""
    assert verdict(measured(), 99, BASE).rule == "few_conversions"
    assert verdict(measured(), 100, BASE).word == "trust"
    found = verdict(measured(noise=True), 14, BASE)
    assert (found.word, found.rule) == ("provisional", "base_rate_only")
    assert "14 conversions" in found.sentence


def test_a_blocking_finding_outranks_everything():
    """A found block is named first; a passed or silenced one is not."""
    leak = {
        "code": "LML001",
        "severity": "blocks",
        "status": "found",
        "detail": "Tags knows the outcome.",
    }
    found = verdict(measured(), 3000, BASE, [leak, {**leak, "code": "LML002"}])
    assert (found.word, found.rule) == ("no", "blocked")
    assert found.sentence == (
        "Do not use. Tags knows the outcome (LML001). One more finding blocks (LML002)."
    )
    for status in ("passed", "silenced", "not_applicable"):
        assert verdict(measured(), 3000, BASE, [{**leak, "status": status}]).word == "trust"


def test_the_page_lists_the_rules_in_order():
    """docs/verdict.md names every rule, in the order tried, with its phrase and limits."""
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| \*\*([^*]+)\*\*", text, flags=re.M)
    assert rows == [(rule, OPENINGS[word]) for rule, (word, _) in RULES.items()]
    for figure in (LEARNS_FROM, TRUSTS_FROM, ECE_FLOOR, ECE_OF_BASE, RATE_FLOOR, *SLOPE_LIMITS):
        assert f"{figure:g}" in text
