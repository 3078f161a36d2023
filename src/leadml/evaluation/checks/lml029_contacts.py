"""LML029: addresses and numbers at which nobody can be reached."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import LEVEL_FROM, shares_of
from leadml.evaluation.checks.table import CheckInput, Reading, counted
from leadml.leads.estimate import percent

__all__ = ["CHECK", "fault_of_address", "fault_of_number", "run"]

CHECK = Check(
    "LML029",
    "Contacts that lead nowhere",
    "tip",
    "Correct or empty these cells before leads are handed to sales, and check the field in the"
    " form. They are not learned from.",
)

_ADDRESS: Final = re.compile(
    r"(?!\.)(?!.*\.\.)[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?<!\.)"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}"
)
_THROWAWAY: Final = frozenset(
    {
        "10minutemail.com", "33mail.com", "byom.de", "burnermail.io", "discard.email",
        "dispostable.com", "dropmail.me", "einrot.com", "emailondeck.com", "fakeinbox.com",
        "getairmail.com", "getnada.com", "grr.la", "guerrillamail.com", "guerrillamail.de",
        "guerrillamail.net", "guerrillamail.org", "inboxbear.com", "inboxkitten.com", "maildrop.cc",
        "mailcatch.com", "mailinator.com", "mailnesia.com", "mailnull.com", "minutemail.io",
        "mintemail.com", "moakt.com", "mohmal.com", "mytemp.email", "nada.email", "sharklasers.com",
        "spam4.me", "spambog.com", "spamgourmet.com", "spoofmail.de", "temp-mail.io",
        "temp-mail.org", "tempail.com", "tempmail.com", "tempmailo.com", "tempr.email",
        "throwawaymail.com", "trash-mail.com", "trashmail.com", "trashmail.de", "wegwerfemail.de",
        "wegwerfmail.de", "yopmail.com", "yopmail.fr",
    }
)  # fmt: skip
_TEST_DOMAIN: Final = re.compile(r"(?:.*\.)?(?:example|test|invalid|localhost)(?:\.[a-z]{2,3})?")
_TEST_NAME: Final = re.compile(
    r"(?:test\d*|asdf+|qwerty?|x{2,}|a{2,}|no-?one|none|noemail|abc|123+)"
)
_PHONE_NAMED: Final = re.compile(
    r"(?:^|[ _-])(?:phone|telephone|tel|mobile|handy|telefon|fax|cell)(?:[ _-]?(?:number|no|nr))?$",
    re.IGNORECASE,
)
_DIGITS: Final = range(7, 16)  # ITU-T E.164: at most 15
_LONGEST: Final = 320
_FEWEST: Final = 20
_MOSTLY: Final = 0.5
_SHARE: Final = 0.01
_COUNT: Final = 5


def fault_of_address(text: str) -> str:
    """Why nobody is reached at an e-mail address; empty if nothing speaks against it.

    >>> fault_of_address("ada@firma.de"), fault_of_address("ada@firma")
    ('', 'no address')
    >>> fault_of_address("x@mailinator.com"), fault_of_address("test@firma.de")
    ('throw-away', 'test entry')
    """
    if len(text) > _LONGEST or not _ADDRESS.fullmatch(text):
        return "no address"
    name, _, domain = text.lower().rpartition("@")
    if any(domain == known or domain.endswith(f".{known}") for known in _parents(domain)):
        return "throw-away"
    if _TEST_DOMAIN.fullmatch(domain) or _TEST_NAME.fullmatch(name):
        return "test entry"
    return ""


def _parents(domain: str) -> list[str]:
    """Known throw-away hosts among a domain and those above it."""
    parts = domain.split(".")
    above = {".".join(parts[i:]) for i in range(len(parts) - 1)}
    return sorted(above & _THROWAWAY)


def fault_of_number(text: str) -> str:
    """Why nobody is reached at a phone number; empty if nothing speaks against it.

    >>> fault_of_number("+49 30 901820"), fault_of_number("12345"), fault_of_number("0000000")
    ('', 'no number', 'test entry')
    """
    digits = [character for character in text if character.isdigit()]
    if len(digits) not in _DIGITS or re.search(r"[^\d ()/.+\-xX]", text):
        return "no number"
    runs = "".join(digits)
    if len(set(digits)) == 1 or runs in "01234567890123456789":
        return "test entry"
    return ""


def run(data: CheckInput) -> Finding:
    """Look at columns of e-mail addresses and phone numbers, learned from or not."""
    figures: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    rows: NDArray[np.intp] | None = None
    looked = 0
    for name in data.columns:
        judge = None if name == data.target else _judge(data, name)
        if judge is None:
            continue
        looked += 1
        faults, codes = judge
        bad = codes > 0
        filled = int((codes >= 0).sum())
        if bad.sum() < max(_COUNT, _SHARE * filled):
            continue
        figures.append(
            {
                "column": name,
                "n_filled": filled,
                **{
                    f"share_{fault.replace(' ', '_').replace('-', '_')}": round(
                        float((codes == code).sum()) / filled, 4
                    )
                    for code, fault in enumerate(faults, start=1)
                },
                "share_empty": round(1 - filled / max(1, data.y.size), 4),
            }
        )
        shares.append(_drawn(data, name, codes))
        rows = np.flatnonzero(bad) if rows is None else rows
    if not looked:
        return CHECK.not_applicable("No column holds e-mail addresses or phone numbers.")
    if not figures or rows is None:
        return CHECK.passed(f"{counted(looked, 'column')} of contacts can be used.")
    first = figures[0]
    what = [
        f"{percent(share)} {key.removeprefix('share_').replace('_', ' ')}"
        for key, share in first.items()
        if key.startswith("share_") and key != "share_empty" and share
    ]
    more = len(figures) - 1
    return CHECK.found(
        f"'{first['column']}' holds contacts that lead nowhere: {', '.join(what)}."
        + (f" So do{'es' if more == 1 else ''} {counted(more, 'more column')}." if more else ""),
        columns=[figure["column"] for figure in figures],
        rows=rows.tolist(),
        evidence={"figures": figures, "limit": {"share": _SHARE}, "shares": shares[:2]},
    )


def _judge(data: CheckInput, name: str) -> tuple[list[str], NDArray[np.int64]] | None:
    """Faults by name, and per row 0 sound, 1… a fault, -1 empty; None if it holds no contacts."""
    reading = data.reading(name)
    if reading.kind == "category":
        levels = reading.levels
        addresses = sum("@" in level for level in levels)
        if len(levels) >= _FEWEST and addresses > _MOSTLY * len(levels):
            return _coded(reading, fault_of_address, ["no address", "throw-away", "test entry"])
    if not _PHONE_NAMED.search(name):
        return None
    if reading.kind == "category":
        dialled = sum(sum(c.isdigit() for c in level) >= 5 for level in reading.levels)
        if len(reading.levels) < _FEWEST or dialled <= _MOSTLY * len(reading.levels):
            return None
        return _coded(reading, fault_of_number, ["no number", "test entry"])
    return None


def _coded(
    reading: Reading, fault_of: Callable[[str], str], faults: list[str]
) -> tuple[list[str], NDArray[np.int64]]:
    place = {"": 0} | {fault: code for code, fault in enumerate(faults, start=1)}
    hollow = reading.empty
    of_level = np.array([place[fault_of(level)] for level in reading.levels])
    codes = np.full(reading.numbers.size, -1, dtype=np.int64)
    codes[~hollow] = of_level[reading.numbers[~hollow].astype(np.int64)]
    return faults, codes


def _drawn(data: CheckInput, name: str, codes: NDArray[np.int64]) -> dict[str, Any]:
    known = data.known
    masks = [codes[known] == 0, codes[known] > 0, codes[known] < 0]
    return {
        "what": "converted",
        "column": name,
        "base": round(float(data.outcome.mean()), 4) if data.outcome.size else 0.0,
        "points": shares_of(["sound", "leads nowhere", "empty"], masks, data.outcome, LEVEL_FROM),
    }
