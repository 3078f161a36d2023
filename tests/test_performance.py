"""leadml.monitoring.performance: what was promised and what happened."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from leadml.monitoring.performance import performance

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TRAINED = {"data": {"n_conversions": 400, "base_rate": 0.12}}


def seen(n: int = 4000, seed: int = 1, factor: float = 1.0, trained: dict = TRAINED):
    """Leads over eight weeks, whose real chances are ``factor`` times the promised odds."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2.4, 1.1, n)
    p = np.round(1 / (1 + np.exp(-z)), 4)
    real = 1 / (1 + np.exp(-(z + np.log(factor))))
    y = (rng.random(n) < real).astype(float)
    at = [START + timedelta(days=55 * k / n) for k in range(n)]
    stage = np.select([p >= 0.4, p >= 0.2, p >= 0.1], ["sql", "mql", "nurture"], "cold")
    version = np.where(np.arange(n) < n // 2, "leads@1", "leads@2")
    return performance(at, p, y, stage, version, trained=trained, protocol="live")


def test_a_true_model_is_trusted():
    """Right chances are trusted; weeks, stages and versions are told with intervals."""
    found = seen()
    assert (found.verdict.word, found.verdict.rule) == ("trust", "all_held")
    assert [part["week"] for part in found.weeks] == [
        (START.date() + timedelta(days=7 * k)).isoformat() for k in range(8)
    ]
    assert [part["stage"] for part in found.stages] == ["sql", "mql", "nurture", "cold"]
    assert [part["model_version"] for part in found.versions] == ["leads@1", "leads@2"]
    for part in [*found.weeks, *found.stages, *found.versions]:
        assert part["low"] <= part["observed"] <= part["high"]
        assert part["word"] == "in line"
    assert sum(part["n"] for part in found.weeks) == found.n == 4000
    told = found.as_dict()
    assert told["metrics"]["lift_top_decile"]["low"] > 1
    assert len(told["calibration"]) == 10


def test_a_world_that_changed_is_seen():
    """Twice the odds promised: rank only, and the stages say where to look."""
    found = seen(factor=2.0)
    assert (found.verdict.word, found.verdict.rule) == ("rank", "rate_off")
    assert "look" in {part["word"] for part in found.stages}


def test_nothing_matured_is_provisional():
    """Without matured leads there is no verdict to give."""
    found = performance([], [], [], [], [], trained=TRAINED, protocol="live")
    assert (found.verdict.word, found.verdict.rule, found.metrics) == (
        "provisional",
        "nothing_matured",
        None,
    )
    assert found.as_dict()["metrics"] == {}


@pytest.mark.parametrize(
    ("n", "chance", "word", "rule"),
    [(20, 0.1, "provisional", "one_outcome"), (900, 0.1, "rank", "rate_off")],
)
def test_no_conversion_at_all(n, chance, word, rule):
    """Few leads without a conversion say nothing; many say that the chances are off."""
    found = performance(
        [START] * n, [chance] * n, [0] * n, ["mql"] * n, ["leads@1"] * n,
        trained=TRAINED, protocol="live",
    )  # fmt: skip
    assert (found.verdict.word, found.verdict.rule) == (word, rule)


def test_few_learned_conversions_stay_provisional():
    """A model learned from little is not trusted because some weeks went well."""
    found = seen(trained={"data": {"n_conversions": 50, "base_rate": 0.12}})
    assert found.verdict.word == "provisional"
