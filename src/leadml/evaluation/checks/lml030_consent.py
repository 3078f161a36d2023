"""LML030: leads that may not be contacted."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.shares import LEVEL_FROM, shares_of
from leadml.evaluation.checks.table import CheckInput, listed
from leadml.leads.estimate import percent
from leadml.leads.vocabulary import Role

__all__ = ["CHECK", "run"]

CHECK = Check(
    "LML030",
    "Leads without consent",
    "tip",
    "A score does not know who may be contacted: leave these leads out of mailings and of the"
    " hand-off to sales, or ask again. Give the column the role consent, so that nothing is"
    " learned from it.",
)

_ROLE_GIVEN: Final = CHECK.fix.partition(" Give the column")[0]

_NAMED: Final = re.compile(
    r"consent|\bopt(?:ed)? ?(?:in|out)\b|\bgdpr\b|\bdsgvo\b|do not (?:e ?)?(?:mail|call|contact)"
    r"|\bunsubscribed\b|\bpermission\b|einwilligung",
    re.IGNORECASE,
)
_REFUSING: Final = re.compile(r"\bout\b|do not|unsubscribed|withdrawn|widerruf", re.IGNORECASE)
_YES: Final = frozenset({"1", "yes", "true", "y", "ja", "oui", "si", "given", "granted", "opt in"})
_NO: Final = frozenset({"0", "no", "false", "n", "nein", "non", "denied", "refused", "opt out"})
_MOST_VALUES: Final = 4


def run(data: CheckInput) -> Finding:
    """Count leads whose consent was refused or never recorded, by column."""
    figures: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    looked = 0
    for name in data.columns:
        codes = None if name == data.target else _consent(data, name)
        if codes is None:
            continue
        looked += 1
        refused, unknown = codes == 0, codes < 0
        if not refused.any():
            continue
        n = max(1, codes.size)
        figures.append(
            {
                "column": name,
                "share_refused": round(float(refused.sum()) / n, 4),
                "share_not_recorded": round(float(unknown.sum()) / n, 4),
                "learned": name in data.names,
            }
        )
        known = data.known
        masks = [(codes == 1)[known], refused[known], unknown[known]]
        names = ["may be contacted", "refused", "not recorded"]
        shares.append(
            {
                "what": "converted",
                "column": name,
                "base": round(float(data.outcome.mean()), 4) if data.outcome.size else 0.0,
                "points": shares_of(names, masks, data.outcome, LEVEL_FROM),
            }
        )
    if not looked:
        return CHECK.not_applicable("No column tells of consent.")
    if not figures:
        return CHECK.passed("No lead refused to be contacted.")
    names = [figure["column"] for figure in figures]
    learned = [figure["column"] for figure in figures if figure["learned"]]
    detail = f"{percent(figures[0]['share_refused'])} of the leads refused in '{names[0]}'"
    if len(names) > 1:
        detail += f", others in {listed(names[1:])}"
    if learned:
        detail += f"; {listed(learned)} {'is' if len(learned) == 1 else 'are'} learned from"
    given = all(data.roles.get(name) is Role.CONSENT for name in names)
    return CHECK.found(
        f"{detail}.",
        columns=names,
        evidence={"figures": figures, "shares": shares[:2]},
        fix=_ROLE_GIVEN if given else CHECK.fix,
    )


def _consent(data: CheckInput, name: str) -> NDArray[np.int64] | None:
    """Per row 1 given, 0 refused, -1 not recorded; None if the column tells of no consent."""
    spoken = re.sub(r"[_\-]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name))
    if data.roles.get(name) is not Role.CONSENT and not _NAMED.search(spoken):
        return None
    reading = data.reading(name)
    if reading.kind == "moment" or reading.distinct > _MOST_VALUES:
        return None
    if reading.kind == "number":
        words = {value: f"{value:g}" for value in np.unique(reading.numbers[~reading.missing])}
    else:
        words = {float(i): level.lower() for i, level in enumerate(reading.levels)}
    says = {value: 1 if word in _YES else 0 if word in _NO else -1 for value, word in words.items()}
    if not any(code >= 0 for code in says.values()):
        return None
    turned = bool(_REFUSING.search(spoken))
    return np.array(
        [
            -1 if number != number else abs(says[number] - turned) if says[number] >= 0 else -1
            for number in reading.numbers.tolist()
        ],
        dtype=np.int64,
    )
