"""How long a score takes, from a Python dict to a probability with its reasons."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leadml import LeadScorer
from leadml.datasets.simulate import simulate
from leadml.scorecard import Scorer, digits4

__all__ = ["Figure", "measure"]

NOT_LEARNED = ["lead_id", "created_at", "converted", "converted_at"]
SERVING = "leadml.api.server"


class Figure(NamedTuple):
    """One measured figure."""

    what: str
    value: float
    unit: str


def measure(n_leads: int = 8_000, rounds: int = 7, seed: int = 0) -> Iterator[Figure]:
    """Learn from a simulated history, then time the ways of scoring it.

    Parameters
    ----------
    n_leads
        Leads of the history; those with a known outcome are learned from.
    rounds
        Each figure is the median of so many rounds.
    seed
        Of the simulation and the training.

    Yields
    ------
    Figure
        As soon as it is known.
    """
    leads = simulate(n_leads, seed=seed).leads
    known = leads[leads["converted"].notna()]
    started = time.perf_counter()
    learner = LeadScorer(random_state=seed).fit(
        known.drop(columns=NOT_LEARNED), known["converted"].astype(int)
    )
    yield Figure(f"learn from {len(known):,} leads and compile", time.perf_counter() - started, "s")
    card = learner.scorecard_
    yield Figure("columns", len(card.columns), "")
    yield Figure("pairs", len(card.pairs), "")

    scorer = Scorer(card)
    table = leads.drop(columns=NOT_LEARNED)
    rows = [
        {str(name): value for name, value in row.items() if value == value and value is not None}
        for row in table.head(1_000).to_dict("records")
    ]

    def one_by_one() -> None:
        for row in rows:
            digits4(scorer.one(row).probability)

    def with_reasons() -> None:
        for row in rows:
            scorer.reasons(scorer.one(row), 5)

    yield Figure("one lead: probability and all contributions", _per_item(one_by_one, rounds), "µs")
    yield Figure("one lead: the same with five sentences", _per_item(with_reasons, rounds), "µs")
    yield Figure("batch of 1,000 leads, each", _per_item(lambda: scorer.many(rows), rounds), "µs")
    seconds = [_timed(lambda: scorer.frame(table)) for _ in range(rounds)]
    yield Figure(
        f"table of {len(table):,} leads, each", statistics.median(seconds) / len(table) * 1e6, "µs"
    )
    command = [sys.executable, "-c", f"import {SERVING}"]
    seconds = [_timed(lambda: subprocess.run(command, check=True)) for _ in range(rounds)]
    yield Figure("start Python and import all that serving needs", statistics.median(seconds), "s")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _per_item(work: Callable[[], object], rounds: int, items: int = 1_000) -> float:
    return statistics.median(_timed(work) for _ in range(rounds)) / items * 1e6
