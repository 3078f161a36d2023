"""Columns of text that become numbers where no digit is lost."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, time
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import InvalidValue, TableRagged
from leadml.leads.values import BAD, MISSING_WORDS, header_of, number_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["CELL_LIMIT", "named", "typed"]

CELL_LIMIT: Final = 1_000_000
"""Characters of a cell; more is an unclosed quote or a mistake."""

_TRIED: Final = 50
_LEADING_ZERO: Final = r"^[+-]?0[0-9]"
_LONG_WHOLE: Final = r"^[+-]?[0-9]{16,}$"
_GROUPED: Final = r"^[+-]?(?:[0-9]{1,3}|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)$"
_GROUPED_SURELY: Final = r"\.[0-9]*0$"
_UNGROUPED: Final = r"^[+-]?[0-9]+$"
_COMMA: Final = r"^[+-]?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:,[0-9]+)?$"
_COMMA_SURELY: Final = r"^[+-]?(?:0|[0-9]{4,}|[0-9.]*\.[0-9]{3}),|,(?:[0-9]{1,2}|[0-9]{4,})$"
_DOTTED: Final = r"^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}(?:,? +[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?$"
_SLASHED: Final = r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}(?: +[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?$"
_ABOVE_TWELVE: Final = "(?:1[3-9]|[23][0-9])"


def named(table: pa.Table, source: str) -> tuple[pa.Table, list[str]]:
    """Strip headers, name unnamed columns, drop unnamed columns that hold nothing.

    Returns
    -------
    table : pyarrow.Table
        The same rows under unique, non-empty names.
    notes : list of str
        Which columns were given a name.

    Raises
    ------
    TableRagged
        If a name stands twice.
    """
    header = [header_of(cell) for cell in table.column_names]
    seen: dict[str, int] = {}
    for cell in header:
        seen[cell] = seen.get(cell, 0) + 1
    repeated = [cell for cell, count in seen.items() if count > 1 and cell]
    if repeated:
        shown = ", ".join(f"'{cell[:40]}'" for cell in repeated[:5])
        raise TableRagged(
            f"'{source}' names {len(repeated)} column{'s' if len(repeated) > 1 else ''} "
            f"more than once: {shown}",
            column=repeated[0],
            fix="give every column a name of its own",
        )
    kept, names, notes = [], [], []
    for position, cell in enumerate(header):
        if not cell:
            if _holds_nothing(table.column(position)):
                continue  # a delimiter at the end of every row
            cell = f"column_{position + 1}"
            while cell in seen:
                cell += "_"
            seen[cell] = 1
            notes.append(f"column {position + 1} has no name; it is called '{cell}'")
        kept.append(position)
        names.append(cell)
    return table.select(kept).rename_columns(names), notes


def typed(table: pa.Table, text: Collection[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Turn a table into a frame of whole numbers, numbers and texts.

    Text becomes a number only if every value of the column is one
    (:func:`leadml.leads.number_of`) and nothing is lost: leading zeros (``007``), whole
    numbers of 16 digits or more, points between thousands (``1.200`` beside ``950``), and
    ``true`` / ``false`` stay text. Decimal commas are read where the column proves that
    they are no separators of thousands (``12,5`` or ``1.200,50`` somewhere). Booleans become
    ``true`` / ``false``, times ISO 8601 text, missing words NaN; dates with dots, and with
    slashes where a number above twelve proves which is the day, become ISO 8601 text too. A
    column whose numbers are whole and complete is int64, any other float64. Lists and
    structures are left out.

    Parameters
    ----------
    table
        Columns of any type.
    text
        Names of columns that stay text whatever they look like.

    Returns
    -------
    frame : pandas.DataFrame
        The same rows, index 0 … n-1.
    notes : list of str
        Which columns were left out, which have points between thousands, in which decimal
        commas or dates of other forms were read.

    Raises
    ------
    InvalidValue
        If a cell is longer than :data:`CELL_LIMIT`.
    """
    import pandas as pd
    import pyarrow as pa

    notes: list[str] = []
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        made = _plain(column)
        if made is None:
            notes.append(f"'{name}' holds {column.type}; it is left out")
            continue
        if pa.types.is_large_string(made.type):
            _check_cells(name, made)
            made = _without_missing(made)
            if name not in text:
                read = _numeric(made)
                if pa.types.is_floating(read.type) and _has_grouped(made):
                    notes.append(
                        f"'{name}' has points between thousands, so it is text; "
                        "write 1200 instead of 1.200 to learn from it as a number"
                    )
                else:
                    made = read
                if pa.types.is_large_string(made.type):
                    made, note = _of_other_form(name, made)
                    notes.extend(note)
        elif name in text:
            made = made.cast(pa.large_string())
        columns[name] = _series(made)
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False), notes


def _series(column: pa.ChunkedArray) -> Any:
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_large_string(column.type):
        return column.to_pandas()
    return pd.Series(column.to_numpy())


def _holds_nothing(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count == len(column):
        return True
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    return not pc.any(pc.not_equal(column, "")).as_py()


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column as large_string, int64 or float64; None if it is neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return column.cast(pa.large_string())
    if pa.types.is_null(kind):
        return column.cast(pa.float64())
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "true", "false").cast(pa.large_string())
    if pa.types.is_integer(kind):
        top = pc.max(pc.abs(column.cast(pa.float64(), safe=False))).as_py() or 0
        if top >= 1e15:
            return column.cast(pa.large_string())
        return column.cast(pa.float64() if column.null_count else pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return column.cast(pa.large_string())
    if pa.types.is_duration(kind):
        return pc.divide(column.cast(pa.duration("ns")).cast(pa.int64()).cast(pa.float64()), 1e9)
    return None


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times as ISO 8601 text; those with a zone in UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    clock = column.cast(pa.timestamp(column.type.unit))  # of a time with a zone: its UTC clock
    text = clock.cast(pa.large_string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    if column.type.tz is None:
        return text
    end, between = pa.scalar("Z", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.binary_join_element_wise(text, end, between)


def _check_cells(name: str, column: pa.ChunkedArray) -> None:
    import pyarrow.compute as pc

    if column.nbytes <= CELL_LIMIT:
        return
    lengths = pc.utf8_length(column)
    if (pc.max(lengths).as_py() or 0) <= CELL_LIMIT:
        return
    long = pc.indices_nonzero(pc.greater(lengths, CELL_LIMIT)).to_pylist()
    raise InvalidValue(
        f"a cell of '{name}' holds more than {CELL_LIMIT:,} characters",
        column=name,
        rows=[position + 1 for position in long],
        fix="look for a quote that is never closed, or drop the column",
    )


def _without_missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pa.array(sorted(MISSING_WORDS), pa.large_string())
    missing = pc.is_in(pc.utf8_trim_whitespace(column), value_set=words)
    if not pc.any(missing).as_py():
        return column
    return pc.if_else(missing, pa.scalar(None, pa.large_string()), column)


def _numeric(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Int64 or float64 if every value is a number that loses no digit, else as it was."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count == len(column):
        return column.cast(pa.float64())
    given = column.drop_null() if column.null_count else column
    if any(not _is_number(value) for value in given.slice(0, _TRIED).to_pylist()):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    for pattern in (_LEADING_ZERO, _LONG_WHOLE):
        if pc.any(pc.match_substring_regex(trimmed, pattern)).as_py():
            return column
    # Arrow reads hexadecimal whole numbers, which number_of refuses.
    foreign = pc.any(pc.match_substring_regex(trimmed, "[xX+]")).as_py()
    if not foreign:
        for kind in (pa.int64(), pa.float64()):
            try:
                numbers = trimmed.cast(kind)
            except pa.ArrowInvalid:
                continue  # not of this kind: the next one, then value by value
            if kind == pa.int64():
                return numbers.cast(pa.float64()) if numbers.null_count else numbers
            if pc.all(pc.is_finite(numbers)).as_py():
                return numbers
    coded = trimmed.combine_chunks().dictionary_encode()
    read = [number_of(value) for value in coded.dictionary.to_pylist()]
    if any(value is BAD for value in read) or not all(
        _is_number(value) for value in coded.dictionary.to_pylist()
    ):
        return column
    return pa.chunked_array([pc.take(pa.array(read, pa.float64()), coded.indices)])


def _has_grouped(column: pa.ChunkedArray) -> bool:
    """Whether points must separate thousands, not decimals.

    They must if every value is a whole number below 1,000 or has groups of three digits
    after its points, and ``950`` stands beside ``1.200``: decimals of a fixed length would
    be ``950.000``, of any length ``1.2``.
    """
    import pyarrow.compute as pc

    given = column.drop_null()
    if not all(re.match(_GROUPED, value.strip()) for value in given.slice(0, _TRIED).to_pylist()):
        return False
    trimmed = pc.utf8_trim_whitespace(given)
    return bool(
        pc.all(pc.match_substring_regex(trimmed, _GROUPED)).as_py()
        and pc.any(pc.match_substring_regex(trimmed, _GROUPED_SURELY)).as_py()
        and pc.any(pc.match_substring_regex(trimmed, _UNGROUPED)).as_py()
    )


def _of_other_form(name: str, column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, list[str]]:
    """Numbers with decimal commas, dates with dots or slashes, where nothing is in doubt."""
    import pyarrow as pa
    import pyarrow.compute as pc

    given = column.drop_null()
    first = [value.strip() for value in given.slice(0, _TRIED).to_pylist()]
    trimmed = pc.utf8_trim_whitespace(column)

    def every(pattern: str) -> bool:
        if not first or not all(re.match(pattern, value) for value in first):
            return False
        return bool(pc.all(pc.match_substring_regex(trimmed, pattern)).as_py())

    def some(pattern: str) -> bool:
        return bool(pc.any(pc.match_substring_regex(trimmed, pattern)).as_py())

    if every(_COMMA) and some(_COMMA_SURELY):
        plain = pc.replace_substring(pc.replace_substring(trimmed, ".", ""), ",", ".")
        note = f"'{name}' is written with decimal commas; they were read as numbers"
        return plain.cast(pa.float64()), [note]
    if every(_DOTTED):
        iso = _iso(trimmed, day_first=True)
        return iso, [f"'{name}' holds dates with dots; they were read with the day first"]
    if every(_SLASHED):
        day_first = some(f"^{_ABOVE_TWELVE}/")
        if day_first != some(f"^[0-9]+/{_ABOVE_TWELVE}/"):
            which = "day" if day_first else "month"
            note = f"'{name}' holds dates with slashes; they were read with the {which} first"
            return _iso(trimmed, day_first), [note]
    return column, []


def _iso(column: pa.ChunkedArray, day_first: bool) -> pa.ChunkedArray:
    """Dates of two numbers and a year as ISO 8601; what is no date stays as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = column.combine_chunks().dictionary_encode()
    made = pa.array(
        [_iso_of(text, day_first) for text in coded.dictionary.to_pylist()], pa.large_string()
    )
    return pa.chunked_array([pc.take(made, coded.indices)])


def _iso_of(text: str, day_first: bool) -> str:
    day, month, year, *clock = re.split(r"[./, :]+", text)
    if not day_first:
        day, month = month, day
    try:
        found = date(int(year), int(month), int(day)).isoformat()
        hour, minute, second = (*map(int, clock), 0, 0, 0)[:3]
        return f"{found}T{time(hour, minute, second).isoformat()}" if clock else found
    except ValueError:
        return text


def _is_number(value: str) -> bool:
    return number_of(value) is not BAD and value.strip().lower() not in ("true", "false")
