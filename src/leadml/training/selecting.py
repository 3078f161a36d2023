"""Which columns of a table a model may learn from, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadml.errors import ColumnMissing, TableEmpty
from leadml.leads import Availability, Kind, Role
from leadml.training.config import ColumnPlan, TrainConfig
from leadml.training.encoding import Hint, guess_kind, is_moment

__all__ = ["Selection", "select_columns"]

FREE_TEXT_LEVELS = 100
FREE_TEXT_SHARE = 0.5
FEWEST_UNIQUE = 10
LONGEST_NAME = 200


@dataclass(frozen=True)
class Selection:
    """Learning columns in the table's order, what is known of them, and what was left out."""

    names: tuple[str, ...]
    hints: Mapping[str, Hint]
    dropped: tuple[tuple[str, str], ...]


def select_columns(frame: pd.DataFrame, config: TrainConfig, known: Any) -> Selection:
    """Choose the learning columns; every other column gets a reason.

    Parameters
    ----------
    frame
        The whole table.
    config
        What people said.
    known
        Mask of shape (n,): the rows learned from; emptiness is judged on them.

    Raises
    ------
    ColumnMissing
        A column to drop, or one with a plan, does not exist.
    TableEmpty
        No column is left to learn from.
    """
    names = [str(name) for name in frame.columns]
    _refuse_unknown([*config.drop, *config.columns], names)
    special = {
        config.target: "the outcome",
        config.id: "the id",
        config.created_at: "the time of creation (its calendar parts are learned from)",
        config.outcome_at: "the time of the outcome",
    }
    if config.order_by != "rows":
        special[config.order_by] = "the order in time"
    roles = {
        Role.ID: "an id",
        Role.OUTCOME: "an outcome",
        Role.OUTCOME_AT: "the time of the outcome",
        Role.CREATED_AT: "the time of creation",
    }
    excluded = set(config.dropped)
    rows = frame.loc[known]
    kept: list[str] = []
    hints: dict[str, Hint] = {}
    dropped: list[tuple[str, str]] = []
    for name in names:
        plan = config.plan(name)
        if name in special:
            dropped.append((name, special[name]))
        elif name in excluded:
            dropped.append((name, _left_out(plan)))
        elif plan.role in roles:
            dropped.append((name, roles[plan.role]))
        elif plan.role is None and plan.kind is None and (reason := _useless(rows[name], name)):
            dropped.append((name, reason))
        else:
            kept.append(name)
            role = plan.role if plan.role is not None and plan.role.learns else Role.FIT
            hints[name] = Hint(plan.kind, role, plan.phrase)
    if not kept:
        raise TableEmpty(
            "no column is left to learn from: "
            + "; ".join(f"'{name}' is {reason}" for name, reason in dropped[:10]),
            fix="bring attributes or behaviour of the leads as columns",
        )
    return Selection(tuple(kept), hints, tuple(dropped))


def _left_out(plan: ColumnPlan) -> str:
    """Why the configuration leaves a column out; it may hold guesses that nobody changed."""
    if plan.availability is Availability.AFTER:
        return "known only after the outcome, as the configuration says"
    if plan.role in (Role.CONSENT, Role.GROUP):
        return f"a column of the role {plan.role}, as the configuration says"
    return "left out by the configuration"


def _refuse_unknown(asked: list[str], names: list[str]) -> None:
    known = set(names)
    for name in asked:
        if name not in known:
            lowered = {existing.lower(): existing for existing in names}
            near = lowered.get(name.lower())
            hint = f"did you mean '{near}'?" if near else f"columns are: {', '.join(names[:20])}"
            raise ColumnMissing(
                f"there is no column '{name[:LONGEST_NAME]}' to drop or to plan",
                column=name,
                fix=hint,
            )


def _useless(series: Any, name: str) -> str:
    """Why a column that nobody spoke of cannot be learned from, or an empty text."""
    present = series.dropna()
    distinct = present.nunique()
    if distinct == 0:
        return "empty in every row"
    if distinct == 1 and len(present) == len(series):
        return "the same in every row"
    if is_moment(series):
        return "a timestamp; name it --created-at if leads begin there"
    if guess_kind(series) is Kind.NUMBER:
        if distinct == len(series) > FREE_TEXT_LEVELS and _counts_up(present, name):
            return "an id (different in every row)"
        return ""
    if distinct == len(series) >= FEWEST_UNIQUE:
        return "an id (different in every row)"
    if distinct > FREE_TEXT_LEVELS and distinct > FREE_TEXT_SHARE * len(present):
        return "free text or an id (most values occur once)"
    return ""


def _counts_up(present: Any, name: str) -> bool:
    """Whether unique numbers look like running numbers: named so, or whole and dense."""
    words = name.lower().replace("_", " ").split()
    if words and words[-1] in ("id", "number", "no", "nr", "key", "index", "#"):
        return True
    numbers = pd.to_numeric(present, errors="coerce")
    whole = bool((numbers == numbers.round()).all())
    return whole and float(numbers.max() - numbers.min()) < 1.5 * len(numbers)
