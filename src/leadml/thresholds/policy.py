"""The MQL and SQL lines of a model, with what to expect of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from leadml.errors import ConfigError
from leadml.leads.estimate import Estimate
from leadml.leads.vocabulary import Stage
from leadml.scorecard.reasons import digits4

__all__ = ["BASES", "NOBODY", "Basis", "Policy", "StageExpectation"]

Basis = Literal["capacity", "precision", "value"]
BASES: Final = ("capacity", "precision", "value")

NOBODY: Final = 2.0
"""A cut-off above every probability: no lead is proposed for the stage."""


@dataclass(frozen=True)
class StageExpectation:
    """What happens at or above a line, seen on leads whose outcome is known.

    Parameters
    ----------
    stage
        ``mql`` or ``sql``; figures count every lead at or above the line, so those of
        ``mql`` hold those of ``sql``.
    cutoff
        Probability from which a lead is proposed.
    volume_per_week
        Leads; the interval is the range of a usual week.
    precision
        Share of these leads that convert, with its Wilson interval.
    conversions_per_week
        Conversions among them; the interval is the range of a usual week.
    recall
        Share of all conversions that are among them, with its Wilson interval.
    value_per_week
        Worth of these conversions less the cost of working the leads; the interval is the
        range of a usual week. None where no worth was given.
    """

    stage: Stage
    cutoff: float
    volume_per_week: Estimate
    precision: Estimate
    conversions_per_week: Estimate
    recall: Estimate
    value_per_week: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``policy.json``."""
        found: dict[str, Any] = {
            "stage": str(self.stage),
            "cutoff": self.cutoff,
            "volume_per_week": self.volume_per_week.as_dict(),
            "precision": self.precision.as_dict(),
            "conversions_per_week": self.conversions_per_week.as_dict(),
            "recall": self.recall.as_dict(),
        }
        if self.value_per_week is not None:
            found["value_per_week"] = self.value_per_week.as_dict()
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StageExpectation:
        """The inverse of :meth:`as_dict`."""
        return cls(
            stage=Stage(data["stage"]),
            cutoff=float(data["cutoff"]),
            volume_per_week=Estimate.from_dict(data["volume_per_week"]),
            precision=Estimate.from_dict(data["precision"]),
            conversions_per_week=Estimate.from_dict(data["conversions_per_week"]),
            recall=Estimate.from_dict(data["recall"]),
            value_per_week=Estimate.from_dict(data["value_per_week"])
            if "value_per_week" in data
            else None,
        )


@dataclass(frozen=True)
class Policy:
    """Cut-offs in probability, how they were chosen, and their version.

    Parameters
    ----------
    version
        Counts up with every change.
    mql, sql
        Probabilities from which a lead is proposed as MQL, as SQL; ``mql <= sql``.
        Above 1 (:data:`NOBODY`) nobody is.
    nurture
        Probability from which a lead is worth nurturing, at most ``mql``.
    basis
        What decided: ``capacity``, ``precision`` or ``value``.
    capacity_per_week
        Leads that sales can work in a week, if it was given.
    reason
        One plain sentence why the lines are where they are.
    expected
        What to expect at or above each line.

    Raises
    ------
    ConfigError
        If a line is not a positive number, the lines are out of order or the basis is unknown.

    Examples
    --------
    >>> policy = Policy("1", mql=0.1, sql=0.3, nurture=0.05)
    >>> str(policy.stage_of(0.1)), policy.grade_of(0.3), str(policy.stage_of(0.01))
    ('mql', 'A', 'cold')
    >>> Policy("1", mql=0.3, sql=0.1)
    Traceback (most recent call last):
        ...
    leadml.errors.ConfigError: the lines must not cross: nurture 0.0, MQL 0.3, SQL 0.1
    """

    version: str
    mql: float
    sql: float
    nurture: float = 0.0
    basis: Basis = "capacity"
    capacity_per_week: float | None = None
    reason: str = ""
    expected: tuple[StageExpectation, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.mql, self.sql, self.nurture):
            if not (math.isfinite(line) and 0.0 <= line <= NOBODY):
                raise ConfigError(
                    f"a line must be a chance between 0 and 1, not {line}",
                    fix="give chances such as 0.12",
                )
        if not self.nurture <= self.mql <= self.sql:
            raise ConfigError(
                f"the lines must not cross: nurture {self.nurture}, MQL {self.mql}, SQL {self.sql}",
                fix="order them: nurture at most MQL, MQL at most SQL",
            )
        if self.basis not in BASES:
            raise ConfigError(
                f"there is no basis '{self.basis}'", fix=f"use one of: {', '.join(BASES)}"
            )

    def stage_of(self, probability: float) -> Stage:
        """The stage that the lines propose: ``cold``, ``nurture``, ``mql`` or ``sql``.

        The comparison uses the digits that people see (four significant ones), so that
        every surface agrees with what it shows.
        """
        shown = digits4(probability)
        if shown >= self.sql:
            return Stage.SQL
        if shown >= self.mql:
            return Stage.MQL
        return Stage.NURTURE if shown >= self.nurture else Stage.COLD

    def grade_of(self, probability: float) -> str:
        """A (SQL), B (MQL), C (nurture) or D (cold)."""
        return _GRADES[self.stage_of(probability)]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``policy.json``; what was not given is left out."""
        found: dict[str, Any] = {
            "version": self.version,
            "mql": self.mql,
            "sql": self.sql,
            "nurture": self.nurture,
            "basis": self.basis,
            "reason": self.reason,
            "expected": [expectation.as_dict() for expectation in self.expected],
        }
        if self.capacity_per_week is not None:
            found["capacity_per_week"] = self.capacity_per_week
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """The inverse of :meth:`as_dict`."""
        return cls(
            version=str(data["version"]),
            mql=float(data["mql"]),
            sql=float(data["sql"]),
            nurture=float(data.get("nurture", 0.0)),
            basis=data.get("basis", "capacity"),
            capacity_per_week=data.get("capacity_per_week"),
            reason=data.get("reason", ""),
            expected=tuple(StageExpectation.from_dict(e) for e in data.get("expected", ())),
        )


_GRADES: Final = {Stage.SQL: "A", Stage.MQL: "B", Stage.NURTURE: "C", Stage.COLD: "D"}
