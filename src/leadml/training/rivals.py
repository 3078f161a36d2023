"""The champion, asked about the leads that a challenger was tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.evaluation.promotion import FEWEST_COMPARED
from leadml.scorecard import Scorecard, Scorer
from leadml.training.config import TrainConfig

__all__ = ["Answered", "Rival", "answers_of_rival"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rival:
    """What must be known of a champion to compare with it.

    Parameters
    ----------
    name
        Such as ``leads@7``.
    scorecard
        As served.
    config
        What its training was asked, as plain data.
    seen_until
        Seconds since 1970 UTC of the newest lead it learned from; None unknown.
    digest, made_by
        Of the data it was trained on; the version of leadml that did it.
    """

    name: str
    scorecard: Scorecard
    config: Mapping[str, Any]
    seen_until: float | None = None
    digest: str = ""
    made_by: str = ""


@dataclass(frozen=True, eq=False)
class Answered:
    """The rival's probabilities for ``places`` among the tested leads, and how they came."""

    probability: Floats | None
    places: Rows | None
    how: str


def answers_of_rival(
    rival: Rival,
    config: TrainConfig,
    tested: pd.DataFrame,
    y: Floats,
    created_s: Floats | None,
    own: Floats,
    retest: Callable[[TrainConfig], Floats],
) -> Answered:
    """Compare fairly: a champion is never asked about leads it learned from.

    Where enough tested leads are newer than all it has seen, the served champion
    answers for them. Else its recipe (its columns) is learned again on the
    challenger's training rows and answers for every tested lead.

    Parameters
    ----------
    tested, y, created_s, own
        The tested leads, shape (n, …): outcomes, times of creation if known, and the
        challenger's probabilities.
    retest
        Repeats the test with another configuration; gives probabilities, shape (n,).
    """
    if rival.seen_until is not None and created_s is not None:
        fresh = np.flatnonzero(created_s > rival.seen_until)
        won = float(y[fresh].sum())
        if min(won, len(fresh) - won) >= FEWEST_COMPARED:
            chances = Scorer(rival.scorecard).frame(tested.iloc[fresh]).probability
            how = f"{rival.name} as served, on {len(fresh)} leads newer than all it has seen."
            return Answered(chances, fresh, how)
    asked = TrainConfig.from_dict(rival.config) if rival.config else config
    known = {str(name) for name in tested.columns}
    recipe = replace(
        config,
        drop=tuple(name for name in asked.drop if name in known),
        columns={name: plan for name, plan in asked.columns.items() if name in known},
        edits={name: words for name, words in asked.edits.items() if name in known},
        search_seconds=asked.search_seconds,
        recency=asked.recency,
        rare_below=asked.rare_below,
    )
    everyone = np.arange(len(y), dtype=np.intp)
    if recipe == config:
        how = (
            f"{rival.name} has the same recipe and has seen these leads; on the same training "
            "rows both are the same model."
        )
        return Answered(own, everyone, how)
    how = f"The recipe of {rival.name} learned again on the same training rows."
    return Answered(retest(recipe), everyone, how)
