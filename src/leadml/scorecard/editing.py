"""Effects of a scorecard changed by hand: flattened, made monotone, capped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leadml.errors import ColumnMissing, ConfigError
from leadml.leads.vocabulary import Kind
from leadml.scorecard.card import ColumnTable, Scorecard
from leadml.scorecard.direction import DIRECTIONS, ends_of, isotonic

__all__ = ["Edited", "cap", "edit", "flatten", "monotone", "refuse_unreadable"]

Floats = NDArray[np.float64]

FORMS = "'flatten', 'monotone up', 'monotone down' or 'cap LOW HIGH'"


@dataclass(frozen=True, eq=False)
class Edited:
    """A scorecard with one effect changed, and what changed.

    Parameters
    ----------
    scorecard
        The result; base and reference percentiles are those from before.
    column
        Whose effect was changed.
    sentence
        What was done, for people.
    moved
        How far the column's own effect moved: weighted root mean square over the
        training leads, in log-odds.
    pairs_removed
        Names of columns whose interaction with this one is gone.
    """

    scorecard: Scorecard
    column: str
    sentence: str
    moved: float
    pairs_removed: tuple[str, ...]


def flatten(scorecard: Scorecard, column: str) -> Edited:
    """The column counts for nothing: its effect and its interactions become zero.

    Raises
    ------
    ColumnMissing
        The scorecard has no such column.
    """
    table = scorecard.columns[_place(scorecard, column)]
    flat = replace(table, level=np.zeros(table.n_bins), slope=np.zeros(table.n_bins))
    return _edited(scorecard, column, flat, "no longer counts")


def monotone(scorecard: Scorecard, column: str, direction: str) -> Edited:
    """The nearest effect of a number that never moves against ``up`` or ``down``.

    Weighted isotonic regression over the ends of the bins; the column's interactions
    are removed, so that no other column can turn the direction. Missing keeps its points.

    Raises
    ------
    ColumnMissing
        The scorecard has no such column.
    ConfigError
        The column is a category, or the direction is no word for one.
    """
    at = _place(scorecard, column)
    if scorecard.schema.columns[at].kind is not Kind.NUMBER:
        raise ConfigError(
            f"column '{column}' holds categories, which have no order to be monotone in",
            column=column,
            fix="flatten or cap it instead",
        )
    if direction not in DIRECTIONS:
        raise ConfigError(f"'{direction}' is no direction", column=column, fix="say 'up' or 'down'")
    sign = DIRECTIONS[direction]
    table = scorecard.columns[at]
    begins, stops = _values(table)
    nodes = np.column_stack((begins, stops)).ravel()
    weights = np.repeat(table.share[: len(begins)] / 2.0, 2)
    curve = sign * isotonic(sign * nodes, weights)
    found = _with_values(table, curve[::2], curve[1::2])
    more = "raises" if direction == "up" else "lowers"
    return _edited(scorecard, column, found, f"more of it only ever {more} the chance")


def cap(scorecard: Scorecard, column: str, low: float, high: float) -> Edited:
    """The column's effect held between ``low`` and ``high`` log-odds.

    Its interactions are removed, so that these are the bounds of its whole contribution.
    Where a curve crosses a bound inside a bin, the bin's ends are capped and joined.

    Raises
    ------
    ColumnMissing
        The scorecard has no such column.
    ConfigError
        The bounds are not finite, or not in order, or leave out 0 (a typical lead).
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= 0.0 <= high):
        raise ConfigError(
            f"an effect cannot be capped between {low:g} and {high:g}",
            column=column,
            fix="say a lower bound of at most 0 and an upper bound of at least 0, in log-odds",
        )
    at = _place(scorecard, column)
    table = scorecard.columns[at]
    found = replace(table, level=np.clip(table.level, low, high))
    if scorecard.schema.columns[at].kind is Kind.NUMBER:
        begins, stops = _values(table)
        found = _with_values(found, np.clip(begins, low, high), np.clip(stops, low, high))
    return _edited(scorecard, column, found, f"held between {low:+g} and {high:+g} log-odds")


def edit(scorecard: Scorecard, edits: Mapping[str, str]) -> tuple[Scorecard, list[Edited]]:
    """Apply edits given by column as words: ``flatten``, ``monotone up``, ``cap -0.5 0.5``.

    Several for one column stand with commas between them and are done in that order.

    Raises
    ------
    ColumnMissing
        The scorecard has no such column.
    ConfigError
        The words are none of these, or do not fit the column.
    """
    done = []
    for column, words in edits.items():
        for part in words.split(","):
            found = _apply(scorecard, column, part.split())
            scorecard = found.scorecard
            done.append(found)
    return scorecard, done


def refuse_unreadable(column: str, words: str) -> None:
    """Raise ConfigError where ``words`` are no edits, whatever the column holds."""
    for part in words.split(","):
        _read(column, part.split())


def _read(column: str, words: list[str]) -> tuple[str, tuple[float, ...]]:
    """Name of the edit (with its direction) and its bounds."""
    if words == ["flatten"] or (
        len(words) == 2 and words[0] == "monotone" and words[1] in DIRECTIONS
    ):
        return " ".join(words), ()
    if len(words) == 3 and words[0] == "cap":
        try:
            return "cap", (float(words[1]), float(words[2]))
        except ValueError:
            pass  # said below, with the forms there are
    raise ConfigError(
        f"'{' '.join(words)}' is no edit of an effect", column=column, fix=f"say {FORMS}"
    )


def _apply(scorecard: Scorecard, column: str, words: list[str]) -> Edited:
    name, bounds = _read(column, words)
    if name == "flatten":
        return flatten(scorecard, column)
    if name == "cap":
        return cap(scorecard, column, *bounds)
    return monotone(scorecard, column, name.split()[1])


def _place(scorecard: Scorecard, column: str) -> int:
    names = scorecard.schema.names
    if column not in names:
        raise ColumnMissing(
            f"the scorecard has no column '{column}'",
            column=column,
            fix=f"its columns are: {', '.join(names[:20])}",
        )
    return names.index(column)


def _values(table: ColumnTable) -> tuple[Floats, Floats]:
    """What the effect is where every value bin begins and ends, shape (k + 1,) each."""
    left, right = ends_of(table)
    n = len(left)
    level, slope = table.level[:n], table.slope[:n]
    return level + slope * left, level + slope * right


def _with_values(table: ColumnTable, begins: Floats, stops: Floats) -> ColumnTable:
    """The table whose bins run straight from ``begins`` to ``stops``; missing is kept."""
    left, right = ends_of(table)
    n = len(left)
    width = right - left
    slope, level = np.zeros(table.n_bins), table.level.copy()
    sloped = width > 0
    slope[:n][sloped] = (stops - begins)[sloped] / width[sloped]
    level[:n] = begins - slope[:n] * left
    return replace(table, level=level, slope=slope)


def _edited(scorecard: Scorecard, column: str, table: ColumnTable, what: str) -> Edited:
    at = _place(scorecard, column)
    before = scorecard.columns[at]
    columns = (*scorecard.columns[:at], table, *scorecard.columns[at + 1 :])
    kept = tuple(pair for pair in scorecard.pairs if at not in (pair.first, pair.second))
    partners = [
        scorecard.schema.names[pair.second if pair.first == at else pair.first]
        for pair in scorecard.pairs
        if at in (pair.first, pair.second)
    ]
    change = table.level - before.level
    if scorecard.schema.columns[at].kind is Kind.NUMBER:
        (new_begins, new_stops), (begins, stops) = _values(table), _values(before)
        change = change.copy()
        change[: len(begins)] = ((new_begins - begins) + (new_stops - stops)) / 2.0
    moved = float(np.sqrt(table.share @ change**2))
    label = scorecard.schema.columns[at].label
    plural = "s" if len(partners) > 1 else ""
    gone = f"; {len(partners)} interaction{plural} of it removed" if partners else ""
    return Edited(
        scorecard=replace(scorecard, columns=columns, pairs=kept),
        column=column,
        sentence=f"{label}: {what}{gone}",
        moved=moved,
        pairs_removed=tuple(partners),
    )
