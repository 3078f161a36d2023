"""A memory of many leads, written by plain SQL in a minute instead of an hour."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from leadml.leads import life
from leadml.service.answers import Exact, answers
from leadml.service.memory import decision_of
from leadml.service.serving import Served
from leadml.store import Store

DAY_US = 86_400_000_000
SPAN_DAYS = 400
PATTERNS = 400
"""Different leads that are really scored; the others repeat them."""

REASONS = ("Wrong size", "No budget", "Not now")


def crowd(path: Path, served: Served, n_leads: int, n_decisions: int, seed: int = 0) -> None:
    """Write a migrated database with so many leads, decisions, stages and outcomes.

    Each lead came at some moment of the past 400 days and was scored again and again
    since then; a tenth was won, within the horizon or later.
    """
    store = Store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    chance = random.Random(seed)
    patterns = _patterns(served, chance)
    now_us = int(time.time() * 1e6)
    each = max(1, round(n_decisions / n_leads))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = MEMORY")
        for table, rows in (
            ("leads", _leads(patterns, n_leads, each, now_us, seed)),
            ("decisions", _decisions(patterns, n_leads, each, now_us, seed)),
            ("stages", _stages(patterns, n_leads, now_us, seed)),
            ("outcomes", _outcomes(patterns, n_leads, now_us, seed)),
        ):
            first = next(rows)
            names = ", ".join(first)
            marks = ", ".join("?" for _ in first)
            said = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            database.execute(said, tuple(first.values()))
            database.executemany(said, (tuple(row.values()) for row in rows))
            database.commit()
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("ANALYZE")


def _patterns(served: Served, chance: random.Random) -> list[dict[str, Any]]:
    """Rows of decisions of random leads, as they would be recorded."""
    leads = [_fields(served, chance) for _ in range(PATTERNS)]
    keep: dict[int, Exact] = {}
    found = answers(
        served.scorer, served.policy, served.versions, [None] * PATTERNS, leads, 5, keep
    )
    made = []
    for i, said in enumerate(found):
        if not isinstance(said, dict):
            continue
        d = decision_of(served, leads[i], True, said, keep[i])
        made.append(
            {
                "inputs": orjson.dumps(leads[i]).decode(),
                "probability": d.probability,
                "log_odds": d.log_odds,
                "contributions": orjson.dumps(list(d.contributions)).decode(),
                "score": d.score,
                "fit_score": d.fit_score,
                "engagement_score": d.engagement_score,
                "grade": d.grade,
                "proposed_stage": d.proposed_stage,
                "nurture_line": d.nurture_line,
                "mql_line": d.mql_line,
                "sql_line": d.sql_line,
                "model_version": d.model_version,
                "policy_version": d.policy_version,
                "bundle_digest": d.bundle_digest,
                "explained": orjson.dumps(
                    {
                        "reasons": [
                            {"field": reason["field"], "text": reason["text"]}
                            for reason in d.reasons
                        ],
                        "grade": d.grade,
                    }
                ).decode(),
            }
        )
    return made


def _fields(served: Served, chance: random.Random) -> dict[str, Any]:
    """A lead whose fields are drawn from what the model has seen."""
    found: dict[str, Any] = {"company": f"Company {chance.randint(1, 20_000)}", "owner": "A. Novak"}
    for column in served.scorer.schema.columns:
        if column.derive or chance.random() < column.missing_share:
            continue
        if column.levels:
            found[column.source] = chance.choice(column.levels)
        elif column.low is not None and column.high is not None:
            found[column.source] = round(chance.uniform(column.low, column.high))
    return found


def _came(i: int, n_leads: int, now_us: int) -> int:
    return now_us - SPAN_DAYS * DAY_US + (i * SPAN_DAYS * DAY_US) // n_leads


def _pattern(patterns: list[dict[str, Any]], i: int, seed: int) -> dict[str, Any]:
    return patterns[(i * 7919 + seed) % len(patterns)]


def _won(pattern: dict[str, Any], i: int, came: int, now_us: int) -> int | None:
    """When a lead was won; about as often as its chance says."""
    if ((i * 104_729) % 10_007) / 10_007 >= pattern["probability"]:
        return None
    at = came + ((i % 85) + 1) * DAY_US
    return at if at < now_us else None


def _stage(pattern: dict[str, Any], i: int, came: int, now_us: int) -> str:
    if _won(pattern, i, came, now_us) is not None:
        return "customer"
    if pattern["proposed_stage"] in ("mql", "sql"):
        return "nurture" if i % 3 == 0 else "mql"
    return str(pattern["proposed_stage"])


def _leads(
    patterns: list[dict[str, Any]], n: int, each: int, now_us: int, seed: int
) -> Iterator[dict[str, Any]]:
    for i in range(n):
        pattern, came = _pattern(patterns, i, seed), _came(i, n, now_us)
        stage = _stage(pattern, i, came, now_us)
        latest = came + (now_us - came) * (each - 1) // max(each, 1)
        yield {
            "lead_id": f"L{i:07d}",
            "attributes": pattern["inputs"],
            "first_seen_us": came,
            "updated_us": latest,
            "contact_consent": 1,
            "objection": 0,
            "stage": stage,
            "stage_since_us": came,
            "reached": 3 if stage == "customer" else 0,
            "rejected_us": came + 2 * DAY_US if i % 3 == 0 and stage == "nurture" else None,
            "latest_event_us": latest,
            "decision_id": f"dec_{i:07d}_{each - 1}",
            "decided_us": latest,
            "probability": pattern["probability"],
            "score": pattern["score"],
            "proposed_stage": pattern["proposed_stage"],
            "explained": pattern["explained"],
            "expected": pattern["probability"],
        }


def _decisions(
    patterns: list[dict[str, Any]], n: int, each: int, now_us: int, seed: int
) -> Iterator[dict[str, Any]]:
    for i in range(n):
        pattern, came = _pattern(patterns, i, seed), _came(i, n, now_us)
        row = {name: value for name, value in pattern.items() if name != "explained"}
        for k in range(each):
            yield {
                "decision_id": f"dec_{i:07d}_{k}",
                "lead_id": f"L{i:07d}",
                "at_us": came + (now_us - came) * k // each,
                "stage": "mql" if pattern["proposed_stage"] in ("mql", "sql") else "cold",
                "contact_consent": 1,
                **row,
            }


def _stages(
    patterns: list[dict[str, Any]], n: int, now_us: int, seed: int
) -> Iterator[dict[str, Any]]:
    for i in range(n):
        pattern, came = _pattern(patterns, i, seed), _came(i, n, now_us)
        if i == 0 or pattern["proposed_stage"] in ("mql", "sql"):
            yield {
                "lead_id": f"L{i:07d}",
                "at_us": came,
                "recorded_us": came,
                "previous": str(life.NEWCOMER.stage),
                "stage": "mql",
                "cause": "scored",
            }


def _outcomes(
    patterns: list[dict[str, Any]], n: int, now_us: int, seed: int
) -> Iterator[dict[str, Any]]:
    for i in range(n):
        pattern, came = _pattern(patterns, i, seed), _came(i, n, now_us)
        won = _won(pattern, i, came, now_us)
        if won is not None:
            yield _outcome(i, "won", won, None)
        elif pattern["proposed_stage"] in ("mql", "sql") and i % 3 == 0:
            yield _outcome(i, "rejected", min(came + 2 * DAY_US, now_us), REASONS[i % len(REASONS)])


def _outcome(i: int, outcome: str, at_us: int, reason: str | None) -> dict[str, Any]:
    return {
        "lead_id": f"L{i:07d}",
        "outcome": outcome,
        "occurred_us": at_us,
        "reported_us": at_us,
        "reason": reason,
        "reported_by": "sales",
    }
