"""A table of leads joined by a table of what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.errors import ColumnMissing, InvalidValue, OutcomeInvalid
from leadml.features.moments import moment_of
from leadml.leads import Outcome, text_of

if TYPE_CHECKING:
    import pandas as pd

    from leadml.training.config import TrainConfig

__all__ = ["CONVERTED", "CONVERTED_AT", "Joined", "join_outcomes", "recorded_from"]

CONVERTED: Final = "converted"
CONVERTED_AT: Final = "converted_at"

_EXPECTED_BEFORE: Final = 10.0
"""Wins that should have been seen before the first one; so many are missing by chance
less than once in 20,000 histories (Poisson), so their recording began later."""
_CREATED_WORDS: Final = ("creat", "first", "contact", "entered", "registered", "signup")
_OUTCOME_WORDS: Final = ("won", "win", "convert", "close", "occurred", "deal", "purchase", "order")
_VOCABULARY: Final = frozenset(str(word) for word in Outcome)
_TRIED: Final = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Joined:
    """One flat table made of two.

    Parameters
    ----------
    frame
        The leads with the columns ``converted`` (0 or 1) and, where dates are known,
        ``converted_at``; ``attrs`` are those of both tables (one digest), notes added.
    key, created_at, outcome_at
        The columns that were used (``outcome_at`` is one of the second table); empty
        where there is none.
    dropped
        Columns of the second table, known only after the outcome.
    n_truncated
        Leads left out because they came in before outcomes were recorded.
    recorded_from
        First day with an outcome, where leads were left out for it.
    notes
        What was done, in sentences.
    """

    frame: pd.DataFrame
    key: str
    created_at: str
    outcome_at: str
    dropped: tuple[str, ...]
    n_truncated: int
    recorded_from: str
    notes: tuple[str, ...]

    def configured(self, config: TrainConfig) -> TrainConfig:
        """The same configuration, meant for :attr:`frame`."""
        return replace(
            config,
            target=CONVERTED,
            positive="1",
            id=config.id or self.key,
            created_at=config.created_at or self.created_at,
            outcome_at=CONVERTED_AT if self.outcome_at else "",
            outcomes="",
            outcomes_join="",
        )


def join_outcomes(
    leads: pd.DataFrame,
    outcomes: pd.DataFrame,
    key: str = "",
    *,
    created_at: str = "",
    outcome_at: str = "",
    outcome: str = "won",
    among: Sequence[str] = (),
) -> Joined:
    """Say of every lead whether and when the second table knows its outcome.

    The second table has a row for each lead that converted (as deals that were closed),
    or a row for each outcome of leadml's own vocabulary (``lead_id, outcome,
    occurred_at``), of which ``outcome`` counts. Of several rows of a lead the earliest
    counts. Every other column of it is known only after the outcome and stays out.

    If outcomes were recorded only from some day on (at least ten should have been seen
    before the first one, going by the later leads), leads created before that day are
    left out: their early wins were never written down.

    Parameters
    ----------
    leads
        One row a lead.
    outcomes
        The second table.
    key
        Column of both that names the lead; empty is found: a shared column, unique
        among the leads.
    created_at, outcome_at
        Time of creation in ``leads`` and of the outcome in ``outcomes``; empty is found.
    outcome
        Which outcome counts, if the second table has a column of outcomes.
    among
        Leads without any of these outcomes are left out: ``("accepted",)`` asks what
        becomes of accepted leads. Empty takes every lead.

    Raises
    ------
    ColumnMissing
        If a named column does not exist, or no key is found.
    InvalidValue
        If the key is not unique among the leads.
    OutcomeInvalid
        If no outcome belongs to a lead, or one is asked for that no row holds.
    """
    import pandas as pd

    for name, table, what in (
        (key, leads, "leads"),
        (key, outcomes, "outcomes"),
        (created_at, leads, "leads"),
        (outcome_at, outcomes, "outcomes"),
    ):
        _require(name, table, what)
    key = key or _shared_key(leads, outcomes)
    ids = _texts(leads[key])
    _unique(ids, key)
    notes: list[str] = []
    whole = outcomes
    outcomes, word_column = _counting(outcomes, outcome, notes)
    if among:
        within = _members(whole, key, ids, among, notes)
        leads, ids = leads[within].reset_index(drop=True), ids[within]
    times = _time_columns(outcomes, key)
    outcome_at = outcome_at or _best(times, _OUTCOME_WORDS)
    created_at = created_at or _best(_time_columns(leads, key), _CREATED_WORDS)

    found, at, texts = _earliest(outcomes, key, outcome_at, ids, notes)
    replaced = [name for name in (CONVERTED, CONVERTED_AT) if name in leads.columns]
    if replaced:
        notes.append(f"{' and '.join(replaced)} of the leads come from the second table instead")
    frame = leads.drop(columns=replaced)
    frame[CONVERTED] = found.astype(np.int64)
    if outcome_at:
        frame[CONVERTED_AT] = pd.Series(texts, index=frame.index, dtype=object)
    dropped = tuple(
        str(name) for name in outcomes.columns if name not in (key, outcome_at, word_column)
    )
    if dropped:
        notes.append(f"known only after the outcome, so not learned from: {', '.join(dropped)}")

    first, n_truncated = "", 0
    if created_at and outcome_at:
        created = _seconds(leads[created_at])
        begin = recorded_from(created, at)
        if begin is not None:
            early = created < begin
            n_truncated = int(early.sum())
            frame = frame[~early].reset_index(drop=True)
            first = datetime.fromtimestamp(begin, tz=UTC).date().isoformat()
            notes.append(
                f"outcomes are recorded only from {first} on: {n_truncated} leads created "
                "before were left out, because their early wins are unknown"
            )
    frame.attrs = _attributes(leads, whole) | {"notes": [*leads.attrs.get("notes", ()), *notes]}
    return Joined(frame, key, created_at, outcome_at, dropped, n_truncated, first, tuple(notes))


def _members(
    outcomes: pd.DataFrame, key: str, ids: NDArray[Any], among: Sequence[str], notes: list[str]
) -> NDArray[np.bool_]:
    """Which leads had one of the outcomes of a population, shape (n,)."""
    chosen, _ = _counting(outcomes, among, [])
    members = set(_texts(chosen[key])) - {None}
    within = np.array([value in members for value in ids], dtype=bool)
    notes.append(
        f"{int((~within).sum())} leads were left out, because they were never {' or '.join(among)}"
    )
    return within


def _earliest(
    outcomes: pd.DataFrame, key: str, outcome_at: str, ids: NDArray[Any], notes: list[str]
) -> tuple[NDArray[np.bool_], Floats, NDArray[Any]]:
    """Whether each lead has an outcome, when in seconds (NaN), and that time as written (None)."""
    import pandas as pd

    won = pd.DataFrame({"id": _texts(outcomes[key])})
    won["at"] = _seconds(outcomes[outcome_at]) if outcome_at else np.nan
    won["text"] = outcomes[outcome_at].to_numpy() if outcome_at else None
    n_rows = len(won)
    won = won.dropna(subset=["id"]).sort_values("at", kind="stable").drop_duplicates("id")
    place = pd.Index(won["id"]).get_indexer(pd.Index(ids))
    found = place >= 0
    if not found.any():
        raise OutcomeInvalid(
            f"no outcome's '{key}' is that of a lead",
            column=key,
            fix="check that both tables are of the same leads and the key of both is the same",
        )
    if n_rows > len(won):
        notes.append(f"{n_rows - len(won)} further outcomes of the same leads were left out")
    if len(won) > found.sum():
        notes.append(f"{len(won) - int(found.sum())} outcomes belong to no lead of the table")
    at, texts = won["at"].to_numpy()[place], won["text"].to_numpy(dtype=object)[place]
    at[~found], texts[~found] = np.nan, None
    return found, at, texts


def _attributes(leads: pd.DataFrame, outcomes: pd.DataFrame) -> dict[str, Any]:
    """Digest and source of both tables together."""
    found = {str(name): value for name, value in leads.attrs.items()}
    if "digest" in leads.attrs and "digest" in outcomes.attrs:
        both = f"{leads.attrs['digest']} {outcomes.attrs['digest']}"
        found["digest"] = hashlib.sha256(both.encode()).hexdigest()
    if "source" in leads.attrs and "source" in outcomes.attrs:
        found["source"] = f"{leads.attrs['source']} and {outcomes.attrs['source']}"
    return found


def _require(name: str, table: pd.DataFrame, what: str) -> None:
    if name and name not in table.columns:
        shown = ", ".join(map(str, table.columns[:20]))
        raise ColumnMissing(
            f"the table of {what} has no column '{name}'", column=name, fix=f"use one of: {shown}"
        )


def _texts(series: Any) -> NDArray[Any]:
    return np.array([text_of(value) for value in series.tolist()], dtype=object)


def _seconds(series: Any) -> Floats:
    """Seconds since 1970 UTC, NaN where there is no readable time."""
    read = (moment_of(value) for value in series.tolist())
    return np.array([m.timestamp() if isinstance(m, datetime) else np.nan for m in read])


def _unique(ids: NDArray[Any], key: str) -> None:
    seen: set[Any] = set()
    rows = []
    for row, value in enumerate(ids, 1):
        if value is not None and value in seen:
            rows.append(row)
        seen.add(value)
    if rows:
        raise InvalidValue(
            f"'{key}' names {len(rows)} leads more than once, so outcomes cannot be told apart",
            column=key,
            rows=rows,
            fix="keep one row a lead, or name another key with outcomes_join",
        )


def _shared_key(leads: pd.DataFrame, outcomes: pd.DataFrame) -> str:
    """The shared column that names leads: unique in the first, and known to the second."""
    best, chosen = 0.0, ""
    for name in leads.columns:
        if name not in outcomes.columns:
            continue
        ids = _texts(leads[name])
        if len(set(ids)) < len(ids):
            continue
        known = set(ids)
        share = float(np.mean([value in known for value in _texts(outcomes[name])]))
        if share > best:
            best, chosen = share, str(name)
    if not chosen:
        raise ColumnMissing(
            "the two tables share no column that names each lead once",
            fix="give the id of the lead the same name in both, or name it with outcomes_join",
        )
    return chosen


def _counting(
    outcomes: pd.DataFrame, outcome: str | Sequence[str], notes: list[str]
) -> tuple[pd.DataFrame, str]:
    """The rows of the outcomes that count, if a column holds leadml's own words."""
    wanted = (outcome,) if isinstance(outcome, str) else tuple(outcome)
    for name in outcomes.columns:
        words = {text_of(value) for value in outcomes[name].unique()[:50]} - {None}
        if len(words) > 1 and words <= _VOCABULARY:
            for word in wanted:
                if word not in words:
                    raise OutcomeInvalid(
                        f"no row of '{name}' says '{word}'",
                        column=str(name),
                        fix=f"choose one of: {', '.join(sorted(map(str, words)))}",
                    )
            chosen = np.array([text_of(value) in wanted for value in outcomes[name]])
            notes.append(f"converted means: '{name}' says {' or '.join(wanted)}")
            return outcomes[chosen], str(name)
    if wanted != (str(Outcome.WON),):
        raise OutcomeInvalid(
            f"the table of outcomes has no column of leadml's words, so '{wanted[0]}' cannot be "
            "found in it",
            fix=f"add a column with words such as {', '.join(sorted(_VOCABULARY))}",
        )
    return outcomes, ""


def _time_columns(table: pd.DataFrame, key: str) -> list[str]:
    found = []
    for name in table.columns:
        if name == key or table[name].dtype.kind in "iufb":
            continue
        values = table[name].dropna().unique()[:_TRIED]
        if len(values) and all(isinstance(moment_of(value), datetime) for value in values):
            found.append(str(name))
    return found


def _best(names: list[str], words: tuple[str, ...]) -> str:
    """The name that holds an early one of the words; else the only or first one."""
    for word in words:
        for name in names:
            if word in name.lower():
                return name
    return names[0] if names else ""


def recorded_from(created: Floats, at: Floats) -> float | None:
    """When recording of outcomes began, if leads are older than that; None if they are not.

    The chance and the delay of a win are taken from leads created after the first
    outcome. If by them ten wins should have happened before it, it was not the first.
    """
    if np.isnan(at).all():
        return None
    first = float(np.nanmin(at))
    before, after = created < first, created >= first
    won_after = after & ~np.isnan(at)
    if won_after.sum() < _EXPECTED_BEFORE:
        return None
    delays = np.sort((at - created)[won_after])
    rate = won_after.sum() / after.sum()
    seen = np.searchsorted(delays, first - created[before], side="right") / len(delays)
    return first if rate * float(seen.sum()) >= _EXPECTED_BEFORE else None
