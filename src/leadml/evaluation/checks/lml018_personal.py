"""LML018: personal data in columns to learn from."""

from __future__ import annotations

import re
from typing import Any, Final

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML018",
    "Personal data in text",
    "warns",
    "Drop the column, or keep only what describes a group (the domain of an address, the"
    " country of a number).",
)

_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[A-Za-z]{2,24}\b")
_PHONE = re.compile(r"(?<![\w.,-])(?:\+|00)\d[\d ()/.-]{6,18}\d(?![\w.,-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b")
_CARD = re.compile(r"(?<![\w-])\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?![\w-])")
_PATTERNS: Final = (
    ("e-mail addresses", _MAIL),
    ("bank accounts", _IBAN),
    ("card numbers", _CARD),
    ("phone numbers", _PHONE),
)
_NAMED: Final = re.compile(
    r"^(?:first|last|family|sur|full|contact|middle)[ _-]?name$|^e-?mail(?:[ _-]?address)?$"
    r"|^(?:mobile|phone|telephone)(?:[ _-]?(?:number|no))?$"
    r"|^(?:date[ _-]?of[ _-]?)?birth(?:day|date)?$"
    r"|^(?:street|home)[ _-]?address$|^iban$|^passport.*$|^ssn$|^ip[ _-]?address$",
    re.IGNORECASE,
)
_SHARE: Final = 0.001
_LONGEST: Final = 2000


def run(data: CheckInput) -> Finding:
    """Find texts with addresses, numbers or accounts, and columns named after people."""
    figures: list[dict[str, Any]] = []
    rows: list[int] = []
    for name in data.candidates:
        kinds, where = _personal(data, name)
        if _NAMED.match(name.strip()):
            kinds.setdefault("the name of the column", data.y.size)
        if not kinds:
            continue
        rows = rows or where
        figures.append(
            {
                "column": name,
                "holds": sorted(kinds),
                "share": round(max(kinds.values()) / max(1, data.y.size), 4),
                "learned": name in data.names,
            }
        )
    if not figures:
        return CHECK.passed(
            "No text to learn from holds e-mail addresses, phone or account numbers."
        )
    learned = [figure for figure in figures if figure["learned"]]
    shown = learned or figures
    names = [figure["column"] for figure in shown]
    first = shown[0]
    what = ", ".join(first["holds"]).replace(
        "the name of the column", "a person's data by its name"
    )
    aside = (
        "" if learned else "; leadml left it out" if len(names) == 1 else "; leadml left them out"
    )
    more = f", and so do {listed(names[1:])}" if len(names) > 1 else ""
    return CHECK.found(
        f"'{first['column']}' holds {what} ({percent(first['share'])} of the rows){more}{aside}.",
        columns=names,
        rows=rows if len(rows) < data.y.size else (),  # of a whole column the name says it
        evidence={"figures": figures},
        severity="warns" if learned else "tip",
    )


def _personal(data: CheckInput, name: str) -> tuple[dict[str, int], list[int]]:
    reading = data.reading(name)
    if reading.kind != "category":
        return {}, []
    kinds: dict[str, int] = {}
    hits: set[int] = set()
    counts = [0] * len(reading.levels)
    for code in reading.numbers[~reading.missing].astype(int).tolist():
        counts[code] += 1
    found: dict[str, list[int]] = {}
    for code, level in enumerate(reading.levels):
        if not any(character.isdigit() or character == "@" for character in level):
            continue
        text = level[:_LONGEST]
        for word, pattern in _PATTERNS:
            hit = pattern.search(text)
            if hit and (pattern is not _CARD or _luhn(hit.group())):
                found.setdefault(word, []).append(code)
                text = pattern.sub(" ", text)  # an account's digits are no phone number
    for word, codes in found.items():
        total = sum(counts[code] for code in codes)
        if total >= max(1, _SHARE * data.y.size):
            kinds[word] = total
            hits.update(codes)
    rows = [row for row, code in enumerate(reading.numbers.tolist()) if code in hits]
    return kinds, rows


def _luhn(text: str) -> bool:
    """Whether the check digit of a card number is right."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0
