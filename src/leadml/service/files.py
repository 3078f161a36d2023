"""A table of leads scored row by row, to the digits of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from leadml.errors import ColumnMissing, LeadmlError, TableEmpty
from leadml.leads import Schema
from leadml.scorecard import digits4, in_order
from leadml.service.answers import answers, stage_without_people
from leadml.service.slim import need_training

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from leadml.service.serving import Served
    from leadml.store import TrainingTable

__all__ = [
    "answer_table",
    "find_id",
    "frame_of",
    "plain_columns",
    "read_leads",
    "refuse_missing_columns",
    "score_table",
]

USUAL_IDS = ("lead_id", "id", "Id", "ID", "Lead Id", "LeadId")


def find_id(frame: pd.DataFrame, schema: Schema) -> str:
    """The column that names the leads of a table, or an empty text."""
    for name in (schema.id_field, *USUAL_IDS):
        if name and name in frame.columns and name not in schema.sources:
            return name
    return ""


def read_leads(source: Path | str, schema: Schema) -> pd.DataFrame:
    """A table of leads for a model; what it takes for categories or moments stays text.

    Raises
    ------
    ExtraMissing
        The installation is slim: it scores requests, not files.
    """
    need_training()
    from leadml.datasets.read import read_table

    texts = [each.source for each in schema.columns if each.kind == "category" or each.derive]
    return read_table(source, text=texts)


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
        made, _ = served.scorer.wording.many(batch.contributions, batch.readings, n_reasons)
        for place in range(n_reasons):
            found[f"reason_{place + 1}"] = [
                reasons[place]["text"] if place < len(reasons) else "" for reasons in made
            ]
    found["warnings"] = [
        "; ".join(
            f"{warned.code}: {warned.field}" for warned in in_order(batch.warnings.get(row, ()))
        )
        for row in range(len(batch))
    ]
    found["model_version"] = served.versions.model
    found["policy_version"] = served.versions.policy
    return pd.DataFrame(found)


_FIGURES: Final = (
    *("probability", "score", "grade", "stage", "proposed_stage"),
    *("fit_score", "engagement_score"),
)


def answer_table(
    served: Served, frame: pd.DataFrame, start: int = 0, n_reasons: int = 3
) -> tuple[pd.DataFrame, list[tuple[int, LeadmlError]]]:
    """Answer the rows of a table as ``POST /v1/scores`` would, bad rows apart.

    Parameters
    ----------
    served
        The model and its policy.
    frame
        Some rows of a table.
    start
        How many rows stand before them.
    n_reasons
        Reasons per lead.

    Returns
    -------
    table : pandas.DataFrame
        The columns of :func:`score_table` and ``error``: the code of a row that could
        not be read, whose figures are empty.
    refused : list of (int, LeadmlError)
        Such rows, counted from 1 over the whole table, and why.
    """
    import pandas as pd

    schema = served.scorer.schema
    names = [name for name in frame.columns if name in schema.sources]
    columns = [_plain(frame[name]) for name in names]
    rows: Any = zip(*columns, strict=True) if columns else ((),) * len(frame)
    leads = [dict(zip(names, row, strict=True)) for row in rows]
    found = answers(
        served.scorer, served.policy, served.versions, [None] * len(leads), leads, n_reasons
    )
    refused = [
        (start + place + 1, one) for place, one in enumerate(found) if isinstance(one, LeadmlError)
    ]
    none: dict[str, Any] = {}
    fine = [none if isinstance(one, LeadmlError) else one for one in found]
    id_name = find_id(frame, schema)
    first = range(start + 1, start + len(frame) + 1)
    made: dict[str, Any] = {id_name or "row": frame[id_name].to_numpy() if id_name else first}
    for name in _FIGURES:
        made[name] = [one.get(name) for one in fine]
    for place in range(n_reasons):
        made[f"reason_{place + 1}"] = [
            one["reasons"][place]["text"] if len(one.get("reasons", ())) > place else ""
            for one in fine
        ]
    made["warnings"] = [
        "; ".join(f"{w['code']}: {w['field']}" for w in one.get("warnings", ()) if "field" in w)
        for one in fine
    ]
    made["error"] = [one.code if isinstance(one, LeadmlError) else "" for one in found]
    table = pd.DataFrame(made)
    for name in ("score", "fit_score", "engagement_score"):
        table[name] = table[name].astype("Int64")
    table["probability"] = table["probability"].astype("float64")
    for name in ("grade", "stage", "proposed_stage"):
        table[name] = table[name].astype("object").fillna("")
    table["model_version"] = served.versions.model
    table["policy_version"] = served.versions.policy
    return table, refused


def plain_columns(frame: pd.DataFrame, names: Sequence[str]) -> list[list[Any]]:
    """Columns as a CRM would send them, in the order of the names: None where there is none."""
    found = []
    for name in names:
        column = frame[name]
        if column.dtype.kind == "f":
            values = column.tolist()
            found.append([None if value != value else value for value in values])  # NaN
        else:
            found.append([_sendable(value) for value in _plain(column)])
    return found


def _sendable(value: Any) -> Any:
    """What JSON can say: moments as text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def frame_of(table: TrainingTable) -> pd.DataFrame:
    """An exported table as a frame: one row per decision, nothing where nothing was sent."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Series([_flat(row.get(name)) for row in table.rows], dtype=object, name=name)
            for name in table.columns
        }
    )


def _flat(value: Any) -> Any:
    return None if isinstance(value, (dict, list)) else value


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Values as a CRM would send them: None where there is none."""
    if column.dtype.kind in "iufb":
        return column.tolist()
    return column.astype("object").where(column.notna(), None).tolist()
