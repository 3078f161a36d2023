"""The query of a request, each parameter declared beside its route."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from leadml.errors import InvalidParameter

__all__ = ["ASKED", "asked_in", "choice_in", "number_in", "parameters_of", "whole_in"]

ASKED: Final = "leadml.asked"
"""Where in a scope stand the parameters of the query."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def parameters_of(query: bytes, known: Iterable[str]) -> dict[str, str]:
    """The parameters of a query, each at most once.

    Raises
    ------
    InvalidParameter
        Another parameter, one given twice, a NUL, or bytes that are no text.

    Examples
    --------
    >>> parameters_of(b"stage=mql&q=Acme%20Ltd", ["stage", "q"])
    {'stage': 'mql', 'q': 'Acme Ltd'}
    """
    names = tuple(known)
    fix = f"the parameters are {', '.join(names)}" if names else "leave the query away"
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=32, errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        raise InvalidParameter("the query cannot be read", fix=fix) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidParameter("a query parameter occurs twice", fix=fix)
    if not found.keys() <= set(names):
        raise InvalidParameter("there is no such query parameter here", fix=fix)
    if any("\0" in value for value in found.values()):
        raise InvalidParameter("a query parameter holds the character NUL", fix=fix)
    return found


def asked_in(scope: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that a request has, as its route declares them."""
    found: dict[str, str] = scope[ASKED]
    return found


def whole_in(asked: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds.

    >>> whole_in({"limit": "7"}, "limit", 50, 1, 200), whole_in({}, "limit", 50, 1, 200)
    (7, 50)

    Raises
    ------
    InvalidParameter
        It is none.
    """
    given = asked.get(name, str(default))
    sound = given.isascii() and given.isdigit() and len(given) <= len(str(most))
    if not sound or not least <= int(given) <= most:
        raise InvalidParameter(f"{name} must be a whole number from {least} to {most}")
    return int(given)


def number_in(asked: Mapping[str, str], name: str) -> float | None:
    """A plain number; None where it is left out.

    >>> number_in({"value": "1e3"}, "value")
    1000.0

    Raises
    ------
    InvalidParameter
        It is none, or beyond all bounds.
    """
    given = asked.get(name)
    if given is None:
        return None
    if not _NUMBER.fullmatch(given) or abs(float(given)) > 1e12:
        raise InvalidParameter(f"{name} must be a plain number, up to 1e12")
    return float(given)


def choice_in(asked: Mapping[str, str], name: str, choices: Iterable[str], default: str) -> str:
    """One of some words.

    >>> choice_in({}, "format", ("json", "csv"), "json")
    'json'

    Raises
    ------
    InvalidParameter
        Another word.
    """
    known = tuple(choices)
    if name in asked and asked[name] not in known:
        raise InvalidParameter(f"{name} must be {' or '.join(known)}")
    return asked.get(name, default)
