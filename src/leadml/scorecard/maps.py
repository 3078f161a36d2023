"""Pairs of columns as small maps: what two values do together, beyond each alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.leads.schema import Column
from leadml.leads.vocabulary import Kind
from leadml.scorecard.card import ColumnTable, Scorecard
from leadml.scorecard.effects import pairs_of

__all__ = ["MOST_SIDES", "pair_maps"]

MOST_SIDES: Final = 6
"""Most values along one side of a map."""

Side = list[tuple[dict[str, Any], list[int]]]


def pair_maps(scorecard: Scorecard, limit: int = 4) -> list[dict[str, Any]]:
    """The strongest pairs, their bins joined to at most :data:`MOST_SIDES` a side.

    Returns
    -------
    list of dict
        ``columns`` and ``labels`` (two each), ``importance`` (standard deviation of the
        cells in log-odds), ``rows`` and ``cols`` (``from``/``to`` of a number, None where
        open; ``level`` of a category; ``missing`` true for no value), ``cells`` (log-odds
        averaged over the leads of the cell) and ``share`` (of leads, by the product of the
        columns' own shares), both of shape (rows, cols).
    """
    names = {name: i for i, name in enumerate(scorecard.schema.names)}
    tables = {(pair.first, pair.second): pair for pair in scorecard.pairs}
    found = []
    for told in pairs_of(scorecard, limit):
        first, second = (names[name] for name in told["columns"])
        pair = tables[first, second]
        rows = _sides(scorecard.schema.columns[first], scorecard.columns[first])
        cols = _sides(scorecard.schema.columns[second], scorecard.columns[second])
        weights = np.outer(scorecard.columns[first].share, scorecard.columns[second].share)
        found.append(
            {
                **told,
                "labels": [scorecard.schema.columns[i].label for i in (first, second)],
                "rows": [said for said, _ in rows],
                "cols": [said for said, _ in cols],
                "cells": [[_mean(pair.cells, weights, r, c) for _, c in cols] for _, r in rows],
                "share": [[float(weights[np.ix_(r, c)].sum()) for _, c in cols] for _, r in rows],
            }
        )
    return found


def _mean(
    cells: NDArray[np.float64],
    weights: NDArray[np.float64],
    rows: Sequence[int],
    cols: Sequence[int],
) -> float:
    part, weight = cells[np.ix_(rows, cols)], weights[np.ix_(rows, cols)]
    total = float(weight.sum())
    return float((part * weight).sum() / total) if total > 0 else float(part.mean())


def _sides(column: Column, table: ColumnTable) -> Side:
    """Values along one side, each with the bins it joins."""
    found = _ranges(table) if column.kind is Kind.NUMBER else _levels(column, table)
    if table.share[table.missing_bin] >= 0.01:
        found.append(({"missing": True}, [table.missing_bin]))
    return found


def _ranges(table: ColumnTable) -> Side:
    """Neighbouring bins of a number joined to ranges of about equal numbers of leads."""
    n = len(table.thresholds) + 1
    total = float(table.share[:n].sum()) or 1.0
    goal, bins, held = total / MOST_SIDES, [], 0.0
    groups: list[list[int]] = []
    for b in range(n):
        bins.append(b)
        held += float(table.share[b])
        if held >= goal:
            groups.append(bins)
            bins, held = [], 0.0
    if bins and groups and held < 0.5 * goal:
        groups[-1] += bins
    elif bins:
        groups.append(bins)
    cuts = table.thresholds.tolist()
    return [
        (
            {
                "from": cuts[group[0] - 1] if group[0] else None,
                "to": cuts[group[-1]] if group[-1] < len(cuts) else None,
            },
            group,
        )
        for group in groups
    ]


def _levels(column: Column, table: ColumnTable) -> Side:
    """The most frequent levels; levels that share a bin stand together."""
    by_bin: dict[int, list[str]] = {}
    for level, b in zip(column.levels, table.level_bins, strict=True):
        if b != table.missing_bin:
            by_bin.setdefault(b, []).append(level)
    frequent = sorted(by_bin, key=lambda b: -float(table.share[b]))[:MOST_SIDES]
    return [({"level": " / ".join(by_bin[b][:2])}, [b]) for b in frequent]
