"""Files of leads scored at once, under the lines that a server would draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadml.errors import FileMissing, MemoryOff, PlanNotApplicable
from leadml.service.files import read_leads, refuse_missing_columns, score_table
from leadml.service.models import served_of
from leadml.service.opening import opened_memory
from leadml.service.progress import Progress, silent
from leadml.service.serving import Served
from leadml.settings import Settings

__all__ = ["Scoring", "served_as_answered"]


def served_as_answered(settings: Settings, version: str | None = None) -> Served:
    """As :func:`served_of`, with the lines that a server on the same memory would draw.

    Without a memory, or where nobody wrote a policy, the model's own lines hold.

    Raises
    ------
    NoModel, VersionUnknown, RegistryError, BundleError
        There is no such model.
    StoreUnavailable
        The memory that the settings name does not answer.
    """
    served = served_of(settings, version)
    try:
        with opened_memory(settings, make=False) as memory:
            changed = memory.policy()
    except (FileMissing, MemoryOff):
        return served
    try:
        return served.under(changed)
    except PlanNotApplicable:  # as a server, which shows it under `degraded`
        return served


class Scoring:
    """Scores by the model that the settings name.

    Parameters
    ----------
    settings
        Name the model and the memory.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def score_file(
        self,
        source: str,
        output: Path,
        *,
        model: str | None = None,
        reasons: int = 3,
        allow_missing: bool = False,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Score a table of leads into a CSV or Parquet file.

        Parameters
        ----------
        model
            Number or alias of a version; the champion if left out.
        reasons
            For each lead.
        allow_missing
            Score columns that the table lacks as missing.
        """
        from leadml.datasets.write import write_table

        served = served_as_answered(self.settings, model)
        progress("reading the table", 0, 1)
        frame = read_leads(source, served.scorer.schema)
        progress("reading the table", 1, 1)
        if not allow_missing:
            refuse_missing_columns(frame, served.scorer.schema)
        progress("scoring", 0, 1)
        found = score_table(served, frame, reasons)
        progress("scoring", 1, 1)
        write_table(found, output)
        return {
            "output": str(output),
            "n_leads": len(found),
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
            "stages": found["proposed_stage"].value_counts().to_dict(),
        }
