"""One sentence on what a model may be used for, from written rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from leadml.evaluation.metrics import SHOWN_FROM, Metrics
from leadml.leads.estimate import Estimate, percent

__all__ = ["LEARNS_FROM", "OPENINGS", "RULES", "TRUSTS_FROM", "Verdict", "verdict"]

Word = Literal["trust", "rank", "provisional", "no"]

LEARNS_FROM: Final = 15
"""Fewest conversions from which leads are told apart; below, only the base rate is given."""

TRUSTS_FROM: Final = 100
"""Fewest conversions from which a probability may be trusted."""

ECE_FLOOR: Final = 0.02
ECE_OF_BASE: Final = 0.15
"""Calibration error allowed: 0.02, or 0.15 of the base rate if that is more."""

RATE_FLOOR: Final = 0.005
RATE_OF_BASE: Final = 0.10
"""Distance of predicted and observed share allowed: 0.005, or a tenth of the latter."""

SLOPE_LIMITS: Final = (0.8, 1.25)
"""Calibration slopes allowed."""

CLEARLY: Final = 0.01
"""Share of the log loss by which a rival is said to do better, not merely as well."""

OPENINGS: Final[dict[Word, str]] = {
    "trust": "Trust it.",
    "rank": "Rank only.",
    "provisional": "Provisional.",
    "no": "Do not use.",
}

RULES: Final[dict[str, tuple[Word, str]]] = {
    "blocked": ("no", "a check that blocks has found something"),
    "base_rate_only": ("provisional", f"fewer than {LEARNS_FROM} conversions to learn from"),
    "no_better_than_chance": ("no", "the interval of the AUC reaches 0.5"),
    "few_conversions": (
        "provisional",
        f"fewer than {TRUSTS_FROM} conversions to learn from, or {SHOWN_FROM} to test on",
    ),
    "worse_than_base_rate": ("rank", "the log loss is not below that of the base rate"),
    "rate_off": ("rank", "the share predicted differs from what happened"),
    "calibration_error": ("rank", "the calibration error is too high"),
    "calibration_slope": ("rank", "the chances are too bold or too timid"),
    "all_held": ("trust", "no rule above applies"),
}
"""Rules in the order they are tried (docs/verdict.md); the first that applies decides."""


@dataclass(frozen=True)
class Verdict:
    """What a model may be used for.

    Parameters
    ----------
    word
        ``trust`` the probability, ``rank`` only, ``provisional``, or ``no``.
    sentence
        The verdict in plain words, opening with one of :data:`OPENINGS`.
    rule
        The rule of :data:`RULES` that decided.
    """

    word: Word
    sentence: str
    rule: str

    def as_dict(self) -> dict[str, str]:
        """Plain data."""
        return {"word": self.word, "sentence": self.sentence, "rule": self.rule}


def verdict(
    metrics: Metrics,
    n_conversions: int,
    baselines: Sequence[Mapping[str, Any]] = (),
    checks: Iterable[Any] = (),
) -> Verdict:
    """Judge a model by the rules of docs/verdict.md.

    Parameters
    ----------
    metrics
        Of leads that were not learned from.
    n_conversions
        Conversions learned from.
    baselines
        Each with ``name`` and ``log_loss``; the one named "base rate" is compared with, and
        the best that does as well is mentioned.
    checks
        Findings of the numbered checks (or their plain data).

    Returns
    -------
    Verdict
        By the first rule that applies.
    """
    found = _judged(metrics, n_conversions, baselines, checks)
    if found.rule in _OF_NO_MODEL:
        return found
    rival = _rival(metrics.log_loss.value, baselines)
    return replace(found, sentence=f"{found.sentence} {rival}") if rival else found


_OF_NO_MODEL: Final = ("blocked", "base_rate_only", "no_better_than_chance", "worse_than_base_rate")


def _judged(
    metrics: Metrics,
    n_conversions: int,
    baselines: Sequence[Mapping[str, Any]],
    checks: Iterable[Any],
) -> Verdict:
    blocking = [found for found in map(_as_dict, checks) if _blocks(found)]
    if blocking:
        return _say("blocked", _blocked(blocking))
    if n_conversions < LEARNS_FROM:
        return _say(
            "base_rate_only",
            f"{n_conversions} conversions are too few to tell leads apart, so every lead gets the"
            f" base rate of {percent(metrics.base_rate.value)}. From {LEARNS_FROM} on leads are"
            f" ranked, from {TRUSTS_FROM} on the chances may be trusted.",
        )
    auc = metrics.roc_auc
    reach = auc.value if auc.low is None else auc.low
    if reach <= 0.5:
        return _say(
            "no_better_than_chance",
            "The leads it ranks high convert no more often than the others"
            f" (AUC {auc.value:.2f}{_range(auc)}; a coin has 0.50).",
        )
    if n_conversions < TRUSTS_FROM or metrics.n_conversions < SHOWN_FROM:
        return _say("few_conversions", _provisional(metrics, n_conversions))
    top = f"The top fifth of leads holds {percent(metrics.top_fifth_share.value)} of conversions"
    promised = (
        f"predicted {percent(metrics.predicted_rate.value)},"
        f" happened {_plus_minus(metrics.base_rate)}"
    )
    base = _base_log_loss(baselines)
    if base is not None and metrics.log_loss.value >= base:
        return _say(
            "worse_than_base_rate",
            f"{top}, but its chances are worse than giving every lead the base rate ({promised}).",
        )
    if _rate_off(metrics):
        return _say("rate_off", f"{top}, but its chances are off on the whole: {promised}.")
    limit = max(ECE_FLOOR, ECE_OF_BASE * metrics.base_rate.value)
    if (metrics.ece.low if metrics.ece.low is not None else metrics.ece.value) > limit:
        return _say(
            "calibration_error",
            f"{top}, but its chances are {100 * metrics.ece.value:.1f} points off on average"
            f" (at most {100 * limit:.1f} would do).",
        )
    slope = metrics.calibration_slope
    if slope is not None and slope.low is not None and slope.high is not None:
        too_bold = slope.high < SLOPE_LIMITS[0]
        if too_bold or slope.low > SLOPE_LIMITS[1]:
            how = (
                "too bold: high ones too high, low ones too low"
                if too_bold
                else "too timid: high ones too low, low ones too high"
            )
            return _say(
                "calibration_slope",
                f"{top}, but its chances are {how} (slope {slope.value:.2f}, 1 would be right).",
            )
    return _say("all_held", f"{top}; {promised}.")


def _say(rule: str, rest: str) -> Verdict:
    word = RULES[rule][0]
    return Verdict(word, f"{OPENINGS[word]} {rest}", rule)


def _as_dict(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else dict(found.as_dict())


def _blocks(found: Mapping[str, Any]) -> bool:
    return found.get("severity") == "blocks" and found.get("status") == "found"


def _blocked(blocking: Sequence[Mapping[str, Any]]) -> str:
    first = blocking[0]
    more = len(blocking) - 1
    text = f"{str(first['detail']).rstrip('.')} ({first['code']})."
    if more:
        others = ", ".join(dict.fromkeys(str(found["code"]) for found in blocking[1:]))
        text += f" {'One more finding blocks' if more == 1 else f'{more} more findings block'}"
        text += f" ({others})."
    return text


def _provisional(metrics: Metrics, n_conversions: int) -> str:
    top = metrics.top_fifth_share
    spread = f" ({_percents(top)})" if top.low is not None else ""
    if n_conversions < TRUSTS_FROM:
        return (
            f"Learned from {n_conversions} conversions, so the ranking is rough and the chances"
            f" are guesses: the top fifth of leads holds {percent(top.value)}{spread} of"
            f" conversions. From {TRUSTS_FROM} on it is judged in full."
        )
    return (
        f"Only {metrics.n_conversions} conversions to test on, too few to judge the chances: the"
        f" top fifth of leads holds {percent(top.value)}{spread} of conversions."
    )


def _rate_off(metrics: Metrics) -> bool:
    observed, predicted = metrics.base_rate, metrics.predicted_rate.value
    if observed.low is None or observed.high is None:
        return False
    allowed = max(RATE_FLOOR, RATE_OF_BASE * observed.value)
    outside = not observed.low <= predicted <= observed.high
    return outside and abs(predicted - observed.value) > allowed


def _rival(own: float, baselines: Sequence[Mapping[str, Any]]) -> str:
    """Which simpler or usual model does as well, or better; empty where none does."""
    losses = [(loss, str(b["name"])) for b in baselines if (loss := _loss(b)) is not None]
    best, name = min(losses, default=(math.inf, ""))
    if best > own:
        return ""
    how = "does better" if best < (1 - CLEARLY) * own else "does as well"
    return f"{name[:1].upper()}{name[1:]} {how} (log loss {best:.3f} against {own:.3f})."


def _loss(baseline: Mapping[str, Any]) -> float | None:
    loss = baseline.get("log_loss")
    if isinstance(loss, Mapping):
        loss = loss.get("value")
    return None if loss is None else float(loss)


def _base_log_loss(baselines: Sequence[Mapping[str, Any]]) -> float | None:
    for baseline in baselines:
        if "base rate" in str(baseline.get("name", "")).lower():
            return _loss(baseline)
    return None


def _range(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f", {estimate.low:.2f}–{estimate.high:.2f}"


def _percents(estimate: Estimate) -> str:
    assert estimate.low is not None
    assert estimate.high is not None
    return f"{100 * estimate.low:.0f}–{percent(estimate.high)}"


def _plus_minus(rate: Estimate) -> str:
    """``9.6 % ± 0.6``: half the width of the interval, in points."""
    text = percent(rate.value)
    if rate.low is None or rate.high is None:
        return text
    half = 100 * (rate.high - rate.low) / 2
    digits = 1 if half < 0.95 or "." in text else 0
    return f"{text}\u202f±\u202f{half:.{digits}f}"
