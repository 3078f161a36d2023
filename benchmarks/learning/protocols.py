"""The six ways of testing on public lead data that figures are compared by."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from leadml.datasets import catalog, read_table

__all__ = ["PROTOCOLS", "Protocol", "Split", "bank", "load", "xeducation"]

Rows = NDArray[np.intp]
Split = tuple[Rows, Rows]

MIRROR: Final = "LEADML_DATA_MIRROR"
DATA: Final = Path(__file__).parents[2] / "data"
NEWEST: Final = 0.2
FOLDS: Final = 5

FILLED_AFTERWARDS: Final = (
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
    "Last Activity",
    "Last Notable Activity",
)
OLIST_FROM, OLIST_TRAIN_TO, OLIST_TEST_FROM = "2018-01-01", "2018-03-02", "2018-05-01"
OLIST_HORIZON_DAYS: Final = 60
SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, eq=False)
class Protocol:
    """A set of leads, their outcomes, and which rows test what was learned from which.

    Parameters
    ----------
    name, title
        For the command line, for tables.
    X
        Columns that may be learned from, n rows; numbers are numbers, text is categories.
    y
        Shape (n,), 1 converted, 0 not.
    splits
        Pairs of positions to learn from and to test on. A figure of several splits is
        the mean of the splits' figures.
    top
        Size of the best group whose conversions are counted, or 0 for none.
    """

    name: str
    title: str
    X: pd.DataFrame
    y: NDArray[np.int64]
    splits: tuple[Split, ...]
    top: int = 0

    def parts(self, split: int) -> tuple[pd.DataFrame, Any, pd.DataFrame, Any]:
        """Training columns and outcomes, test columns and outcomes of one split."""
        train, test = self.splits[split]
        return self.X.iloc[train], self.y[train], self.X.iloc[test], self.y[test]


def _tables(name: str) -> list[pd.DataFrame]:
    mirror = os.environ.get(MIRROR)
    return [read_table(path) for path in catalog.get(name, into=DATA, mirror=mirror or None)]


def bank() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Bank leads in the order of the file, which is the order of time.

    ``duration`` and ``campaign`` are known only after the call.
    """
    (leads,) = _tables("bank")
    y = np.asarray(leads["y"] == "yes", dtype=np.int64)
    return leads.drop(columns=["y", "duration", "campaign"]), y


def xeducation() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """X Education's leads, oldest first, without the columns that tell what came of them.

    Columns filled by sales stay, for comparability with other figures on this set.
    """
    (leads,) = _tables("xeducation")
    leads = leads.sort_values("Lead Number", kind="stable").reset_index(drop=True)
    y = leads["Converted"].to_numpy(dtype=np.int64)
    gone = ["Converted", "Lead Number", "Prospect ID", *FILLED_AFTERWARDS]
    return leads.drop(columns=gone), y


def _coil() -> tuple[pd.DataFrame, NDArray[np.int64], tuple[Split, ...]]:
    train, test = _tables("coil2000")
    leads = pd.concat((train, test), ignore_index=True)
    y = leads.pop("caravan").to_numpy(dtype=np.int64)
    for name in ("c00", "c04"):
        leads[name] = leads[name].astype(str).astype("category")
    rows = np.arange(len(leads))
    return leads, y, ((rows[: len(train)], rows[len(train) :]),)


def _olist() -> tuple[pd.DataFrame, NDArray[np.int64], tuple[Split, ...]]:
    leads, deals = _tables("olist")
    leads = leads.merge(deals[["mql_id", "won_date"]], how="left", on="mql_id")
    first = pd.to_datetime(leads["first_contact_date"])
    days = (pd.to_datetime(leads["won_date"]) - first).dt.total_seconds() / SECONDS_PER_DAY
    columns = pd.DataFrame(
        {
            "origin": leads["origin"],
            "landing_page": leads["landing_page_id"],
            "day_of_week": first.dt.day_of_week,
            "day_of_month": first.dt.day,
        }
    )
    y = np.asarray(days <= OLIST_HORIZON_DAYS, dtype=np.int64)
    train = np.flatnonzero(first.between(pd.Timestamp(OLIST_FROM), pd.Timestamp(OLIST_TRAIN_TO)))
    test = np.flatnonzero(first >= pd.Timestamp(OLIST_TEST_FROM))
    return columns, y, ((train, test),)


def _folds(y: NDArray[np.int64]) -> tuple[Split, ...]:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return tuple((train, test) for train, test in folds.split(np.zeros(len(y)), y))


def _forward(y: NDArray[np.int64]) -> tuple[Split, ...]:
    rows = np.arange(len(y))
    cut = int(len(y) * (1 - NEWEST))
    return ((rows[:cut], rows[cut:]),)


def _bank_folds() -> Protocol:
    X, y = bank()
    return Protocol("bank-folds", "bank 5-fold", X, y, _folds(y))


def _bank_forward() -> Protocol:
    X, y = bank()
    return Protocol("bank-forward", "bank forward", X, y, _forward(y))


def _xeducation_folds() -> Protocol:
    X, y = xeducation()
    return Protocol("xeducation-folds", "X Education 5-fold", X, y, _folds(y))


def _xeducation_forward() -> Protocol:
    X, y = xeducation()
    return Protocol("xeducation-forward", "X Education forward", X, y, _forward(y))


def _coil_official() -> Protocol:
    X, y, splits = _coil()
    return Protocol("coil", "COIL official", X, y, splits, top=800)


def _olist_forward() -> Protocol:
    X, y, splits = _olist()
    return Protocol("olist", "Olist forward", X, y, splits)


PROTOCOLS: Final[dict[str, Callable[[], Protocol]]] = {
    "bank-folds": _bank_folds,
    "bank-forward": _bank_forward,
    "xeducation-folds": _xeducation_folds,
    "xeducation-forward": _xeducation_forward,
    "coil": _coil_official,
    "olist": _olist_forward,
}


def load(names: Iterator[str] | list[str] | None = None) -> Iterator[Protocol]:
    """The protocols of these names (all without), in their order in :data:`PROTOCOLS`.

    Raises
    ------
    leadml.errors.FileMissing
        The mirror lacks a file, or a publisher cannot be reached.
    """
    wanted = list(PROTOCOLS if names is None else names)
    for name, make in PROTOCOLS.items():
        if name in wanted:
            yield make()
