"""The history a check looks at, read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leadml.features.moments import moment_of
from leadml.leads.values import BAD, is_placeholder, number_of, text_of
from leadml.leads.vocabulary import Role

__all__ = ["CheckInput", "Reading", "counted", "listed", "read"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """A column as read.

    Parameters
    ----------
    kind
        ``number``, ``category`` or ``moment``.
    numbers
        Shape (n,): values of a number, seconds since 1970 UTC of a moment, codes of a
        category (most frequent level 0); NaN where missing.
    levels
        Texts of the codes; empty unless a category.
    """

    kind: Literal["number", "category", "moment"]
    numbers: Floats
    levels: tuple[str, ...] = ()

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Rows without a value, shape (n,)."""
        return np.isnan(self.numbers)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Rows without an answer: missing, or a placeholder such as *Select*, shape (n,)."""
        if not self.levels:
            return self.missing
        hollow = [i for i, level in enumerate(self.levels) if is_placeholder(level)]
        return self.missing | np.isin(self.numbers, hollow) if hollow else self.missing

    @property
    def distinct(self) -> int:
        """Different values, missing not counted."""
        if self.levels:
            return len(self.levels)
        return int(np.unique(self.numbers[~self.missing]).size)


@dataclass(frozen=True, eq=False)
class CheckInput:
    """A history of leads and what is known about it; everything but columns and y may be absent.

    Parameters
    ----------
    columns
        Raw values per column of the table, shape (n,) each: lists, numpy arrays or
        pandas Series.
    y
        Shape (n,): 1 converted, 0 not, NaN unknown.
    learning
        Columns that are (to be) learned from; None means all but those with a role that
        does not learn.
    roles
        What is known about columns; a column with a role that does not learn was set aside
        by people.
    set_aside
        Columns leadml itself left out (not those people dropped), with the reason.
    target
        Name of the outcome column.
    order
        Shape (n,), growing with time; ``created_at`` stands in for it.
    created_at, outcome_at
        Shape (n,) seconds since 1970 UTC, NaN where missing.
    as_of
        Seconds since 1970 UTC at which the table was taken.
    now
        Seconds since 1970 UTC of the check itself; times after it are impossible.
    horizon_days
        Days within which a conversion counts.
    n_immature
        Leads younger than the horizon.
    tested_rows, tested_probability
        Rows tested on, and their predictions, shape (n_test,) each.
    learned_rows
        Rows learned from in that test.
    notes
        Sentences: what was decided while the table was read.
    incoming
        Leads to be scored, raw values per column, for the comparison with the history.
    gain
        Gain in log loss over the base rate of a model with the given columns; None uses
        an additive one made here.
    silence
        Reasons by code (``LML001``) or by code and column (``LML001:duration``).
    seed
        Of random folds.
    """

    columns: Mapping[str, Any]
    y: Floats
    learning: tuple[str, ...] | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    set_aside: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    order: Floats | None = None
    created_at: Floats | None = None
    outcome_at: Floats | None = None
    as_of: float | None = None
    now: float | None = None
    horizon_days: int | None = None
    n_immature: int | None = None
    tested_rows: NDArray[np.intp] | None = None
    tested_probability: Floats | None = None
    learned_rows: NDArray[np.intp] | None = None
    notes: tuple[str, ...] = ()
    incoming: Mapping[str, Any] | None = None
    gain: Callable[[tuple[str, ...]], float] | None = None
    silence: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", np.asarray(self.y, dtype=np.float64))
        if self.learning is None:
            skip = {name for name, role in self.roles.items() if not role.learns}
            skip |= {self.target, *self.set_aside}
            kept = tuple(name for name in self.columns if name not in skip)
            object.__setattr__(self, "learning", kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that are learned from."""
        return self.learning or ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Columns that people left to leadml: those learned from and those it set aside."""
        aside = (n for n in self.set_aside if n in self.columns and self._open(n))
        return (*self.names, *aside)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows whose outcome is known, shape (n,)."""
        return ~np.isnan(self.y)

    @property
    def outcome(self) -> Floats:
        """Known outcomes, shape (n_known,)."""
        return self.y[self.known]

    @property
    def when(self) -> Floats | None:
        """What grows with time, shape (n,), or None."""
        return self.created_at if self.order is None else self.order

    def _open(self, name: str) -> bool:
        role = self.roles.get(name)
        return name != self.target and (role is None or role.learns)

    def column_of(self, role: Role) -> str | None:
        """The first column with a role."""
        return next((name for name, found in self.roles.items() if found is role), None)

    def without(self, columns: Iterable[str]) -> CheckInput:
        """The same without some columns; what was read is shared."""
        gone = set(columns)
        return replace(
            self,
            learning=tuple(name for name in self.names if name not in gone),
            set_aside={n: reason for n, reason in self.set_aside.items() if n not in gone},
        )

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Compute a shared figure once."""
        if key not in self.memory:
            self.memory[key] = make()
        return self.memory[key]

    def raw(self, name: str) -> list[Any]:
        """Raw values of a column."""
        return _raw(self.columns[name])

    def reading(self, name: str) -> Reading:
        """A column as read, on all rows."""
        found: Reading = self.once(("reading", name), lambda: read(self.columns[name]))
        return found

    def reading_incoming(self, name: str) -> Reading:
        """A column of the incoming leads as read."""
        assert self.incoming is not None
        values = self.incoming[name]
        found: Reading = self.once(("incoming", name), lambda: read(values))
        return found


def read(values: Any) -> Reading:
    """Read raw values: numbers if all are, moments if all are, else texts."""
    dtype = getattr(values, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if kind in "fiu":
        return Reading("number", np.asarray(values, dtype=np.float64))
    if kind == "M" and isinstance(dtype, np.dtype):
        moments = np.asarray(values).astype("datetime64[us]")
        seconds = moments.astype(np.int64) / 1e6
        return Reading("moment", np.where(np.isnat(moments), np.nan, seconds))
    raw = _raw(values)
    if kind == "M":
        return Reading("moment", _seconds(raw))
    texts = _texts(raw)
    distinct = [text for text in dict.fromkeys(texts) if text is not None]
    booleans = any(isinstance(value, bool) for value in raw[:50])
    if distinct and not booleans:
        numbers: dict[str | None, Any] = {text: number_of(text) for text in distinct}
        if all(isinstance(number, float) for number in numbers.values()):
            table = numbers | {None: np.nan}
            return Reading("number", np.array([table[text] for text in texts], dtype=np.float64))
        if all(_is_moment(text) for text in distinct):
            return Reading("moment", _seconds(texts))
    counts: dict[str, int] = {}
    for text in texts:
        if text is not None:
            counts[text] = counts.get(text, 0) + 1
    levels = sorted(counts, key=lambda level: (-counts[level], level))
    codes: dict[str | None, float] = {level: float(i) for i, level in enumerate(levels)}
    codes[None] = np.nan
    return Reading("category", np.array([codes[text] for text in texts]), tuple(levels))


def counted(n: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "lead"), counted(1200, "lead")
    ('1 lead', '1,200 leads')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Column names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ("'a'", "'a', 'b' and 'c'", "'a', 'b' and 1 more")
    """
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > most:
        quoted = [*quoted[:most], f"{len(names) - most} more"]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _raw(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _texts(raw: Sequence[Any]) -> list[str | None]:
    memory: dict[str, str | None] = {}
    out: list[str | None] = []
    for value in raw:
        if type(value) is str:
            if value not in memory:
                memory[value] = text_of(value)
            out.append(memory[value])
        elif type(value).__name__ in ("NAType", "NaTType") or value is None or value != value:
            out.append(None)
        else:
            out.append(text_of(value))
    return out


def _is_moment(text: str) -> bool:
    # a bare "20180302" or "2018" is a number to everybody but the parser
    return ("-" in text or "." in text) and isinstance(moment_of(text), datetime)


def _seconds(raw: Sequence[Any]) -> Floats:
    memory: dict[Any, float] = {}
    out = np.empty(len(raw))
    for i, value in enumerate(raw):
        found = memory.get(value)
        if found is None:
            moment = moment_of(value)
            readable = moment is not BAD and isinstance(moment, datetime)
            found = moment.timestamp() if readable else float("nan")  # type: ignore[union-attr]
            memory[value] = found
        out[i] = found
    return out
