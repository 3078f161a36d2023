"""The answer to one lead: probability, score, stage, reasons.

Requests, batches and files are answered here, so every surface shows the same
digits under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from leadml.errors import InvalidField, LeadmlError, UnknownField
from leadml.leads import Schema, Stage
from leadml.scorecard import Scorer, Warned, digits4, reasons_of
from leadml.scorecard.scorer import probability_of

__all__ = [
    "WARNINGS_SHOWN",
    "Cutoffs",
    "Versions",
    "answer",
    "answers",
    "refuse_unreadable",
    "stage_without_people",
]

WARNINGS_SHOWN: Final = 50
NAMES_SHOWN: Final = 40
TEXT_SHOWN: Final = 200


class Cutoffs(Protocol):
    """What an answer needs of a policy (see ``thresholds.policy.Policy``)."""

    def stage_of(self, probability: float, /) -> Stage:
        """The stage proposed at a probability."""
        ...

    def grade_of(self, probability: float, /) -> str:
        """The grade A to D at a probability."""
        ...


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
        raise UnknownField(
            f"no field of this lead is known to the model, which reads: {shown}{tail}",
            pointer="/lead",
            fix="name the fields as in the training table; GET /v1/model lists them",
        )
    for name, value in lead.items():
        if (type(value) is dict or type(value) is list) and name in schema.sources:
            raise InvalidField(
                f"lead.{name} must be a text, a number, true, false or null",
                column=name,
                pointer="/lead/" + name.replace("~", "~0").replace("/", "~1"),
                fix="send flat fields: one value each",
            )


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
    fit, engagement = scorer.fit_engagement(scored.contributions)
    return _formed(
        scorer,
        policy,
        versions,
        lead_id,
        probability=scored.probability,
        score=scorer.score_of(scored.log_odds),
        fit=fit,
        engagement=engagement,
        contributions=scored.contributions,
        values=scored.raw if n_reasons != 0 else (),
        warnings=scored.warnings,
        n_reasons=n_reasons,
    )


def answers(
    scorer: Scorer,
    policy: Cutoffs,
    versions: Versions,
    lead_ids: Sequence[str | None],
    leads: Sequence[Mapping[str, Any]],
    n_reasons: int | None = 5,
) -> list[dict[str, Any] | LeadmlError]:
    """Score many leads, column by column: the same answers as :func:`answer` for each.

    One bad lead spoils no other: its place holds the error instead.
    """
    refused: dict[int, LeadmlError] = {}
    for row, lead in enumerate(leads):
        try:
            refuse_unreadable(scorer.schema, lead)
        except (InvalidField, UnknownField) as error:
            refused[row] = error
    readable = [row for row in range(len(leads)) if row not in refused]
    batch = scorer.many([leads[row] for row in readable], collect=True)
    probabilities = batch.probability.tolist()
    scores = batch.score.tolist()
    fits = batch.fit_score.tolist()
    engagements = batch.engagement_score.tolist()
    contributions = batch.contributions.tolist()
    found: list[dict[str, Any] | LeadmlError] = []
    place = 0
    for row in range(len(leads)):
        if row in refused:
            found.append(refused[row])
            continue
        at, place = place, place + 1
        if at in batch.errors:
            found.append(batch.errors[at])
            continue
        found.append(
            _formed(
                scorer,
                policy,
                versions,
                lead_ids[row],
                probability=probabilities[at],
                score=scores[at],
                fit=fits[at],
                engagement=engagements[at],
                contributions=contributions[at],
                values=batch.raw(at) if n_reasons != 0 else (),
                warnings=batch.warnings.get(at, ()),
                n_reasons=n_reasons,
            )
        )
    return found


def _formed(
    scorer: Scorer,
    policy: Cutoffs,
    versions: Versions,
    lead_id: str | None,
    *,
    probability: float,
    score: int,
    fit: int,
    engagement: int,
    contributions: Sequence[float],
    values: Sequence[float | str | None],
    warnings: Sequence[Warned],
    n_reasons: int | None,
) -> dict[str, Any]:
    proposed = policy.stage_of(probability)
    made: dict[str, Any] = {} if lead_id is None else {"lead_id": lead_id}
    made["probability"] = digits4(probability)
    made["score"] = score
    made["grade"] = policy.grade_of(probability)
    made["proposed_stage"] = proposed.value
    made["stage"] = stage_without_people(proposed).value
    made["fit_score"] = fit
    made["engagement_score"] = engagement
    made["base_probability"] = digits4(probability_of(scorer.scorecard.base))
    reasons, other = reasons_of(scorer.schema, contributions, values, n_reasons)
    for reason in reasons:
        if len(reason["text"]) > TEXT_SHOWN:
            _shorten(reason)
    made["reasons"] = reasons
    if n_reasons is not None:
        made["other_log_odds"] = round(other, 4) + 0.0  # never -0.0
    made["model_version"] = versions.model
    made["policy_version"] = versions.policy
    made["warnings"] = _shown(warnings)
    return made


def _shorten(reason: dict[str, Any]) -> None:
    """A value of any length is one line for people."""
    value = reason.get("value")
    if value is not None and len(value) > TEXT_SHOWN:
        short = value[:TEXT_SHOWN] + "…"
        reason["text"] = reason["text"].replace(value, short)
        reason["value"] = short


def _shown(warnings: Sequence[Warned]) -> list[dict[str, str]]:
    """Warnings in an order of their own, so that no order of fields or route shows in it."""
    shown = [
        {"code": code, "field": name, "detail": detail}
        for code, name, detail in sorted(warnings)[:WARNINGS_SHOWN]
    ]
    more = len(warnings) - WARNINGS_SHOWN
    if more > 0:
        shown.append({"code": "more_warnings", "detail": f"{more} more warnings are not shown"})
    return shown
