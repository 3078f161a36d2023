"""Effects of a scorecard as facts for people: curves, bars, pairs, importance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leadml.leads.schema import Column
from leadml.leads.vocabulary import Kind
from leadml.scorecard.card import ColumnTable, Scorecard

__all__ = ["effects_of", "pairs_of"]

LEVELS_SHOWN = 40


def effects_of(scorecard: Scorecard, contributions: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Every column's main effect, the most important first.

    Parameters
    ----------
    scorecard
        The model.
    contributions
        Log-odds per lead and column of the reference leads, shape (n, n_columns).

    Returns
    -------
    list of dict
        ``importance`` is the column's share of the summed variance of all columns'
        contributions (main effect and half of each interaction), in [0, 1].
    """
    variance = contributions.var(axis=0) if len(contributions) else np.zeros(0)
    total = float(variance.sum()) or 1.0
    found = []
    for i, (column, table) in enumerate(
        zip(scorecard.schema.columns, scorecard.columns, strict=True)
    ):
        effect: dict[str, Any] = {
            "column": column.name,
            "label": column.label,
            "role": str(column.role),
            "kind": str(column.kind),
            "importance": float(variance[i]) / total if len(variance) else 0.0,
            "points": _curve(column, table) if column.kind is Kind.NUMBER else _bars(column, table),
        }
        if table.share[table.missing_bin] > 0:
            effect["missing"] = {
                "log_odds": float(table.level[table.missing_bin]),
                "share": float(table.share[table.missing_bin]),
            }
        found.append(effect)
    return sorted(found, key=lambda effect: (-effect["importance"], effect["column"]))


def _curve(column: Column, table: ColumnTable) -> list[dict[str, Any]]:
    cuts = table.thresholds.tolist()
    low = column.low if column.low is not None else 0.0
    high = column.high if column.high is not None else 0.0
    points = []
    for b in range(len(cuts) + 1):
        left = max(low, cuts[b - 1]) if b else low
        right = min(high, cuts[b]) if b < len(cuts) else high
        if right < low or left > high:
            continue
        ends = [
            float(table.level[b] + table.slope[b] * np.clip(x, *table.clip)) for x in (left, right)
        ]
        points.append(
            {
                "from": float(left),
                "to": float(max(left, right)),
                "log_odds_from": ends[0],
                "log_odds_to": ends[1],
                "share": float(table.share[b]),
            }
        )
    return points


def _bars(column: Column, table: ColumnTable) -> list[dict[str, Any]]:
    """Levels, most frequent first; merged levels share the points, and the share, of their bin."""
    shared = np.bincount(np.array(table.level_bins, dtype=int), minlength=table.n_bins)
    points = []
    for level, b in list(zip(column.levels, table.level_bins, strict=True))[:LEVELS_SHOWN]:
        points.append(
            {
                "level": level,
                "log_odds": float(table.level[b]),
                "share": float(table.share[b]) / max(int(shared[b]), 1),
            }
        )
    other = table.pooled_bin
    if other not in (*table.level_bins, table.missing_bin) and table.share[other] > 0:
        points.append(
            {
                "level": "rare values",
                "log_odds": float(table.level[other]),
                "share": float(table.share[other]),
            }
        )
    return points


def pairs_of(scorecard: Scorecard, limit: int = 20) -> list[dict[str, Any]]:
    """The strongest interactions: weighted standard deviation of a pair's cells, in log-odds."""
    found: list[dict[str, Any]] = []
    for pair in scorecard.pairs:
        weights = np.outer(
            scorecard.columns[pair.first].share, scorecard.columns[pair.second].share
        )
        spread = float(np.sqrt((weights * pair.cells**2).sum()))
        names = [scorecard.schema.names[i] for i in (pair.first, pair.second)]
        found.append({"columns": names, "importance": spread})
    return sorted(found, key=lambda pair: (-pair["importance"], pair["columns"]))[:limit]
