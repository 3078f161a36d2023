"""What the columns of an unknown table probably mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadml.evaluation.checks.lml021_mixed import WRITTEN_NUMBER
from leadml.features.moments import moment_of
from leadml.leads import Availability, Kind, Role, text_of
from leadml.leads.values import is_placeholder
from leadml.training.config import ColumnPlan, TrainConfig
from leadml.training.naming import (
    CONSENT,
    CREATED,
    GROUP,
    HAPPENED,
    ID_WORDS,
    LEAD_WORDS,
    NEGATIVE,
    NUMBERED,
    PERSONAL,
    POSITIVE,
    SURE_TARGETS,
    TARGETS,
    is_engagement,
    speaks_of_after,
    words_of,
)

__all__ = ["Doubt", "Guess", "guess"]

Mask = NDArray[np.bool_]

_EMPTY_TELLS: Final = 0.62
"""Area under the curve of 'is empty' from which it tells the outcome (measured on 209
innocent columns of eight sets: none reached it)."""
_IN_ORDER: Final = 0.99
"""Share of rows whose running number follows that of the row before."""
_LONG_TEXT: Final = 40
_FEWEST_NUMBERS: Final = 20
_ONCE: Final = "most values occur once: free text or an id"
_TRIED: Final = 200
_EUROPEAN_DATE: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}( .*)?")


@dataclass(frozen=True)
class Doubt:
    """Something people should answer.

    ``column`` is empty where it is about the table; ``key`` is then the field of the
    configuration that answers it.
    """

    column: str
    question: str
    why: str
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.column}: " if self.column else ""
        return f"{place}{self.question} ({self.why})"


@dataclass(frozen=True)
class Guess:
    """A configuration as good as names and values allow, and what is doubtful in it.

    Parameters
    ----------
    config
        Every column has a plan; columns that seem to be known only after the outcome
        have the availability ``after``.
    doubts
        Questions in the order of the columns.
    sure
        Fields of ``config`` that may be used without asking.
    useless
        Columns that hold nothing to learn from.
    remarks
        By column: why it was taken for what it is.
    """

    config: TrainConfig
    doubts: tuple[Doubt, ...]
    sure: frozenset[str]
    useless: frozenset[str] = frozenset()
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, str]:
        """Remarks and doubts by column or key, for :func:`~leadml.training.config.dump_config`."""
        found = {f"columns.{name}": remark for name, remark in self.remarks.items()}
        for doubt in self.doubts:
            key = f"columns.{doubt.column}" if doubt.column else doubt.key
            if doubt.column and doubt.column == self.config.target:
                key = "target"
            asked = f"DOUBT: {doubt.question} ({doubt.why})"
            found[key] = f"{found[key]}; {asked}" if key in found else asked
        return found

    def fill(self, config: TrainConfig) -> TrainConfig:
        """Complete a configuration by what needs no asking.

        Id, times, order and the outcome are taken over where they are sure and nothing
        was said; engagement columns get their role. No column is dropped for its name:
        that is for people to decide, or for the checks to prove.

        Parameters
        ----------
        config
            What people said; it always wins.
        """
        said = set(config.drop) | set(config.columns)
        taken = {config.target, config.id, config.created_at, config.outcome_at, config.order_by}
        changes: dict[str, Any] = {}
        for key in ("target", "id", "created_at", "outcome_at", "order_by"):
            value = getattr(self.config, key)
            free = value not in taken and (value not in said or key in ("id", "order_by"))
            if not getattr(config, key) and value and key in self.sure and free:
                changes[key] = value
                taken.add(value)
        if config.created_at or changes.get("created_at"):
            changes.pop("order_by", None)
        if changes.get("outcome_at") and not (config.created_at or changes.get("created_at")):
            changes.pop("outcome_at")
        columns = dict(config.columns)
        for name, plan in self.config.columns.items():
            if name in said or name in taken or name in self.useless:
                continue
            if plan.role is Role.ENGAGEMENT or (plan.kind is not None and plan.role is Role.FIT):
                columns[name] = ColumnPlan(role=plan.role, kind=plan.kind)
        return replace(config, columns=columns, **changes)


def guess(
    frame: pd.DataFrame, target: str | None = None, outcomes: pd.DataFrame | None = None
) -> Guess:
    """Guess roles, outcome, times and availability from names and values.

    Parameters
    ----------
    frame
        The table of leads, as :func:`leadml.datasets.read_table` reads it.
    target
        The outcome column if it is known; None or empty is guessed.
    outcomes
        A second table that tells the outcome; its time is guessed as well.

    Returns
    -------
    Guess
        Never raises; what cannot be told is a doubt.

    Examples
    --------
    >>> table = pd.DataFrame({"Email Opens": [1, 2, 0], "Tags": ["x", "y", "x"], "won": [1, 0, 0]})
    >>> found = guess(table)
    >>> found.config.target, str(found.config.plan("Email Opens").role)
    ('won', 'engagement')
    >>> print(found.doubts[-1])
    Tags: is it filled in before the score is wanted? (its name speaks of afterwards)
    """
    return _Guesser(frame, target or "", outcomes).guess()


class _Guesser:
    """One table while it is being looked at."""

    def __init__(self, frame: pd.DataFrame, target: str, outcomes: pd.DataFrame | None) -> None:
        self.frame = frame
        self.names = [str(name) for name in frame.columns]
        self.given = target if target in self.names else ""
        self.outcomes = outcomes
        self.doubts: list[Doubt] = []
        self.remarks: dict[str, str] = {}
        self.sure: set[str] = set()
        self.useless: set[str] = set()
        self.times = {name for name in self.names if _is_time(frame[name])}
        self.distinct = {name: int(frame[name].nunique()) for name in self.names}
        self.filled = {name: int(frame[name].notna().sum()) for name in self.names}

    def guess(self) -> Guess:
        """Outcome first, because the rest is judged by it."""
        target, positive = self._target()
        won = self._won(target, positive)
        created_at = self._created_at(target)
        outcome_at = self._outcome_at(target, created_at, won)
        ids = self._ids(target) or self._ids_of_events()
        order_by = self._order(ids, created_at)
        columns: dict[str, ColumnPlan] = {}
        for name in self.names:
            if name == target:
                plan = ColumnPlan(role=Role.OUTCOME)
            elif name == created_at:
                plan = ColumnPlan(role=Role.CREATED_AT, availability=Availability.CREATION)
            elif name == outcome_at:
                plan = ColumnPlan(role=Role.OUTCOME_AT, availability=Availability.AFTER)
            elif name in ids:
                plan = ColumnPlan(role=Role.ID)
            else:
                plan = self._plan(name)
            columns[name] = plan
            learns = plan.role is not None and plan.role.learns
            if learns and won is not None and plan.availability is not Availability.AFTER:
                self._ask_emptiness(name, won)
        config = TrainConfig(
            target=target,
            positive=positive,
            id=ids[0] if ids else "",
            created_at=created_at,
            outcome_at=outcome_at,
            order_by=order_by,
            columns=columns,
        )
        if self.outcomes is not None:
            config = self._second_table(config)
        if not created_at and not order_by and len(self.frame) > 1:
            self._ask(
                "",
                "are the rows in the order of time?",
                'no column tells when leads came in; if they are, write order_by = "rows"',
                "order_by",
            )
        place = {name: position for position, name in enumerate(self.names)}
        self.doubts.sort(key=lambda doubt: place.get(doubt.column, -1))
        return Guess(
            config, tuple(self.doubts), frozenset(self.sure), frozenset(self.useless), self.remarks
        )

    def _ask(self, column: str, question: str, why: str, key: str = "") -> None:
        self.doubts.append(Doubt(column, question, why, key))

    # --- outcome ---------------------------------------------------------------

    def _target(self) -> tuple[str, str]:
        if self.outcomes is not None and not self.given:
            return "", ""
        if self.given:
            return self.given, self._positive(self.given)
        by_words = {tuple(words_of(name)): name for name in reversed(self.names)}
        for rank, words in enumerate(TARGETS):
            name = by_words.get(words, "")
            if not name or name in self.times:
                continue
            positive = self._positive(name, ask=False)
            if not positive:
                continue
            if rank < SURE_TARGETS:
                self.sure.add("target")
            else:
                self._ask(name, "is this the outcome?", "its name may mean it")
            return name, self._positive(name)
        for name in (self.names[-1:] or [""]) if len(self.names) > 1 else []:
            positive = self._positive(name, ask=False)
            if positive and self.distinct[name] == 2:
                self._ask(name, "is this the outcome?", "it is the last column and has two values")
                return name, self._positive(name)
        self._ask(
            "",
            "which column tells the outcome?",
            "no name and no column of yes and no does",
            "target",
        )
        return "", ""

    def _positive(self, name: str, *, ask: bool = True) -> str:
        """The value that means converted; empty if it cannot be told."""
        if self.distinct[name] > 50:
            return ""
        counts = self.frame[name].value_counts()
        texts: dict[str, int] = {}
        for value, count in counts.items():
            text = text_of(value)
            if text is not None:
                texts[text] = texts.get(text, 0) + int(count)
        if len(texts) < 2:
            return ""
        yes = [text for word in POSITIVE for text in texts if text.lower() == word]
        if len(yes) > 1 and self.given:
            return ""  # two words for one thing: reading the outcome refuses it
        if yes:
            return yes[0]
        if len(texts) > 2:
            return ""
        no = [text for text in texts if text.lower() in NEGATIVE]
        if len(no) == 1:
            return next(text for text in texts if text != no[0])
        rarest = min(texts, key=lambda text: (texts[text], text))
        if ask:
            self._ask(name, f"does '{rarest}' mean converted?", "it is the rarer of two values")
        return rarest

    def _won(self, target: str, positive: str) -> Mask | None:
        """Which rows converted; None if unknown or never."""
        if not target or not positive:
            return None
        codes = {
            value: text_of(value) == positive for value in self.frame[target].dropna().unique()
        }
        won = np.array([codes.get(value, False) for value in self.frame[target].tolist()])
        return won if 0 < won.sum() < len(won) else None

    # --- times -------------------------------------------------------------------

    def _created_at(self, target: str) -> str:
        found = []
        for name in self.names:
            if name not in self.times or name == target:
                continue
            words = words_of(name)
            if set(words) & set(HAPPENED) or speaks_of_after(words):
                continue
            if self.filled[name] < 0.9 * len(self.frame):
                continue
            rank = min(
                (position for position, word in enumerate(CREATED) if word in words),
                default=len(CREATED),
            )
            found.append((rank, self.names.index(name), name))
        if not found:
            return ""
        rank, _, name = min(found)
        readable = all(
            isinstance(moment_of(value), datetime) for value in self.frame[name].dropna().unique()
        )
        if not readable:
            self._ask(name, "which values are times?", "some cannot be read as such")
        if rank < CREATED.index("date") and readable:
            self.sure.add("created_at")
        elif rank >= CREATED.index("date"):
            self._ask(name, "did the lead come in then?", "it is a time, but its name is not plain")
        return name

    def _outcome_at(self, target: str, created_at: str, won: Mask | None) -> str:
        for name in self.names:
            if name not in self.times or name in (target, created_at):
                continue
            if not set(words_of(name)) & set(HAPPENED):
                continue
            if won is None:
                self._ask(name, "did the lead convert then?", "its name says so")
                return name
            filled = self.frame[name].notna().to_numpy()
            if filled[won].mean() < 0.9:
                continue
            if filled[~won].mean() <= 0.02:
                self.sure.add("outcome_at")
            else:
                self._ask(name, "did the lead convert then?", "leads that did not have it as well")
            return name
        return ""

    # --- ids and order --------------------------------------------------------------

    def _ids(self, target: str) -> list[str]:
        """Columns that name each lead, the most telling first."""
        n = len(self.frame)
        found = []
        for name in self.names:
            if name == target or name in self.times or self.distinct[name] < n or n < 3:
                continue
            words = set(words_of(name))
            named = bool(words & ID_WORDS) or _looks_hashed(self.frame[name])
            counts = self.frame[name].dtype.kind == "i"
            dense = counts and np.ptp(self.frame[name].to_numpy()) < 1.5 * n and n > 100
            if not named and not dense:
                continue
            rank = (not (words & LEAD_WORDS), "id" not in words, not named)
            found.append((rank, self.names.index(name), name))
        ids = [name for _, _, name in sorted(found)]
        if ids:
            self.sure.add("id")
            for name in ids:
                self.remarks[name] = "different in every row"
        return ids

    def _order(self, ids: list[str], created_at: str) -> str:
        """A running number that rises or falls through the file."""
        if created_at:
            return ""
        for name in ids:
            if self.frame[name].dtype.kind != "i" or len(self.frame) < 100:
                continue
            steps = np.diff(self.frame[name].to_numpy())
            if max((steps > 0).mean(), (steps < 0).mean()) > _IN_ORDER:
                self._ask(name, "does it grow with time?", "it runs through the file in order")
                self.sure.add("order_by")
                return name
        return ""

    # --- everything else ----------------------------------------------------------------

    def _plan(self, name: str) -> ColumnPlan:
        words = words_of(name)
        after = speaks_of_after(words)
        reason = self._useless(name, words)
        if reason in ("", _ONCE) and not after and self._looks_like_numbers(name):
            self._ask(name, "is it a number?", "write numbers as 1234.5; as text it is not used")
            return ColumnPlan(role=Role.IGNORE)
        if reason == _ONCE and self._looks_like_dates(name):
            self._ask(name, "is it a date?", "write dates as 2026-11-22; as text it is not used")
            return ColumnPlan(role=Role.IGNORE)
        if reason:
            self.useless.add(name)
            self.remarks[name] = reason
            return ColumnPlan(role=Role.IGNORE)
        if name in self.times:
            if not after:
                self._ask(name, "what happened then?", "a further time; it is not learned from")
            self.remarks[name] = "a time"
            availability = Availability.AFTER if after else None
            return ColumnPlan(role=Role.IGNORE, availability=availability)
        if CONSENT.search(" ".join(words)) and self.distinct[name] <= 4:
            self.remarks[name] = 'not learned from; write role = "fit" if it shall be'
            return ColumnPlan(role=Role.CONSENT, availability=Availability.CREATION)
        if set(words) & GROUP and self.distinct[name] <= 50:
            self._ask(
                name, "may a score depend on it?", "it is protected in many countries; not learned"
            )
            return ColumnPlan(role=Role.GROUP, availability=Availability.CREATION)
        engaged = is_engagement(name, words) and (
            self.frame[name].dtype.kind in "iuf" or not set(words) & {"form", "forms", "website"}
        )
        role = Role.ENGAGEMENT if engaged else Role.FIT
        # Numbers that only name something have no order to learn from.
        names = self.frame[name].dtype.kind == "i" and words and words[-1] in NUMBERED
        kind = Kind.CATEGORY if names else None
        if after:
            self._ask(
                name,
                "is it filled in before the score is wanted?",
                "its name speaks of afterwards",
            )
            return ColumnPlan(role, Availability.AFTER, kind)
        if engaged:
            return ColumnPlan(role, Availability.SCORING, kind)
        if self._looks_like_dates(name):
            self._ask(name, "is it a date?", "write dates as 2026-11-22; as text it is not used")
            return ColumnPlan(role=Role.IGNORE)
        return ColumnPlan(role, Availability.CREATION, kind)

    def _useless(self, name: str, words: list[str]) -> str:
        distinct, filled, n = self.distinct[name], self.filled[name], len(self.frame)
        if not filled:
            return "empty in every row"
        if distinct == 1 and filled == n:
            return "the same in every row"
        if name in self.times:
            return ""
        if distinct > 20 and PERSONAL.match(" ".join(words)):
            return "personal data"
        if self.frame[name].dtype.kind in "iufb":
            return ""
        if distinct > 100 and distinct > 0.5 * filled:
            return _ONCE
        sample = [str(value) for value in self.frame[name].dropna().iloc[:_TRIED]]
        long = distinct > 50 and float(np.mean([len(text) for text in sample])) > _LONG_TEXT
        return "free text" if long and not _looks_hashed(self.frame[name]) else ""

    def _looks_like_numbers(self, name: str) -> bool:
        """Whether it is text, of numbers with commas, separators, units or signs."""
        if self.frame[name].dtype.kind in "iufb" or self.distinct[name] <= _FEWEST_NUMBERS:
            return False
        values = [str(value).strip() for value in self.frame[name].dropna().unique()]
        written = any("." in value or not value.isdecimal() for value in values)
        return written and all(WRITTEN_NUMBER.fullmatch(value) for value in values)

    def _looks_like_dates(self, name: str) -> bool:
        if self.frame[name].dtype.kind in "iufb":
            return False
        values = [str(value).strip() for value in self.frame[name].dropna().unique()[:_TRIED]]
        return len(values) > 2 and all(_EUROPEAN_DATE.fullmatch(value) for value in values)

    def _ask_emptiness(self, name: str, won: Mask) -> None:
        """Whether a column is filled at all may tell the outcome."""
        series = self.frame[name]
        empty = series.isna().to_numpy()
        if series.dtype.kind not in "iufb":
            words = {v for v in series.dropna().unique() if is_placeholder(str(v).strip())}
            if words and len(words) < self.distinct[name]:
                empty = empty | series.isin(list(words)).to_numpy()
        area = 0.5 + abs(float(empty[won].mean()) - float(empty[~won].mean())) / 2
        if area >= _EMPTY_TELLS:
            self._ask(
                name,
                "is it filled in before the score is wanted?",
                f"empty in {empty[~won].mean():.0%} of the leads that did not convert and in "
                f"{empty[won].mean():.0%} of those that did",
            )

    def _ids_of_events(self) -> list[str]:
        """The case that a table of events is about: its first column, an id that repeats."""
        name = self.names[0] if self.names else ""
        if not name or not self.times or not set(words_of(name)) & {"id", "uuid"}:
            return []
        rows = self.filled[name] / max(self.distinct[name], 1)
        if self.distinct[name] <= 100 or rows < 2:
            return []
        self._ask(
            name,
            "is this a table of events?",
            f"each value stands in {rows:.0f} rows; training wants one row a lead",
        )
        return [name]

    def _second_table(self, config: TrainConfig) -> TrainConfig:
        assert self.outcomes is not None
        table = self.outcomes
        times = [str(name) for name in table.columns if _is_time(table[name])]
        named = [name for name in times if set(words_of(name)) & {*HAPPENED, "occurred"}]
        shared = [name for name in self.names if name in table.columns]
        keys = [name for name in shared if self.distinct[name] == len(self.frame)]
        at = (named or times or [""])[0]
        if not keys:
            self._ask(
                "",
                "which column do both tables share?",
                "none names each lead once",
                "outcomes_join",
            )
        return replace(
            config,
            outcomes=str(table.attrs.get("source", "")),
            outcomes_join=keys[0] if keys else "",
            outcome_at=at,
        )


def _is_time(series: Any) -> bool:
    """Whether all of a sample of its values are times."""
    if series.dtype.kind == "M":
        return True
    if series.dtype.kind in "iufb":
        return False
    values = [value for value in series.dropna().unique()[:_TRIED] if text_of(value) is not None]
    # A bare number such as 20240131 reads as an ISO date; times have a separator.
    return bool(values) and all(
        isinstance(moment_of(value), datetime) and not str(value).strip().isdigit()
        for value in values
    )


def _looks_hashed(series: Any) -> bool:
    """Whether values look like machine-made ids (hexadecimal or UUID)."""
    if series.dtype.kind in "iufb":
        return False
    values = [str(value) for value in series.dropna().iloc[:50]]
    return bool(values) and all(re.fullmatch(r"[0-9a-fA-F-]{16,40}", value) for value in values)
