"""The live truth about the model that is served, from what the memory holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from leadml.leads.estimate import percent
from leadml.monitoring import (
    Drift,
    Performance,
    Room,
    input_drift,
    performance,
    room_for_proposals,
    score_drift,
)
from leadml.monitoring.room import WEEKS_LOOKED, monday
from leadml.registry.clock import spelled
from leadml.service.past import WEEKS, Past, converted_of, horizon_of, outcome_of
from leadml.service.serving import Served
from leadml.store.records import moment_of_us

__all__ = ["MOST_WEEKS", "Watch"]

MOST_WEEKS: Final = 104
"""Most matured weeks that are looked back."""

RECENT: Final = timedelta(days=28)
RECENT_LEADS: Final = 5_000
"""The newest decisions, by time and number, whose inputs are held against the training."""

IMPORTANT: Final = 0.05
"""Share of a column in what moves the chances from which its shift deserves a look."""

_WEEK: Final = timedelta(days=7)
_PROMISED: Final = ("roc_auc", "pr_auc", "log_loss", "brier", "ece", "lift_top_decile",
                    "top_fifth_share", "base_rate")  # fmt: skip


class Watch:
    """Asks the past what became of the promises.

    Parameters
    ----------
    past
        Decisions and outcomes; its clock is the clock here.
    """

    def __init__(self, past: Past) -> None:
        self.past = past

    def report(self, served: Served, weeks: int = WEEKS) -> dict[str, Any]:
        """What was predicted and what happened, drift, room for proposals, what needs a look.

        Counted at most once a minute.

        Parameters
        ----------
        served
            The model to judge; decisions of earlier versions count too, and are told apart.
        weeks
            Matured weeks to look back, 1 to :data:`MOST_WEEKS`.

        Returns
        -------
        dict
            ``verdict`` with its rule, ``metrics``, ``calibration``, ``gains``, ``weeks``,
            ``stages``, ``versions``; ``promised`` at the training; ``drift`` of
            ``probability`` and ``inputs``; ``capacity``; ``signals``, each with ``code``
            and ``sentence``; ``needs_look``, true where there are any.

        Raises
        ------
        MemoryOff, StoreUnavailable, StoreError
            The memory is off or cannot be asked.
        """
        key = ("report", served.versions, weeks)
        found: dict[str, Any] = self.past.once(key, lambda: self._report(served, weeks))
        return found

    def _report(self, served: Served, weeks: int) -> dict[str, Any]:
        store = self.past.memory.require()
        now, horizon = self.past.clock(), horizon_of(served)
        until = now - horizon
        since = until - weeks * _WEEK
        found = store.followed(since=since, until=until, as_of=now, outcome=outcome_of(served))
        protocol = (
            f"live: leads scored from {since:%Y-%m-%d} to {until:%Y-%m-%d}, whose horizon of"
            f" {horizon.days} days has passed"
        )
        seen = performance(
            [moment_of_us(at_us) for at_us in found.at_us],
            found.probability,
            converted_of(found, horizon),
            found.proposed_stage,
            found.model_version,
            trained=served.facts,
            protocol=protocol,
        )
        drift = self._drift(served, now)
        room = self.room(served)
        promised = served.facts.get("metrics", {})
        importance = _importance_of(served)
        signals = _signals(seen, drift, room, promised, importance)
        return {
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
            "as_of": spelled(now),
            "from": spelled(since),
            "to": spelled(until),
            "horizon_days": horizon.days,
            "outcome": str(outcome_of(served)),
            "protocol": protocol,
            **seen.as_dict(),
            "promised": {name: promised[name] for name in _PROMISED if name in promised},
            "drift": _told(drift, importance, now),
            "capacity": room.as_dict(),
            "signals": signals,
            "needs_look": bool(signals),
        }

    def _drift(self, served: Served, now: datetime) -> list[Drift]:
        """The chances first, where the model carries what they were; then every column."""
        store = self.past.memory.require()
        leads = store.newest_inputs(RECENT_LEADS, now - RECENT)
        scorer = served.scorer
        found = []
        learned = int(served.facts.get("data", {}).get("n_leads", 0))
        reference = scorer.scorecard.reference.score
        if reference:
            log_odds = scorer.many(leads, collect=True).log_odds
            found.append(score_drift(reference, log_odds[np.isfinite(log_odds)], learned))
        return found + input_drift(scorer.scorecard, scorer.bins(leads), learned)

    def room(self, served: Served) -> Room:
        """Proposals of the last whole weeks against the capacity of the policy."""
        store = self.past.memory.require()
        now = self.past.clock()
        begin = monday(now) - WEEKS_LOOKED * _WEEK
        since = None if served.changed is None else served.changed.at
        if since is None:
            first = store.first_decision()
            since = now if first is None else first
        return room_for_proposals(
            store.proposals(since=begin, until=monday(now)),
            served.plan.capacity_per_week,
            since=since,
            now=now,
        )

    def alarm(self, served: Served) -> Room:
        """Look whether proposals outgrow capacity, and tell receivers once a week."""
        room = self.room(served)
        if room.exceeded:
            told = {
                **room.as_dict(),
                "model_version": served.versions.model,
                "policy_version": served.versions.policy,
            }
            self.past.memory.require().tell_exceeded(room.week, told)
        return room


def _signals(
    seen: Performance,
    drift: list[Drift],
    room: Room,
    promised: Mapping[str, Any],
    importance: Mapping[str, float],
) -> list[dict[str, str]]:
    """What deserves a look, by written rules (docs/monitoring.md)."""
    found = []
    if seen.verdict.word in ("rank", "no"):
        found.append({"code": f"verdict_{seen.verdict.rule}", "sentence": seen.verdict.sentence})
    before = promised.get("roc_auc", {})
    if seen.metrics is not None and "low" in before:
        auc = seen.metrics.roc_auc
        if auc.high is not None and auc.high < before["low"]:
            found.append(
                {
                    "code": "ranks_worse",
                    "sentence": f"It ranks worse than promised: AUC {auc.value:.2f}"
                    f" ({auc.low:.2f}–{auc.high:.2f}), promised {before['value']:.2f}"
                    f" ({before['low']:.2f}–{before['high']:.2f}).",
                }
            )
    for part in drift:
        share = 1.0 if part.name == "probability" else importance.get(part.name, 0.0)
        if part.word == "shifted" and share >= IMPORTANT:
            what = "The chances" if part.name == "probability" else f"The values of {part.name}"
            of = "" if part.name == "probability" else f", {percent(share)} of what moves chances"
            found.append(
                {
                    "code": "shifted",
                    "sentence": f"{what} are not those of the training any more"
                    f" (PSI {part.psi:.2f} on {part.n_now:,} leads{of}).",
                }
            )
    if room.exceeded:
        found.append({"code": "capacity_exceeded", "sentence": room.sentence})
    return found


def _importance_of(served: Served) -> dict[str, float]:
    effects = served.facts.get("effects", ())
    return {effect["column"]: float(effect["importance"]) for effect in effects}


def _told(drift: list[Drift], importance: Mapping[str, float], now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"from": spelled(now - RECENT), "to": spelled(now)}
    for part in drift:
        if part.name == "probability":
            found["probability"] = part.as_dict()
    found["inputs"] = [
        {**part.as_dict(), "importance": importance.get(part.name, 0.0)}
        for part in drift
        if part.name != "probability"
    ]
    return found
