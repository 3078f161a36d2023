"""Raw columns read into the numbers or texts that a scorecard bins.

Both ways in (one lead, a whole column) end in the same functions of
``leads.values``, so a value means the same on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.features.moments import part_of
from leadml.leads.schema import Column
from leadml.leads.values import BAD, LARGEST, Bad, number_of, text_of
from leadml.leads.vocabulary import Kind

__all__ = ["Readings", "read_column", "reader_of"]


@dataclass(frozen=True)
class Readings:
    """A column as read: floats (NaN missing) or texts (None missing), and the rows that failed.

    ``values`` has shape (n,): float64 for a number, object (str or None) for a
    category. ``bad_rows`` are positions counted from 0; they are missing in ``values``.
    Where few distinct texts stand in a long column, ``distinct`` holds them and
    ``codes``, shape (n,), says which one each row has.
    """

    values: NDArray[Any]
    bad_rows: tuple[int, ...] = ()
    distinct: tuple[Any, ...] | None = None
    codes: NDArray[np.intp] | None = None


def reader_of(column: Column) -> Callable[[Any], float | str | None | Bad]:
    """The function that reads one raw value of ``column``."""
    if column.derive:
        derive = column.derive
        return lambda value: part_of(value, derive)
    return number_of if column.kind is Kind.NUMBER else text_of


def read_column(column: Column, values: Sequence[Any] | NDArray[Any]) -> Readings:
    """Read a whole column; equal raw values are read once.

    Parameters
    ----------
    column
        What the values are.
    values
        Shape (n,): a list, a numpy array, or a pandas Series.
    """
    array = getattr(values, "dtype", None)
    if array is not None and getattr(array, "kind", "O") in "fiub" and not column.derive:
        numbers = np.asarray(values)
        if column.kind is Kind.NUMBER:
            return Readings(np.clip(numbers.astype(np.float64, copy=False), -LARGEST, LARGEST))
        distinct, inverse = np.unique(numbers, return_inverse=True)
        texts = np.array([text_of(value) for value in distinct.tolist()] or [None], dtype=object)
        if numbers.dtype.kind == "b":
            texts = np.array([text_of(bool(value)) for value in distinct] or [None], dtype=object)
        return Readings(texts[inverse] if len(numbers) else np.empty(0, dtype=object))
    if str(array) in ("str", "string", "category"):
        return _read_coded(column, values)
    raw: Iterable[Any] = values.tolist() if hasattr(values, "tolist") else values
    return _read_objects(column, list(raw))


def _read_coded(column: Column, series: Any) -> Readings:
    """A pandas column of texts or categories: every distinct value is read once."""
    codes, found = series.factorize(use_na_sentinel=True)
    read = reader_of(column)
    distinct = [*(read(value) for value in found.tolist()), None]  # code -1 is missing
    codes = np.where(codes < 0, len(distinct) - 1, codes).astype(np.intp)
    broken = [k for k, value in enumerate(distinct) if value is BAD]
    bad: tuple[int, ...] = ()
    if broken:
        bad = tuple(np.flatnonzero(np.isin(codes, broken)).tolist())
        for k in broken:
            distinct[k] = None
    if column.kind is Kind.NUMBER:
        return Readings(np.array(distinct, dtype=np.float64)[codes], bad)
    texts = np.empty(len(distinct), dtype=object)
    texts[:] = distinct
    return Readings(texts[codes], bad, tuple(distinct), codes)


_PLAIN_NUMBERS: Final = frozenset({int, float, type(None)})
_PLAIN_TEXTS: Final = frozenset({str, type(None)})


def _read_objects(column: Column, raw: list[Any]) -> Readings:
    read = reader_of(column)
    kinds = set(map(type, raw))
    if column.kind is Kind.NUMBER:
        if kinds <= _PLAIN_NUMBERS and not column.derive:
            with suppress(OverflowError):  # an integer beyond all floats is read one by one
                return Readings(np.clip(np.array(raw, dtype=np.float64), -LARGEST, LARGEST))
    elif kinds <= _PLAIN_TEXTS and not column.derive:  # every distinct text is read once
        seen = {text: code for code, text in enumerate(dict.fromkeys(raw))}
        distinct = [None if text is None else read(text) for text in seen]
        texts = np.empty(len(distinct), dtype=object)
        texts[:] = distinct
        codes = np.fromiter(map(seen.__getitem__, raw), np.intp, len(raw))
        return Readings(texts[codes], (), tuple(distinct), codes)
    memory: dict[Any, Any] = {}
    out: list[Any] = []
    for value in raw:
        # 1, 1.0 and True are one key: only text is remembered
        if type(value) is str:
            found = memory.get(value, memory)
            if found is memory:
                found = memory[value] = read(value)
        else:
            found = read(value)
        out.append(found)
    bad = tuple(i for i, value in enumerate(out) if value is BAD)
    for i in bad:
        out[i] = None
    if column.kind is Kind.NUMBER:
        return Readings(np.array(out, dtype=np.float64) if out else np.empty(0), bad)
    texts = np.empty(len(out), dtype=object)
    texts[:] = out
    return Readings(texts, bad)
