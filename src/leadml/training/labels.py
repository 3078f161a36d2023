"""Who converted within the horizon, and whose horizon has not passed yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.errors import (
    ColumnMissing,
    ConfigError,
    InvalidValue,
    OutcomeInvalid,
    TableEmpty,
    TargetMissing,
    TargetOneClass,
    TooFewConversions,
)
from leadml.features.moments import moment_of
from leadml.leads import text_of
from leadml.leads.values import BAD
from leadml.training.config import TrainConfig
from leadml.training.naming import NEGATIVE, POSITIVE

__all__ = ["FEWEST_CONVERSIONS", "Labels", "label", "moments_of", "time_to_conversion"]

FEWEST_CONVERSIONS = 10
HORIZONS = (7, 14, 30, 60, 90, 120, 180, 365)
HORIZON_SHARE = 0.75
DAY_S = 86_400.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labels:
    """The outcome of every row of the table.

    Parameters
    ----------
    converted
        Shape (n,): 1 within the horizon, 0 not, NaN unknown (immature, or no outcome given).
    created_s
        Shape (n,) seconds since 1970 UTC, NaN where unknown; None without a creation column.
    horizon_days, as_of
        None where no time is known.
    horizon_given
        False where leadml proposed the horizon.
    n_immature
        Rows whose horizon had not passed at ``as_of``; all of them are unknown, also
        those that converted early, because their slower peers cannot be seen yet.
    curve
        Time to conversion: points {"day", "share"}, the share of leads converted by that
        day (Kaplan-Meier, open leads censored); None without dates.
    target, positive
        How the outcome was read.
    """

    converted: Floats
    created_s: Floats | None
    horizon_days: int | None
    horizon_given: bool
    as_of: datetime | None
    n_immature: int
    curve: tuple[dict[str, float], ...] | None
    target: str
    positive: str

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows that may be learned from, shape (n,)."""
        return ~np.isnan(self.converted)


def label(frame: pd.DataFrame, config: TrainConfig) -> Labels:
    """Label every row: converted within the horizon, not converted, or unknown.

    Raises
    ------
    TableEmpty, TargetMissing, TargetOneClass, OutcomeInvalid, TooFewConversions
        Named in ``errors``; the message says the column, the rows and the fix.
    """
    if not len(frame):
        raise TableEmpty("the table has a header but no rows", fix="export leads with outcomes")
    target = _target(frame, config)
    _refuse_two_roles(config, target)
    ever, positive = _read_outcome(frame[target], target, config.positive)
    created = outcome_at = None
    if config.created_at:
        created = moments_of(frame, config.created_at)
    if config.outcome_at:
        outcome_at = moments_of(frame, config.outcome_at)
    if created is None:
        if config.horizon_days is not None:
            raise ConfigError(
                "a horizon needs the time each lead was created",
                fix="name that column with --created-at",
            )
        found = Labels(ever, None, None, False, None, 0, None, target, positive)
    else:
        found = _within_horizon(ever, created, outcome_at, config, target, positive)
    _refuse_hopeless(found)
    return found


def _refuse_two_roles(config: TrainConfig, target: str) -> None:
    said = {
        "--created-at": config.created_at,
        "--outcome-at": config.outcome_at,
        "the id": config.id,
        "--order-by": config.order_by,
    }
    for option, column in said.items():
        if column and column == target:
            raise ConfigError(
                f"column '{target}' cannot be both the outcome and {option}",
                column=target,
                fix="name two columns, or leave one of them out",
            )


def _target(frame: pd.DataFrame, config: TrainConfig) -> str:
    if config.target in frame.columns and config.target:
        return config.target
    names = [str(name) for name in frame.columns]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if config.target:
        raise TargetMissing(
            f"there is no column '{config.target}' in the table",
            column=config.target,
            fix=f"--target must be one of: {shown}",
        )
    raise TargetMissing(
        "no outcome column was named",
        fix=f"name it with --target, one of: {shown}; or let `leadml init` guess it",
    )


def _read_outcome(series: Any, target: str, positive: str) -> tuple[Floats, str]:
    texts = [text_of(value) for value in series.tolist()]
    counts: dict[str, int] = {}
    for text in texts:
        if text is not None:
            counts[text] = counts.get(text, 0) + 1
    if not counts:
        raise OutcomeInvalid(
            f"column '{target}' is empty in every row",
            column=target,
            fix="name the column that says who converted",
        )
    if not positive:
        _refuse_two_words(texts, counts, target)
    chosen = text_of(positive) if positive else _positive(counts, target)
    if chosen not in counts:
        values = ", ".join(sorted(counts)[:10])
        if len(counts) == 1:
            raise TargetOneClass(
                f"column '{target}' holds only '{next(iter(counts))}'",
                column=target,
                fix="bring leads that converted and leads that did not",
            )
        raise OutcomeInvalid(
            f"no row of column '{target}' holds '{positive}'",
            column=target,
            fix=f"--positive must be one of: {values}",
        )
    if len(counts) == 1:
        raise TargetOneClass(
            f"column '{target}' holds only '{chosen}'",
            column=target,
            fix="bring leads that converted and leads that did not",
        )
    codes = {None: np.nan} | {text: float(text == chosen) for text in counts}
    return np.array([codes[text] for text in texts]), str(chosen)


def _refuse_two_words(texts: list[str | None], counts: dict[str, int], target: str) -> None:
    """Refuse an outcome that says yes in several words: any one would lose the others."""
    yes = [text for text in counts if text.lower() in POSITIVE]
    if len(yes) < 2:
        return
    yes.sort(key=lambda text: (-counts[text], text))
    said = ", ".join(f"'{text}'" for text in yes[:5])
    raise OutcomeInvalid(
        f"column '{target}' says converted in {len(yes)} ways: {said}",
        column=target,
        rows=[row + 1 for row, text in enumerate(texts) if text in yes[1:]],
        fix=f"write '{yes[0]}' for all of them, or say which one counts with --positive",
    )


def _positive(counts: dict[str, int], target: str) -> str:
    lowered = {text.lower(): text for text in counts}
    if len(counts) == 1:
        only = next(iter(counts))
        raise TargetOneClass(
            f"column '{target}' holds only '{only}' where it is filled",
            column=target,
            fix="bring leads that converted and leads that did not",
        )
    if len(counts) == 2:
        positives = [text for word, text in lowered.items() if word in POSITIVE]
        negatives = [text for word, text in lowered.items() if word in NEGATIVE]
        if len(positives) == 1:
            return positives[0]
        if len(negatives) == 1:
            return next(text for text in counts if text != negatives[0])
    values = ", ".join(sorted(counts, key=lambda text: -counts[text])[:10])
    raise OutcomeInvalid(
        f"column '{target}' holds {len(counts)} values and none is plainly yes: {values}",
        column=target,
        fix="say which value means converted with --positive",
    )


def moments_of(frame: pd.DataFrame, column: str) -> Floats:
    """A timestamp column as seconds since 1970 UTC, shape (n,), NaN where missing.

    Raises
    ------
    ColumnMissing
        There is no such column.
    InvalidValue
        Some cells are no timestamps; names their rows.
    """
    if column not in frame.columns:
        names = ", ".join(str(name) for name in frame.columns[:20])
        raise ColumnMissing(
            f"there is no column '{column}'", column=column, fix=f"use one of: {names}"
        )
    values = frame[column].tolist()
    memory: dict[Any, float] = {}
    seconds = np.empty(len(values))
    bad = []
    for row, value in enumerate(values):
        found = memory.get(value)
        if found is None:
            moment = moment_of(value)
            if moment is BAD:
                bad.append(row + 1)
                continue
            found = moment.timestamp() if isinstance(moment, datetime) else float("nan")
            memory[value] = found
        seconds[row] = found
    if bad:
        raise InvalidValue(
            f"column '{column}' must hold timestamps, but {len(bad)} cells cannot be read as such",
            column=column,
            rows=bad,
            fix="write them as 2026-11-22 or 2026-11-22T14:05:00Z",
        )
    return seconds


def _within_horizon(
    ever: Floats,
    created: Floats,
    outcome_at: Floats | None,
    config: TrainConfig,
    target: str,
    positive: str,
) -> Labels:
    if np.isnan(created).all():
        raise InvalidValue(
            f"column '{config.created_at}' is empty in every row", column=config.created_at
        )
    latest = np.nanmax(created if outcome_at is None else np.append(created, outcome_at))
    as_of_s = float(latest)
    if config.as_of:
        moment = moment_of(config.as_of)
        if not isinstance(moment, datetime):
            raise ConfigError(f"as_of '{config.as_of}' is no time", fix="write 2026-11-22")
        as_of_s = moment.timestamp()
    days = None if outcome_at is None else (outcome_at - created) / DAY_S
    if days is not None and (days < 0).any():
        rows = np.flatnonzero(days < 0) + 1
        if len(rows) > 0.05 * len(days):
            raise InvalidValue(
                f"in {len(rows)} rows '{config.outcome_at}' lies before '{config.created_at}'",
                column=config.outcome_at,
                rows=rows.tolist(),
                fix="check whether the two columns are swapped",
            )
    age = (as_of_s - created) / DAY_S
    curve = horizon = None
    if days is not None:
        curve = time_to_conversion(np.where(ever == 1, days, np.nan), age)
    horizon = config.horizon_days or (_proposed(curve, age) if curve else None)
    converted = ever.copy()
    immature = np.zeros(len(ever), dtype=bool)
    if horizon is not None:
        if days is not None:
            # a lead without an outcome so far has not converted, whatever its age
            converted = np.where((ever == 1) & (days <= horizon), 1.0, 0.0)
            undated = (ever == 1) & np.isnan(days)
            converted[undated] = np.nan
            converted[np.isnan(ever) & (age < horizon)] = np.nan
        immature = age < horizon
        converted[immature] = np.nan
    converted[np.isnan(created)] = np.nan
    return Labels(
        converted=converted,
        created_s=created,
        horizon_days=horizon,
        horizon_given=config.horizon_days is not None,
        as_of=datetime.fromtimestamp(as_of_s, tz=UTC),
        n_immature=int(immature.sum()),
        curve=curve,
        target=target,
        positive=positive,
    )


def time_to_conversion(days: Floats, age: Floats) -> tuple[dict[str, float], ...] | None:
    """Share of leads converted by each day (Kaplan and Meier 1958).

    Parameters
    ----------
    days
        Days from creation to conversion, shape (n,), NaN without conversion.
    age
        Days each lead could be observed; a lead without conversion is censored there.
    """
    happened = ~np.isnan(days)
    if happened.sum() < FEWEST_CONVERSIONS:
        return None
    time = np.where(happened, np.maximum(days, 0.0), age)
    usable = ~np.isnan(time)
    time, happened = np.floor(time[usable]), happened[usable]
    grid = np.unique(time[happened])
    ordered = np.sort(time)
    at_risk = len(ordered) - np.searchsorted(ordered, grid, side="left")
    events = np.array([np.count_nonzero(happened & (time == day)) for day in grid])
    share = 1.0 - np.cumprod(1.0 - events / at_risk)
    return tuple(
        {"day": float(day), "share": float(value)} for day, value in zip(grid, share, strict=True)
    )


def _proposed(curve: tuple[dict[str, float], ...], age: Floats) -> int:
    """The shortest usual horizon that sees three quarters of the conversions, kept mature."""
    total = curve[-1]["share"]
    enough = next(p["day"] for p in curve if p["share"] >= HORIZON_SHARE * total)
    oldest = float(np.nanmax(age))
    fitting = [days for days in HORIZONS if days <= oldest / 2] or [HORIZONS[0]]
    return next((days for days in fitting if days >= enough), fitting[-1])


def _refuse_hopeless(labels: Labels) -> None:
    known = labels.converted[labels.known]
    positives = int(known.sum())
    because = ""
    if labels.n_immature:
        because = (
            f" ({labels.n_immature} leads are younger than {labels.horizon_days} days and count"
            " as unknown)"
        )
    if len(known) and positives in (0, len(known)):
        word = "none" if positives == 0 else "every one"
        raise TargetOneClass(
            f"of {len(known)} leads with a known outcome {word} converted{because}",
            column=labels.target,
            fix="bring leads of both kinds, or choose a shorter horizon",
        )
    if not len(known):
        raise TableEmpty(
            f"no lead has a known outcome{because}",
            column=labels.target,
            fix="choose a shorter horizon with --horizon-days, or bring a longer history",
        )
    fewer = min(positives, len(known) - positives)
    if fewer < FEWEST_CONVERSIONS:
        what = "conversions" if fewer == positives else "leads that did not convert"
        if fewer == 1:
            what = "conversion" if fewer == positives else "lead that did not convert"
        raise TooFewConversions(
            f"only {fewer} {what} among {len(known)} leads with a known outcome{because}; "
            f"at least {FEWEST_CONVERSIONS} are needed",
            column=labels.target,
            fix="bring a longer history, "
            + ("a shorter --horizon-days, " if labels.horizon_days else "")
            + "or name another outcome such as accepted by sales",
        )
