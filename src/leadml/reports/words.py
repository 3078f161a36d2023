"""Numbers as people read them.

Thin no-break space before a unit, en dash for ranges, true minus, thousands
comma. As many digits as help a decision: whole percents from 10 %, one decimal
below; three digits for AUC; two for odds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = [
    "band",
    "chance",
    "chance_range",
    "chance_spoken",
    "count",
    "day",
    "digits",
    "name_of",
    "odds",
    "per_week",
    "per_week_range",
    "plain_number",
    "range_of",
    "short",
    "signed",
    "tidy",
    "tiny",
]

THIN = "\u202f"
MINUS = "\u2212"
EN = "\u2013"
TIMES = "\u00d7"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MONTHS = (
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
)


def _percent_digits(share: float) -> int:
    return 0 if 0.0995 <= share <= 0.995 or share in (0.0, 1.0) else 1


def chance(share: float | None) -> str:
    r"""A chance or share in [0, 1] as a percentage.

    >>> chance(0.614), chance(0.0962), chance(0.0), chance(0.0003)
    ('61\u202f%', '9.6\u202f%', '0\u202f%', '<0.1\u202f%')
    """
    if share is None or not math.isfinite(share):
        return EN
    if 0 < share < 0.0005:
        return f"<0.1{THIN}%"
    return f"{100 * share:.{_percent_digits(share)}f}{THIN}%"


def chance_range(low: float | None, high: float | None) -> str:
    """An interval of shares, the unit once: ``58–63 %``; empty where none is known."""
    if low is None or high is None:
        return ""
    places = max(_percent_digits(low), _percent_digits(high))
    return f"{100 * low:.{places}f}{EN}{100 * high:.{places}f}{THIN}%"


def chance_spoken(share: float) -> str:
    """A chance in prose: ``21 in 100``, ``3 in 1,000``.

    >>> chance_spoken(0.213), chance_spoken(0.0031), chance_spoken(0.00002)
    ('21 in 100', '3 in 1,000', 'fewer than 1 in 1,000')
    """
    if share >= 0.0095:
        return f"{100 * share:.0f} in 100"
    if share >= 0.00095:
        return f"{1000 * share:.0f} in 1,000"
    return "fewer than 1 in 1,000"


def digits(value: float | None, places: int = 3) -> str:
    """A plain figure with fixed places and a true minus."""
    if value is None or not math.isfinite(value):
        return EN
    return f"{value:.{places}f}".replace("-", MINUS)


def range_of(low: float | None, high: float | None, places: int = 3) -> str:
    """An interval of plain figures; empty where none is known."""
    if low is None or high is None:
        return ""
    joint = EN if low >= 0 else " to "
    return f"{digits(low, places)}{joint}{digits(high, places)}"


def count(value: float | None) -> str:
    """A whole number with thousands commas."""
    return EN if value is None else f"{round(value):,}".replace("-", MINUS)


def per_week(value: float | None) -> str:
    """A weekly amount: whole from 10, one decimal below."""
    if value is None or not math.isfinite(value):
        return EN
    return f"{value:,.0f}" if value >= 9.95 or value == 0 else f"{value:.1f}"


def per_week_range(low: float | None, high: float | None) -> str:
    """An interval of weekly amounts; empty where none is known."""
    if low is None or high is None:
        return ""
    return f"{per_week(low)}{EN}{per_week(high)}"


def odds(log_odds: float) -> str:
    """A contribution in log-odds as a factor on the odds.

    >>> odds(0.6931), odds(-2.4), odds(5.2), odds(0.0)
    ('×2.00', '×0.09', '×181', '×1.00')
    """
    factor = math.exp(min(max(log_odds, -20.0), 20.0))
    if factor < 0.005:
        return f"{TIMES}{factor:.1g}"
    places = 2 if factor < 9.995 else 1 if factor < 99.95 else 0
    return f"{TIMES}{factor:,.{places}f}"


def plain_number(value: float) -> str:
    """A value of a column: four significant digits, no exponent from 0.001 to 1e6.

    >>> plain_number(1234567), plain_number(0.5), plain_number(-3.14159), plain_number(50.0)
    ('1.235M', '0.5', '−3.142', '50')
    """
    size = abs(value)
    if size >= 1e13:
        return f"{value:.3g}".replace("e+", "e").replace("-", MINUS)
    for unit, letter in ((1e9, "G"), (1e6, "M")):
        if size >= unit:
            return f"{value / unit:.4g}{letter}".replace("-", MINUS)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 0.001 or size == 0:
        text = f"{value:.4g}"
    else:
        text = f"{value:.2g}"
    return text.replace("-", MINUS)


def tiny(value: float) -> str:
    """A very small positive figure: ``4 × 10⁻¹³``."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= -3:
        return f"{value:.2g}"
    lead = round(value / 10**exponent)
    if lead == 10:
        lead, exponent = 1, exponent + 1
    return f"{lead} {TIMES} 10{str(exponent).translate(_SUPERSCRIPT)}"


def day(stamp: str | None) -> str:
    """An ISO date or time as a day: ``2 November 2026``; other text stays as it is.

    >>> day("2026-11-02T09:00:00Z"), day("2026-11"), day("row 12")
    ('2 November 2026', 'November 2026', 'row 12')
    """
    if not stamp:
        return ""
    text = str(stamp)
    try:
        if len(text) == 7:
            when = datetime.fromisoformat(f"{text}-01")
            return f"{_MONTHS[when.month - 1]} {when.year}"
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def band(band: Mapping[str, Any]) -> str:
    """A band of scores, its upper end left out but for the last.

    >>> band({"from": 20, "to": 30}), band({"from": 90, "to": 100})
    ('20–29', '90+')
    """
    last = int(band["to"]) >= 100
    return f"{band['from']}+" if last else f"{band['from']}{EN}{int(band['to']) - 1}"


_HYPHEN = re.compile(r"(?<![\w.-])-(?=\d)")


def signed(text: str) -> str:
    """Text with true minus signs before its numbers; dates and names keep their hyphens.

    >>> signed("below by -0.05 on 2026-11-02")
    'below by −0.05 on 2026-11-02'
    """
    return _HYPHEN.sub(MINUS, text)


def short(text: str, most: int = 20) -> str:
    """A long code without blanks, shortened in its middle; other text stays.

    >>> short("22c29808c4f815213303f8933030604c"), short("Human Resource Management, abroad")
    ('22c29808c…604c', 'Human Resource Management, abroad')
    """
    longest = max((len(word) for word in text.split()), default=0)
    return f"{text[:9]}…{text[-4:]}" if longest > most else text


_LOOSE = re.compile(r"(?<=\d) (?=%)")


def tidy(text: str) -> str:
    r"""Text of others with the thin space of the house before a percent sign.

    >>> tidy("the last 20 % of rows")
    'the last 20\u202f% of rows'
    """
    return _LOOSE.sub(THIN, str(text))


def name_of(effect: Mapping[str, Any]) -> str:
    """What people call a column: its label, else its name with blanks for underscores.

    >>> name_of({"column": "emails_opened_30d"}), name_of({"column": "x", "label": "E-mails"})
    ('Emails opened 30d', 'E-mails')
    """
    label = str(effect.get("label") or "").strip()
    column = str(effect.get("column", ""))
    spoken = label if label and label != column else column.replace("_", " ")
    spoken = " ".join(spoken.split()) or column
    return spoken[:1].upper() + spoken[1:]
