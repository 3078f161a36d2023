"""Whether the total effect of a number ever moves against a direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leadml.leads.vocabulary import Kind
from leadml.scorecard.card import ColumnTable, Scorecard

__all__ = ["DIRECTIONS", "ends_of", "isotonic", "worst_step"]

Floats = NDArray[np.float64]

DIRECTIONS = {"up": 1.0, "down": -1.0}
"""Words for a direction, and its sign."""


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The non-decreasing sequence nearest to ``values`` in weighted least squares.

    Pool adjacent violators (Ayer et al. 1955). Both arguments have shape (n,); weights
    are at least 0. The weighted mean stays.

    Examples
    --------
    >>> isotonic(np.array([1.0, 3.0, 2.0]), np.ones(3)).tolist()
    [1.0, 2.5, 2.5]
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, max(weight, 1e-12), 1
        while blocks and blocks[-1][0] >= mean:
            before, heavier, longer = blocks.pop()
            mean = (before * heavier + mean * mass) / (heavier + mass)
            mass, length = mass + heavier, length + longer
        blocks.append((mean, mass, length))
    return np.repeat([mean for mean, _, _ in blocks], [length for _, _, length in blocks])


def ends_of(table: ColumnTable) -> tuple[Floats, Floats]:
    """The numbers at which every value bin begins and ends, after clipping, shape (k + 1,)."""
    edges = np.concatenate(([-np.inf], table.thresholds, [np.inf]))
    clipped = np.clip(edges, *table.clip)
    return clipped[:-1], clipped[1:]


def worst_step(scorecard: Scorecard, column: str, direction: str) -> float:
    """The worst move of a number's total effect in a direction, over all other columns.

    The total effect is the column's own and that of its pairs. Every other column
    stands in one pair with this one at most, so the worst case over all their bins is
    the sum of the worst cases of the pairs: no lead can do worse.

    Parameters
    ----------
    scorecard, column
        The model, and the name of one of its numbers.
    direction
        ``up`` or ``down``.

    Returns
    -------
    float
        Log-odds; at least 0 (but for rounding) where the effect never moves against the
        direction as the number grows. Missing values have no place in that order.

    Raises
    ------
    ValueError
        The column is a category.
    """
    at = scorecard.schema.names.index(column)
    if scorecard.schema.columns[at].kind is not Kind.NUMBER:
        raise ValueError(f"column {column} is a category: it has no direction")
    sign = DIRECTIONS[direction]
    table = scorecard.columns[at]
    n = len(table.thresholds) + 1
    left, right = ends_of(table)
    begins = sign * (table.level[:n] + table.slope[:n] * left)
    stops = sign * (table.level[:n] + table.slope[:n] * right)
    jumps = begins[1:] - stops[:-1]
    for pair in scorecard.pairs:
        if at not in (pair.first, pair.second):
            continue
        cells = pair.cells if at == pair.first else pair.cells.T
        jumps = jumps + (sign * np.diff(cells[:n], axis=0)).min(axis=1)
    inside = stops - begins
    return float(min(inside.min(initial=0.0), jumps.min(initial=0.0)))
