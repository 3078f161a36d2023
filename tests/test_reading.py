"""leadml.service.reading: a history as a training asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leadml.errors import ConfigError
from leadml.service.reading import read_history


@pytest.fixture
def leads(tmp_path: Path) -> str:
    """Sixty leads, half of them won."""
    rows = [f"L{n},{n % 7},{'yes' if n % 2 else 'no'}" for n in range(60)]
    path = tmp_path / "leads.csv"
    path.write_text("\n".join(["lead_id,visits,won", *rows]) + "\n", "utf-8")
    return str(path)


def test_what_nobody_says_is_guessed(leads: str) -> None:
    """Target and id come from the names and values of the columns."""
    history = read_history(leads, {})
    assert (history.config.target, history.config.id) == ("won", "lead_id")
    assert history.test is None
    assert len(history.frame) == 60


def test_an_earlier_training_is_repeated_without_guessing(leads: str) -> None:
    """What it did not name stays unnamed; what is asked now goes before."""
    history = read_history(leads, {"like": {"target": "won", "positive": "no"}, "seed": 4})
    assert history.config.positive == "no"
    assert (history.config.id, history.config.seed) == ("", 4)


@pytest.mark.parametrize(
    "asked",
    [
        {"target": "won", "outcome": "accepted"},
        {"target": "won", "among": ["accepted"]},
        {"like": {"outcome": "accepted"}},
        {"like": {"among": ["accepted"]}},
    ],
)
def test_other_outcomes_need_a_second_table(leads: str, asked: dict[str, Any]) -> None:
    """They cannot be read from one table; the fix says how to name the second."""
    with pytest.raises(ConfigError, match="second table") as refused:
        read_history(leads, asked)
    assert "outcomes.csv" in str(refused.value.fix)


def test_beside_a_target_an_earlier_outcome_says_how_it_was_made(leads: str) -> None:
    """An exported table has its target; what it counted is carried on, not looked for."""
    like = {"target": "won", "positive": "yes", "outcome": "accepted", "among": ["accepted"]}
    history = read_history(leads, {"like": like})
    assert history.config.outcome == "accepted"


def test_a_table_to_test_on_is_read_beside(leads: str) -> None:
    """It stays apart from what is learned from."""
    history = read_history(leads, {"target": "won", "test": leads})
    assert history.test is not None
    assert len(history.test) == len(history.frame) == 60
