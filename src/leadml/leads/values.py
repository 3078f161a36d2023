r"""One reading of a raw value, shared by training files, CRM requests and exports.

Whatever path a value takes (CSV cell, Parquet, JSON, Python object), it is read
here, so that training and serving cannot disagree. A category is text in Unicode
NFC with outer whitespace stripped and inner runs folded to one space; whole
floats lose their fraction (``1.0`` is ``1``); booleans are ``true`` / ``false`` in
any capitals. Empty text and the words of :data:`MISSING_WORDS` are missing.

>>> text_of("  Caf\u0065\u0301 ") == "Caf\u00e9"
True
>>> text_of(1.0), text_of("1.0"), text_of(True), text_of("TRUE")
('1', '1', 'true', 'true')
>>> text_of("N/A") is None
True
>>> number_of(" 1,5 ") is BAD and number_of(" 1.5 ") == 1.5
True
"""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from typing import Any, Final

__all__ = [
    "BAD",
    "LARGEST",
    "MISSING_WORDS",
    "Bad",
    "header_of",
    "is_placeholder",
    "number_of",
    "text_of",
]

# none is longer than five characters, which text_of relies on
MISSING_WORDS: Final = frozenset(
    {"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "NaT", "#N/A"}
)

_PLACEHOLDERS: Final = frozenset(
    {
        "-", "--", "---", ".", "?", "??", "???", "blank", "choose", "choose one", "empty",
        "missing", "n.a", "n.a.", "n/a", "no answer", "no data", "not applicable",
        "not available", "not given", "not known", "not provided", "not specified",
        "please choose", "please select", "select", "select one", "tbd", "unknown",
        "unspecified", "undefined", "xxx",
    }
)  # fmt: skip

_WHOLE_FLOAT = re.compile(r"[+-]?[0-9]+\.0+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LARGEST: Final = sys.float_info.max
_INFINITE = {"inf": LARGEST, "+inf": LARGEST, "-inf": -LARGEST}


class Bad:
    """The mark of a value that no number can be read from."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = Bad()


def header_of(name: Any) -> str:
    """The name of a column as training tables have it: NFC, without outer or double blanks.

    >>> header_of("  Total  Visits ")
    'Total Visits'
    """
    return unicodedata.normalize("NFC", " ".join(str(name).split()))


def text_of(value: Any) -> str | None:
    """Read a category value; None is missing. Never raises, never guesses a case."""
    if isinstance(value, str):
        text = value
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        words = text.split()
        text = words[0] if len(words) == 1 else " ".join(words)
        if len(text) <= 5:
            if text in MISSING_WORDS:
                return None
            if text.lower() in ("true", "false"):
                return text.lower()
        if text[-1] == "0" and _WHOLE_FLOAT.fullmatch(text):
            text = text.partition(".")[0]
            return "0" if text in ("-0", "+0") else text
        return text
    if value is None:
        return None
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if hasattr(value, "__float__"):
        number = float(value)
        if math.isnan(number):
            return None
        if number.is_integer() and abs(number) < 1e15:
            return str(int(number))
        return repr(number)
    return text_of(str(value))


def is_placeholder(text: str) -> bool:
    """Whether a text is what a form leaves where nobody answered.

    It is a value all the same: leads that left a question open may convert otherwise than
    those that never saw it.

    >>> is_placeholder("Select"), is_placeholder("unknown"), is_placeholder("other")
    (True, True, False)
    """
    return text.lower() in _PLACEHOLDERS


def number_of(value: Any) -> float | None | Bad:
    """Read a number; None is missing, :data:`BAD` is text or an object that is no number.

    Numeric text in the form of JSON or Python numbers is accepted ("240", "1e3"),
    because CRMs send it; thousands separators and decimal commas are not, because
    they cannot be told apart. Infinities are read as the largest finite number.
    """
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING_WORDS:
            return None
        if _NUMBER.fullmatch(text):
            return _finite(float(text))
        lowered = text.lower()
        if lowered in _INFINITE:
            return _INFINITE[lowered]
        if lowered in ("true", "false"):
            return 1.0 if lowered == "true" else 0.0
        return BAD
    if value is None:
        return None
    if hasattr(value, "__float__"):
        try:
            number = float(value)
        except (OverflowError, TypeError, ValueError):
            return BAD
        return None if math.isnan(number) else _finite(number)
    return None if type(value).__name__ in ("NAType", "NaTType") else BAD


def _finite(number: float) -> float:
    return min(max(number, -LARGEST), LARGEST)
