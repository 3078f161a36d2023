"""The leads that speed is measured with: 25 columns of a simulated CRM, 13 of them categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadml.datasets.simulate import simulate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["NOT_LEARNED", "history", "mapping_of"]

NOT_LEARNED = ["lead_id", "created_at", "converted", "converted_at", "email", "phone"]


def history(n_leads: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns and outcomes of the leads whose outcome is known.

    Parameters
    ----------
    n_leads
        Leads simulated; some of them are too young for an outcome.
    seed
        Of the simulation.

    Returns
    -------
    tuple
        Frame of 25 columns, and 0 or 1 for each of its rows.
    """
    import pandas as pd

    leads = simulate(n_leads, seed=seed).leads
    leads = leads[leads["converted"].notna()].reset_index(drop=True)
    created = pd.to_datetime(leads["created_at"], utc=True, format="ISO8601")
    more = {
        "created_weekday": created.dt.day_name(),
        "email_ending": leads["email"].str.rpartition(".")[2],
        "phone_prefix": leads["phone"].str.slice(0, 3),
        "campaign_kind": leads["campaign"].str.rpartition("-")[0],
        "created_hour": created.dt.hour,
        "email_length": leads["email"].str.len(),
    }
    table = leads.drop(columns=NOT_LEARNED).assign(**more)
    return table, leads["converted"].astype(int).to_numpy()


def mapping_of(row: dict[Any, Any]) -> dict[str, Any]:
    """A row as a CRM sends it: plain values, absent rather than missing."""
    return {
        str(name): value.item() if hasattr(value, "item") else value
        for name, value in row.items()
        if value == value and value is not None
    }
