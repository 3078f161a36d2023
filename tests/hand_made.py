"""A small scorecard made by hand, with its policy, leads, facts and bundle."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from leadml.leads.schema import Column, Schema
from leadml.leads.vocabulary import Kind, Role
from leadml.registry.golden import golden_rows
from leadml.registry.layout import LIMITS, canonical, digest_of, seal_of
from leadml.registry.signing import SIGNATURE, sign
from leadml.registry.writing import write_bundle
from leadml.scorecard import ColumnTable, PairTable, Reference, Scorecard, Scorer
from leadml.thresholds import Cohort, Policy

INDUSTRIES = ("Software", "Healthcare", "Retail")
SOURCES = ("Webinar", "Referral")


def schema() -> Schema:
    """Four columns of a CRM: two of fit, two of engagement."""
    return Schema(
        columns=(
            Column("industry", Kind.CATEGORY, Role.FIT, levels=INDUSTRIES, pooled=("Mining",)),
            Column("employees", Kind.NUMBER, Role.FIT, low=1.0, high=5000.0, missing_share=0.2),
            Column("source", Kind.CATEGORY, Role.ENGAGEMENT, levels=SOURCES),
            Column("pricing_page_views_30d", Kind.NUMBER, Role.ENGAGEMENT, low=0.0, high=40.0),
        ),
        known=("lead_id", "converted"),
        id_field="lead_id",
        target="converted",
        positive="yes",
    )


def _category(n_levels: int, points: list[float]) -> ColumnTable:
    n = len(points)  # levels, pooled, unseen, missing
    return ColumnTable(
        thresholds=np.empty(0),
        level_bins=tuple(range(n_levels)),
        pooled_bin=n_levels,
        unseen_bin=n_levels + 1,
        missing_bin=n_levels + 2,
        level=np.array(points),
        slope=np.zeros(n),
        clip=(0.0, 0.0),
        share=np.full(n, 1.0 / n),
    )


def _number(thresholds: list[float], points: list[float], slope: float) -> ColumnTable:
    n = len(points)  # bins, missing
    return ColumnTable(
        thresholds=np.array(thresholds),
        level_bins=(),
        pooled_bin=n - 1,
        unseen_bin=n - 1,
        missing_bin=n - 1,
        level=np.array(points),
        slope=np.array([slope] * (n - 1) + [0.0]),
        clip=(0.0, 10_000.0),
        share=np.full(n, 1.0 / n),
    )


def leads(n: int = 200, seed: int = 0) -> list[dict[str, Any]]:
    """Leads as a CRM sends them, some fields absent."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        lead: dict[str, Any] = {"lead_id": f"L{i}", "industry": str(rng.choice(INDUSTRIES))}
        if rng.random() < 0.8:
            lead["employees"] = float(np.round(rng.lognormal(4.0, 1.5), 2))
        if rng.random() < 0.9:
            lead["source"] = str(rng.choice([*SOURCES, "Trade fair"]))
        lead["pricing_page_views_30d"] = int(rng.poisson(2.0))
        found.append(lead)
    return found


def scorecard(base: float = -2.0) -> Scorecard:
    """Four tables and a pair, with points of no special kind."""
    without = Scorecard(
        schema=schema(),
        base=base,
        columns=(
            _category(3, [0.31, 0.123456789, -0.7, 0.05, -0.2, 0.0]),
            _number([10.0, 99.5, 1000.0], [-0.4, 0.1, 0.6, 0.35, -0.1], 1e-4),
            _category(2, [0.5, 1.1, -0.05, -0.3, 0.02]),
            _number([0.5, 2.5], [-0.9, 0.3, 0.9, -0.2], 0.01),
        ),
        pairs=(
            PairTable(0, 3, np.arange(24, dtype=np.float64).reshape(6, 4) / 97.0 - 0.1),
            PairTable(1, 2, np.arange(25, dtype=np.float64).reshape(5, 5) / 101.0 - 0.12),
        ),
    )
    batch = Scorer(without).many(leads(500, seed=1))
    reference = Reference.of(
        batch.log_odds, batch.contributions[:, :2].sum(1), batch.contributions[:, 2:].sum(1)
    )
    return Scorecard(without.schema, base, without.columns, without.pairs, reference)


def policy() -> Policy:
    """Cut-offs in the middle of the probabilities of :func:`leads`."""
    return Policy(version="1", mql=0.2, sql=0.4, nurture=0.1, reason="Made by hand.")


@lru_cache(maxsize=4)
def cohort(base: float = -2.0) -> Cohort:
    """The leads its lines are drawn on: 2,000, of which as many convert as it says."""
    chances = Scorer(scorecard(base)).many(leads(2000, seed=5)).probability
    won = np.random.default_rng(5).random(2000) < chances
    return Cohort.of(chances, won.astype(float), leads_per_week=80.0)


def facts(
    *,
    base: float = -2.0,
    word: str = "trust",
    seed: int = 0,
    created_at: str = "2026-11-20T08:00:00Z",
) -> dict[str, Any]:
    """Facts of a training, with what passes (times, path) and what lasts."""
    protocol = "forward test: the last 20 % by created_at"
    return {
        "model": {
            "name": "leads",
            "created_at": created_at,
            "leadml_version": "0.1.0",
            "seed": seed,
            "seconds": 12.5,
        },
        "verdict": {"word": word, "sentence": "Trust the probability.", "rule": "R1"},
        "data": {
            "source": "leads.csv",
            "digest": "ab" * 32,
            "n_leads": 500,
            "n_conversions": 80,
            "base_rate": 0.16,
            "period": {"from": "2025-01-01", "to": "2026-06-30"},
        },
        "labels": {"horizon_days": 60},
        "plan": {"basis": "capacity"},
        "cohort": cohort(base).as_dict(),
        "protocol": {"name": protocol, "kind": "forward", "n_train": 400, "n_test": 100},
        "metrics": {
            "roc_auc": {"value": 0.81, "low": 0.74, "high": 0.88, "protocol": protocol},
            "log_loss": {"value": 0.35, "low": 0.3, "high": 0.41, "protocol": protocol},
        },
        "examples": [{"lead_id": "L1", "probability": 0.31, "model_version": "leads@1"}],
    }


def bundle(
    folder: Path, *, base: float = -2.0, signing_key: Path | None = None, **more: Any
) -> str:
    """Write the bundle of the above; returns its digest."""
    card = scorecard(base)
    return write_bundle(
        folder,
        scorecard=card,
        policy=policy(),
        metrics=facts(base=base, **more),
        golden=golden_rows(card, policy(), leads(40)),
        card="# leads\n",
        signing_key=signing_key,
    )


def reseal(folder: Path, name: str, data: bytes, **manifest: Any) -> str:
    """Change a file and the manifest with it, as one does who can write both; the new digest."""
    (folder / name).write_bytes(data)
    found = json.loads((folder / "manifest.json").read_bytes())
    found["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    found.update(manifest)
    found["seal"] = seal_of(found)
    (folder / "manifest.json").write_bytes(canonical(found))
    return digest_of(found)


def sign_again(folder: Path, key: Path) -> None:
    """Sign whatever lies there, as one does who has the key."""
    files = {name: (folder / name).read_bytes() for name in LIMITS}
    (folder / SIGNATURE).write_bytes(sign(files, key))
