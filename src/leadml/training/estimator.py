"""The scorecard as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from leadml.errors import (
    ColumnMissing,
    ConfigError,
    InvalidValue,
    OutcomeInvalid,
    TableEmpty,
    TargetOneClass,
)
from leadml.leads import Kind, Role, Schema
from leadml.scorecard import Scorecard, Scorer, reasons_of
from leadml.scorecard.direction import DIRECTIONS
from leadml.training.config import RARE_BELOW
from leadml.training.encoding import Hint, columns_of, encode
from leadml.training.learning import BAGS, BASE_RATE_ONLY, learn, prove, with_reference
from leadml.training.naming import NEGATIVE, POSITIVE
from leadml.training.protocols import drifted
from leadml.training.searching import search

__all__ = ["LeadScorer"]


class LeadScorer(ClassifierMixin, BaseEstimator):
    """Learn an additive, calibrated scorecard of conversion.

    Parameters
    ----------
    folds : int, default 5
        Folds that give out-of-fold log-odds and early stopping.
    roles : mapping of column to "fit" or "engagement", optional
        Which criteria a column belongs to; unnamed columns are fit.
    monotone : mapping of column to "up" or "down", optional
        Numbers whose total effect never moves against the direction as they grow.
    drift : bool or "auto", default False
        Weight the parts of the model nearly equally: better for leads of another time
        than those learned from, worse for leads of the same time. ``"auto"`` does so where
        the conversion rate moved along the rows, which must stand in the order of time.
    search_seconds : int, optional
        Time to search for better parameters of the trees; without, the recipe as it is.
    positive : optional
        The outcome that counts as conversion. Without it the larger of two numbers does, and
        of two words the one that plainly says so (yes, won, ja, …).
    rare_below : int, default 5
        Levels of a category that fewer leads have count as unknown: the scorecard neither
        learns from them one by one nor names them.
    random_state : int, RandomState or None, default 0
        Same seed, same scorecard; None draws one.
    n_jobs : int, default 1
        Folds learned at once.
    prove : bool, default True
        Compare the scorecard with its boosters on hostile rows and a sample.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Both outcomes, sorted; the columns of ``predict_proba`` are in their order.
    positive_
        The one that counts as conversion. Where it is the first of ``classes_`` (``ja`` before
        ``nein``) a warning says that its chance stands in column 0; ``chance`` always gives it.
    scorecard_ : leadml.scorecard.Scorecard
        The model: tables of points.
    feature_names_in_ : ndarray of shape (n_features_in_,)
    out_of_fold_ : ndarray of shape (n,)
        Calibrated out-of-fold probability of the training rows.

    Notes
    -----
    Columns of numbers are numbers; text, booleans and pandas categories are
    categories; missing values and unseen categories are allowed anywhere.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> X = pd.DataFrame({"visits": random.poisson(3, 400), "source": ["ad", "web"] * 200})
    >>> y = random.random(400) < 0.05 + 0.1 * (X["visits"] > 3)
    >>> model = LeadScorer().fit(X, y)
    >>> model.predict_proba(X).shape
    (400, 2)
    >>> first = X.head(1)
    >>> summed = model.scorecard_.base + model.explain(first)["contributions"].sum(axis=1)
    >>> np.allclose(summed, model.decision_function(first), atol=1e-9)
    True
    """

    def __init__(
        self,
        *,
        folds: int = BAGS,
        roles: Mapping[str, str] | None = None,
        monotone: Mapping[str, str] | None = None,
        drift: bool | str = False,
        search_seconds: int | None = None,
        positive: Any = None,
        rare_below: int = RARE_BELOW,
        random_state: int | np.random.RandomState | None = 0,
        n_jobs: int = 1,
        prove: bool = True,
    ) -> None:
        self.folds = folds
        self.roles = roles
        self.monotone = monotone
        self.drift = drift
        self.search_seconds = search_seconds
        self.positive = positive
        self.rare_below = rare_below
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.prove = prove

    def fit(self, X: Any, y: Any) -> LeadScorer:
        """Learn from leads ``X`` (n rows) and their outcomes ``y`` (two classes).

        Raises
        ------
        TargetOneClass
            The outcome never varies.
        OutcomeInvalid
            The outcome is missing somewhere, has more than two classes, is two words of
            which neither is plainly yes, or ``positive`` is none of them.
        TableEmpty
            There are no leads.
        InvalidValue
            Two columns have the same name.
        ConfigError
            A direction was given to what is no column of numbers, or ``drift`` is no choice.
        """
        frame = _frame(X)
        outcome = self._outcome(y, len(frame))
        _refuse_twins(frame)
        self.feature_names_in_ = np.array([str(name) for name in frame.columns], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        roles = {name: Role(role) for name, role in (self.roles or {}).items()}
        hints = {name: Hint(role=role) for name, role in roles.items()}
        schema = Schema(columns_of(frame, frame.columns, hints, rare_below=self.rare_below))
        encoded = encode(schema, frame)
        self._refuse_directions(schema)
        seed = self._seed()
        drift = self._drifts(outcome)
        self.searched_ = None
        if (
            self.search_seconds is not None
            and min(outcome.sum(), (1 - outcome).sum()) >= BASE_RATE_ONLY
        ):
            self.searched_ = search(
                schema,
                encoded,
                outcome,
                self.search_seconds,
                seed=seed,
                jobs=self.n_jobs,
                monotone=self.monotone,
            )
        learned = learn(
            schema,
            encoded,
            outcome,
            seed=seed,
            folds=self.folds,
            jobs=self.n_jobs,
            drift=drift,
            monotone=self.monotone,
            changes=self.searched_.changes if self.searched_ else ({}, {}),
        )
        if self.prove:
            some = slice(None, 2000)
            sample = type(encoded)(encoded.matrix[some], encoded.categories)
            self.proof_ = prove(learned, sample, seed)
        self.scorecard_: Scorecard = with_reference(learned.scorecard, frame)
        self.out_of_fold_ = 1.0 / (1.0 + np.exp(-learned.out_of_fold))
        self.weights_ = learned.weights
        self._scorer = Scorer(self.scorecard_)
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Log-odds of ``classes_[1]``, shape (n,)."""
        frame = self._checked(X)
        log_odds = self._scorer.frame(frame).log_odds
        return log_odds if self.positive_ == self.classes_[1] else -log_odds

    def chance(self, X: Any) -> NDArray[np.float64]:
        """Calibrated chance of conversion, shape (n,), whatever the outcomes are called."""
        frame = self._checked(X)
        return self._scorer.frame(frame).probability

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Calibrated chances, shape (n, 2), in the order of ``classes_``."""
        chance = self.chance(X)
        pair = (1.0 - chance, chance)
        return np.column_stack(pair if self.positive_ == self.classes_[1] else pair[::-1])

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier class, shape (n,). Thresholds of a policy serve people better."""
        found: NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return found

    def explain(self, X: Any, reasons: int | None = 5) -> dict[str, Any]:
        """Exact reasons of each lead.

        Returns
        -------
        dict
            ``base`` log-odds; ``contributions``, a frame (n, n_columns) of log-odds
            that add up with the base to the log-odds of conversion; ``reasons``, per lead
            a list as the API gives it.
        """
        frame = self._checked(X)
        batch = self._scorer.frame(frame)
        texts = [
            reasons_of(
                self.scorecard_.schema, batch.contributions_of(row), batch.values(row), reasons
            )[0]
            for row in range(len(batch))
        ]
        contributions = pd.DataFrame(
            batch.contributions, index=frame.index, columns=list(self.scorecard_.schema.names)
        )
        return {
            "base": self.scorecard_.base,
            "contributions": contributions,
            "reasons": texts,
            "score": batch.score,
        }

    def _outcome(self, y: Any, n: int) -> NDArray[np.float64]:
        """What counts as conversion is found out; 1 converted, 0 not, shape (n,)."""
        outcome = np.asarray(y)
        if outcome.ndim == 2 and outcome.shape[1] == 1:
            outcome = outcome[:, 0]
        if outcome.shape != (n,):
            raise OutcomeInvalid(
                f"there are {n} leads but outcomes of shape {outcome.shape}",
                fix="give one outcome for each lead",
            )
        if not n:
            raise TableEmpty("there are no leads to learn from", fix="give one row for each lead")
        if pd.isna(outcome).any():
            raise OutcomeInvalid(
                "some outcomes are missing",
                rows=(np.flatnonzero(pd.isna(outcome)) + 1).tolist(),
                fix="leave leads with unknown outcome out of the training rows",
            )
        check_classification_targets(outcome)
        self.classes_, codes = np.unique(outcome, return_inverse=True)
        if len(self.classes_) < 2:
            raise TargetOneClass(
                f"every outcome is {self.classes_[0]}; there is nothing to learn",
                fix="bring leads of both kinds",
            )
        if len(self.classes_) > 2:
            raise OutcomeInvalid(
                f"the outcome has {len(self.classes_)} classes",
                fix="reduce it to converted or not converted",
            )
        first = self._positive_place() == 0
        self.positive_ = self.classes_[0 if first else 1]
        if first:
            warnings.warn(
                f"'{self.positive_}' counts as conversion and sorts first: its chance is "
                "predict_proba(X)[:, 0], or chance(X)",
                stacklevel=3,
            )
        return (codes == (0 if first else 1)).astype(np.float64)

    def _positive_place(self) -> int:
        """Which of the two classes counts as conversion."""
        labels = self.classes_.tolist()
        if self.positive is not None:
            if self.positive not in labels:
                raise OutcomeInvalid(
                    f"no lead has the outcome {self.positive!r}: they have {labels[0]!r} or "
                    f"{labels[1]!r}",
                    fix=f"positive must be {labels[0]!r} or {labels[1]!r}",
                )
            return int(labels.index(self.positive))
        if not any(isinstance(label, str) for label in labels):
            return 1
        words = [str(label).strip().lower() for label in labels]
        yes = [place for place, word in enumerate(words) if word in POSITIVE]
        no = [place for place, word in enumerate(words) if word in NEGATIVE]
        if len(yes) == 1:
            return yes[0]
        if len(no) == 1:
            return 1 - no[0]
        raise OutcomeInvalid(
            f"outcomes are {labels[0]!r} and {labels[1]!r}, and neither is plainly yes",
            fix=f"say which one means converted: LeadScorer(positive={labels[0]!r})",
        )

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _drifts(self, y: NDArray[np.float64]) -> bool:
        if self.drift == "auto":
            return drifted(y, np.arange(len(y), dtype=np.float64))
        if isinstance(self.drift, bool):
            return self.drift
        raise ConfigError(f"drift={self.drift!r}: True, False or 'auto' are wanted")

    def _refuse_directions(self, schema: Schema) -> None:
        numbers = {column.name for column in schema.columns if column.kind is Kind.NUMBER}
        for name, direction in (self.monotone or {}).items():
            if name not in numbers or direction not in DIRECTIONS:
                raise ConfigError(
                    f"monotone={{{name!r}: {direction!r}}}: a column of numbers and 'up' or 'down' "
                    "are wanted",
                    column=str(name),
                )

    def _checked(self, X: Any) -> pd.DataFrame:
        if not hasattr(self, "_scorer"):
            raise NotFittedError("this LeadScorer is not fitted yet; call fit first")
        if not isinstance(X, pd.DataFrame):
            array = np.asarray(X)
            if array.ndim == 2 and array.shape[1] != self.n_features_in_:
                raise InvalidValue(
                    f"a lead has {array.shape[1]} values, but the model learned from "
                    f"{self.n_features_in_} columns",
                    fix="give the columns of the training, in their order",
                )
            return _frame(X, list(self.feature_names_in_))
        frame = _frame(X)
        _refuse_twins(frame)
        gone = [name for name in self.feature_names_in_ if name not in frame.columns]
        if gone:
            raise ColumnMissing(
                f"the table lacks {len(gone)} of the {self.n_features_in_} columns that the "
                f"model learned from: {', '.join(gone[:10])}",
                column=gone[0],
                fix="rename them as in training; to score them as missing, add them empty",
            )
        return frame

    def __getstate__(self) -> dict[str, Any]:
        """All but the compiled scorer, which is made of functions."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_scorer", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "scorecard_" in state:
            self._scorer = Scorer(self.scorecard_)


def _refuse_twins(frame: pd.DataFrame) -> None:
    if not frame.columns.is_unique:
        twin = str(frame.columns[frame.columns.duplicated()][0])
        raise InvalidValue(
            f"the table names column '{twin}' more than once",
            column=twin,
            fix="give every column a name of its own",
        )


def _frame(X: Any, names: Sequence[str] | None = None) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X.set_axis([str(name) for name in X.columns], axis="columns")
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(f"expected a table with rows and columns, got {array.ndim} dimension(s)")
    if names is None:
        names = [f"x{i}" for i in range(array.shape[1])]
    return pd.DataFrame(array, columns=list(names))
