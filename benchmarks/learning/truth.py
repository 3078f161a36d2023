"""Learned chances against true ones, with immature leads left out or counted as lost."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml import LeadScorer
from leadml.datasets.simulate import HORIZON_DAYS, simulate
from leadml.training.config import TrainConfig
from leadml.training.labels import label

__all__ = ["Compared", "against_truth", "error_against"]

Floats = NDArray[np.float64]

NOT_LEARNED = ["lead_id", "created_at", "converted", "converted_at"]
CONFIG = TrainConfig(
    target="converted",
    created_at="created_at",
    outcome_at="converted_at",
    horizon_days=HORIZON_DAYS,
)


class Compared(NamedTuple):
    """How far the chances of newcomers are from the truth, in two ways of labelling."""

    labelling: str
    n_leads: int
    calibration_error: float
    mean_chance: float
    true_mean: float


def error_against(truth: Floats, chance: Floats, bins: int = 15) -> float:
    """Mean distance of chance and true chance over bins of equal mass, in [0, 1]."""
    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    gaps = [len(part) * abs(chance[part].mean() - truth[part].mean()) for part in parts]
    return float(sum(gaps) / len(chance))


def against_truth(n_leads: int = 50_000, seed: int = 0) -> list[Compared]:
    """Learn from the older leads, compare on the newest tenth with the true chances.

    Parameters
    ----------
    n_leads
        Leads of the simulated history.
    seed
        Of the simulation.

    Returns
    -------
    list of Compared
        First with immature leads unknown, as leadml labels; then with every lead that
        has not converted yet counted as lost, as is common.
    """
    history = simulate(n_leads, seed=seed)
    leads = history.leads
    newest = np.arange(len(leads)) >= round(0.9 * len(leads))
    truth = history.truth["true_probability"].to_numpy(dtype=np.float64)[newest]
    known = label(leads, CONFIG)
    mature = known.known & ~newest
    honest = _chances(leads, mature, known.converted, newest)
    happened = pd.to_numeric(leads["converted"], errors="coerce").fillna(0).to_numpy(float)
    naive = _chances(leads, np.ones(len(leads), dtype=bool), happened, newest)
    return [
        Compared(
            words, int(rows.sum()), error_against(truth, p), float(p.mean()), float(truth.mean())
        )
        for words, rows, p in (
            ("mature leads only", mature, honest),
            ("immature leads counted as lost", np.ones(len(leads), dtype=bool), naive),
        )
    ]


def _chances(
    leads: pd.DataFrame, rows: NDArray[np.bool_], y: Floats, newest: NDArray[np.bool_]
) -> Floats:
    columns: Any = leads.drop(columns=NOT_LEARNED)
    model = LeadScorer(prove=False).fit(columns[rows], y[rows].astype(int))
    found: Floats = model.predict_proba(columns[newest])[:, 1]
    return found


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| labelling | leads | calibration error against the truth | mean chance | true mean |")
    print("|---|---|---|---|---|")
    for row in against_truth(asked.leads, asked.seed):
        print(
            f"| {row.labelling} | {row.n_leads:,} | {row.calibration_error:.4f} "
            f"| {row.mean_chance:.4f} | {row.true_mean:.4f} |"
        )


if __name__ == "__main__":
    main()
