"""Facts of the first page: trust, traffic, capacity, what happened, what needs a look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from leadml.errors import LeadmlError
from leadml.leads.estimate import wilson
from leadml.monitoring.room import monday
from leadml.service.fresh import Fresh
from leadml.service.leadfacts import LeadFacts
from leadml.service.memory import Memory
from leadml.service.past import horizon_of
from leadml.service.recount import recount
from leadml.service.serving import Served
from leadml.service.watching import Watch

__all__ = ["WEEKS_SHOWN", "Overview"]

WEEKS_SHOWN: Final = 12
"""Whole weeks of traffic that are drawn, beside the present one."""

COUNTING_S: Final = 1.0
"""Longest wait for what happened to leads; a page without it says that it is counted."""

NEXT_SHOWN: Final = 6
ANSWERS_DAYS: Final = 28


class Overview:
    """Puts together what the first page tells.

    Parameters
    ----------
    memory
        What is remembered; may be off.
    watch
        Holds what was predicted against what happened.
    leads
        The queue.
    fresh
        Keeps what is slow to count.
    """

    def __init__(self, memory: Memory, watch: Watch, leads: LeadFacts, fresh: Fresh) -> None:
        self.memory = memory
        self.watch = watch
        self.leads = leads
        self.fresh = fresh

    def facts(self, served: Served | None) -> dict[str, Any]:
        """The page as plain data.

        Returns
        -------
        dict
            ``model`` (None where nothing is served), ``trained`` (verdict, checks, protocol,
            metrics and expectations of the training), ``live`` (``Watch.report``, None
            while nothing can be told), ``weeks`` (decisions by proposed stage),
            ``proposals`` (a week, by leads that became MQL), ``stages``, ``next`` (leads to
            work), ``answers``, ``is_counting`` (``live`` takes a moment longer),
            ``deliveries`` (how far webhooks are), ``memory`` (``on``, ``off`` or why it
            cannot be asked).
        """
        found: dict[str, Any] = {
            "page": "overview",
            "model": None,
            "trained": None,
            "live": None,
            "weeks": [],
            "proposals": [],
            "stages": {},
            "next": [],
            "answers": None,
            "is_counting": False,
            "deliveries": None,
            "memory": "off",
            "today": datetime.now(UTC).date().isoformat(),
        }
        if served is not None:
            found["model"] = {"name": served.name, "version": served.version}
            found["trained"] = _trained(served)
        if not self.memory.is_on:
            return found
        try:
            found |= self._remembered(served)
            found["memory"] = "on"
        except LeadmlError as error:
            self.memory.suspect(error)
            found["memory"] = error.detail
        return found

    def _remembered(self, served: Served | None) -> dict[str, Any]:
        store = self.memory.require()
        found: dict[str, Any] = {
            "stages": self.fresh.get("stages", store.glances.stages),
            "weeks": self.fresh.get("traffic", self._traffic),
            "proposals": self.fresh.get("proposals", self._proposals),
            "answers": self.fresh.get("answers", self._answers),
            "next": self.leads.queue(NEXT_SHOWN)["leads"],
            "deliveries": store.outgoing.standing().as_dict(),
        }
        if served is not None:
            key = ("live", served.versions)
            live = self.fresh.get(key, lambda: _with_above(self.watch.report(served)), COUNTING_S)
            found["is_counting"] = live is None
            if live is not None:
                live = {**live, "recounted": self.recounted(served, live["capacity"])}
            found["live"] = live
        return found

    def recounted(self, served: Served, room: Mapping[str, Any]) -> list[int]:
        """Proposals of past weeks by lines that are too young for whole weeks of their own.

        Empty where the lines are older, and while they are still counted.
        """
        if served.changed is None or room["weeks"]:
            return []
        store, line = self.memory.require(), served.policy.mql
        found: list[int] | None = self.fresh.get(
            ("recounted", served.versions),
            lambda: recount(store, line, datetime.now(UTC)),
            COUNTING_S,
        )
        return found or []

    def _traffic(self) -> list[dict[str, Any]]:
        """Weeks up to the present one, which is not over yet."""
        found: list[dict[str, Any]] = self.memory.require().glances.traffic(
            monday=monday(datetime.now(UTC)), weeks=WEEKS_SHOWN + 1
        )
        first = next((i for i, week in enumerate(found) if week["scored"]), len(found))
        return [{**week, "is_over": week is not found[-1]} for week in found[first:]]

    def _proposals(self) -> list[dict[str, Any]]:
        """Leads that became MQL by a score, by week; the present week is the last."""
        now = datetime.now(UTC)
        begin = monday(now) - WEEKS_SHOWN * timedelta(days=7)
        moments = self.memory.require().proposals(since=begin, until=now)
        counts = [0] * (WEEKS_SHOWN + 1)
        for moment in moments:
            counts[int((moment - begin) / timedelta(days=7))] += 1
        first = next((i for i, n in enumerate(counts) if n), len(counts))
        return [
            {
                "week": (begin + i * timedelta(days=7)).date().isoformat(),
                "proposals": n,
                "is_over": i < WEEKS_SHOWN,
            }
            for i, n in enumerate(counts)
            if i >= first
        ]

    def _answers(self) -> dict[str, Any]:
        since = datetime.now(UTC) - timedelta(days=ANSWERS_DAYS)
        found: dict[str, Any] = self.memory.require().glances.answers(since)
        return {**found, "days": ANSWERS_DAYS}


def _with_above(report: dict[str, Any]) -> dict[str, Any]:
    """The report with what became of all proposals, MQL and SQL together.

    Adds ``above``: ``n``, ``n_conversions``, ``precision`` and ``recall`` (with Wilson
    intervals), ``usual`` (share of all leads that converted), ``share_of_leads``; None
    where nothing was proposed or nothing converted.
    """
    parts = [part for part in report["stages"] if part["stage"] in ("mql", "sql")]
    n, won = (sum(int(part[key]) for part in parts) for key in ("n", "n_conversions"))
    total, all_won = int(report["n_leads"]), int(report["n_conversions"])
    if not n or not all_won:
        return {**report, "above": None}

    def share(k: int, of: int) -> dict[str, float]:
        low, high = wilson(k, of)
        return {"value": k / of, "low": low, "high": high}

    above = {
        "n": n,
        "n_conversions": won,
        "precision": share(won, n),
        "recall": share(won, all_won),
        "usual": all_won / total,
        "share_of_leads": n / total,
    }
    return {**report, "above": above}


def _trained(served: Served) -> dict[str, Any]:
    facts = served.facts
    checks = facts.get("checks") or ()
    return {
        "verdict": dict(facts.get("verdict") or {}),
        "checks": [
            {key: check.get(key) for key in ("code", "status", "severity", "title")}
            for check in checks
        ],
        "protocol": dict(facts.get("protocol") or {}),
        "months": list(facts.get("months") or ()),
        "horizon_days": horizon_of(served).days,
        "base_rate": facts.get("data", {}).get("base_rate"),
        "policy": served.policy.as_dict(),
        "capacity_per_week": served.plan.capacity_per_week,
    }
