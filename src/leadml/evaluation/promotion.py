"""The gate between challenger and champion: written lines, each passed or failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from leadml.evaluation.metrics import PairedDifference, log_losses, paired_bootstrap

__all__ = ["FEWEST_COMPARED", "MARGIN", "Decision", "Line", "decide"]

MARGIN: Final = 0.01
"""Share of the rival's log loss by which a challenger may seem worse and still count as equal."""

FEWEST_COMPARED: Final = 20
"""Fewest conversions on which champion and challenger are compared."""


@dataclass(frozen=True)
class Line:
    """One line of the gate; ``passed`` is None where it does not apply."""

    name: str
    passed: bool | None
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        word = "not_applicable" if self.passed is None else "passed" if self.passed else "failed"
        return {"name": self.name, "status": word, "sentence": self.sentence}


@dataclass(frozen=True)
class Decision:
    """What the gate says of a challenger."""

    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Whether no line failed."""
        return all(line.passed is not False for line in self.lines)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the lines that failed."""
        return tuple(line.name for line in self.lines if line.passed is False)

    @property
    def sentence(self) -> str:
        """The decision in words: the first line that failed, or that none did."""
        wrong = [line.sentence for line in self.lines if line.passed is False]
        return f"Not promoted: {' '.join(wrong)}" if wrong else "Every line of the gate was passed."

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "passed": self.passed,
            "failed": list(self.failed),
            "sentence": self.sentence,
            "lines": [line.as_dict() for line in self.lines],
        }


def decide(
    y: ArrayLike,
    challenger: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    *,
    verdict: str,
    findings: Sequence[Mapping[str, Any]] = (),
    champion: ArrayLike | None = None,
    compared: ArrayLike | None = None,
    champion_is: str = "",
    margin: float = MARGIN,
    draws: int = 1000,
    seed: int = 0,
) -> Decision:
    """Hold a challenger against the lines of the gate, on leads it was tested on.

    Parameters
    ----------
    y, challenger
        Shape (n,): outcomes in {0, 1} and the challenger's probabilities.
    baselines
        Probabilities of shape (n,) by name; ``base rate`` must be beaten plainly (its
        interval lies below 0), the others within the margin.
    verdict
        Word of the verdict; ``no`` never passes.
    findings
        Results of the numbered checks, as plain data.
    champion, compared
        The champion's probabilities of shape (m,), and the positions of those leads
        among the n; None where there is no champion, or nothing fair to compare on.
    champion_is
        How the champion was made comparable, or why it is not, in words.
    margin
        See :data:`MARGIN`.
    draws, seed
        Of the bootstrap.

    Notes
    -----
    A challenger is not worse than the champion when the upper end of the 95 % interval
    of the difference in mean log loss (paired bootstrap) does not exceed the margin: who
    replaces a working model carries the proof. Against logistic regression and Odoo's
    method, which nobody serves, the difference itself must not exceed it.
    """
    y_ = np.asarray(y, dtype=np.float64)
    own = np.asarray(challenger, dtype=np.float64)
    lines = [_verdict_line(verdict), _checks_line(findings)]
    for name, other in baselines.items():
        compared_with = paired_bootstrap(y_, own, other, draws, seed)
        if name == "base rate":
            lines.append(_better(compared_with))
        else:
            lines.append(_not_worse(name, compared_with, y_, np.asarray(other), margin))
    if champion is None or compared is None:
        lines.append(Line("champion", None, champion_is or "There is no champion yet."))
        return Decision(tuple(lines))
    at = np.asarray(compared, dtype=np.intp)
    rival = np.asarray(champion, dtype=np.float64)
    won = float(y_[at].sum())
    if min(won, len(at) - won) < FEWEST_COMPARED:
        lines.append(
            Line(
                "champion",
                None,
                f"Only {won:.0f} conversions are there to compare with the champion on; "
                f"{FEWEST_COMPARED} are needed.",
            )
        )
        return Decision(tuple(lines))
    found = paired_bootstrap(y_[at], own[at], rival, draws, seed)
    line = _not_worse("champion", found, y_[at], rival, margin)
    lines.append(Line("champion", line.passed, f"{line.sentence} {champion_is}".strip()))
    return Decision(tuple(lines))


def _verdict_line(word: str) -> Line:
    if word == "no":
        return Line("verdict", False, "The verdict is: do not use.")
    return Line("verdict", True, "The verdict allows it.")


def _checks_line(findings: Sequence[Mapping[str, Any]]) -> Line:
    blocking = [
        f"{finding['code']} ({finding['title']})"
        for finding in findings
        if finding.get("severity") == "blocks" and finding.get("status") == "found"
    ]
    if blocking:
        return Line("checks", False, f"A check blocks: {', '.join(blocking)}.")
    return Line("checks", True, "No check blocks.")


def _better(found: PairedDifference) -> Line:
    low, high = found.difference.low, found.difference.high
    passed = high is not None and high < 0
    how = "is below" if passed else "is not plainly below"
    return Line(
        "base rate",
        passed,
        f"Log loss {how} that of the base rate "
        f"({found.difference.value:+.4f}, {low:+.4f} to {high:+.4f}).",
    )


def _not_worse(
    name: str, found: PairedDifference, y: np.ndarray, rival: np.ndarray, margin: float
) -> Line:
    allowed = margin * float(log_losses(y, rival).mean())
    low, high = found.difference.low, found.difference.high
    if name == "champion":
        rivals = "the champion"
        passed = high is not None and high <= allowed
        how = "not worse than" if passed else "worse than, or not plainly as good as,"
    else:
        rivals = name
        passed = found.difference.value <= allowed
        how = "not worse than" if passed else "worse than"
    return Line(
        name,
        passed,
        f"Log loss is {how} {rivals} "
        f"({found.difference.value:+.4f}, {low:+.4f} to {high:+.4f}, allowed {allowed:+.4f}).",
    )
