"""The answer to one lead: probability, score, stage, reasons.

Requests, batches and files are answered here, so every surface shows the same
digits under the same names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from leadml.errors import InvalidField, LeadmlError, UnknownField
from leadml.leads import Schema, Stage
from leadml.scorecard import Scorer, Warned, digits4, in_order

__all__ = [
    "REASONS_KEPT",
    "WARNINGS_SHOWN",
    "Cutoffs",
    "Exact",
    "Versions",
    "answer",
    "answers",
    "refuse_unreadable",
    "stage_without_people",
    "warnings_shown",
]

WARNINGS_SHOWN: Final = 50
NAMES_SHOWN: Final = 40
TEXT_SHOWN: Final = 200
REASONS_KEPT: Final = 5
_NESTED: Final = frozenset({dict, list})


class Cutoffs(Protocol):
    """What an answer needs of a policy (see ``thresholds.policy.Policy``)."""

    @property
    def nurture(self) -> float:
        """Probability, as shown, from which a lead is worth nurturing."""
        ...

    @property
    def mql(self) -> float:
        """Probability, as shown, from which a lead is proposed as MQL; at least nurture."""
        ...

    @property
    def sql(self) -> float:
        """Probability, as shown, from which a lead is proposed as SQL; at least mql."""
        ...


class Exact(NamedTuple):
    """What is worth remembering of a score beside its answer.

    ``log_odds`` and ``contributions`` (per column) are in full precision; ``reasons`` are
    the :data:`REASONS_KEPT` strongest, however many the answer shows.
    """

    log_odds: float
    contributions: Sequence[float]
    reasons: list[dict[str, Any]]


class Versions(NamedTuple):
    """Under which model and policy an answer was made."""

    model: str
    policy: str


def stage_without_people(proposed: Stage) -> Stage:
    """Where a lead stands by its score alone: ``mql`` at most, for people qualify the rest.

    >>> stage_without_people(Stage.SQL), stage_without_people(Stage.NURTURE)
    (<Stage.MQL: 'mql'>, <Stage.NURTURE: 'nurture'>)
    """
    return Stage.MQL if proposed is Stage.SQL else proposed


PLACES: Final = tuple(
    (grade, stage.value, stage_without_people(stage).value)
    for grade, stage in zip("DCBA", (Stage.COLD, Stage.NURTURE, Stage.MQL, Stage.SQL), strict=True)
)
"""Grade, proposed stage and stage of a lead above none, one, two or all lines."""


def refuse_unreadable(schema: Schema, lead: Mapping[str, Any]) -> None:
    """Refuse a lead that a model cannot read at all.

    Raises
    ------
    UnknownField
        Not one field of the lead belongs to the model, so every such lead would get
        the same score; the detail names the fields expected, never a value.
    InvalidField
        A field of the model holds a list or an object.
    """
    if schema.sources.isdisjoint(lead):
        names = sorted(schema.sources)
        more = len(names) - NAMES_SHOWN
        shown = ", ".join(name[:TEXT_SHOWN] for name in names[:NAMES_SHOWN])
        tail = f" and {more} more" if more > 0 else ""
        alike = _by_bare_name(schema.sources)
        near = next((alike[bare] for bare in map(_bare, lead) if bare in alike), None)
        raise UnknownField(
            f"no field of this lead is known to the model, which reads: {shown}{tail}",
            pointer="/lead",
            fix="name the fields as in the training table; GET /v1/model lists them"
            if near is None
            else f"write the name exactly as the training table does: {near[:TEXT_SHOWN]}",
        )
    if _NESTED.isdisjoint(map(type, lead.values())):
        return
    for name, value in lead.items():
        if type(value) in _NESTED and name in schema.sources:
            raise InvalidField(
                f"lead.{name} must be a text, a number, true, false or null",
                column=name,
                pointer="/lead/" + name.replace("~", "~0").replace("/", "~1"),
                fix="send flat fields: one value each",
            )


@lru_cache(maxsize=4)
def _by_bare_name(names: frozenset[str]) -> dict[str, str]:
    return {_bare(name): name for name in names}


def _bare(name: str) -> str:
    """A name without what is easily mistyped: case, blanks and signs."""
    return "".join(filter(str.isalnum, name[:TEXT_SHOWN].casefold()))


def answer(
    scorer: Scorer,
    policy: Cutoffs,
    versions: Versions,
    lead_id: str | None,
    lead: Mapping[str, Any],
    n_reasons: int | None = 5,
) -> dict[str, Any]:
    """Score one lead and say so as the API does.

    Parameters
    ----------
    scorer, policy, versions
        What is served; the three must belong together.
    lead_id
        Repeated in the answer; None leaves it out.
    lead
        Fields by name.
    n_reasons
        How many reasons; None gives all and leaves ``other_log_odds`` out.

    Returns
    -------
    dict
        Plain data, fields absent rather than null. Before rounding,
        log-odds(probability) = log-odds(base_probability) + sum of the reasons'
        log-odds + ``other_log_odds``.

    Raises
    ------
    InvalidField, UnknownField
        The lead cannot be read; see :func:`refuse_unreadable`.
    """
    refuse_unreadable(scorer.schema, lead)
    scored = scorer.one(lead)
    probability = digits4(scored.probability)
    fit, engagement = scorer.fit_engagement(scored.contributions)
    reasons, other = scorer.wording.one(scored.contributions, scored.raw, n_reasons)
    lines = (policy.nurture, policy.mql, policy.sql)
    return _formed(
        versions,
        lead_id,
        probability,
        scorer.score_of(scored.log_odds),
        bisect_right(lines, probability),
        fit,
        engagement,
        scorer.base_shown,
        reasons,
        None if n_reasons is None else other,
        scored.warnings,
    )


def answers(
    scorer: Scorer,
    policy: Cutoffs,
    versions: Versions,
    lead_ids: Sequence[str | None],
    leads: Sequence[Mapping[str, Any]],
    n_reasons: int | None = 5,
    keep: dict[int, Exact] | None = None,
) -> list[dict[str, Any] | LeadmlError]:
    """Score many leads, column by column: the same answers as :func:`answer` for each.

    One bad lead spoils no other: its place holds the error instead.

    Parameters
    ----------
    keep
        Filled with what is worth remembering of each lead that was scored, by its row.
    """
    found: list[Any] = [None] * len(leads)
    readable: list[int] = []
    for row, lead in enumerate(leads):
        try:
            refuse_unreadable(scorer.schema, lead)
        except (InvalidField, UnknownField) as error:
            found[row] = error
        else:
            readable.append(row)
    batch = scorer.many([leads[row] for row in readable], collect=True)
    contributions, readings = batch.contributions, batch.readings
    sound: list[int] = list(range(len(readable)))
    if batch.errors:
        for at, refused in batch.errors.items():
            found[readable[at]] = refused
        sound = [at for at in sound if at not in batch.errors]
        contributions = contributions[sound]
        readings = [column[sound] for column in readings]
    reasons, others = scorer.wording.many(contributions, readings, n_reasons)
    probabilities = batch.probability.tolist()
    scores = batch.score.tolist()
    fits = batch.fit_score.tolist()
    engagements = batch.engagement_score.tolist()
    warnings = batch.warnings
    lines = (policy.nurture, policy.mql, policy.sql)
    base = scorer.base_shown
    if keep is not None:
        told = reasons
        if n_reasons is not None and n_reasons < REASONS_KEPT:
            told, _ = scorer.wording.many(contributions, readings, REASONS_KEPT)
        exact = batch.log_odds[sound].tolist()
        for place, points in enumerate(contributions.tolist()):
            kept = told[place][:REASONS_KEPT]
            _shorten(kept)
            keep[readable[sound[place]]] = Exact(exact[place], points, kept)
    for place, at in enumerate(sound):
        row = readable[at]
        probability = digits4(probabilities[at])
        found[row] = _formed(
            versions,
            lead_ids[row],
            probability,
            scores[at],
            bisect_right(lines, probability),
            fits[at],
            engagements[at],
            base,
            reasons[place],
            None if n_reasons is None else others[place],
            warnings.get(at, ()),
        )
    return found


def _formed(
    versions: Versions,
    lead_id: str | None,
    probability: float,
    score: int,
    lines_passed: int,
    fit: int,
    engagement: int,
    base: float,
    reasons: list[dict[str, Any]],
    other: float | None,
    warnings: Sequence[Warned],
) -> dict[str, Any]:
    grade, proposed, stage = PLACES[lines_passed]
    made: dict[str, Any] = {} if lead_id is None else {"lead_id": lead_id}
    made["probability"] = probability
    made["score"] = score
    made["grade"] = grade
    made["proposed_stage"] = proposed
    made["stage"] = stage
    made["fit_score"] = fit
    made["engagement_score"] = engagement
    made["base_probability"] = base
    _shorten(reasons)
    made["reasons"] = reasons
    if other is not None:
        made["other_log_odds"] = round(other, 4) + 0.0  # never -0.0
    made["model_version"] = versions.model
    made["policy_version"] = versions.policy
    made["warnings"] = warnings_shown(warnings) if warnings else []
    return made


def _shorten(reasons: Iterable[dict[str, Any]]) -> None:
    """A value of any length is one line for people."""
    for reason in reasons:
        value = reason.get("value")
        if value is not None and len(value) > TEXT_SHOWN:
            short = value[:TEXT_SHOWN] + "…"
            reason["text"] = reason["text"].replace(value, short)
            reason["value"] = short


def warnings_shown(warnings: Sequence[Warned]) -> list[dict[str, str]]:
    """Warnings in an order of their own, so that no order of fields or route shows in it."""
    ordered = in_order(warnings)
    shown = [
        {"code": code, "field": name, "detail": detail}
        for code, name, detail in ordered[:WARNINGS_SHOWN]
    ]
    more = len(ordered) - WARNINGS_SHOWN
    if more > 0:
        shown.append({"code": "more_warnings", "detail": f"{more} more warnings are not shown"})
    return shown
