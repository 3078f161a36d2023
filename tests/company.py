"""A small company with two versions of a model, months of decisions and what became of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leadml.leads.vocabulary import Outcome
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.registry.golden import golden_rows
from leadml.registry.writing import write_bundle
from leadml.scorecard.effects import effects_of, pairs_of
from leadml.service.answers import Exact, answers
from leadml.service.memory import Memory, decision_of
from leadml.service.serving import Serving
from leadml.settings import Settings
from leadml.store import Decision, Report
from leadml.store.records import new_id
from tests import hand_made
from tests.facts_sample import facts_sample

N_LEADS = 420
WEEKS = 26


def facts(base: float, name: str = "leads") -> dict[str, Any]:
    """Facts with every part, which belong to the hand-made scorecard."""
    card = hand_made.scorecard(base)
    batch = hand_made.Scorer(card).many(hand_made.leads(400, seed=3))
    own = hand_made.facts(base=base)
    told = facts_sample()
    told["labels"] = {**told["labels"], "horizon_days": 60}
    return {
        **told,
        "model": {**told["model"], "name": name},
        "cohort": own["cohort"],
        "plan": {"basis": "capacity", "capacity_per_week": 16.0},
        "base_log_odds": base,
        "effects": effects_of(card, batch.contributions),
        "pairs": pairs_of(card),
    }


def found(folder: Path, *, tracking_uri: str = "", n_leads: int = N_LEADS) -> Settings:
    """Write models 1 (the champion) and 2, and a memory; returns the settings of its server."""
    for version, base in (("1", -2.0), ("2", -1.9)):
        card, policy = hand_made.scorecard(base), hand_made.policy()
        digest = write_bundle(
            folder / "models" / "leads" / version,
            scorecard=card,
            policy=policy,
            metrics=facts(base),
            golden=golden_rows(card, policy, hand_made.leads(20)),
            card="# leads\n",
        )
        if version == "1":
            write_pointer(folder / "models", "leads", Named(version, digest))
    settings = Settings(
        models_dir=str(folder / "models"),
        tracking_uri=tracking_uri,
        database_url=f"sqlite:///{folder / 'leadml.db'}",
        jobs_dir=str(folder / "jobs"),
        max_jobs=0,
    )
    if n_leads:
        remember(settings, n_leads)
    return settings


def remember(settings: Settings, n_leads: int, more: dict[str, Any] | None = None) -> None:
    """Score leads over the past weeks and report what became of them."""
    serving = Serving.of(settings, trial=False)
    serving.refresh()
    served = serving.current()
    chance, now = random.Random(4), datetime.now(UTC)
    leads = []
    for i, lead in enumerate(hand_made.leads(n_leads, seed=9)):
        del lead["lead_id"]
        owner = ("A. Novak", "B. Okafor")[i % 2]
        leads.append({"company": f"Firm {i:03d}", "owner": owner, **lead, **(more or {})})
    ids: list[str | None] = [f"L{i:04d}" for i in range(n_leads)]
    keep: dict[int, Exact] = {}
    said = answers(served.scorer, served.policy, served.versions, ids, leads, 5, keep)
    decisions: list[Decision] = []
    reports: list[Report] = []
    for i, answered in enumerate(said):
        assert isinstance(answered, dict)
        came = now - timedelta(days=7 * WEEKS * (1 - i / n_leads), minutes=i)
        made = decision_of(served, leads[i], True, answered, keep[i])
        for again in range(1 + i % 3):
            at = came + timedelta(days=5 * again)
            if at < now:
                decisions.append(
                    Decision(
                        **{
                            name: getattr(made, name)
                            for name in made.__dataclass_fields__
                            if name not in ("at", "decision_id")
                        },
                        at=at,
                        decision_id=new_id("dec", at),
                    )
                )
        won = came + timedelta(days=chance.uniform(2, 55))
        if chance.random() < answered["probability"] and won < now:
            reports.append(Report(str(ids[i]), Outcome.WON, won, by="anna"))
        elif answered["proposed_stage"] in ("mql", "sql") and i % 4 == 0:
            at = min(came + timedelta(days=3), now)
            reports.append(Report(str(ids[i]), Outcome.REJECTED, at, reason="No budget", by="ben"))
    memory = Memory(settings)
    store = memory.open()
    store.record_decisions(decisions)
    store.record_reports(reports)
    memory.close()
    serving.close()
