"""Facts of a made-up training run, computed from simulated leads.

The simulated world is an additive model, so that effects, probabilities, reasons
and metrics below hang together as those of a real run do.
"""

from __future__ import annotations

import copy
import math
from functools import cache
from typing import Any

import numpy as np

from leadml.evaluation.segments import by_level

INDUSTRIES = ["Software", "Healthcare", "Manufacturing", "Retail", "Public sector", "Education"]
INDUSTRY_POINTS = np.array([0.35, 0.55, 0.1, -0.3, -0.6, -0.25])
SOURCES = ["Webinar", "Google Ads", "Referral", "Trade fair", "Cold list"]
SOURCE_POINTS = np.array([0.4, -0.15, 0.9, 0.1, -0.8])
BASE = -3.0


def _wilson(k: float, n: float) -> tuple[float, float]:
    z = 1.959964
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def _auc(y: np.ndarray, p: np.ndarray) -> float:
    order = np.argsort(p, kind="stable")
    ranks = np.empty(len(p))
    ranks[order] = np.arange(1, len(p) + 1)
    n1 = int(y.sum())
    return float((ranks[y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(y) - n1)))


def _estimate(fn: Any, y: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    draws = []
    for _ in range(60):
        rows = rng.integers(0, len(y), len(y))
        if 0 < y[rows].sum() < len(y):
            draws.append(fn(y[rows], p[rows]))
    return {
        "value": fn(y, p),
        "low": float(np.quantile(draws, 0.025)),
        "high": float(np.quantile(draws, 0.975)),
        "protocol": "forward test",
    }


def _ece(y: np.ndarray, p: np.ndarray) -> float:
    parts = np.array_split(np.argsort(p, kind="stable"), 15)
    return float(sum(len(i) * abs(y[i].mean() - p[i].mean()) for i in parts) / len(y))


def _log_loss(y: np.ndarray, p: np.ndarray) -> float:
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def _top(y: np.ndarray, p: np.ndarray, share: float = 0.2) -> float:
    k = max(1, round(share * len(y)))
    return float(y[np.argsort(-p, kind="stable")[:k]].sum() / y.sum())


def _pages(x: np.ndarray) -> np.ndarray:
    return np.select([x < 1, x < 2, x < 3, x < 6], [-0.45, 0.05, 0.35, 0.75], 1.1)


def _employees(x: np.ndarray) -> np.ndarray:
    return np.interp(np.log10(x), [0, 1.5, 2.3, 3, 4], [-0.7, -0.1, 0.45, 0.2, -0.2])


def _gains(y: np.ndarray, p: np.ndarray) -> list[dict[str, float]]:
    points = []
    for share in np.linspace(0.05, 1, 20):
        got = _top(y, p, share)
        low, high = _wilson(got * y.sum(), y.sum())
        points.append(
            {
                "share_of_leads": round(float(share), 4),
                "share_of_conversions": got,
                "lift": got / share,
                "low": low,
                "high": high,
            }
        )
    return points


def facts_sample() -> dict[str, Any]:
    """Complete facts, every optional part present; a copy of one's own."""
    return copy.deepcopy(_simulated())


@cache
def _simulated(n_test: int = 4000, seed: int = 7) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    pages = rng.poisson(rng.gamma(0.7, 1.6, n_test)).astype(float)
    employees = np.exp(rng.normal(4.0, 1.6, n_test)).clip(1, 20000).round()
    industry = rng.choice(len(INDUSTRIES), n_test, p=[0.3, 0.14, 0.2, 0.18, 0.1, 0.08])
    source = rng.choice(len(SOURCES), n_test, p=[0.2, 0.38, 0.1, 0.12, 0.2])
    recency = rng.exponential(18, n_test).clip(0, 180).round()
    parts = {
        "pricing_page_views_30d": _pages(pages) - _pages(pages).mean(),
        "days_since_last_visit": np.interp(recency, [0, 7, 30, 180], [0.8, 0.3, -0.5, -1.2]),
        "source": SOURCE_POINTS[source],
        "industry": INDUSTRY_POINTS[industry],
        "employees": _employees(employees),
    }
    parts = {name: part - part.mean() for name, part in parts.items()}
    margin = BASE + sum(parts.values())
    p = 1 / (1 + np.exp(-margin))
    y = (rng.random(n_test) < p).astype(int)
    rank = np.argsort(np.argsort(p, kind="stable"), kind="stable")
    score = (100 * rank // n_test).astype(int)
    variance = {name: float(part.var()) for name, part in parts.items()}
    total = sum(variance.values())
    base_rate = float(y.mean())
    chosen = p >= np.quantile(p, 0.8)

    def number(name: str, x: np.ndarray, edges: list[float]) -> dict[str, Any]:
        bins = np.searchsorted(edges, x, side="left")
        points = []
        for b in range(len(edges) + 1):
            inside = bins == b
            if not inside.any():
                continue
            order = np.argsort(x[inside], kind="stable")
            points.append(
                {
                    "from": edges[b - 1] if b else None,
                    "to": edges[b] if b < len(edges) else None,
                    "log_odds_from": float(parts[name][inside][order][0]),
                    "log_odds_to": float(parts[name][inside][order][-1]),
                    "share": float(inside.mean()),
                }
            )
        return {
            "column": name,
            "label": name.replace("_", " "),
            "role": "engagement" if name != "employees" else "fit",
            "kind": "number",
            "importance": variance[name] / total,
            "points": points,
        }

    def category(name: str, codes: np.ndarray, levels: list[str]) -> dict[str, Any]:
        return {
            "column": name,
            "label": name,
            "role": "fit",
            "kind": "category",
            "importance": variance[name] / total,
            "points": [
                {
                    "level": level,
                    "log_odds": float(parts[name][codes == i].mean()),
                    "share": float((codes == i).mean()),
                }
                for i, level in enumerate(levels)
            ],
            "missing": {"log_odds": -0.21, "share": 0.0},
        }

    views = number("pricing_page_views_30d", pages, [0.5, 1.5, 2.5, 5.5])
    views["missing"] = {"log_odds": -0.3, "share": 0.04}
    effects = [
        views,
        number("days_since_last_visit", recency, [float(e) for e in range(2, 90, 4)]),
        number("employees", employees, [float(round(10 ** (k / 8))) for k in range(4, 33)]),
        category("industry", industry, INDUSTRIES),
        category("source", source, SOURCES),
    ]
    effects.sort(key=lambda e: -e["importance"])

    examples = []
    for i in (int(np.argmax(p)), int(np.argsort(p)[n_test // 2]), int(np.argmin(p))):
        shown = {
            "pricing_page_views_30d": f"{pages[i]:.0f}",
            "days_since_last_visit": f"{recency[i]:.0f}",
            "employees": f"{employees[i]:.0f}",
            "industry": INDUSTRIES[industry[i]],
            "source": SOURCES[source[i]],
        }
        reasons = [
            {
                "field": name,
                "value": shown[name],
                "log_odds": round(float(parts[name][i]), 4),
                "odds_ratio": round(math.exp(parts[name][i]), 2),
                "role": "fit" if name in ("employees", "industry", "source") else "engagement",
                "text": f"{name.replace('_', ' ')} {shown[name]}: odds "
                f"{math.exp(parts[name][i]):.1f} times a typical lead's",
            }
            for name in sorted(parts, key=lambda name: -abs(parts[name][i]))
        ]
        stage = "sql" if p[i] > 0.2 else "mql" if p[i] > 0.11 else "cold"
        examples.append(
            {
                "lead_id": f"00Q5e{i:06d}",
                "probability": float(f"{p[i]:.4g}"),
                "score": int(score[i]),
                "grade": {"sql": "A", "mql": "B", "cold": "D"}[stage],
                "proposed_stage": stage,
                "stage": "mql" if stage == "sql" else stage,
                "fit_score": int(score[i]),
                "engagement_score": int(score[i]),
                "base_probability": float(f"{1 / (1 + math.exp(-BASE)):.4g}"),
                "reasons": reasons,
            }
        )

    def expectation(stage: str, share: float) -> dict[str, Any]:
        k = round(share * n_test)
        best = np.argsort(-p, kind="stable")[:k]
        won = int(y[best].sum())
        weekly = 160.0
        low, high = _wilson(won, k)
        recall_low, recall_high = _wilson(won, int(y.sum()))
        found = weekly * share * won / k
        return {
            "stage": stage,
            "cutoff": float(p[best[-1]]),
            "volume_per_week": {"value": weekly * share, "low": 24.0, "high": 40.0},
            "precision": {"value": won / k, "low": low, "high": high},
            "conversions_per_week": {
                "value": found,
                "low": max(0.0, found - 1.96 * math.sqrt(found)),
                "high": found + 1.96 * math.sqrt(found),
            },
            "recall": {"value": won / int(y.sum()), "low": recall_low, "high": recall_high},
        }

    expected = [expectation("mql", 0.2), expectation("sql", 0.05)]
    tenths = np.array_split(np.argsort(p, kind="stable"), 10)
    calibration = []
    for part in tenths:
        low, high = _wilson(int(y[part].sum()), len(part))
        calibration.append(
            {
                "n": len(part),
                "predicted": float(p[part].mean()),
                "observed": float(y[part].mean()),
                "low": low,
                "high": high,
            }
        )
    months = []
    for i, part in enumerate(np.array_split(np.arange(n_test), 6)):
        low, high = _wilson(int(y[part].sum()), len(part))
        months.append(
            {
                "month": f"2026-{3 + i:02d}",
                "n": len(part),
                "predicted": float(p[part].mean()),
                "observed": float(y[part].mean()),
                "low": low,
                "high": high,
            }
        )
    noisy = 1 / (1 + np.exp(-(margin + rng.normal(0, 0.9, n_test))))
    fifth = _estimate(_top, y, p, rng)
    metrics = {
        "roc_auc": _estimate(_auc, y, p, rng),
        "log_loss": _estimate(_log_loss, y, p, rng),
        "brier": _estimate(lambda a, b: float(np.mean((a - b) ** 2)), y, p, rng),
        "ece": _estimate(_ece, y, p, rng),
        "top_fifth_share": fifth,
        "lift_top_decile": _estimate(lambda a, b: _top(a, b, 0.1) / 0.1, y, p, rng),
        "calibration_slope": {"value": 1.02, "low": 0.94, "high": 1.1, "protocol": "forward test"},
    }
    return {
        "model": {
            "name": "leads",
            "version": "7",
            "run_id": "8f0d2c7e6ad14a2b9c53",
            "created_at": "2026-11-02T09:12:00Z",
            "leadml_version": "0.1.0",
            "seed": seed,
            "seconds": 31.4,
        },
        "verdict": {
            "word": "trust",
            "sentence": f"The top fifth of leads holds {100 * fifth['value']:.0f} % of "
            f"conversions; predicted {100 * p.mean():.1f} %, happened {100 * base_rate:.1f} %.",
            "rule": "calibration interval holds the truth and the ranking beats every baseline",
        },
        "data": {
            "source": "leads.csv",
            "digest": "sha256:7c1e5bd2a9f04e37b04a",
            "n_rows": 21400,
            "n_leads": 20950,
            "n_conversions": 1912,
            "base_rate": base_rate,
            "period": {"from": "2024-03-01", "to": "2026-11-01"},
            "order": "time",
            "target": "converted",
            "positive": "yes",
            "dropped": [
                {"column": "last_invoice_date", "reason": "filled only after the outcome"},
                {"column": "sales_notes_length", "reason": "filled only after the outcome"},
            ],
            "leads_per_week": 160.0,
            "leads_per_week_known": True,
        },
        "labels": {
            "horizon_days": 90,
            "as_of": "2026-11-01",
            "n_mature": 20000,
            "n_unknown": 950,
            "n_conversions": 1912,
            "curve": [
                {"day": d, "share": 0.1 * (1 - math.exp(-d / 24))}
                for d in (0, 3, 7, 14, 21, 30, 45, 60)
            ]
            + [{"day": 90, "share": 0.0985}, {"day": 120, "share": 0.1}],
        },
        "protocol": {
            "name": "forward test: the last 20 % by created_at",
            "kind": "forward",
            "n_train": 13800,
            "n_test": n_test,
        },
        "metrics": metrics,
        "baselines": [
            {
                "name": "base rate",
                "roc_auc": 0.5,
                "log_loss": _log_loss(y, np.full(n_test, base_rate)),
                "brier": base_rate * (1 - base_rate),
                "gains": [
                    {"share_of_leads": i / 20, "share_of_conversions": i / 20, "lift": 1.0}
                    for i in range(1, 21)
                ],
            },
            {
                "name": "logistic regression",
                "roc_auc": _auc(y, noisy),
                "log_loss": _log_loss(y, noisy),
                "brier": float(np.mean((y - noisy) ** 2)),
                "gains": _gains(y, noisy),
            },
        ],
        "gains": _gains(y, p),
        "calibration": calibration,
        "score_bands": [
            {
                "from": 10 * b,
                "to": 10 * b + 10,
                "n": int((score // 10 == b).sum()),
                "n_conversions": int(y[score // 10 == b].sum()),
            }
            for b in range(10)
        ],
        "months": months,
        "groups": [{"column": "company_size", "levels": by_level(y, p, employees, chosen)}],
        "segments": [
            {"column": "source", "levels": by_level(y, p, np.array(SOURCES)[source], chosen)},
            {
                "column": "industry",
                "levels": by_level(y, p, np.array(INDUSTRIES)[industry], chosen),
            },
        ],
        "policy": {
            "version": "1",
            "mql": expected[0]["cutoff"],
            "sql": expected[1]["cutoff"],
            "nurture": base_rate / 2,
            "basis": "capacity",
            "capacity_per_week": 32.0,
            "reason": "No capacity was given, so sales is taken to work 20 % of the leads of a "
            "week (32); the best 5 % are proposed as SQL.",
            "expected": expected,
        },
        "effects": effects,
        "pairs": [
            {"columns": ["industry", "source"], "importance": 0.114},
            {"columns": ["employees", "pricing_page_views_30d"], "importance": 0.062},
        ],
        "size": {"columns": 5, "pairs": 10, "cells": 4210, "trees": 812},
        "proof": {"rows": 20000, "max_difference": 3.6e-15, "additivity": 8.9e-16},
        "base_log_odds": BASE,
        "checks": [
            {
                "code": "LML003",
                "title": "A column tells new leads from old ones",
                "severity": "warns",
                "status": "found",
                "detail": "days_since_last_visit tells the newest 20 % of leads from the rest "
                "(AUC 0.78): a sign of drift.",
                "columns": ["days_since_last_visit"],
                "rows": [],
                "evidence": {
                    "figures": [{"column": "days_since_last_visit", "auc_of_newest": 0.78}],
                    "shares": [
                        {
                            "what": "of the newest fifth",
                            "column": "days_since_last_visit",
                            "base": 0.2,
                            "points": [
                                {
                                    "name": "up to 7",
                                    "n": 900,
                                    "rate": 0.41,
                                    "low": 0.38,
                                    "high": 0.44,
                                },
                                {
                                    "name": "over 7",
                                    "n": 3100,
                                    "rate": 0.14,
                                    "low": 0.13,
                                    "high": 0.15,
                                },
                            ],
                        }
                    ],
                },
                "fix": "watch it, or drop it with --drop days_since_last_visit",
                "page": "checks/LML003",
            },
            {
                "code": "LML001",
                "title": "No column knows the outcome",
                "severity": "blocks",
                "status": "passed",
                "detail": "5 columns tried alone; the strongest reaches AUC 0.66.",
                "columns": [],
                "rows": [],
                "evidence": {},
                "fix": "",
                "page": "checks/LML001",
            },
            {
                "code": "LML002",
                "title": "Emptiness does not tell the outcome",
                "severity": "blocks",
                "status": "passed",
                "detail": "No column is filled in mainly for converted leads.",
                "columns": [],
                "rows": [],
                "evidence": {},
                "fix": "",
                "page": "checks/LML002",
            },
            {
                "code": "LML010",
                "title": "Ids as columns",
                "severity": "blocks",
                "status": "silenced",
                "detail": "'account' looks like an id.",
                "columns": ["account"],
                "fix": "give the column the role id",
                "page": "checks/LML010",
                "reason": "accounts come again and again",
            },
            {
                "code": "LML009",
                "title": "Duplicate leads",
                "severity": "tip",
                "status": "not_applicable",
                "detail": "No id column was named.",
                "columns": [],
                "rows": [],
                "evidence": {},
                "fix": "",
                "page": "checks/LML009",
            },
        ],
        "gate": {
            "passed": True,
            "failed": [],
            "sentence": "Every line of the gate was passed.",
            "lines": [
                {"name": "verdict", "status": "passed", "sentence": "The verdict allows it."},
                {
                    "name": "base rate",
                    "status": "passed",
                    "sentence": "Log loss is below that of the base rate (-0.02).",
                },
                {
                    "name": "champion",
                    "status": "not_applicable",
                    "sentence": "There is no champion yet.",
                },
            ],
        },
        "examples": examples,
        "notes": ["Columns that move together share their effect; read the curves with care."],
    }


def facts_minimal() -> dict[str, Any]:
    """Only what every run has: tiny data, no time, a base rate instead of a model."""
    return {
        "model": {
            "name": "leads",
            "created_at": "2026-11-02T09:12:00Z",
            "leadml_version": "0.1.0",
            "seed": 0,
            "seconds": 0.4,
        },
        "verdict": {
            "word": "provisional",
            "sentence": "Too few conversions to rank leads: 12 of 80.",
            "rule": "fewer than 15 conversions: the base rate only",
        },
        "data": {
            "source": "tiny.csv",
            "digest": "sha256:00",
            "n_rows": 80,
            "n_leads": 80,
            "n_conversions": 12,
            "base_rate": 0.15,
            "order": "none",
            "target": "won",
            "positive": "1",
            "dropped": [],
            "leads_per_week": 80.0,
            "leads_per_week_known": False,
        },
        "protocol": {"name": "none", "kind": "folds", "n_train": 80, "n_test": 80},
        "metrics": {"log_loss": {"value": 0.42, "low": None, "high": None, "protocol": "folds"}},
        "size": {"columns": 0, "pairs": 0, "cells": 0, "trees": 0},
        "base_log_odds": -1.7346,
    }
