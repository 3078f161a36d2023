"""What a training is asked to do, as leadml.toml says it."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from leadml.errors import ConfigError, FileMissing
from leadml.leads import Availability, Kind, Outcome, Role, text_of
from leadml.scorecard.direction import DIRECTIONS
from leadml.scorecard.editing import refuse_unreadable

__all__ = [
    "FILE_ORDER",
    "RARE_BELOW",
    "RECENCIES",
    "THRESHOLD_KEYS",
    "ColumnPlan",
    "TrainConfig",
    "dump_config",
    "load_config",
]

THRESHOLD_KEYS: Final = (
    "capacity_per_week",
    "mql_precision",
    "sql_precision",
    "value",
    "cost_mql",
    "cost_sql",
)

FILE_ORDER: Final = "rows"
"""Value of ``order_by`` that means: the rows of the file are in the order of time."""

RARE_BELOW: Final = 5
"""Levels of a category that fewer leads have are neither learned from nor named."""

RECENCIES: Final = ("auto", "all", "newest")
"""How far back a model may learn: see ``training.recency``."""

_TEXTS = ("target", "positive", "id", "created_at", "outcome_at", "order_by", "as_of")


@dataclass(frozen=True)
class ColumnPlan:
    """What people say about one column; None leaves it to the data.

    Parameters
    ----------
    role
        What the column is for.
    availability
        When its value is known; ``after`` keeps it out of every model.
    kind
        How its values are read.
    phrase
        Sentence pattern of a reason, with ``{value}``.
    monotone
        ``up`` or ``down`` for a number whose total effect must never move against it as
        the number grows; empty leaves it free.
    """

    role: Role | None = None
    availability: Availability | None = None
    kind: Kind | None = None
    phrase: str = ""
    monotone: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain data with absent parts left out."""
        return {f.name: str(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name)}


@dataclass(frozen=True)
class TrainConfig:
    """Everything a training may be told; each field has a default but the target.

    Parameters
    ----------
    name
        Name of the model in the registry.
    target
        Outcome column; empty when a second table (``outcomes``) tells it.
    positive
        Value of ``target`` that means converted, as text; empty leaves it to the data.
    id, created_at, outcome_at
        Columns holding the lead's id, its creation time, the time of its conversion.
    order_by
        Column that grows with time, or ``rows`` for the order of the file; empty when unknown.
    horizon_days
        Days within which a conversion counts.
    as_of
        Time (ISO 8601) at which the table was taken; empty is its latest timestamp.
    drop
        Columns no model may see.
    seed
        Of every random choice.
    folds
        Parts of the cross-validation, 2 to 20.
    test_share
        Newest share of the rows kept for the forward test, in (0, 0.5].
    columns
        What is said about single columns.
    thresholds
        Wishes about the MQL and SQL cut-offs; keys of :data:`THRESHOLD_KEYS`.
    outcomes
        Path of a second table that tells what became of the leads, or empty.
    outcomes_join
        Column shared by both tables; empty is found.
    outcome
        Which outcome of the second table counts as converted, where it holds leadml's
        words: ``accepted``, ``opportunity``, ``won``, …
    among
        Outcomes of which a lead must have had one to be learned from, as ``accepted``
        for a model of what becomes of accepted leads; empty takes every lead. Without a
        second table it says what leads the first one holds: nothing is left out.
    silence
        Codes of checks that people overrule, each with the reason.
    edits
        Effects changed by hand after learning, by column; see ``scorecard.editing``.
    edits_why
        Why, and by whom; the model card says it.
    search_seconds
        Time to search for better parameters of the trees; None keeps the recipe.
    recency
        How far back is learned from where an order in time is known: ``all``, the
        ``newest`` part, or ``auto``: what does better on earlier leads if something moved.
    rare_below
        Levels of a category that fewer leads have, 1 to 1,000, count as unknown: the model
        neither learns from them one by one nor names them.

    Raises
    ------
    ConfigError
        If a value has the wrong type or lies outside its range; the message names the key.
    """

    name: str = "leads"
    target: str = ""
    positive: str = ""
    id: str = ""
    created_at: str = ""
    outcome_at: str = ""
    order_by: str = ""
    horizon_days: int | None = None
    as_of: str = ""
    drop: tuple[str, ...] = ()
    seed: int = 0
    folds: int = 5
    test_share: float = 0.2
    columns: dict[str, ColumnPlan] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    outcomes: str = ""
    outcomes_join: str = ""
    outcome: str = str(Outcome.WON)
    among: tuple[str, ...] = ()
    silence: dict[str, str] = field(default_factory=dict)
    edits: dict[str, str] = field(default_factory=dict)
    edits_why: str = ""
    search_seconds: int | None = None
    recency: str = "auto"
    rare_below: int = RARE_BELOW

    def __post_init__(self) -> None:
        for key in ("name", *_TEXTS, "outcomes", "outcomes_join", "edits_why"):
            _require(isinstance(getattr(self, key), str), key, "must be text")
        _require(bool(self.name.strip()), "name", "must not be empty")
        drop: Any = self.drop
        _require(
            isinstance(drop, tuple) and all(isinstance(column, str) for column in drop),
            "drop",
            "must be a list of column names",
        )
        _whole(self.seed, "seed", 0, 2**31 - 1)
        _whole(self.folds, "folds", 2, 20)
        if self.horizon_days is not None:
            _whole(self.horizon_days, "horizon_days", 1, 3660)
        _number(self.test_share, "test_share", 0.0, 0.5)
        for key, value in self.thresholds.items():
            _known(key, THRESHOLD_KEYS, "thresholds")
            _number(value, f"thresholds.{key}", 0.0, 1.0 if "precision" in key else math.inf)
        for word, key in ((self.outcome, "outcome"), *((word, "among") for word in self.among)):
            _word(word, Outcome, key)
        choices = " or ".join(f"'{word}'" for word in RECENCIES)
        _require(self.recency in RECENCIES, "recency", f"must be {choices}")
        if self.search_seconds is not None:
            _whole(self.search_seconds, "search_seconds", 1, 86_400)
        _whole(self.rare_below, "rare_below", 1, 1000)
        edits: Mapping[str, Any] = self.edits
        for column, words in edits.items():
            _require(isinstance(words, str), f"edits.{column}", "must be text")
            refuse_unreadable(column, words)
        reasons: Mapping[str, Any] = self.silence
        for code, reason in reasons.items():
            given = isinstance(reason, str) and bool(reason.strip())
            _require(given, f"silence.{code}", "must be a reason in words; the report shows it")

    @property
    def threshold_basis(self) -> str:
        """Which wish decides the cut-offs: ``value``, ``precision`` or ``capacity``."""
        if "value" in self.thresholds:
            return "value"
        if "mql_precision" in self.thresholds or "sql_precision" in self.thresholds:
            return "precision"
        return "capacity"

    @property
    def dropped(self) -> tuple[str, ...]:
        """Columns that no model may see, whichever way that was said."""
        found = dict.fromkeys(self.drop)
        for name, plan in self.columns.items():
            after = plan.availability is Availability.AFTER
            if after or plan.role in (Role.IGNORE, Role.GROUP, Role.CONSENT):
                found[name] = None
        return tuple(found)

    @property
    def as_text(self) -> tuple[str, ...]:
        """Columns to be read as text whatever they look like (``kind = "category"``)."""
        return tuple(n for n, plan in self.columns.items() if plan.kind is Kind.CATEGORY)

    def plan(self, column: str) -> ColumnPlan:
        """What is said about a column (an empty plan if nothing is)."""
        return self.columns.get(column, _SILENT)

    def with_options(self, **options: Any) -> TrainConfig:
        """Override by options of a command; None and empty lists change nothing.

        Threshold keys may stand beside the others; ``drop`` (names in a list, or one
        text with commas) is added to what is dropped already.

        Raises
        ------
        ConfigError
            If an option does not exist or its value cannot be used.

        Examples
        --------
        >>> TrainConfig(target="y", drop=("a",)).with_options(drop="b, c", seed=None).drop
        ('a', 'b', 'c')
        >>> TrainConfig().with_options(capacity_per_week=40).thresholds
        {'capacity_per_week': 40.0}
        """
        given = {key: value for key, value in options.items() if value is not None}
        drop = _names(given.pop("drop", ()), "drop")
        changes: dict[str, Any] = {"drop": tuple(dict.fromkeys((*self.drop, *drop)))}
        if "among" in given:
            changes["among"] = _names(given.pop("among"), "among")
        thresholds = dict(self.thresholds)
        for key in THRESHOLD_KEYS:
            if key in given:
                thresholds[key] = _as_float(given.pop(key))
        changes["thresholds"] = thresholds
        for key in given:
            _known(key, (*_FIELDS, *THRESHOLD_KEYS), "")
        return replace(self, **changes, **given)

    def as_dict(self) -> dict[str, Any]:
        """Plain data with defaults left out; :meth:`from_dict` reads it back."""
        empty = TrainConfig()
        found: dict[str, Any] = {}
        for key in _FIELDS:
            value = getattr(self, key)
            if value == getattr(empty, key):
                continue
            if key == "columns":
                value = {name: plan.as_dict() for name, plan in value.items()}
            found[key] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainConfig:
        """Read plain data (a parsed ``leadml.toml``).

        Raises
        ------
        ConfigError
            If a key is unknown (the nearest valid one is named) or a value cannot be used.

        Examples
        --------
        >>> TrainConfig.from_dict({"horizont_days": 90})
        Traceback (most recent call last):
            ...
        leadml.errors.ConfigError: there is no key 'horizont_days'; did you mean 'horizon_days'?
        """
        for key in data:
            _known(key, _FIELDS, "")
        given = dict(data)
        if "drop" in given:
            given["drop"] = _names(given["drop"], "drop")
        if "among" in given:
            given["among"] = _names(given["among"], "among")
        for key in ("columns", "thresholds", "silence", "edits"):
            _require(isinstance(given.get(key, {}), Mapping), key, "must be a table")
        given["columns"] = {
            name: _column_plan(name, plan) for name, plan in given.get("columns", {}).items()
        }
        given["thresholds"] = {
            key: _as_float(value) for key, value in given.get("thresholds", {}).items()
        }
        given["silence"] = dict(given.get("silence", {}))
        given["edits"] = dict(given.get("edits", {}))
        positive = given.get("positive")
        if isinstance(positive, int | float):
            given["positive"] = text_of(positive) or ""
        if "as_of" in given and hasattr(given["as_of"], "isoformat"):
            given["as_of"] = given["as_of"].isoformat()
        return cls(**given)


_SILENT: Final = ColumnPlan()
_FIELDS: Final = tuple(f.name for f in fields(TrainConfig))


def load_config(path: str | Path) -> TrainConfig:
    """Read a ``leadml.toml``; a relative ``outcomes`` path is meant from its folder.

    Raises
    ------
    FileMissing
        If there is no such file.
    ConfigError
        If it is no TOML, or :meth:`TrainConfig.from_dict` refuses it.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise FileMissing(
            f"there is no file '{path}'", fix="write one with: leadml init FILE"
        ) from error
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"'{path.name}' is not valid TOML: {error}", fix="correct that line"
        ) from error
    try:
        config = TrainConfig.from_dict(data)
    except ConfigError as error:
        error.fix = error.fix or f"correct it in {path.name}"
        raise
    if config.outcomes and "://" not in config.outcomes:
        config = replace(config, outcomes=str(path.parent / config.outcomes))
    return config


def dump_config(config: TrainConfig, notes: Mapping[str, str] | None = None) -> str:
    """Write a configuration as commented TOML that :func:`load_config` reads back.

    Parameters
    ----------
    config
        What to write; optional keys that are unset stand as commented lines.
    notes
        Remarks by key or column name, written above (keys) or beside (columns) it.

    Returns
    -------
    str
        TOML text ending in a newline.
    """
    notes = dict(notes or {})
    lines = [
        "# What leadml should learn, from which columns. Guesses are marked; please check them.",
        "# Then: leadml train FILE --config leadml.toml",
        "",
    ]
    for key, comment in _COMMENTS.items():
        value = getattr(config, key)
        lines.append(f"# {comment}")
        lines.extend(f"# {line}" for line in _lines(notes.get(key, "")))
        if value in ("", (), None):
            lines.append(f"# {key} = {_EXAMPLES[key]}")
        else:
            lines.append(f"{key} = {_toml(value)}")
        lines.append("")
    lines.append("# Wishes about the MQL and SQL cut-offs; none means 20 % and 5 % of the leads.")
    lines.append("[thresholds]")
    for key in THRESHOLD_KEYS:
        if key in config.thresholds:
            lines.append(f"{key} = {_toml(config.thresholds[key])}")
        else:
            lines.append(f"# {key} = {_THRESHOLD_EXAMPLES[key]}")
    lines += [
        "",
        "# Checks that you overrule, each with the reason that the report will show.",
        "[silence]",
        *(f"{_key(code)} = {_toml(reason)}" for code, reason in config.silence.items()),
    ]
    if not config.silence:
        lines.append('# LML003 = "the field is filled before first contact here"')
    if config.edits:
        lines += [
            "",
            "# Effects changed by hand after learning: flatten, monotone up, cap -0.5 0.5",
            "[edits]",
            *(f"{_key(column)} = {_toml(words)}" for column, words in config.edits.items()),
        ]
    lines += [
        "",
        "# role: id, created_at, outcome, outcome_at, fit, engagement, consent, group, ignore",
        "# availability: creation, scoring, after (known only after the outcome: never learned)",
        "# kind: number, category (left out: as the data look)",
        "# monotone: up, down (a number's effect never moves against it, whatever else is known)",
        "[columns]",
    ]
    for name, plan in config.columns.items():
        remark = " ".join(_lines(notes.get(name, ""))) if name not in _FIELDS else ""
        remark = remark or " ".join(_lines(notes.get(f"columns.{name}", "")))
        inner = ", ".join(f"{key} = {_toml(value)}" for key, value in plan.as_dict().items())
        lines.append(f"{_key(name)} = {{ {inner} }}" + (f"  # {remark}" if remark else ""))
    return "\n".join(lines) + "\n"


_COMMENTS: Final = {
    "name": "Name of the model in the registry.",
    "target": "The outcome column.",
    "positive": "The value of the outcome column that means converted.",
    "outcomes": "A second table that tells what became of the leads.",
    "outcomes_join": "The column both tables share.",
    "outcome": "Which outcome of that table counts: accepted, opportunity, won, ...",
    "among": "Learn only from leads that had one of these outcomes.",
    "id": "The lead's own id.",
    "created_at": "When the lead came in.",
    "outcome_at": "When it converted.",
    "order_by": 'A column that grows with time, or "rows" if the file is in order of time.',
    "horizon_days": "Days within which a conversion counts.",
    "as_of": "When this table was taken; left out: its latest timestamp.",
    "drop": "Columns no model may see.",
    "seed": "Of every random choice: same data and seed, same model.",
    "folds": "Parts of the cross-validation.",
    "test_share": "Newest share of the leads kept for the forward test.",
    "search_seconds": "Time to search for better parameters; left out: the recipe as it is.",
    "recency": "Learn from all of the history or its newest part; auto tries both where it moved.",
    "rare_below": "Levels of a category that fewer leads have count as unknown, unnamed.",
    "edits_why": "Why effects were edited by hand, and by whom.",
}

_EXAMPLES: Final = {
    "target": '"converted"',
    "positive": '"1"',
    "outcomes": '"outcomes.csv"',
    "outcomes_join": '"lead_id"',
    "among": '["accepted"]',
    "search_seconds": "120",
    "edits_why": '"visits of our own staff"',
    "id": '"lead_id"',
    "created_at": '"created_at"',
    "outcome_at": '"converted_at"',
    "order_by": '"created_at"',
    "horizon_days": "90",
    "as_of": '"2026-10-31"',
    "drop": '["notes"]',
}

_THRESHOLD_EXAMPLES: Final = {
    "capacity_per_week": "40  # leads that sales can work in a week",
    "mql_precision": "0.15  # at least this share of MQLs shall convert",
    "sql_precision": "0.30",
    "value": "5000  # worth of a conversion",
    "cost_mql": "50  # cost of working a lead as MQL",
    "cost_sql": "400  # cost of working a lead as SQL",
}


def _column_plan(name: str, data: Any) -> ColumnPlan:
    key = f"columns.{name}"
    if isinstance(data, str):
        data = {"role": data}
    _require(isinstance(data, Mapping), key, 'must look like { role = "fit" }')
    for part in data:
        _known(part, ("role", "availability", "kind", "phrase", "monotone"), key)
    phrase = data.get("phrase", "")
    _require(isinstance(phrase, str), f"{key}.phrase", "must be text")
    kind = _word(data.get("kind"), Kind, f"{key}.kind")
    monotone = data.get("monotone", "")
    _require(monotone in ("", *DIRECTIONS), f"{key}.monotone", "must be 'up' or 'down'")
    _require(
        not (monotone and kind is Kind.CATEGORY),
        f"{key}.monotone",
        "is for numbers: the values of a category have no order",
    )
    return ColumnPlan(
        role=_word(data.get("role"), Role, f"{key}.role"),
        availability=_word(data.get("availability"), Availability, f"{key}.availability"),
        kind=kind,
        phrase=phrase,
        monotone=monotone,
    )


def _word(value: Any, words: type[Any], key: str) -> Any:
    if value is None:
        return None
    try:
        return words(value)
    except ValueError as error:
        valid = ", ".join(str(word) for word in words)
        raise ConfigError(
            f"{key} cannot be {value!r}", column=_column_of(key), fix=f"use one of: {valid}"
        ) from error


def _column_of(key: str) -> str | None:
    return key.split(".", 1)[1].rsplit(".", 1)[0] if key.startswith("columns.") else None


def _known(key: str, valid: Iterable[str], where: str) -> None:
    valid = tuple(valid)
    if key in valid:
        return
    near = difflib.get_close_matches(str(key), valid, n=1, cutoff=0.5)
    place = f" in [{where}]" if where else ""
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ConfigError(
        f"there is no key '{key}'{place}{hint}",
        fix=f"use '{near[0]}'" if near else f"use one of: {', '.join(valid)}",
    )


def _require(holds: bool, key: str, must: str) -> None:
    if not holds:
        raise ConfigError(f"{key} {must}", column=_column_of(key))


def _whole(value: Any, key: str, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(whole and low <= value <= high, key, f"must be a whole number from {low} to {high}")


def _number(value: Any, key: str, above: float, high: float) -> None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    limit = "" if math.isinf(high) else f" and at most {high:g}"
    zero_fits = key.startswith("thresholds.cost")
    fits = numeric and math.isfinite(value) and value <= high
    fits = fits and (value >= above if zero_fits else value > above)
    least = "at least" if zero_fits else "above"
    _require(bool(fits), key, f"must be a number {least} {above:g}{limit}")


def _as_float(value: Any) -> Any:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if numeric else value


def _names(value: Any, key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    _require(
        isinstance(value, list | tuple) and all(isinstance(part, str) for part in value),
        key,
        "must be a list of column names",
    )
    return tuple(value)


def _lines(text: str) -> list[str]:
    """Comment lines; control characters other than line ends would break the file."""
    clean = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return [line.strip() for line in clean.split("\n") if line.strip()]


def _key(name: str) -> str:
    bare = bool(name) and name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _toml(name)


def _toml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str):
        # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)
    return str(value)
