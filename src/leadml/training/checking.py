"""The numbered checks, run on what a training reads and on what it tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.evaluation.checks import CheckInput, Finding, run_checks
from leadml.leads import Role
from leadml.training.config import FILE_ORDER, TrainConfig
from leadml.training.labels import Labels, moments_of
from leadml.training.selecting import Selection

__all__ = ["check_history", "roles_of", "values_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def check_history(
    frame: pd.DataFrame,
    config: TrainConfig,
    labels: Labels,
    selection: Selection,
    *,
    order: Floats | None = None,
    learned_rows: Rows | None = None,
    tested_rows: Rows | None = None,
    tested_probability: Floats | None = None,
    now: float | None = None,
) -> list[Finding]:
    """Run every numbered check on a table as a training sees it.

    Parameters
    ----------
    frame
        The whole table, shape (n, …).
    config
        What people said, silenced checks included.
    labels, selection
        Outcomes and learning columns made of both.
    order
        Shape (n,), growing with time, or None.
    learned_rows, tested_rows
        Rows of the table on either side of the test; ``learned_rows`` is None where every
        row is learned from and tested in turn.
    tested_probability
        Predictions for ``tested_rows``.
    now
        Seconds since 1970 UTC; creations after it are impossible.

    Returns
    -------
    list of Finding
        One per check, what blocks first.
    """
    roles = roles_of(config)
    aside = {
        name: reason
        for name, reason in selection.dropped
        if name not in roles and name in frame.columns
    }
    data = CheckInput(
        columns={str(name): values_of(frame[name]) for name in frame.columns},
        y=labels.converted,
        learning=selection.names,
        roles=roles,
        set_aside=aside,
        target=labels.target,
        order=order,
        created_at=labels.created_s,
        outcome_at=_outcome_at(frame, config),
        as_of=labels.as_of.timestamp() if labels.as_of and config.as_of else None,
        now=now,
        horizon_days=labels.horizon_days,
        n_immature=labels.n_immature,
        tested_rows=tested_rows,
        tested_probability=tested_probability,
        learned_rows=learned_rows,
        notes=tuple(str(note) for note in frame.attrs.get("notes", ())),
        silence=config.silence,
        seed=config.seed,
    )
    return run_checks(data)


def roles_of(config: TrainConfig) -> dict[str, Role]:
    """What people said each column is for; dropped columns are ignored."""
    roles = dict.fromkeys(config.dropped, Role.IGNORE)
    if config.order_by and config.order_by != FILE_ORDER:
        roles[config.order_by] = Role.IGNORE
    for name, plan in config.columns.items():
        if plan.role is not None:
            roles[name] = plan.role
    named = {
        config.target: Role.OUTCOME,
        config.id: Role.ID,
        config.created_at: Role.CREATED_AT,
        config.outcome_at: Role.OUTCOME_AT,
    }
    return roles | {name: role for name, role in named.items() if name}


def values_of(series: pd.Series[Any]) -> Any:
    """A column as numpy, or as a list of objects where pandas has a type of its own."""
    if getattr(series.dtype, "kind", "O") in "fiubM" and isinstance(series.dtype, np.dtype):
        return series.to_numpy()
    return series.tolist()


def _outcome_at(frame: pd.DataFrame, config: TrainConfig) -> Floats | None:
    if not config.outcome_at:
        return None
    return moments_of(frame, config.outcome_at)
