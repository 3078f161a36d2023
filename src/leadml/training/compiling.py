"""Trees of depth two and the additive part merged into the tables of a scorecard.

A path of a depth-2 tree touches at most two columns: the left half of a tree
belongs to the pair (root, left child), the right half to (root, right child). All
paths of all trees that touch the same pair merge into one table, so the size of a
scorecard does not depend on how many trees were learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leadml.leads import Kind, Schema
from leadml.scorecard import ColumnTable, PairTable, Reference, Scorecard
from leadml.training.additive import Additive, CategoryPart, NumberPart
from leadml.training.encoding import Encoded
from leadml.training.trees import Node

__all__ = ["Mixture", "compile_scorecard"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """What is added up: weighted trees, the weighted additive part, and a constant."""

    trees: Sequence[tuple[float, Sequence[Node]]]
    additive: tuple[float, Additive] | None
    constant: float


@dataclass
class _Bins:
    """The bins of one column while tables are being filled.

    Values come first, then missing; of a category any other text comes last.
    """

    thresholds: Floats
    n_levels: int
    number: bool

    @property
    def size(self) -> int:
        return len(self.thresholds) + 2 if self.number else self.n_levels + 2

    def goes_left(self, node: Node) -> Floats:
        left = np.zeros(self.size)
        if self.number:
            left[: int(np.searchsorted(self.thresholds, node.threshold)) + 1] = 1.0
            left[-1] = float(node.missing_left)
        else:
            assert node.members is not None
            left[[code for code in node.members if code < self.size - 1]] = 1.0
        return left


def compile_scorecard(schema: Schema, mixture: Mixture, encoded: Encoded) -> Scorecard:
    """Merge, purify and describe; ``encoded`` is the training population.

    Returns
    -------
    Scorecard
        Without reference percentiles. Its log-odds equal the mixture's on every
        possible lead, up to rounding (1e-12 on real data).
    """
    bins = _bins(schema, mixture)
    main = [np.zeros(b.size) for b in bins]
    slope = [np.zeros(b.size) for b in bins]
    clip = [(0.0, 0.0)] * len(bins)
    pairs: dict[tuple[int, int], Floats] = {}
    base = mixture.constant
    for weight, trees in mixture.trees:
        for tree in trees:
            base += _add_tree(tree, weight, bins, main, pairs)
    if mixture.additive is not None:
        weight, additive = mixture.additive
        base += weight * additive.intercept
        for i, part in enumerate(additive.parts):
            if isinstance(part, NumberPart):
                clip[i] = part.clip
            _add_part(part, weight, bins[i], main[i], slope[i])
    share, slope_mean = _population(bins, slope, clip, encoded)
    merged = _merge_levels(bins, main, pairs, share)
    base += _purify(main, pairs, share)
    for i in range(len(main)):
        mean = float(main[i] @ share[i]) + slope_mean[i]
        main[i] -= mean
        base += mean
    tables = tuple(
        _table(bins[i], merged[i], main[i], slope[i], clip[i], share[i]) for i in range(len(bins))
    )
    kept = sorted(key for key, cells in pairs.items() if cells.any())
    return Scorecard(
        schema=schema,
        base=base,
        columns=tables,
        pairs=tuple(PairTable(i, j, pairs[i, j]) for i, j in kept),
        reference=Reference(),
    )


def _bins(schema: Schema, mixture: Mixture) -> list[_Bins]:
    cuts: list[set[float]] = [set() for _ in schema.columns]
    for _, trees in mixture.trees:
        for tree in trees:
            for node in _splits(tree):
                if node.members is None:
                    cuts[node.column].add(node.threshold)
    if mixture.additive is not None:
        for i, part in enumerate(mixture.additive[1].parts):
            if isinstance(part, NumberPart) and part.slopes.any():
                cuts[i].update(part.knots.tolist())
                cuts[i].update(part.clip)
    return [
        _Bins(
            np.array(sorted(cuts[i]), dtype=np.float64),
            len(column.levels),
            column.kind is Kind.NUMBER,
        )
        for i, column in enumerate(schema.columns)
    ]


def _splits(node: Node) -> Iterator[Node]:
    if node.left is not None and node.right is not None:
        yield node
        yield from _splits(node.left)
        yield from _splits(node.right)


def _add_tree(
    tree: Node,
    weight: float,
    bins: list[_Bins],
    main: list[Floats],
    pairs: dict[tuple[int, int], Floats],
) -> float:
    """Add one tree; returns its constant (a tree that is a single leaf)."""
    if tree.left is None or tree.right is None:
        return weight * tree.value
    root = tree.column
    left = bins[root].goes_left(tree)
    for half, side in ((tree.left, left), (tree.right, 1.0 - left)):
        if half.left is None or half.right is None:
            main[root] += (weight * half.value) * side
            continue
        child = half.column
        inner = bins[child].goes_left(half)
        points = weight * (half.left.value * inner + half.right.value * (1.0 - inner))
        if child == root:
            main[root] += side * points
            continue
        key = (min(root, child), max(root, child))
        if key not in pairs:
            pairs[key] = np.zeros((bins[key[0]].size, bins[key[1]].size))
        pairs[key] += np.outer(side, points) if root < child else np.outer(points, side)
    return 0.0


def _add_part(
    part: NumberPart | CategoryPart, weight: float, bins: _Bins, main: Floats, slope: Floats
) -> None:
    if isinstance(part, CategoryPart):
        main += weight * part.codes
        return
    main[-1] += weight * part.missing
    if not part.slopes.any():
        main[:-1] += weight * part.offset
        return
    low, high = part.clip
    for b in range(len(bins.thresholds) + 1):
        # bin b holds x in (thresholds[b - 1], thresholds[b]]
        upper = bins.thresholds[b] if b < len(bins.thresholds) else np.inf
        if upper <= low:
            main[b] += weight * _at(part, low)
        elif upper > high:
            main[b] += weight * _at(part, high)
        else:
            active = part.knots < upper
            main[b] += weight * (part.offset - float((part.slopes * part.knots)[active].sum()))
            slope[b] += weight * float(part.slopes[active].sum())


def _at(part: NumberPart, x: float) -> float:
    return part.offset + float((np.maximum(x - part.knots, 0.0) * part.slopes).sum())


def _population(
    bins: list[_Bins], slope: list[Floats], clip: list[tuple[float, float]], encoded: Encoded
) -> tuple[list[Floats], list[float]]:
    """Share of training rows per bin, and the mean of the sloped part, per column."""
    share, means = [], []
    n = max(len(encoded), 1)
    for i, b in enumerate(bins):
        values = encoded.matrix[:, i]
        if b.number:
            gone = np.isnan(values)
            at = np.searchsorted(b.thresholds, values, side="left")
            at[gone] = b.size - 1
            x = np.clip(np.where(gone, 0.0, values), *clip[i])
            means.append(float((slope[i][at] * np.where(gone, 0.0, x)).sum() / n))
        else:
            at = np.where(np.isnan(values), b.size - 1, values).astype(np.intp)
            means.append(0.0)
        share.append(np.bincount(at, minlength=b.size) / n)
    return share, means


def _merge_levels(
    bins: list[_Bins],
    main: list[Floats],
    pairs: dict[tuple[int, int], Floats],
    share: list[Floats],
) -> list[NDArray[np.intp]]:
    """Give levels of a category whose points are identical everywhere one bin; exact.

    Returns, per column, the merged bin of every old one. Missing and other texts keep
    bins of their own.
    """
    merged = []
    for i, b in enumerate(bins):
        if b.number or not b.n_levels:
            merged.append(np.arange(b.size))
            continue
        rows = [main[i][:, None]]
        for (first, second), cells in pairs.items():
            if i == first:
                rows.append(cells)
            elif i == second:
                rows.append(cells.T)
        points = np.ascontiguousarray(np.column_stack(rows) + 0.0)
        seen: dict[bytes, int] = {}
        to = np.empty(b.size, dtype=np.intp)
        keep: list[int] = []
        for old in range(b.size):
            key = points[old].tobytes() if old < b.n_levels else b"bin %d" % old
            if key not in seen:
                seen[key] = len(keep)
                keep.append(old)
            to[old] = seen[key]
        main[i] = main[i][keep]
        share[i] = np.bincount(to, share[i], len(keep)).astype(np.float64)
        for key_pair in list(pairs):
            if i == key_pair[0]:
                pairs[key_pair] = pairs[key_pair][keep]
            elif i == key_pair[1]:
                pairs[key_pair] = pairs[key_pair][:, keep]
        merged.append(to)
    return merged


def _purify(main: list[Floats], pairs: dict[tuple[int, int], Floats], share: list[Floats]) -> float:
    """Move what a pair's table says of one column alone to that column; in closed form.

    Functional ANOVA under the product of the columns' training frequencies
    (Hooker 2007; Lengerich et al. 2020): rows and columns of every table then
    average to zero. Returns what goes to the base.
    """
    base = 0.0
    for (i, j), cells in pairs.items():
        along_i = cells @ share[j]
        along_j = share[i] @ cells
        grand = float(along_i @ share[i])
        pairs[i, j] = cells - along_i[:, None] - along_j[None, :] + grand
        main[i] += along_i - grand
        main[j] += along_j - grand
        base += grand
    return base


def _table(
    bins: _Bins,
    merged: NDArray[np.intp],
    level: Floats,
    slope: Floats,
    clip: tuple[float, float],
    share: Floats,
) -> ColumnTable:
    if bins.number:
        last = bins.size - 1
        return ColumnTable(bins.thresholds, (), last, last, last, level, slope, clip, share)
    k = bins.n_levels
    return ColumnTable(
        thresholds=np.empty(0),
        level_bins=tuple(merged[:k].tolist()),
        missing_bin=int(merged[k]),
        pooled_bin=int(merged[k + 1]),
        unseen_bin=int(merged[k + 1]),
        level=level,
        slope=np.zeros(len(level)),
        clip=clip,
        share=share,
    )
