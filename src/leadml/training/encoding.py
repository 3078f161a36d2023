"""A training table as the schema of a model, with its columns as codes and numbers.

Categories become codes: known levels 0 … k-1 (most frequent first), missing k; NaN stands
for every other text, rare in training or never seen. Rare levels are not kept by name: a
level of one lead may name a person or a firm, and a model is a file that travels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.errors import InvalidValue
from leadml.features import read_column
from leadml.features.moments import moment_of
from leadml.leads import Column, Kind, Role, Schema
from leadml.leads.values import BAD, LARGEST, number_of, text_of
from leadml.training.config import RARE_BELOW

__all__ = ["Encoded", "Hint", "columns_of", "encode", "guess_kind"]

MAX_LEVELS = 1000
FARTHEST = 1e299  # beyond 1e300 LightGBM cannot tell a threshold from an infinite one


@dataclass(frozen=True)
class Hint:
    """What is known about a column beside its values; None means guess."""

    kind: Kind | None = None
    role: Role = Role.FIT
    phrase: str = ""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Columns as one matrix, shape (n, n_columns), float64, with codes for categories."""

    matrix: NDArray[np.float64]
    categories: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.matrix)


def guess_kind(series: Any) -> Kind:
    """Number where the column holds numbers; text stays a category, whatever it looks like.

    Readers of files turn columns of plain numbers into numbers already; what they left
    as text (``007``, ``true``) was left so on purpose.
    """
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iuf":
        return Kind.NUMBER
    if kind != "O" or str(series.dtype) in ("str", "string", "category"):
        return Kind.CATEGORY
    found = False
    for value in pd.unique(series):
        if isinstance(value, str | bool) and text_of(value) is not None:
            return Kind.CATEGORY
        number = number_of(value)
        if number is BAD:
            return Kind.CATEGORY
        found = found or number is not None
    return Kind.NUMBER if found else Kind.CATEGORY


def is_moment(series: Any, sample: int = 200) -> bool:
    """Whether the column holds timestamps (all of a sample of its values read as such)."""
    if getattr(series.dtype, "kind", "O") == "M":
        return True
    if getattr(series.dtype, "kind", "O") in "iufb":
        return False
    values = [value for value in pd.unique(series)[:sample] if text_of(value) is not None]
    if not values or all(number_of(value) is not BAD for value in values):
        return False
    return all(moment_of(value) is not BAD for value in values)


def columns_of(
    frame: pd.DataFrame,
    names: Iterable[str],
    hints: Mapping[str, Hint] | None = None,
    created_at: str = "",
    rare_below: int = RARE_BELOW,
) -> tuple[Column, ...]:
    """Describe the learning columns of a table.

    Parameters
    ----------
    frame
        Training rows only; levels, ranges and missing shares are counted in it.
    names
        Learning columns, in the order they shall have.
    hints
        Kind, role and phrase where known.
    created_at
        A timestamp column whose calendar parts join as derived columns, or "".
    rare_below
        Levels of fewer leads than this are known together, none by name.

    Raises
    ------
    InvalidValue
        A column hinted as a number holds text; names the column and its rows.
    """
    hints = hints or {}
    found = []
    for name in names:
        hint = hints.get(str(name), Hint())
        kind = hint.kind or guess_kind(frame[name])
        plain = Column(str(name), kind, hint.role, phrase=hint.phrase)
        found.append(_with_facts(plain, frame[name], rare_below))
    if created_at:
        taken = {column.name for column in found}
        for column in _calendar(frame[created_at], created_at):
            while column.name in taken:  # the table has a column of that very name
                column = replace(column, name=f"{column.name}_")
            found.append(column)
    return tuple(found)


def _calendar(series: Any, source: str) -> list[Column]:
    found = []
    for part in ("weekday", "day", "hour"):
        plain = Column(f"{source}.{part}", Kind.NUMBER, Role.FIT, source=source, derive=part)
        column = _with_facts(plain, series)
        if column.low is not None and column.low != column.high:
            found.append(column)
    return found


def _with_facts(plain: Column, series: Any, rare_below: int = RARE_BELOW) -> Column:
    values = _read(plain, series)
    n = max(len(values), 1)
    if plain.kind is Kind.NUMBER:
        gone = np.isnan(values)
        present = values[~gone]
        finite = present[np.abs(present) < LARGEST]
        return replace(
            plain,
            low=float(finite.min()) if len(finite) else None,
            high=float(finite.max()) if len(finite) else None,
            missing_share=float(gone.sum() / n),
        )
    counts: dict[str, int] = {}
    missing = 0
    for value in values.tolist():
        if value is None:
            missing += 1
        else:
            counts[value] = counts.get(value, 0) + 1
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    levels = [level for level in ordered if counts[level] >= rare_below][:MAX_LEVELS]
    return replace(plain, levels=tuple(levels), missing_share=missing / n)


def _read(column: Column, series: Any) -> NDArray[Any]:
    read = read_column(column, series)
    if read.bad_rows:
        raise InvalidValue(
            f"column '{column.source}' must hold "
            + ("timestamps" if column.derive else "numbers")
            + ", but some cells hold something else",
            column=column.source,
            rows=[row + 1 for row in read.bad_rows],
            fix=f"correct these cells of '{column.source}', empty them, or read it as a category",
        )
    return read.values


def encode(schema: Schema, frame: Any) -> Encoded:
    """The columns of ``schema`` read from ``frame`` as one matrix of codes and numbers."""
    n = len(frame)
    matrix = np.empty((n, len(schema.columns)), order="F")
    categories = []
    for i, column in enumerate(schema.columns):
        values = _read(column, frame[column.source])
        if column.kind is Kind.NUMBER:
            matrix[:, i] = np.clip(values, -FARTHEST, FARTHEST)
        else:
            categories.append(i)
            codes: dict[str | None, float] = {
                level: float(code) for code, level in enumerate(column.levels)
            }
            codes[None] = float(len(column.levels))
            other = float("nan")
            matrix[:, i] = [codes.get(value, other) for value in values.tolist()]
    return Encoded(matrix, tuple(categories))
