"""A history read as a training asks for it: joined, its columns understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leadml.errors import ConfigError
from leadml.service.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from leadml.training.config import TrainConfig

__all__ = ["History", "read_history"]


@dataclass(frozen=True)
class History:
    """What a training reads.

    Parameters
    ----------
    frame
        The table of leads, outcomes joined.
    config
        What to learn from it.
    test
        A table to test on; None where the history itself is split.
    """

    frame: pd.DataFrame
    config: TrainConfig
    test: pd.DataFrame | None


def read_history(source: str, asked: Mapping[str, Any], progress: Progress = silent) -> History:
    """Read a history; what nobody says of its columns is guessed.

    Parameters
    ----------
    source
        CSV or Parquet file, or a database URL (with the option ``query``).
    asked
        Fields of ``TrainConfig``; ``config`` (a leadml.toml) or ``like`` (the fields of an
        earlier training), which hold where a field is left out; ``query``; ``test`` (a
        table to test on).
    progress
        Called while it is read.

    Raises
    ------
    DataError, ConfigError
        A table cannot be read or joined, or the options contradict each other.
    """
    from leadml.datasets.join import join_outcomes
    from leadml.datasets.read import read_table
    from leadml.training.config import TrainConfig, load_config
    from leadml.training.guess import guess

    options = dict(asked)
    file, query, test, like = (
        options.pop(key, None) for key in ("config", "query", "test", "like")
    )
    config = load_config(file) if file is not None else TrainConfig.from_dict(like or {})
    config = config.with_options(**options)
    progress("reading the table", 0, 1)
    frame = read_table(source, query=query, text=config.as_text)
    if config.outcomes:
        outcomes = read_table(config.outcomes)
        if like is not None and config.outcome_at not in outcomes.columns:
            config = replace(config, outcome_at="")  # named by the join of that training
        joined = join_outcomes(
            frame,
            outcomes,
            config.outcomes_join,
            created_at=config.created_at,
            outcome_at=config.outcome_at,
            outcome=config.outcome,
            among=config.among,
        )
        frame, config = joined.frame, joined.configured(config)
    elif _needs_outcomes(config, options):
        raise ConfigError(
            f"'{config.outcome}' is looked for in a second table of outcomes",
            fix="name it behind the first: leadml train leads.csv outcomes.csv",
        )
    if file is None and like is None:
        config = guess(frame, config.target).fill(config)
    test_frame = read_table(test, text=config.as_text) if test else None
    progress("reading the table", 1, 1)
    return History(frame, config, test_frame)


def _needs_outcomes(config: TrainConfig, options: Mapping[str, Any]) -> bool:
    """Whether only a second table can tell what is asked for.

    Beside a target, what a file or an earlier training says of outcomes tells how that
    target was made; what is asked now does not.
    """
    unusual = config.outcome != type(config)().outcome
    if options.get("among") or (unusual and options.get("outcome")):
        return True
    return not config.target and bool(unusual or config.among)
