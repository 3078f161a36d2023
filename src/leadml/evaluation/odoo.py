"""A CRM's naive Bayes, as a baseline to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leadml.errors import DataError
from leadml.leads.values import text_of

__all__ = ["OdooBayes"]

_QUANTILES: Final = 10
_SMOOTH: Final = 0.1
_LOW, _HIGH = 0.0001, 0.9999


class OdooBayes:
    """Categorical naive Bayes the way Odoo's CRM scores leads.

    Each value of a field counts won and lost leads, plus 0.1; empty values are skipped,
    unseen ones ignored; numbers are cut into training quantiles; the result is clamped
    to 0.01-99.99 %. Fields are taken as independent, so repeated evidence counts as often
    as it is repeated: the known weakness that makes its chances overconfident.

    Parameters
    ----------
    quantiles
        Groups that numbers are cut into.

    Examples
    --------
    >>> won = [1, 1, 1, 0, 0, 0, 0, 0]
    >>> source = ["ad", "ad", "web", "web", "web", "web", "web", None]
    >>> model = OdooBayes().fit({"source": source}, won)
    >>> chances = model.predict({"source": ["ad", "web", None, "never seen"]})
    >>> [round(float(chance), 2) for chance in chances]
    [0.94, 0.18, 0.38, 0.38]
    """

    def __init__(self, quantiles: int = _QUANTILES) -> None:
        self.quantiles = quantiles
        self._prior = 0.0
        self._cuts: dict[str, NDArray[np.float64]] = {}
        self._evidence: dict[str, dict[Any, float]] = {}

    def fit(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], y: ArrayLike) -> OdooBayes:
        """Count values of closed leads.

        Parameters
        ----------
        columns
            Per field, shape (n,): a float array for numbers (NaN is empty), else texts.
        y
            Shape (n,), 1 won, 0 lost.

        Returns
        -------
        OdooBayes
            Itself.

        Raises
        ------
        DataError
            If only one class is there: Odoo needs one won and one lost lead.
        """
        outcome = np.asarray(y, dtype=np.float64)
        won = float(outcome.sum())
        lost = outcome.size - won
        if won == 0 or lost == 0:
            raise DataError("a CRM's naive Bayes needs at least one won and one lost lead")
        self._prior = float(np.log(won + _SMOOTH) - np.log(lost + _SMOOTH))
        self._cuts, self._evidence = {}, {}
        for name, values in columns.items():
            array = np.asarray(values)
            if array.dtype.kind in "fiub":
                seen = array[np.isfinite(array.astype(np.float64))].astype(np.float64)
                shares = np.arange(1, self.quantiles) / self.quantiles
                self._cuts[name] = np.unique(np.quantile(seen, shares)) if seen.size else seen
            codes, keys = self._codes(name, array)
            known = codes >= 0
            n_won = np.bincount(codes[known], outcome[known], len(keys)) + _SMOOTH
            n_lost = np.bincount(codes[known], 1 - outcome[known], len(keys)) + _SMOOTH
            if not keys:
                self._evidence[name] = {}
                continue
            weight = np.log(n_won / n_won.sum()) - np.log(n_lost / n_lost.sum())
            self._evidence[name] = dict(zip(keys, weight.tolist(), strict=True))
        return self

    def predict(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> NDArray[np.float64]:
        """Chance to be won per lead, shape (n,), in [0.0001, 0.9999]."""
        log_odds: NDArray[np.float64] | None = None
        for name, evidence in self._evidence.items():
            array = np.asarray(columns[name])
            if log_odds is None:
                log_odds = np.full(array.size, self._prior)
            codes, keys = self._codes(name, array)
            weight = np.array([*(evidence.get(key, 0.0) for key in keys), 0.0])
            log_odds = log_odds + weight[codes]
        if log_odds is None:
            raise DataError("a CRM's naive Bayes needs at least one column")
        chance = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
        return np.asarray(np.clip(chance, _LOW, _HIGH), dtype=np.float64)

    def _codes(self, name: str, array: NDArray[Any]) -> tuple[NDArray[np.int64], list[Any]]:
        """Code of each value, -1 where empty, and what the codes stand for."""
        if name in self._cuts and array.dtype.kind in "fiub":
            numbers = array.astype(np.float64)
            codes = np.searchsorted(self._cuts[name], numbers, side="left").astype(np.int64)
            codes[np.isnan(numbers)] = -1
            return codes, list(range(self._cuts[name].size + 1))
        keys: dict[str, int] = {}
        found = np.empty(array.size, dtype=np.int64)
        for i, value in enumerate(array.tolist()):
            text = text_of(value)
            found[i] = -1 if text is None else keys.setdefault(text, len(keys))
        return found, list(keys)
