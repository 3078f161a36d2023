"""The gate between challenger and champion."""

import numpy as np
import pytest

from leadml.evaluation.promotion import decide


def cohort(n=1500, seed=0, noise=0.0, base=-2.2):
    """Outcomes, and chances of a model whose log-odds miss the truth by noise."""
    random = np.random.default_rng(seed)
    z = base + random.normal(0, 1.2, n)
    y = (random.random(n) < 1 / (1 + np.exp(-z))).astype(float)
    blur = np.random.default_rng(seed + 10_000).normal(0, 1, n)

    def chance(noise):
        shrunk = 1.44 / (1.44 + noise**2)
        return 1 / (1 + np.exp(-(base + shrunk * (z - base + noise * blur))))

    return y, chance


def run(y, challenger, champion, **more):
    """The gate with a base rate beside the champion."""
    flat = np.full(len(y), y.mean())
    return decide(
        y,
        challenger,
        {"base rate": flat},
        verdict="trust",
        champion=champion,
        compared=np.arange(len(y)),
        draws=200,
        **more,
    )


def test_of_two_hundred_worse_challengers_at_most_five_percent_pass():
    """A model plainly blurred against the champion is refused."""
    passed = 0
    for seed in range(200):
        y, chance = cohort(seed=seed)
        passed += run(y, chance(0.9), chance(0.3), seed=seed).passed
    assert passed <= 10


def test_of_two_hundred_better_challengers_at_least_ninety_percent_pass():
    """The same pair the other way round is promoted."""
    passed = 0
    for seed in range(200):
        y, chance = cohort(seed=seed)
        passed += run(y, chance(0.3), chance(0.9), seed=seed).passed
    assert passed >= 180


def test_an_equal_challenger_passes():
    """A retraining that changes nothing is not refused."""
    y, chance = cohort()
    assert run(y, chance(0.3), chance(0.3)).passed


def test_each_line_that_fails_is_named():
    """Verdict, checks, base rate and baselines have lines of their own."""
    y, chance = cohort()
    flat = np.full(len(y), y.mean())
    found = decide(
        y,
        flat + 0.01,
        {"base rate": flat, "logistic regression": chance(0.0)},
        verdict="no",
        findings=[
            {"code": "LML001", "title": "leak", "severity": "blocks", "status": "found"},
            {"code": "LML003", "title": "name", "severity": "warns", "status": "found"},
        ],
    )
    assert found.failed == ("verdict", "checks", "base rate", "logistic regression")
    assert "LML001" in found.sentence
    assert "LML003" not in found.sentence
    assert found.as_dict()["lines"][-1]["status"] == "not_applicable"


def test_a_silenced_check_does_not_block():
    """People overrule by code and reason; the finding then has another status."""
    y, chance = cohort()
    found = decide(
        y,
        chance(0.1),
        {"base rate": np.full(len(y), y.mean())},
        verdict="trust",
        findings=[{"code": "LML001", "title": "x", "severity": "blocks", "status": "silenced"}],
    )
    assert found.passed


def test_too_few_conversions_to_compare_is_not_a_failure():
    """The champion line then does not apply and says so."""
    y, chance = cohort(n=90)
    found = run(y, chance(0.1), chance(0.1))
    assert found.lines[-1].passed is None
    assert "20 are needed" in found.lines[-1].sentence


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_the_margin_decides_how_much_worse_is_equal(margin):
    """With a margin of half the loss even a blurred model counts as equal."""
    y, chance = cohort()
    assert run(y, chance(0.9), chance(0.3), margin=margin).passed is (margin > 0.1)
