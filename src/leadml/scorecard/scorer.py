"""Probability and exact contributions of leads, with numpy alone.

One lead and many leads walk different code for speed but add the same floats in
the same order, so that both give the same bits: main effects first, then every
pair's half cell for its first column, then for its second, then columns in order.
"""

from __future__ import annotations

import difflib
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leadml.errors import InvalidField, InvalidValue
from leadml.features.reading import Readings, read_column, reader_of
from leadml.leads.schema import Column
from leadml.leads.values import BAD, LARGEST, text_of
from leadml.leads.vocabulary import Kind, Role
from leadml.scorecard.card import ColumnTable, Scorecard
from leadml.scorecard.reasons import digits4
from leadml.scorecard.wording import Wording

__all__ = ["CHUNK_ROWS", "Batch", "Scored", "Scorer", "Warned", "in_order"]

CHUNK_ROWS = 8192
MOST_GUESSED: Final = 256
"""Unknown names that a scorer compares with its own: each costs a fraction of a millisecond."""

LONGEST_GUESSED: Final = 60
MISSING_IS_NEWS = 0.05  # a missing field is warned of when training lacked it more rarely

Bins = NDArray[np.signedinteger[Any]]

_NESTED: Final = frozenset({dict, list})


class Warned(NamedTuple):
    """Something about a lead that its reader should know."""

    code: str
    field: str
    detail: str


def _place_of(warned: Warned) -> tuple[bool, Warned]:
    """Where a warning stands among others: unknown fields first, for they are typos mostly."""
    return warned.code != "unknown_field", warned


def in_order(warnings: Iterable[Warned]) -> list[Warned]:
    """Each warning once, in an order of their own."""
    return sorted(set(warnings), key=_place_of)


@dataclass(frozen=True, slots=True)
class Scored:
    """One lead, scored.

    ``contributions`` holds log-odds per column of the schema; ``raw`` what was read
    per column (float, str or None).
    """

    log_odds: float
    contributions: list[float]
    raw: list[float | str | None]
    warnings: list[Warned]

    @property
    def probability(self) -> float:
        """Calibrated chance in [0, 1]."""
        return probability_of(self.log_odds)

    @property
    def values(self) -> list[str | None]:
        """What was read, as text for people."""
        return [text_of(value) for value in self.raw]


@dataclass(frozen=True)
class Batch:
    """Many leads, scored; arrays share the first axis.

    ``contributions`` has shape (n, n_columns). Rows of ``errors`` (position from 0)
    could not be read and hold NaN. ``noticed`` holds each warning once, with its rows.
    ``nested`` says that a list or an object stood where one value belongs.
    """

    log_odds: NDArray[np.float64]
    probability: NDArray[np.float64]
    contributions: NDArray[np.float64]
    score: NDArray[np.int64]
    fit_score: NDArray[np.int64]
    engagement_score: NDArray[np.int64]
    readings: list[NDArray[Any]]
    errors: dict[int, InvalidField] = field(default_factory=dict)
    noticed: list[tuple[Warned, NDArray[np.intp]]] = field(default_factory=list)
    nested: bool = False

    @cached_property
    def warnings(self) -> dict[int, list[Warned]]:
        """Warnings by row; built when first asked for."""
        found: dict[int, list[Warned]] = {}
        for warned, rows in self.noticed:
            for row in rows.tolist():
                found.setdefault(row, []).append(warned)
        return found

    @cached_property
    def distinct(self) -> list[tuple[Warned, NDArray[np.intp]]]:
        """Each warning once with its rows, in the order in which they are shown.

        Several columns may be read from one field, and then say the same of a lead.
        """
        found: dict[Warned, list[NDArray[np.intp]]] = {}
        for warned, rows in self.noticed:
            found.setdefault(warned, []).append(rows)
        merged = [
            (warned, parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts)))
            for warned, parts in found.items()
        ]
        return sorted(merged, key=lambda one: _place_of(one[0]))

    def __len__(self) -> int:
        return len(self.log_odds)

    def values(self, row: int) -> list[str | None]:
        """What was read in one row, as text for people."""
        return [text_of(column[row]) for column in self.readings]

    def raw(self, row: int) -> list[float | str | None]:
        """What was read in one row: numbers, texts, None."""
        return [
            None if value != value else value  # NaN
            for value in (column[row] for column in self.readings)
        ]

    def contributions_of(self, row: int) -> list[float]:
        """Log-odds per column of one row."""
        found: list[float] = self.contributions[row].tolist()
        return found


def probability_of(log_odds: float) -> float:
    """The logistic function, through libm on every path."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


class Scorer:
    """A scorecard laid out for speed; immutable, safe to share between threads."""

    def __init__(self, scorecard: Scorecard) -> None:
        self.scorecard = scorecard
        self.schema = scorecard.schema
        columns, tables = scorecard.schema.columns, scorecard.columns
        self._n = len(columns)
        self._known = [
            _known_texts(column, table) if column.kind is Kind.CATEGORY else {}
            for column, table in zip(columns, tables, strict=True)
        ]
        self._narrow = [_narrow(len(table.level)) for table in tables]
        self._texts = [
            _Texts(known, kind) for known, kind in zip(self._known, self._narrow, strict=True)
        ]
        self._steps: list[tuple[str, Callable[[Any], _Found | None], _Step]] = []
        for column, table, known in zip(columns, tables, self._known, strict=True):
            number = column.kind is Kind.NUMBER
            step = _number_step(column, table) if number else _text_step(column, table, known)
            at_hand = _at_hand(step, [None] if column.derive else _COUNTS if number else known)
            self._steps.append((column.source, at_hand.get, step))
        pairs = scorecard.pairs
        self._sloped = [bool(table.slope.any()) for table in tables]
        self._n_pairs = len(pairs)
        self._first = [pair.first for pair in pairs]
        self._second = [pair.second for pair in pairs]
        self._strides = [pair.cells.shape[1] for pair in pairs]
        self._offset = np.cumsum([0, *(pair.cells.size for pair in pairs)])[:-1].astype(np.intp)
        halves = [pair.cells.ravel() * 0.5 for pair in pairs]  # exact: a power of two
        self._halves = halves
        self._cells = np.concatenate(halves) if halves else np.empty(0)
        # one lead: cell of pair p = offset + bin of first * stride + bin of second
        self._both = np.array([*self._first, *self._second], dtype=np.intp)
        self._factor = np.array([*self._strides, *([1] * self._n_pairs)], dtype=np.intp)
        self._places = np.array([*range(self._n), *self._first, *self._second], dtype=np.intp)
        self._expected = self.schema.sources
        self._guessed: dict[str, str] = {}
        self.wording = Wording(self.schema)
        self.base_shown = digits4(probability_of(scorecard.base))
        self._silent = self._expected | set(self.schema.known)
        roles = [column.role for column in columns]
        self._fit = [i for i, role in enumerate(roles) if role is Role.FIT]
        self._engagement = [i for i, role in enumerate(roles) if role is Role.ENGAGEMENT]

    # --- one lead -------------------------------------------------------------

    def one(self, lead: Mapping[str, Any]) -> Scored:
        """Score one lead given by field names.

        Raises
        ------
        InvalidField
            Where a number belongs stands text; ``pointer`` names the field.
        """
        warnings: list[Warned] = []
        bins: list[int] = []
        main: list[float] = []
        raw: list[float | str | None] = []
        get = lead.get
        for source, at_hand, step in self._steps:
            value = get(source)
            try:
                found = at_hand(value)
            except TypeError:  # a list or an object
                found = None
            at, points, value = found or step(value, warnings)
            bins.append(at)
            main.append(points)
            raw.append(value)
        if not lead.keys() <= self._silent:
            warnings.extend(self._unknown(lead))
        n, p = self._n, self._n_pairs
        if p:
            cell = np.array(bins, dtype=np.intp).take(self._both)
            cell *= self._factor
            cell = cell[:p] + cell[p:]
            cell += self._offset
            added = np.empty(n + 2 * p)
            added[:n] = main
            added[n : n + p] = added[n + p :] = self._cells.take(cell)
            summed = np.bincount(self._places, added, n).tolist()
        else:
            summed = main
        total = self.scorecard.base
        for points in summed:
            total += points
        return Scored(total, summed, raw, warnings)

    def _unknown(self, lead: Mapping[str, Any]) -> Iterator[Warned]:
        for name in lead:
            if name not in self._silent:
                yield Warned("unknown_field", str(name)[:200], self._ignored(str(name)))

    def _ignored(self, name: str) -> str:
        """What is said of an unknown field; looked for once, however often it comes."""
        said = self._guessed.get(name)
        if said is None:
            said = "not a field of this model; ignored"
            if len(name) > LONGEST_GUESSED or len(self._guessed) >= MOST_GUESSED:
                return said
            near = difflib.get_close_matches(name, self._expected, n=1, cutoff=0.75)
            if near:
                said += f"; did you mean '{near[0]}'?"
            self._guessed[name] = said
        return said

    # --- many leads -----------------------------------------------------------

    def many(self, leads: Sequence[Mapping[str, Any]], *, collect: bool = False) -> Batch:
        """Score a list of leads: the same bits as :meth:`one` for each.

        With ``collect`` leads that cannot be read are named in ``Batch.errors``
        instead of raising.
        """
        names = tuple(self._expected)
        columns: dict[str, Sequence[Any]] = dict.fromkeys(names, ())
        if leads:
            rows = [map(lead.get, names) for lead in leads]
            columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        batch = self._score(columns, len(leads), collect=collect, where="lead")
        for row, lead in enumerate(leads):
            if not lead.keys() <= self._silent:
                at = np.array([row])
                batch.noticed.extend((warned, at) for warned in self._unknown(lead))
        return batch

    def frame(self, frame: Any) -> Batch:
        """Score a table by column names (a pandas frame or a mapping of sequences).

        Columns the table lacks count as missing; the caller decides whether that is
        allowed. The same bits as :meth:`one` for each row.

        Raises
        ------
        InvalidValue
            Text where a number belongs; ``column`` and ``rows`` (from 1) say where.
        """
        n = len(next(iter(frame.values()), ())) if isinstance(frame, Mapping) else len(frame)
        columns = {
            source: frame[source] if source in frame else [None] * n for source in self._expected
        }
        return self._score(columns, n, collect=False, where="row")

    def bins(self, leads: Sequence[Mapping[str, Any]]) -> list[Bins]:
        """The bin of each lead in the table of every column, shape (n,) each.

        What cannot be read counts as missing.
        """
        found = []
        for i, column in enumerate(self.schema.columns):
            read = read_column(column, [lead.get(column.source) for lead in leads])
            if column.kind is Kind.NUMBER:
                found.append(self._bin_numbers(i, read.values, []))
            else:
                found.append(self._bin_texts(i, read, []))
        return found

    def _score(self, columns: Mapping[str, Any], n: int, *, collect: bool, where: str) -> Batch:
        errors: dict[int, InvalidField] = {}
        noticed: list[tuple[Warned, NDArray[np.intp]]] = []
        readings: list[NDArray[Any]] = []
        bins: list[Bins] = []
        nested = False
        for i, column in enumerate(self.schema.columns):
            raw = columns[column.source]
            if type(raw) is tuple:  # of mappings: may hold anything, and mostly known texts
                if column.kind is Kind.CATEGORY and not column.derive:
                    found = self._find_texts(i, raw, noticed)
                    if found is not None:
                        readings.append(found[0])
                        bins.append(found[1])
                        continue
                nested = nested or not _NESTED.isdisjoint(map(type, raw))
            read = read_column(column, raw)
            if read.bad_rows:
                self._refuse(column.source, read, errors, collect=collect, where=where)
            readings.append(read.values)
            if column.kind is Kind.NUMBER:
                at = self._bin_numbers(i, read.values, noticed)
            else:
                at = self._bin_texts(i, read, noticed)
            bins.append(at)
        reference = self.scorecard.reference
        batch = Batch(
            log_odds=np.empty(n),
            probability=np.empty(n),
            contributions=np.empty((n, self._n)),
            score=np.empty(n, dtype=np.int64),
            fit_score=np.empty(n, dtype=np.int64),
            engagement_score=np.empty(n, dtype=np.int64),
            readings=readings,
            errors=errors,
            noticed=noticed,
            nested=nested,
        )
        for start in range(0, n, CHUNK_ROWS):
            rows = slice(start, min(start + CHUNK_ROWS, n))
            total, summed = self._chunk(
                [values[rows] for values in readings],
                [at[rows].astype(np.intp, copy=False) for at in bins],
                rows.stop - rows.start,
            )
            batch.log_odds[rows] = total
            batch.contributions[rows] = summed.T
            batch.probability[rows] = np.fromiter(
                map(probability_of, total.tolist()), np.float64, len(total)
            )
            fit, engagement = self.parts(batch.contributions[rows])
            batch.score[rows] = _ranks(reference.score, total)
            batch.fit_score[rows] = _ranks(reference.fit, fit)
            batch.engagement_score[rows] = _ranks(reference.engagement, engagement)
        for row in errors:
            batch.log_odds[row] = batch.probability[row] = np.nan
            batch.contributions[row] = np.nan
        return batch

    def _refuse(
        self,
        source: str,
        read: Readings,
        errors: dict[int, InvalidField],
        *,
        collect: bool,
        where: str,
    ) -> None:
        if where == "row":
            raise InvalidValue(
                f"column '{source}' must hold numbers, but some cells hold text",
                column=source,
                rows=[row + 1 for row in read.bad_rows],
                fix=f"make every cell of '{source}' a plain number or empty",
            )
        for row in read.bad_rows:
            error = _not_a_number(source)
            if not collect:
                raise error
            errors.setdefault(row, error)

    def _bin_numbers(
        self, i: int, values: NDArray[np.float64], noticed: list[tuple[Warned, NDArray[np.intp]]]
    ) -> Bins:
        column, table = self.schema.columns[i], self.scorecard.columns[i]
        at = np.searchsorted(table.thresholds, values, side="left").astype(self._narrow[i])
        gone = np.isnan(values)
        at[gone] = table.missing_bin
        if column.low is not None and column.high is not None:
            outside = np.flatnonzero((values < column.low) | (values > column.high))
            if len(outside):
                noticed.append((_out_of_range(column.name), outside))
        if column.missing_share < MISSING_IS_NEWS and gone.any():
            noticed.append((_missing(column.source), np.flatnonzero(gone)))
        return at

    def _find_texts(
        self, i: int, raw: tuple[Any, ...], noticed: list[tuple[Warned, NDArray[np.intp]]]
    ) -> tuple[NDArray[Any], Bins] | None:
        """Readings and bins of a column of mostly known texts; None where one is no value."""
        column, table, texts = self.schema.columns[i], self.scorecard.columns[i], self._texts[i]
        try:
            codes = np.fromiter(map(texts.code, raw, repeat(-1)), np.intp, len(raw))
        except TypeError:  # a list or an object
            return None
        other = np.flatnonzero(codes < 0)
        values = texts.values[codes]
        at = texts.bins[codes]
        if len(other):
            memory: dict[str, str | None] = {}
            unseen = []
            for row in other.tolist():
                value = raw[row]
                if type(value) is str:
                    text = memory.get(value, "")
                    if text == "":
                        text = memory[value] = text_of(value)
                else:
                    text = text_of(value)
                values[row] = text
                codes[row] = code = texts.code(text, -1)
                if code < 0:
                    unseen.append(row)
                    at[row] = table.unseen_bin
                else:
                    at[row] = texts.bins[code]
            if unseen:
                noticed.append((_unseen(column.name), np.array(unseen, dtype=np.intp)))
        if column.missing_share < MISSING_IS_NEWS:
            gone = np.flatnonzero(codes == texts.missing)
            if len(gone):
                noticed.append((_missing(column.source), gone))
        return values, at

    def _bin_texts(
        self, i: int, read: Readings, noticed: list[tuple[Warned, NDArray[np.intp]]]
    ) -> Bins:
        column, table = self.schema.columns[i], self.scorecard.columns[i]
        find, kind = self._known[i].get, self._narrow[i]
        if read.distinct is not None and read.codes is not None:
            at = np.array([find(text, -1) for text in read.distinct], dtype=kind)[read.codes]
        else:
            at = np.fromiter(
                (find(text, -1) for text in read.values.tolist()), kind, len(read.values)
            )
        unseen = np.flatnonzero(at < 0)
        if len(unseen):
            noticed.append((_unseen(column.name), unseen))
            at[unseen] = table.unseen_bin
        if column.missing_share < MISSING_IS_NEWS:
            gone = np.flatnonzero(read.values == None)  # noqa: E711 - elementwise
            if len(gone):
                noticed.append((_missing(column.source), gone))
        return at

    def _chunk(
        self, readings: list[NDArray[Any]], bins: list[NDArray[np.intp]], n: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        summed = np.empty((self._n, n))
        for i, table in enumerate(self.scorecard.columns):
            points = table.level[bins[i]]
            if self._sloped[i]:
                x = np.clip(readings[i], *table.clip)
                x[np.isnan(x)] = 0.0
                points = points + table.slope[bins[i]] * x
            summed[i] = points
        first, second = self._first, self._second
        halves = []
        for a, b, stride, cells in zip(first, second, self._strides, self._halves, strict=True):
            cell = bins[a] * stride
            cell += bins[b]
            half = cells.take(cell)
            summed[a] += half
            halves.append(half)
        for b, half in zip(second, halves, strict=True):
            summed[b] += half
        total = np.full(n, self.scorecard.base)
        for points in summed:
            total += points
        return total, summed

    # --- what people read -------------------------------------------------------

    def score_of(self, log_odds: float) -> int:
        """The score 0–100: the share of reference leads that this lead outranks."""
        return bisect_left(self.scorecard.reference.score, log_odds)

    def fit_engagement(self, contributions: Sequence[float]) -> tuple[int, int]:
        """Percentiles of the summed log-odds of the fit and of the engagement columns."""
        fit = engagement = 0.0
        for i in self._fit:
            fit += contributions[i]
        for i in self._engagement:
            engagement += contributions[i]
        reference = self.scorecard.reference
        return bisect_left(reference.fit, fit), bisect_left(reference.engagement, engagement)

    def parts(
        self, contributions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Summed log-odds of the fit columns and of the engagement columns, each (n,)."""
        fit = np.zeros(len(contributions))
        engagement = np.zeros(len(contributions))
        for i in self._fit:
            fit += contributions[:, i]
        for i in self._engagement:
            engagement += contributions[:, i]
        return fit, engagement

    def reasons(self, scored: Scored, limit: int | None = 5) -> tuple[list[dict[str, Any]], float]:
        """Reasons of one lead, strongest first, and the log-odds of all others."""
        return self.wording.one(scored.contributions, scored.raw, limit)


class _Texts:
    """The known texts of a column, numbered; the last is missing."""

    def __init__(self, known: Mapping[str | None, int], kind: type[Any]) -> None:
        self.code = {text: code for code, text in enumerate(known)}.get
        self.missing = self.code(None)
        self.values = np.array([*known, None], dtype=object)
        self.bins = np.array([*known.values(), 0], dtype=kind)


_Found = tuple[int, float, float | str | None]
"""Bin, points and what was read."""

_Step = Callable[[Any, list[Warned]], _Found]
"""Reads a raw value; may warn."""

_COUNTS: Final = (None, *range(128))


def _at_hand(step: _Step, values: Iterable[Any]) -> dict[Any, _Found]:
    """What a step finds for values that are frequent and need no warning.

    Python finds 1.0 and True where 1 is; they are read alike.
    """
    made: dict[Any, _Found] = {}
    for value in values:
        warnings: list[Warned] = []
        found = step(value, warnings)
        if not warnings:
            made[value] = found
    return made


def _number_step(column: Column, table: ColumnTable) -> _Step:
    """A raw value to (bin, points, number); what it needs is bound, for speed."""
    read = reader_of(column)
    thresholds = table.thresholds.tolist()
    level, slope = table.level.tolist(), table.slope.tolist()
    lowest, highest = table.clip
    missing = table.missing_bin
    low = -LARGEST if column.low is None else column.low
    high = LARGEST if column.high is None else column.high
    quick = not column.derive
    news = column.missing_share < MISSING_IS_NEWS
    name, source = column.name, column.source

    def step(value: Any, warnings: list[Warned]) -> tuple[int, float, float | None]:
        kind = type(value)
        if quick and kind is float and -LARGEST <= value <= LARGEST:
            number = value
        elif quick and kind is int and -(2**53) <= value <= 2**53:
            number = float(value)
        else:
            found = read(value)
            if found is None:
                if news:
                    warnings.append(_missing(source))
                return missing, level[missing], None
            if found is BAD:
                raise _not_a_number(source)
            number = found
        at = bisect_left(thresholds, number)
        if not low <= number <= high:
            warnings.append(_out_of_range(name))
        clipped = min(max(number, lowest), highest)
        return at, level[at] + slope[at] * clipped, number

    return step


def _known_texts(column: Column, table: ColumnTable) -> dict[str | None, int]:
    """Bins by text: known levels, pooled ones, and missing."""
    known: dict[str | None, int] = dict(zip(column.levels, table.level_bins, strict=True))
    known.update((level, table.pooled_bin) for level in column.pooled)
    known[None] = table.missing_bin
    return known


def _text_step(column: Column, table: ColumnTable, known: dict[str | None, int]) -> _Step:
    """A raw value to (bin, points, text)."""
    read = reader_of(column)
    find = known.get
    level = table.level.tolist()
    unseen = table.unseen_bin
    news = column.missing_share < MISSING_IS_NEWS
    name, source = column.name, column.source

    def step(value: Any, warnings: list[Warned]) -> tuple[int, float, str | None]:
        if type(value) is str:
            at = find(value, -1)
            if at >= 0:  # known texts are canonical: reading them again changes nothing
                return at, level[at], value
        text: Any = read(value)
        if text is None and news:
            warnings.append(_missing(source))
        at = find(text, -1)
        if at < 0:
            warnings.append(_unseen(name))
            at = unseen
        return at, level[at], text

    return step


def _ranks(cuts: tuple[float, ...], values: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.searchsorted(np.array(cuts, dtype=np.float64), values, side="left")


def _narrow(n_bins: int) -> type[np.signedinteger[Any]]:
    """The smallest integers that number so many bins, and -1."""
    return np.int8 if n_bins < 2**7 else np.int16 if n_bins < 2**15 else np.int32


def _not_a_number(source: str) -> InvalidField:
    pointer = "/lead/" + source.replace("~", "~0").replace("/", "~1")
    return InvalidField(
        f"lead.{source} must be a number",
        column=source,
        pointer=pointer,
        fix="send a plain number, or leave the field out",
    )


def _unseen(name: str) -> Warned:
    return Warned(
        "unseen_category", name, "value hardly or never seen in training; scored as unknown"
    )


def _missing(source: str) -> Warned:
    return Warned(
        "missing_field", source, "not given; scored as missing, which training rarely saw"
    )


def _out_of_range(name: str) -> Warned:
    return Warned("out_of_range", name, "outside the range of training; scored as its nearest bin")
