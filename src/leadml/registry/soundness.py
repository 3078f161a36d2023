"""Whether the tables of a bundle fit together and say nothing that nobody reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from leadml.features.moments import DERIVED_PARTS
from leadml.leads.vocabulary import Kind
from leadml.scorecard import Scorecard

__all__ = ["ignored", "unsound"]


def ignored(said: Any, read: Any, where: str = "") -> Iterator[str]:
    """Where plain data says more than, or something else than, what was read from it.

    What was read may say more: fields that a later leadml has added, by default.
    """
    if said == read:
        return
    if isinstance(said, dict) and isinstance(read, dict):
        for key, value in said.items():
            if key not in read:
                yield f"{where}/{key}"
            else:
                yield from ignored(value, read[key], f"{where}/{key}")
    elif isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        for i, (value, other) in enumerate(zip(said, read, strict=True)):
            yield from ignored(value, other, f"{where}/{i}")
    else:
        yield where or "/"


def unsound(scorecard: Scorecard) -> Iterator[str]:
    """What would make a scorer index wrongly or answer without meaning."""
    if not all(isinstance(column.name, str) for column in scorecard.schema.columns):
        yield "names of columns"
        return
    if not math.isfinite(scorecard.base):
        yield "the base is not finite"
    for column, table in zip(scorecard.schema.columns, scorecard.columns, strict=True):
        n, name = table.n_bins, column.name[:80]
        if {table.level.shape, table.slope.shape, table.share.shape} != {(n,)} or n == 0:
            yield f"bins of {name}"
        if not all(np.isfinite(a).all() for a in (table.level, table.slope, table.thresholds)):
            yield f"points of {name}"
        if table.thresholds.ndim != 1 or (np.diff(table.thresholds) <= 0).any():
            yield f"thresholds of {name}"
        used = (*table.level_bins, table.pooled_bin, table.unseen_bin, table.missing_bin)
        if not all(0 <= at < n for at in used):
            yield f"bins of {name}"
        if column.kind is Kind.NUMBER and len(table.thresholds) + 1 > n:
            yield f"thresholds of {name}"
        if not all(isinstance(v, float | int) for v in (column.low or 0.0, column.high or 0.0)):
            yield f"range of {name}"
        texts = (column.source, column.phrase, *column.levels, *column.pooled)
        if not all(isinstance(text, str) for text in texts):
            yield f"texts of {name}"
        if column.derive and (column.derive not in DERIVED_PARTS or column.kind is not Kind.NUMBER):
            yield f"what is derived as {name}"
    for pair in scorecard.pairs:
        if not 0 <= pair.first < len(scorecard.columns) > pair.second >= 0:
            yield "columns of a pair"
        if not np.isfinite(pair.cells).all():
            yield "cells of a pair"
    for cuts in (
        scorecard.reference.score,
        scorecard.reference.fit,
        scorecard.reference.engagement,
    ):
        array = np.array(cuts, dtype=np.float64)
        if array.ndim != 1 or len(array) not in (0, 100) or (np.diff(array) < 0).any():
            yield "percentiles"
