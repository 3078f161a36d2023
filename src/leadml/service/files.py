"""A table of leads scored row by row, to the digits of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadml.errors import ColumnMissing, TableEmpty
from leadml.leads import Schema
from leadml.scorecard import digits4, reasons_of
from leadml.service.answers import stage_without_people

if TYPE_CHECKING:
    import pandas as pd

    from leadml.service.serving import Served

__all__ = ["find_id", "refuse_missing_columns", "score_table"]

USUAL_IDS = ("lead_id", "id", "Id", "ID", "Lead Id", "LeadId")


def find_id(frame: pd.DataFrame, schema: Schema) -> str:
    """The column that names the leads of a table, or an empty text."""
    for name in (schema.id_field, *USUAL_IDS):
        if name and name in frame.columns and name not in schema.sources:
            return name
    return ""


def refuse_missing_columns(frame: pd.DataFrame, schema: Schema) -> None:
    """A whole column that is missing is a rename, not a missing value.

    Raises
    ------
    ColumnMissing
        Names the columns the model reads and the table lacks.
    TableEmpty
        The table has no rows.
    """
    if not len(frame):
        raise TableEmpty("the table has a header but no rows", fix="export leads to score")
    gone = sorted(schema.sources - {str(name) for name in frame.columns})
    if gone:
        shown = ", ".join(f"'{name}'" for name in gone[:10])
        more = f" and {len(gone) - 10} more" if len(gone) > 10 else ""
        raise ColumnMissing(
            f"the table lacks {len(gone)} of the {len(schema.sources)} columns the model reads: "
            f"{shown}{more}",
            column=gone[0],
            fix="rename them as in training, or score them as missing with --allow-missing",
        )


def score_table(served: Served, frame: pd.DataFrame, n_reasons: int = 3) -> pd.DataFrame:
    """Score a table.

    Returns
    -------
    pandas.DataFrame
        One row per lead in the order given: the id (or ``row``, from 1), then
        ``probability``, ``score``, ``grade``, ``stage``, ``proposed_stage``,
        ``fit_score``, ``engagement_score``, ``reason_1`` …, ``warnings``,
        ``model_version``, ``policy_version``.

    Raises
    ------
    InvalidValue
        Text where a number belongs; names the column and its rows.
    """
    import pandas as pd

    schema = served.scorer.schema
    batch = served.scorer.frame(frame)
    probability = batch.probability.tolist()
    proposed = [served.policy.stage_of(chance) for chance in probability]
    named = find_id(frame, schema)
    found: dict[str, object] = {
        named or "row": frame[named].to_numpy() if named else range(1, len(frame) + 1),
        "probability": [digits4(chance) for chance in probability],
        "score": batch.score,
        "grade": [served.policy.grade_of(chance) for chance in probability],
        "stage": [stage_without_people(stage).value for stage in proposed],
        "proposed_stage": [stage.value for stage in proposed],
        "fit_score": batch.fit_score,
        "engagement_score": batch.engagement_score,
    }
    if n_reasons:
        texts: list[list[str]] = [[] for _ in range(n_reasons)]
        for row in range(len(batch)):
            reasons, _ = reasons_of(
                schema, batch.contributions_of(row), batch.values(row), n_reasons
            )
            for place in range(n_reasons):
                texts[place].append(reasons[place]["text"] if place < len(reasons) else "")
        found |= {f"reason_{place + 1}": column for place, column in enumerate(texts)}
    found["warnings"] = [
        "; ".join(f"{warned.code}: {warned.field}" for warned in batch.warnings.get(row, ()))
        for row in range(len(batch))
    ]
    found["model_version"] = served.versions.model
    found["policy_version"] = served.versions.policy
    return pd.DataFrame(found)
