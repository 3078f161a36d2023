"""What the memory is taught by files, and what it teaches as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

from leadml.errors import ConfigError, NoModel
from leadml.leads import Outcome
from leadml.service.exporting import config_for, since_recorded
from leadml.service.files import frame_of
from leadml.service.history import Brought, bring, in_parts
from leadml.service.importing import read_past
from leadml.service.models import served_of
from leadml.service.opening import opened_memory
from leadml.service.past import USUAL_HORIZON_DAYS, horizon_of
from leadml.service.progress import Progress, silent
from leadml.service.slim import need_training
from leadml.settings import Settings

__all__ = ["Lessons"]

PART: Final = 1_000
"""Leads, or outcomes, that are brought in together."""


class Lessons:
    """Histories on their way into the memory and out of it.

    Parameters
    ----------
    settings
        Name the memory and the model.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def export_outcomes(
        self,
        output: Path,
        *,
        config: Path | None = None,
        horizon_days: int | None = None,
        as_of: datetime | None = None,
        outcome: str | None = None,
        every_decision: bool = False,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Write the next training table and the configuration that fits it.

        Parameters
        ----------
        output, config
            Where to write them; the second beside the first if left out.
        horizon_days, outcome
            What counts as a conversion; as the champion was trained if left out.
        as_of
            The present of the table; now if left out.
        every_decision
            A row for each decision, not only for the first of each lead.

        Raises
        ------
        ConfigError
            There is no such outcome.
        FileMissing, MemoryOff, StoreUnavailable
            Nothing was remembered so far, or it cannot be asked.
        """
        need_training()
        from leadml.datasets.write import write_table
        from leadml.training.config import dump_config

        try:
            champion = served_of(self.settings)
        except NoModel:
            like, usual_days = {}, USUAL_HORIZON_DAYS
        else:
            like, usual_days = champion.facts.get("config", {}), horizon_of(champion).days
        counted = outcome or str(like.get("outcome") or Outcome.WON)
        if counted not in {str(word) for word in Outcome}:
            raise ConfigError(
                "there is no such outcome", fix=f"use one of: {', '.join(map(str, Outcome))}"
            )
        horizon = horizon_days or usual_days
        with opened_memory(self.settings, make=False) as memory:
            progress("reading the memory", 0, 1)
            table = memory.require().training_table(
                horizon,
                as_of=as_of,
                outcome=Outcome(counted),
                among=[Outcome(word) for word in like.get("among", ())],
                which="all" if every_decision else "first",
            )
            progress("reading the memory", 1, 1)
        table, recorded_from = since_recorded(table)
        made = replace(config_for(table, like), outcome=counted)
        target = config or output.with_name(output.name.split(".")[0] + ".toml")
        write_table(frame_of(table), output, safe=False)
        target.write_text(dump_config(made), encoding="utf-8")
        known = [row for row in table.rows if "converted" in row]
        return {
            "output": str(output),
            "config": str(target),
            "n_rows": len(table.rows),
            "n_conversions": sum(row["converted"] for row in known),
            "n_immature": table.n_immature,
            "n_left_out": table.n_left_out,
            **({"recorded_from": recorded_from} if recorded_from else {}),
            "clashes": list(table.clashes),
            "horizon_days": horizon,
            "outcome": counted,
            "as_of": table.settings["as_of"],
        }

    def import_history(
        self,
        source: str,
        outcomes: str | None = None,
        *,
        key: str | None = None,
        created_at: str | None = None,
        outcome_at: str | None = None,
        consent: str = "",
        config: Path | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Bring a history into the memory: leads as known at their creation, and outcomes.

        Parameters
        ----------
        source, outcomes
            Tables of leads and of outcomes; without the second, the outcome columns of the
            champion's training (or of ``config``) are read from the first.
        key, created_at, outcome_at, consent
            Columns; as the champion was trained if left out.
        config
            A leadml.toml that names columns, in place of the champion's.

        Raises
        ------
        NoModel
            There is no champion to score them.
        ColumnMissing, ConfigError
            A column is not there, or a row has no id or no time.
        MemoryOff, StoreUnavailable, StorageFull
            Nothing can be remembered; what was brought in so far stays.
        """
        need_training()
        from leadml.training.config import TrainConfig, load_config

        served = served_of(self.settings)
        asked = (
            load_config(config)
            if config is not None
            else TrainConfig.from_dict(served.facts.get("config", {}))
        )
        progress("reading the tables", 0, 1)
        past = read_past(
            source,
            outcomes,
            asked,
            key=key,
            created_at=created_at,
            outcome_at=outcome_at,
            consent=consent,
        )
        progress("reading the tables", 1, 1)
        found = Brought()
        for unusable in past.unusable:
            found.count("outcomes", None, unusable, known=False)
        done, total = 0, past.n_leads + len(past.reports)
        with opened_memory(self.settings) as memory:
            served = served.under(memory.policy())
            parts = chain(
                ((part, []) for part in in_parts(past.arrivals, PART)),
                (([], part) for part in in_parts(past.reports, PART)),
            )
            for arrivals, reports in parts:
                found.add(bring(memory, served, arrivals, reports))
                done += len(arrivals) + len(reports)
                progress("bringing in", done, total)
        return {"model_version": served.versions.model, **found.as_dict()}
