"""The scorecard as data: one table per column, one per pair, all in log-odds.

For a lead with bins b and numbers x::

    log_odds = base + sum_i (level_i[b_i] + slope_i[b_i] * clip(x_i)) + sum_ij cells_ij[b_i, b_j]

Effects are purified: on the training population (product of marginals) every
column's effect averages to zero and every pair's table averages to zero along both
of its sides, so that ``base`` is the log-odds of a typical lead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leadml.leads.schema import Schema
from leadml.leads.vocabulary import Kind

__all__ = ["ColumnTable", "PairTable", "Reference", "Scorecard"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Bins of one column and their points.

    Parameters
    ----------
    thresholds
        Ascending cuts of a number, shape (k,): bin = number of thresholds < x
        (x <= t goes left), so k + 1 bins hold values. Empty for a category.
    level_bins
        Bin of each of the schema's levels, in the schema's order; empty for a number.
    pooled_bin, unseen_bin, missing_bin
        Bins of rare levels pooled in training, of levels training never saw, and of
        no value. For a number only the last has a meaning.
    level, slope
        Points per bin, shape (n_bins,), in log-odds, and per unit of the number.
    clip
        The number is clipped to this closed range before the slope applies.
    share
        Share of training rows per bin, shape (n_bins,), sums to 1.
    """

    thresholds: Floats
    level_bins: tuple[int, ...]
    pooled_bin: int
    unseen_bin: int
    missing_bin: int
    level: Floats
    slope: Floats
    clip: tuple[float, float]
    share: Floats

    @property
    def n_bins(self) -> int:
        """Number of bins, missing and unseen included."""
        return len(self.level)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data; every float survives exactly."""
        found: dict[str, Any] = {
            "level": self.level.tolist(),
            "share": self.share.tolist(),
            "missing_bin": self.missing_bin,
        }
        if self.level_bins:
            found["level_bins"] = list(self.level_bins)
        if len(self.thresholds):
            found["thresholds"] = self.thresholds.tolist()
        if self.slope.any():
            found["slope"] = self.slope.tolist()
            found["clip"] = list(self.clip)
        if self.unseen_bin != self.missing_bin:
            found["unseen_bin"] = self.unseen_bin
        if self.pooled_bin != self.unseen_bin:
            found["pooled_bin"] = self.pooled_bin
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ColumnTable:
        """The inverse of :meth:`as_dict`."""
        level = np.array(data["level"], dtype=np.float64)
        missing = int(data["missing_bin"])
        unseen = int(data.get("unseen_bin", missing))
        clip = data.get("clip", (0.0, 0.0))
        return cls(
            thresholds=np.array(data.get("thresholds", ()), dtype=np.float64),
            level_bins=tuple(int(b) for b in data.get("level_bins", ())),
            pooled_bin=int(data.get("pooled_bin", unseen)),
            unseen_bin=unseen,
            missing_bin=missing,
            level=level,
            slope=np.array(data["slope"], dtype=np.float64)
            if "slope" in data
            else np.zeros(len(level)),
            clip=(float(clip[0]), float(clip[1])),
            share=np.array(data["share"], dtype=np.float64),
        )


@dataclass(frozen=True, eq=False)
class PairTable:
    """Points of two columns together, shape (n_bins of first, n_bins of second)."""

    first: int
    second: int
    cells: Floats

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"first": self.first, "second": self.second, "cells": self.cells.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PairTable:
        """The inverse of :meth:`as_dict`."""
        return cls(
            int(data["first"]), int(data["second"]), np.array(data["cells"], dtype=np.float64)
        )


@dataclass(frozen=True)
class Reference:
    """Percentiles of the reference leads, for scores from 0 to 100.

    Each tuple holds the 100 smallest log-odds that outrank 1 %, 2 %, … 100 % of the
    reference leads, for the whole and for the parts that fit and engagement add.
    """

    score: tuple[float, ...] = ()
    fit: tuple[float, ...] = ()
    engagement: tuple[float, ...] = ()

    @classmethod
    def of(cls, log_odds: Floats, fit: Floats, engagement: Floats) -> Reference:
        """Cut the reference cohort, each argument of shape (n,), n >= 1."""
        return cls(_cuts(log_odds), _cuts(fit), _cuts(engagement))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "score": list(self.score),
            "fit": list(self.fit),
            "engagement": list(self.engagement),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reference:
        """The inverse of :meth:`as_dict`."""
        return cls(tuple(data["score"]), tuple(data["fit"]), tuple(data["engagement"]))


def _cuts(values: Floats) -> tuple[float, ...]:
    """Cut k is the least reference value with at least k percent of the cohort at or below it.

    A lead whose value is strictly above cut k outranks at least k percent.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    places = np.ceil(np.arange(1, 101) / 100.0 * len(ordered)).astype(int) - 1
    return tuple(ordered[places].tolist())


@dataclass(frozen=True, eq=False)
class Scorecard:
    """The whole model: schema, base, tables, reference percentiles.

    ``base`` is the log-odds of a typical lead, at which every effect is zero.
    """

    schema: Schema
    base: float
    columns: tuple[ColumnTable, ...]
    pairs: tuple[PairTable, ...] = ()
    reference: Reference = field(default_factory=Reference)

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.schema.columns):
            raise ValueError("a scorecard needs one table per column of its schema")
        for column, table in zip(self.schema.columns, self.columns, strict=True):
            if column.kind is Kind.CATEGORY and len(table.level_bins) != len(column.levels):
                raise ValueError(f"column {column.name}: one bin per level is needed")
        for pair in self.pairs:
            shape = (self.columns[pair.first].n_bins, self.columns[pair.second].n_bins)
            if pair.cells.shape != shape:
                raise ValueError(f"pair table {pair.first}, {pair.second} must have shape {shape}")

    @property
    def n_cells(self) -> int:
        """Number of cells in all tables."""
        return sum(t.n_bins for t in self.columns) + sum(p.cells.size for p in self.pairs)

    def with_base_shift(self, shift: float) -> Scorecard:
        """The same scorecard with ``shift`` log-odds added to the base, percentiles along."""
        moved = Reference(
            tuple(cut + shift for cut in self.reference.score),
            self.reference.fit,
            self.reference.engagement,
        )
        return replace(self, base=self.base + shift, reference=moved)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data; ``from_dict`` gives the same bits back."""
        return {
            "schema": self.schema.as_dict(),
            "base": self.base,
            "columns": [table.as_dict() for table in self.columns],
            "pairs": [pair.as_dict() for pair in self.pairs],
            "reference": self.reference.as_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scorecard:
        """The inverse of :meth:`as_dict`; KeyError, TypeError or ValueError on foreign data."""
        return cls(
            schema=Schema.from_dict(data["schema"]),
            base=float(data["base"]),
            columns=tuple(ColumnTable.from_dict(table) for table in data["columns"]),
            pairs=tuple(PairTable.from_dict(pair) for pair in data["pairs"]),
            reference=Reference.from_dict(data["reference"]),
        )
