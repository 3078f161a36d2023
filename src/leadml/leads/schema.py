"""The columns a model takes: names, kinds, roles, known levels and usual ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from leadml.leads.values import is_placeholder
from leadml.leads.vocabulary import Kind, Role

__all__ = ["Column", "Schema"]

_WINDOW = re.compile(r"^(?P<name>.+?)_(?P<days>\d+)d$")


_WEEKDAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_NAMED: Final = {
    "weekday": {str(place): name for place, name in enumerate(_WEEKDAYS)},
    "month": {str(place): name for place, name in enumerate(_MONTHS, 1)},
}
"""Parts of a moment that people call by a name."""


@dataclass(frozen=True)
class Column:
    """One learning column of a model.

    Parameters
    ----------
    name
        Name in the feature space, unique.
    kind
        ``number`` or ``category``.
    role
        ``fit`` or ``engagement``.
    source
        The field of a lead it is read from; differs from ``name`` only for
        derived columns.
    derive
        "", or the part taken of a timestamp: ``weekday`` (0 Monday … 6),
        ``day`` (1–31), ``month`` (1–12), ``hour`` (0–23).
    levels
        Known categories, most frequent first (empty for a number).
    pooled
        Rare categories that share one bin, as models of earlier versions name them; now
        they count as never seen, so that no model names what few leads had.
    low, high
        Smallest and largest training value of a number; None when it had none.
    missing_share
        Share of training rows without a value, in [0, 1].
    phrase
        Sentence pattern with ``{value}``; empty means made from the name.
    """

    name: str
    kind: Kind
    role: Role = Role.FIT
    source: str = ""
    derive: str = ""
    levels: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    missing_share: float = 0.0
    phrase: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)

    @cached_property
    def label(self) -> str:
        """The name in words: ``pricing_page_views_30d`` is 'pricing page views in 30 days'."""
        window = _WINDOW.match(self.name)
        words = (window["name"] if window else self.name).replace("_", " ").replace(".", " ")
        words = " ".join(words.split())
        return f"{words} in {window['days']} days" if window else words

    def say(self, value: str | None) -> str:
        """The value in words, for a reason.

        >>> Column("pricing_page_views_30d", Kind.NUMBER).say("3")
        '3 pricing page views in 30 days'
        >>> Column("pricing_page_views_30d", Kind.NUMBER).say("1")
        '1 pricing page view in 30 days'
        >>> Column("industry", Kind.CATEGORY).say("Healthcare")
        'industry Healthcare'
        >>> Column("industry", Kind.CATEGORY).say(None)
        'industry not given'
        >>> Column("industry", Kind.CATEGORY).say("Select")
        "industry not given ('Select')"
        >>> Column("created_weekday", Kind.NUMBER, derive="weekday").say("1")
        'created weekday Tuesday'
        """
        if value is None:
            return f"{self.label} not given"
        if is_placeholder(value):
            return f"{self.label} not given ('{value}')"
        if self.phrase:
            return self.phrase.replace("{value}", value)
        if self.derive:
            return f"{self.label} {_NAMED.get(self.derive, {}).get(value, value)}"
        if not self._counted:
            return f"{self.label} {value}"
        return f"{value} {_singular(self.label) if value == '1' else self.label}"

    @cached_property
    def _counted(self) -> bool:
        counts = bool(_WINDOW.match(self.name)) or self.name.startswith("days_")
        return self.kind is Kind.NUMBER and counts

    def as_dict(self) -> dict[str, Any]:
        """Plain data with defaults left out, for ``schema.json``."""
        found: dict[str, Any] = {
            "name": self.name,
            "kind": str(self.kind),
            "role": str(self.role),
        }
        if self.source != self.name:
            found["source"] = self.source
        for key in ("derive", "phrase", "missing_share"):
            if getattr(self, key):
                found[key] = getattr(self, key)
        for key in ("levels", "pooled"):
            if getattr(self, key):
                found[key] = list(getattr(self, key))
        for key in ("low", "high"):
            if getattr(self, key) is not None:
                found[key] = getattr(self, key)
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Column:
        """The inverse of :meth:`as_dict`; raises KeyError or ValueError on foreign data."""
        return cls(
            name=data["name"],
            kind=Kind(data["kind"]),
            role=Role(data["role"]),
            source=data.get("source", ""),
            derive=data.get("derive", ""),
            levels=tuple(data.get("levels", ())),
            pooled=tuple(data.get("pooled", ())),
            low=data.get("low"),
            high=data.get("high"),
            missing_share=data.get("missing_share", 0.0),
            phrase=data.get("phrase", ""),
        )


@dataclass(frozen=True)
class Schema:
    """All learning columns of a model in order, and what it may ignore in silence.

    Parameters
    ----------
    columns
        The learning columns.
    known
        Fields of the training table that are no learning column (ids, outcome, dropped
        columns): a lead may carry them without a warning.
    id_field, created_at_field
        Fields that name a lead and the moment it was made; "" where the table had none.
    target, positive
        The outcome column, and its value that means a conversion.
    sources
        Every field that a column is read from.

    Raises
    ------
    ValueError
        Two columns have one name.
    """

    columns: tuple[Column, ...]
    known: tuple[str, ...] = ()
    id_field: str = ""
    created_at_field: str = ""
    target: str = ""
    positive: str = ""
    sources: frozenset[str] = field(init=False, compare=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("column names of a schema must be unique")
        object.__setattr__(self, "sources", frozenset(c.source for c in self.columns))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the learning columns, in order."""
        return tuple(column.name for column in self.columns)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``schema.json``."""
        return {
            "columns": [column.as_dict() for column in self.columns],
            "known": list(self.known),
            "id_field": self.id_field,
            "created_at_field": self.created_at_field,
            "target": self.target,
            "positive": self.positive,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Schema:
        """The inverse of :meth:`as_dict`; raises KeyError or ValueError on foreign data."""
        return cls(
            columns=tuple(Column.from_dict(column) for column in data["columns"]),
            known=tuple(data.get("known", ())),
            id_field=data.get("id_field", ""),
            created_at_field=data.get("created_at_field", ""),
            target=data.get("target", ""),
            positive=data.get("positive", ""),
        )


_PLURAL = re.compile(r"\b(\w*?)(?:(?<=[^aeiou])(ies)|(?<=ss|sh|ch)(es)|(?<=[^suiSUI])(s))(?= |$)")


def _singular(label: str) -> str:
    """The label of one: the first plural before the window loses its ending.

    >>> _singular("emails opened in 90 days"), _singular("replies"), _singular("business visits")
    ('email opened in 90 days', 'reply', 'business visit')
    """

    def one(found: re.Match[str]) -> str:
        return f"{found[1]}y" if found[2] else found[1]

    return _PLURAL.sub(one, label, count=1)
