"""From what sales can do to where the lines stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.errors import ConfigError, DataError
from leadml.leads.estimate import Z95, Estimate, percent, wilson
from leadml.leads.vocabulary import Stage
from leadml.scorecard.reasons import digits4
from leadml.thresholds.policy import BASES, NOBODY, Basis, Policy, StageExpectation

__all__ = ["MQL_SHARE", "SQL_OF_MQL", "ThresholdPlan", "choose_policy", "expectation_of"]

MQL_SHARE: Final = 0.20
"""Share of the leads that become MQL when nothing is asked for."""

SQL_OF_MQL: Final = 0.25
"""Share of the MQL capacity that becomes SQL when nothing is asked for (5 % of all leads)."""

_TRUSTED: Final = 10
"""Fewest leads above a line whose precision is believed."""


@dataclass(frozen=True)
class ThresholdPlan:
    """What people ask of the lines; with nothing asked, a fifth of the leads becomes MQL.

    Parameters
    ----------
    basis
        ``capacity``: the most promising leads, as many as sales can work.
        ``precision``: the lowest lines above which the asked share converts.
        ``value``: every lead whose expected value exceeds the cost of working it.
    capacity_per_week
        Leads sales can work in a week; limits the MQL line on every basis.
    sql_capacity_per_week
        Leads that can be met in a week; a quarter of the capacity if not given.
    mql_precision, sql_precision
        Shares in (0, 1) that shall convert above the lines.
    value
        Worth of a conversion, in the currency of the costs.
    cost_mql, cost_sql
        Cost of working a lead as MQL, as SQL.

    Raises
    ------
    ConfigError
        If a figure lies outside its range or the basis lacks its figures.
    """

    basis: Basis = "capacity"
    capacity_per_week: float | None = None
    mql_precision: float | None = None
    sql_precision: float | None = None
    value: float | None = None
    cost_mql: float | None = None
    cost_sql: float | None = None
    sql_capacity_per_week: float | None = None

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ConfigError(
                f"there is no basis '{self.basis}'", fix=f"use one of: {', '.join(BASES)}"
            )
        for name in ("mql_precision", "sql_precision"):
            given = getattr(self, name)
            if given is not None and not 0.0 < given < 1.0:
                raise ConfigError(
                    f"{name} must lie between 0 and 1, not {given}", fix="give a share such as 0.25"
                )
        for name in (
            "capacity_per_week",
            "sql_capacity_per_week",
            "value",
            "cost_mql",
            "cost_sql",
        ):
            given = getattr(self, name)
            if given is not None and not (math.isfinite(given) and given > 0):
                raise ConfigError(f"{name} must be a number above 0, not {given}")
        if self.basis == "precision" and self.mql_precision is None and self.sql_precision is None:
            raise ConfigError(
                "lines by precision need the precision asked for",
                fix="give mql_precision, sql_precision or both",
            )
        if self.basis == "value" and (self.value is None or self.cost_mql is None):
            raise ConfigError(
                "lines by value need the worth of a conversion and the cost of a lead",
                fix="give value and cost_mql",
            )


def choose_policy(
    probability: ArrayLike,
    converted: ArrayLike,
    leads_per_week: float,
    plan: ThresholdPlan | None = None,
    version: str = "1",
    *,
    leads_per_week_known: bool = True,
) -> Policy:
    """Choose the MQL and SQL lines on leads whose outcome is known.

    The leads must not have been learned from (out-of-fold or forward test), or the
    expectations are too rosy. A line is always a probability as people see it (four
    significant digits). Leads of one shown probability are never split, and a line
    never lets more leads through than the capacity: where a tie would, the line
    stands above the tie.

    Parameters
    ----------
    probability
        Shape (n,), in [0, 1].
    converted
        Shape (n,), 0 or 1.
    leads_per_week
        Leads that come in during a usual week, above 0.
    plan
        What is asked for.
    version
        Of the policy made.
    leads_per_week_known
        False when the weekly number is only assumed; the reason then speaks in shares.

    Returns
    -------
    Policy
        Lines, a sentence why, and what to expect of them.

    Raises
    ------
    DataError
        If there are no leads, lengths differ, or values lie outside their range.
    ConfigError
        If ``leads_per_week`` is not above 0.

    Examples
    --------
    >>> chances = [0.9, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    >>> won = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    >>> policy = choose_policy(chances, won, 10, ThresholdPlan(capacity_per_week=2))
    >>> policy.mql  # the two leads at 0.5 would make three: the line stands above them
    0.9
    """
    plan = plan or ThresholdPlan()
    ladder = _Ladder.of(probability, converted)
    if not (math.isfinite(leads_per_week) and leads_per_week > 0):
        raise ConfigError(f"leads_per_week must be a number above 0, not {leads_per_week}")
    if plan.basis == "precision":
        mql, sql, sentence = _by_precision(ladder, plan)
    elif plan.basis == "value":
        mql, sql, sentence = _by_value(plan)
    else:
        mql, sql, sentence = _by_capacity(ladder, plan, leads_per_week, leads_per_week_known)
    if plan.basis != "capacity" and plan.capacity_per_week is not None:
        limit = ladder.line_for(plan.capacity_per_week / leads_per_week)
        if limit > mql:
            mql = limit
            sentence += (
                f" Sales can work {_amount(plan.capacity_per_week)} leads a week,"
                f" so the MQL line was raised to {_line(limit)}."
            )
    sql = max(sql, mql)
    nurture = min(mql, digits4(ladder.base_rate))
    expected = tuple(
        expectation_of(stage, line, probability, converted, leads_per_week)
        for stage, line in ((Stage.MQL, mql), (Stage.SQL, sql))
    )
    return Policy(
        version=version,
        mql=mql,
        sql=sql,
        nurture=nurture,
        basis=plan.basis,
        capacity_per_week=plan.capacity_per_week,
        reason=sentence,
        expected=expected,
    )


def expectation_of(
    stage: Stage,
    cutoff: float,
    probability: ArrayLike,
    converted: ArrayLike,
    leads_per_week: float,
) -> StageExpectation:
    """What happens at or above a line, scaled to a week.

    Shares have Wilson intervals. The weekly figures have the range of a usual week:
    Poisson luck of one week, widened by what is unsure about the rate itself.
    """
    ladder = _Ladder.of(probability, converted)
    leads, won = ladder.above(cutoff)
    n = ladder.n
    total = ladder.conversions
    low, high = wilson(won, leads)
    caught_low, caught_high = wilson(won, total)
    scale = leads_per_week / n
    return StageExpectation(
        stage=stage,
        cutoff=cutoff,
        volume_per_week=_week(leads, n, scale),
        precision=Estimate(won / leads if leads else 0.0, low, high),
        conversions_per_week=_week(won, n, scale),
        recall=Estimate(won / total if total else 0.0, caught_low, caught_high),
    )


@dataclass(frozen=True)
class _Ladder:
    """Shown probabilities, highest first, with leads and conversions at or above each."""

    steps: NDArray[np.float64]
    leads: NDArray[np.int64]
    won: NDArray[np.int64]

    @classmethod
    def of(cls, probability: ArrayLike, converted: ArrayLike) -> _Ladder:
        chances = np.asarray(probability, dtype=np.float64)
        outcome = np.asarray(converted, dtype=np.float64)
        if chances.ndim != 1 or chances.shape != outcome.shape:
            raise DataError("probabilities and outcomes must be two columns of one length")
        if chances.size == 0:
            raise DataError("there are no leads to choose the lines on")
        if not (np.isfinite(chances).all() and chances.min() >= 0 and chances.max() <= 1):
            raise DataError("probabilities must lie between 0 and 1")
        if not np.isin(outcome, (0.0, 1.0)).all():
            raise DataError("outcomes must be 0 or 1; leave unknown ones out")
        exact, where = np.unique(chances, return_inverse=True)
        shown = np.array([digits4(float(p)) for p in exact])
        steps, group = np.unique(shown, return_inverse=True)
        group = group[where]
        leads = np.bincount(group, minlength=steps.size)[::-1].cumsum()
        won = np.bincount(group, weights=outcome, minlength=steps.size)[::-1].cumsum()
        return cls(steps[::-1], leads.astype(np.int64), np.rint(won).astype(np.int64))

    @property
    def n(self) -> int:
        return int(self.leads[-1])

    @property
    def conversions(self) -> int:
        return int(self.won[-1])

    @property
    def base_rate(self) -> float:
        return self.conversions / self.n

    def above(self, cutoff: float) -> tuple[int, int]:
        """Leads and conversions at or above a line."""
        at = int(np.searchsorted(-self.steps, -cutoff, side="right"))
        return (0, 0) if at == 0 else (int(self.leads[at - 1]), int(self.won[at - 1]))

    def line_for(self, share: float) -> float:
        """The lowest line that lets at most this share of the leads through."""
        fits = int(np.searchsorted(self.leads, share * self.n + 1e-9, side="right"))
        return float(self.steps[fits - 1]) if fits else NOBODY

    def line_of_precision(self, precision: float) -> float:
        """The lowest line above which at least this share converted."""
        reached = (self.won >= precision * self.leads - 1e-9) & (self.leads >= _TRUSTED)
        found = np.flatnonzero(reached)
        return float(self.steps[found[-1]]) if found.size else NOBODY

    def best_precision(self) -> float:
        """The highest share converted above any line with enough leads."""
        enough = self.leads >= min(_TRUSTED, self.n)
        return float((self.won[enough] / self.leads[enough]).max())


def _by_capacity(
    ladder: _Ladder, plan: ThresholdPlan, weekly: float, known: bool
) -> tuple[float, float, str]:
    asked = plan.capacity_per_week
    meetings = plan.sql_capacity_per_week
    share = MQL_SHARE if asked is None else asked / weekly
    sql_share = share * SQL_OF_MQL if meetings is None else min(share, meetings / weekly)
    mql = ladder.line_for(share)
    sql = ladder.line_for(sql_share)
    if asked is None:
        sentence = (
            "No capacity was given, so the most promising fifth of the leads becomes MQL"
            f" ({_line(mql)}) and the best twentieth SQL ({_line(sql)})."
            if meetings is None
            else "No capacity was given, so the most promising fifth of the leads becomes MQL"
            f" ({_line(mql)}); {_amount(meetings)} meetings a week set the SQL line ({_line(sql)})."
        )
    else:
        best = asked * SQL_OF_MQL if meetings is None else meetings
        of = f"of about {_amount(weekly)} " if known else ""
        if share >= 1:
            sentence = (
                f"Sales can work {_amount(asked)} leads a week, more than come in, so every lead"
                f" becomes MQL and the best {_amount(best)} SQL ({_line(sql)})."
            )
        else:
            sentence = (
                f"Sales can work {_amount(asked)} leads a week, so the {_amount(asked)} most"
                f" promising {of}become MQL ({_line(mql)})"
                f" and the best {_amount(best)} of them SQL ({_line(sql)})."
            )
        if not known:
            sentence += f" {_amount(weekly)} leads a week is assumed; the table holds no dates."
    return mql, sql, sentence + _tie_note(ladder, mql, share, "MQL")


def _by_precision(ladder: _Ladder, plan: ThresholdPlan) -> tuple[float, float, str]:
    parts = []
    if plan.mql_precision is None:
        mql = ladder.line_for(MQL_SHARE)
        parts.append(f"the most promising fifth of the leads becomes MQL ({_line(mql)})")
    else:
        mql = ladder.line_of_precision(plan.mql_precision)
        parts.append(_reached(ladder, "MQL", mql, plan.mql_precision))
    if plan.sql_precision is None:
        leads, _ = ladder.above(mql)
        sql = ladder.line_for(leads * SQL_OF_MQL / ladder.n)
        parts.append(f"the best quarter of those becomes SQL ({_line(sql)})")
    else:
        sql = ladder.line_of_precision(plan.sql_precision)
        parts.append(_reached(ladder, "SQL", sql, plan.sql_precision))
    sentence = "; ".join(parts)
    return mql, sql, f"{sentence[0].upper()}{sentence[1:]}."


def _by_value(plan: ThresholdPlan) -> tuple[float, float, str]:
    assert plan.value is not None
    assert plan.cost_mql is not None
    mql = _break_even(plan.cost_mql, plan.value)
    cost_sql = 4 * plan.cost_mql if plan.cost_sql is None else plan.cost_sql
    sql = max(mql, _break_even(cost_sql, plan.value))
    assumed = " (taken as four times the MQL cost)" if plan.cost_sql is None else ""
    sentence = (
        f"A conversion is worth {_amount(plan.value)}: working a lead as MQL for"
        f" {_amount(plan.cost_mql)} pays from a chance of {percent(mql)},"
        f" as SQL for {_amount(cost_sql)}{assumed} from {percent(sql)}."
    )
    if mql > 1:
        sentence = (
            f"A conversion is worth {_amount(plan.value)}, less than working a lead"
            f" ({_amount(plan.cost_mql)}), so nobody is proposed."
        )
    elif sql > 1:
        sentence = (
            f"A conversion is worth {_amount(plan.value)}: working a lead as MQL for"
            f" {_amount(plan.cost_mql)} pays from a chance of {percent(mql)}; working one as SQL"
            f" for {_amount(cost_sql)}{assumed} never does."
        )
    return mql, sql, sentence


def _break_even(cost: float, value: float) -> float:
    """The lowest shown probability at which the expected value covers the cost."""
    ratio = cost / value
    if ratio > 1:
        return NOBODY
    shown = digits4(ratio)
    if shown >= ratio:
        return shown
    step = 10.0 ** (math.floor(math.log10(ratio)) - 3)
    return digits4(shown + step)


def _reached(ladder: _Ladder, stage: str, line: float, asked: float) -> str:
    if line > 1:
        return (
            f"no line reaches the {percent(asked)} asked of {stage} with at least {_TRUSTED} leads"
            f" (the best reaches {percent(ladder.best_precision())}), so nobody becomes {stage}"
        )
    leads, won = ladder.above(line)
    return (
        f"{percent(won / leads)} of the leads at or above the {stage} line ({_line(line)})"
        f" converted, {percent(asked)} were asked for"
    )


def _tie_note(ladder: _Ladder, line: float, share: float, stage: str) -> str:
    """A sentence when equal chances keep a line from using the capacity."""
    if share >= 1:
        return ""
    leads, _ = ladder.above(line)
    room = share * ladder.n
    if line > 1:
        tied = int(ladder.leads[0])
        if room < 1:
            return f" That is less than one of the {ladder.n:,} leads looked at: nobody is {stage}."
        return (
            f" The {tied:,} leads with the highest chance are equal and more than that,"
            f" so nobody becomes {stage}."
        )
    if leads < 0.9 * room - 1:
        return (
            f" Many leads share one chance just below the {stage} line, so only"
            f" {percent(leads / ladder.n)} of the leads are at or above it."
        )
    return ""


def _line(cutoff: float) -> str:
    return "nobody" if cutoff > 1 else f"a chance of {percent(cutoff)} or more"


def _amount(value: float) -> str:
    whole = abs(value - round(value)) < 0.05 or abs(value) >= 10
    return f"{value:,.0f}" if whole else f"{value:,.1f}"


def _week(count: int, n: int, scale: float) -> Estimate:
    """A weekly figure with the range of a usual week (normal approximation of a Poisson sum)."""
    value = count * scale
    spread = math.sqrt(value + scale * scale * count * (1 - count / n))
    return Estimate(value, max(0.0, value - Z95 * spread), value + Z95 * spread)
