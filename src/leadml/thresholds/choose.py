"""From what sales can do to where the lines stand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from numpy.typing import ArrayLike

from leadml.errors import ConfigError
from leadml.leads.estimate import percent
from leadml.leads.vocabulary import Stage
from leadml.scorecard.reasons import digits4
from leadml.thresholds.cohort import TRUSTED, Cohort
from leadml.thresholds.policy import BASES, NOBODY, Basis, Policy, StageExpectation

__all__ = [
    "MQL_SHARE",
    "SQL_OF_MQL",
    "ThresholdPlan",
    "choose_policy",
    "expectations_of",
    "policy_of",
]

MQL_SHARE: Final = 0.20
"""Share of the leads that become MQL when nothing is asked for."""

SQL_OF_MQL: Final = 0.25
"""Share of the MQL capacity that becomes SQL when nothing is asked for (5 % of all leads)."""

LEAST: Final = 1e-6
MOST: Final = 1e12
"""Range of every figure of a plan that is no share."""


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
    leads_per_week
        Leads that come in during a usual week; the leads the lines are chosen on tell if
        not given.

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
    leads_per_week: float | None = None

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ConfigError(
                "there is no such basis", column="basis", fix=f"use one of: {', '.join(BASES)}"
            )
        for name in ("mql_precision", "sql_precision"):
            given = getattr(self, name)
            if given is not None and not 0.0 < given < 1.0:
                raise ConfigError(
                    f"{name} must lie between 0 and 1",
                    column=name,
                    fix="give a share such as 0.25",
                )
        for name in (
            "capacity_per_week",
            "sql_capacity_per_week",
            "value",
            "cost_mql",
            "cost_sql",
            "leads_per_week",
        ):
            given = getattr(self, name)
            if given is not None and not LEAST <= given <= MOST:
                raise ConfigError(
                    f"{name} must be a number above 0, from {LEAST:g} to {MOST:g}", column=name
                )
        if self.basis == "precision" and self.mql_precision is None and self.sql_precision is None:
            raise ConfigError(
                "lines by precision need the precision asked for",
                column="mql_precision",
                fix="give mql_precision, sql_precision or both",
            )
        if self.basis == "value" and (self.value is None or self.cost_mql is None):
            raise ConfigError(
                "lines by value need the worth of a conversion and the cost of a lead",
                column="value" if self.value is None else "cost_mql",
                fix="give value and cost_mql",
            )

    @property
    def cost_of_sql(self) -> float | None:
        """Cost of working a lead as SQL; four times the MQL cost if it was not given."""
        if self.cost_sql is None and self.cost_mql is not None:
            return 4 * self.cost_mql
        return self.cost_sql

    def as_dict(self) -> dict[str, Any]:
        """Plain data; what was not given is left out."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ThresholdPlan:
        """The inverse of :meth:`as_dict`.

        Raises
        ------
        ConfigError
            A name is not known, a value is of another kind or outside its range.
        """
        names = [part.name for part in fields(cls)]
        for name, value in data.items():
            if name not in names:
                raise ConfigError(
                    "there is no such figure of a plan",
                    fix=f"use some of: {', '.join(names)}",
                )
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if name != "basis" and not number:
                raise ConfigError(f"{name} must be a number", column=name)
        if not isinstance(data.get("basis", ""), str):
            raise ConfigError(
                "basis must be a text", column="basis", fix=f"use one of: {', '.join(BASES)}"
            )
        return cls(**data)


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
    cohort = Cohort.of(
        probability, converted, leads_per_week, leads_per_week_known=leads_per_week_known
    )
    return policy_of(cohort, plan, version)


def policy_of(cohort: Cohort, plan: ThresholdPlan | None = None, version: str = "1") -> Policy:
    """Choose the lines on a cohort; see :func:`choose_policy`.

    What is told of a plan without ``leads_per_week`` holds for the cohort's usual week.
    """
    plan = plan or ThresholdPlan()
    if plan.leads_per_week is not None:
        cohort = cohort.with_week(plan.leads_per_week)
    if plan.basis == "precision":
        mql, sql, sentence = _by_precision(cohort, plan)
    elif plan.basis == "value":
        mql, sql, sentence = _by_value(plan)
    else:
        mql, sql, sentence = _by_capacity(cohort, plan)
    if plan.basis != "capacity" and plan.capacity_per_week is not None:
        limit = cohort.line_for(plan.capacity_per_week / cohort.leads_per_week)
        if limit > mql:
            mql = limit
            sentence += (
                f" Sales can work {_amount(plan.capacity_per_week)} leads a week,"
                f" so the MQL line was raised to {_line(limit)}."
            )
    if sql < mql:
        sql = mql
        stands = "nobody becomes SQL either" if mql > 1 else f"that too stands at {_line(mql)}"
        sentence += f" No SQL line lies below the MQL line, so {stands}."
    nurture = min(mql, digits4(cohort.base_rate))
    drawn = Policy(
        version=version,
        mql=mql,
        sql=sql,
        nurture=nurture,
        basis=plan.basis,
        capacity_per_week=plan.capacity_per_week,
        reason=sentence,
    )
    return replace(drawn, expected=expectations_of(cohort, drawn, plan))


def expectations_of(
    cohort: Cohort, policy: Policy, plan: ThresholdPlan
) -> tuple[StageExpectation, ...]:
    """What the lines of a policy mean for the leads of a cohort.

    Where the plan says what a conversion is worth, the value of a week is told, less the
    cost of working the leads where that is given (an SQL costs four MQL if nothing is said).
    """
    costs = (plan.cost_mql or 0.0, plan.cost_of_sql or 0.0)
    return tuple(
        cohort.expectation(stage, line, value=plan.value, cost=cost)
        for (stage, line), cost in zip(
            ((Stage.MQL, policy.mql), (Stage.SQL, policy.sql)), costs, strict=True
        )
    )


def _by_capacity(cohort: Cohort, plan: ThresholdPlan) -> tuple[float, float, str]:
    weekly, known = cohort.leads_per_week, cohort.leads_per_week_known
    asked = plan.capacity_per_week
    meetings = plan.sql_capacity_per_week
    share = MQL_SHARE if asked is None else asked / weekly
    sql_share = share * SQL_OF_MQL if meetings is None else min(share, meetings / weekly)
    mql = cohort.line_for(share)
    sql = cohort.line_for(sql_share)
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
        usual = " (a quarter of that by default)" if meetings is None else ""
        if share >= 1 and sql_share >= 1:
            sentence = (
                f"Sales can work {_amount(asked)} leads a week and meet {_amount(best)}{usual},"
                f" more than come in, so every lead becomes MQL and SQL ({_line(sql)})."
            )
        elif share >= 1:
            sentence = (
                f"Sales can work {_amount(asked)} leads a week, more than come in, so every lead"
                f" becomes MQL and the best {_amount(best)}{usual} SQL ({_line(sql)})."
            )
        else:
            sentence = (
                f"Sales can work {_amount(asked)} leads a week, so the {_amount(asked)} most"
                f" promising {of}become MQL ({_line(mql)})"
                f" and the best {_amount(best)} of them SQL ({_line(sql)})."
            )
        if not known:
            sentence += f" {_amount(weekly)} leads a week is assumed; the table holds no dates."
    return mql, sql, sentence + _tie_note(cohort, mql, share, "MQL")


def _by_precision(cohort: Cohort, plan: ThresholdPlan) -> tuple[float, float, str]:
    parts = []
    if plan.mql_precision is None:
        mql = cohort.line_for(MQL_SHARE)
        parts.append(f"the most promising fifth of the leads becomes MQL ({_line(mql)})")
    else:
        mql = cohort.line_of_precision(plan.mql_precision)
        parts.append(_reached(cohort, "MQL", mql, plan.mql_precision))
    if plan.sql_precision is None:
        leads, _ = cohort.above(mql)
        sql = cohort.line_for(leads * SQL_OF_MQL / cohort.n)
        parts.append(f"the best quarter of those becomes SQL ({_line(sql)})")
    else:
        sql = cohort.line_of_precision(plan.sql_precision)
        parts.append(_reached(cohort, "SQL", sql, plan.sql_precision))
    sentence = "; ".join(parts)
    return mql, sql, f"{sentence[0].upper()}{sentence[1:]}."


def _by_value(plan: ThresholdPlan) -> tuple[float, float, str]:
    assert plan.value is not None
    assert plan.cost_mql is not None
    mql = _break_even(plan.cost_mql, plan.value)
    cost_sql = plan.cost_of_sql
    assert cost_sql is not None
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


def _reached(cohort: Cohort, stage: str, line: float, asked: float) -> str:
    if line > 1:
        return (
            f"no line reaches the {percent(asked)} asked of {stage} with at least {TRUSTED} leads"
            f" (the best reaches {percent(cohort.best_precision())}), so nobody becomes {stage}"
        )
    leads, won = cohort.above(line)
    return (
        f"{percent(won / leads)} of the leads at or above the {stage} line ({_line(line)})"
        f" converted, {percent(asked)} were asked for"
    )


def _tie_note(cohort: Cohort, line: float, share: float, stage: str) -> str:
    """A sentence when equal chances keep a line from using the capacity."""
    if share >= 1:
        return ""
    leads, _ = cohort.above(line)
    room = share * cohort.n
    if line > 1:
        tied = int(cohort.leads[0])
        if room < 1:
            return f" That is less than one of the {cohort.n:,} leads looked at: nobody is {stage}."
        return (
            f" The {tied:,} leads with the highest chance are equal and more than that,"
            f" so nobody becomes {stage}."
        )
    if leads < 0.9 * room - 1:
        return (
            f" Many leads share one chance just below the {stage} line, so only"
            f" {percent(leads / cohort.n)} of the leads are at or above it."
        )
    return ""


def _line(cutoff: float) -> str:
    return "nobody" if cutoff > 1 else f"a chance of {percent(cutoff)} or more"


def _amount(value: float) -> str:
    whole = abs(value - round(value)) < 0.05 or abs(value) >= 10
    return f"{value:,.0f}" if whole else f"{value:,.1f}"
