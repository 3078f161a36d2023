"""Counts of what the server did, for Prometheus.

Every count is a plain number that only the event loop's thread changes: no lock on the
way of a request. Labels come from closed sets (routes, statuses, stages, codes, columns
of the model), never from what a caller sent.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from leadml.scorecard import Warned

__all__ = ["BUCKETS_S", "LAST_SCORES", "Metrics", "Tally", "is_running", "warning_key"]

BUCKETS_S: Final = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
LAST_SCORES: Final = 1_000
"""Window of the constant-score detector, in leads."""

MOST_PAIRS: Final = 4_000
_CELLS: Final = len(BUCKETS_S) + 2  # one per bucket, one above all, the sum
_WARNED: Final = ("unseen_category", "missing_field", "out_of_range")


class Tally(NamedTuple):
    """What one request adds to the counts."""

    stages: dict[str, int]
    warned: dict[tuple[str, str], int]
    refused: dict[str, int]
    probabilities: list[float]

    def note(self, stage: str, probability: float, warnings: Iterable[Warned]) -> None:
        """Add one answer by its parts."""
        self.stages[stage] = self.stages.get(stage, 0) + 1
        self.probabilities.append(probability)
        for warned in warnings:
            key = warning_key(warned.code, warned.field)
            self.warned[key] = self.warned.get(key, 0) + 1


def warning_key(code: str, field: str) -> tuple[str, str]:
    """How a warning is counted: fields that the model does not know have no name."""
    return (code, field if code in _WARNED else "")


class Metrics:
    """What one process counted; several processes exchange theirs through a folder.

    Parameters
    ----------
    exchange
        Folder in which every worker of one server writes its counts; None for one
        process alone.
    """

    def __init__(self, exchange: Path | None = None) -> None:
        self.exchange = exchange
        self.requests: dict[tuple[str, int], list[float]] = {}
        self.stages: Counter[str] = Counter()
        self.warned: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.overloaded: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.forgetful = False
        self.in_flight = 0
        self.model: dict[str, str] = {}
        self.room: dict[str, float] = {}
        self.hand_over: dict[str, float] = {}
        self.degraded = False
        self.swaps = 0
        self.rejected: Counter[str] = Counter()
        self._last: deque[float] = deque(maxlen=LAST_SCORES)
        self._written = 0.0

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        cells = self.requests.get((route, status))
        if cells is None:
            cells = self.requests[route, status] = [0.0] * _CELLS
        cells[bisect_left(BUCKETS_S, seconds)] += 1
        cells[-1] += seconds

    def written(self, stage: str, probability: float, warnings: Sequence[Warned]) -> None:
        """Count one answer of ``POST /v1/score`` by its parts."""
        self.stages[stage] += 1
        self._last.append(probability)
        for warned in warnings:
            self._warn(warning_key(warned.code, warned.field), 1)

    def add(self, tally: Tally) -> None:
        """Count many answers."""
        self.stages.update(tally.stages)
        self.refused.update(tally.refused)
        self._last.extend(tally.probabilities)
        for key, n in tally.warned.items():
            self._warn(key, n)

    def _warn(self, key: tuple[str, str], n: int) -> None:
        if key not in self.warned and len(self.warned) >= MOST_PAIRS:
            key = (key[0], "")
        self.warned[key] += n

    @property
    def same_share(self) -> float | None:
        """Share of the most frequent probability among the last scores; None below 20 leads.

        Near 1 over many leads, a renamed field or a broken export is likelier than
        a thousand equal leads.
        """
        if len(self._last) < 20:
            return None
        return Counter(self._last).most_common(1)[0][1] / len(self._last)

    # --- telling ------------------------------------------------------------------

    def text(self) -> bytes:
        """All counts in Prometheus' text format, those of other workers added."""
        registry = CollectorRegistry()
        if self.exchange is None:
            ProcessCollector(registry=registry)
        registry.register(_Told(self._together()))
        return generate_latest(registry)

    def share(self, pause_s: float = 1.0) -> None:
        """Write the counts for other workers, at most every ``pause_s`` seconds."""
        now = time.monotonic()
        if self.exchange is None or now - self._written < pause_s:
            return
        self._written = now
        fresh = self.exchange / f".{os.getpid()}.new"
        fresh.write_text(json.dumps(self._plain()), encoding="utf-8")
        fresh.replace(self.exchange / f"{os.getpid()}.json")

    def _plain(self) -> dict[str, Any]:
        """Everything as JSON data; pairs become lists."""
        return {
            "requests": [[*key, cells] for key, cells in self.requests.items()],
            "stages": dict(self.stages),
            "warned": [[*key, n] for key, n in self.warned.items()],
            "refused": dict(self.refused),
            "overloaded": dict(self.overloaded),
            "decisions": dict(self.decisions),
            "forgetful": self.forgetful,
            "rejected": dict(self.rejected),
            "swaps": self.swaps,
            "in_flight": self.in_flight,
            "degraded": self.degraded,
            "model": self.model,
            "room": self.room,
            "hand_over": self.hand_over,
            "same_share": self.same_share,
        }

    def _together(self) -> dict[str, dict[str, Any]]:
        """Counts by worker; a worker that ended keeps its counts, for they happened."""
        found = {str(os.getpid()): self._plain()}
        if self.exchange is not None:
            for path in self.exchange.glob("*.json"):
                if path.stem not in found:
                    found[path.stem] = json.loads(path.read_text("utf-8"))
                    if not is_running(int(path.stem)):
                        found[path.stem] |= _ENDED
        return found


_ENDED: Final = {
    "in_flight": 0,
    "degraded": False,
    "forgetful": False,
    "model": {},
    "room": {},
    "hand_over": {},
    "same_share": None,
}


def is_running(process: int) -> bool:
    """Whether a process of this id is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Told:
    """Counts of all workers as metric families."""

    def __init__(self, workers: dict[str, dict[str, Any]]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Give every family."""
        plain = list(self._workers.values())
        latency = HistogramMetricFamily(
            "leadml_request_seconds",
            "Time from the first byte handled to the last byte given away.",
            labels=["route", "status"],
        )
        summed: dict[tuple[str, int], list[float]] = {}
        for found in plain:
            for route, status, cells in found["requests"]:
                before = summed.get((route, status), [0.0] * _CELLS)
                summed[route, status] = [a + b for a, b in zip(before, cells, strict=True)]
        for (route, status), cells in sorted(summed.items()):
            total = 0.0
            buckets = []
            for bound, n in zip((*map(str, BUCKETS_S), "+Inf"), cells[:-1], strict=True):
                total += n
                buckets.append((bound, total))
            latency.add_metric([route, str(status)], buckets, sum_value=cells[-1])
        yield latency
        for name, key, label, says in _COUNTED:
            family = CounterMetricFamily(name, says, labels=[label])
            added: Counter[str] = Counter()
            for found in plain:
                added.update(found[key])
            for what, n in sorted(added.items()):
                family.add_metric([what], n)
            yield family
        warned: Counter[tuple[str, str]] = Counter()
        for found in plain:
            for code, field, n in found["warned"]:
                warned[code, field] += n
        family = CounterMetricFamily(
            "leadml_warnings", "Warnings given, by code and column.", labels=["code", "field"]
        )
        for (code, field), n in sorted(warned.items()):
            family.add_metric([code, field], n)
        yield family
        yield CounterMetricFamily(
            "leadml_model_swaps",
            "Changes of the served version.",
            value=sum(found["swaps"] for found in plain),
        )
        yield GaugeMetricFamily(
            "leadml_requests_in_flight",
            "Requests being answered.",
            value=sum(found["in_flight"] for found in plain),
        )
        yield GaugeMetricFamily(
            "leadml_degraded",
            "1 when the newest champion cannot be served; /health/ready says why.",
            value=float(any(found["degraded"] for found in plain)),
        )
        yield GaugeMetricFamily(
            "leadml_memory_unusable",
            "1 while the database cannot be used; /health/ready says why.",
            value=float(any(found["forgetful"] for found in plain)),
        )
        info = GaugeMetricFamily(
            "leadml_model_info",
            "1 for each version served.",
            labels=["model_version", "policy_version", "digest"],
        )
        for model in {json.dumps(found["model"], sort_keys=True) for found in plain}:
            data = json.loads(model)
            if data:
                info.add_metric(
                    [data["model_version"], data["policy_version"], data["digest"]], 1.0
                )
        yield info
        for part, name, says in _GAUGES:
            gauge = GaugeMetricFamily(f"leadml_{name}", says)
            known = [found[part][name] for found in plain if name in found.get(part, {})]
            if known:
                gauge.add_metric([], max(known))
            yield gauge
        same = GaugeMetricFamily(
            "leadml_same_score_share",
            f"Share of the commonest probability among the last {LAST_SCORES} scores of a process.",
        )
        shares = [found["same_share"] for found in plain if found["same_share"] is not None]
        if shares:
            same.add_metric([], max(shares))
        yield same


_COUNTED: Final = (
    ("leadml_scores", "stages", "stage", "Leads scored, by proposed stage."),
    ("leadml_leads_refused", "refused", "code", "Leads of batches that could not be read."),
    ("leadml_overloaded", "overloaded", "route", "Requests refused because too many waited."),
    ("leadml_decisions", "decisions", "result", "Scores to be recorded, by what became of it."),
    ("leadml_bundles_rejected", "rejected", "reason", "Bundles not served, by reason."),
)

_GAUGES: Final = (
    (
        "room",
        "proposals_last_week",
        "Leads proposed as MQL in the last whole week (Monday to Sunday).",
    ),
    (
        "room",
        "capacity_per_week",
        "Leads that sales can work in a week, where the policy says so.",
    ),
    ("room", "capacity_exceeded", "1 while proposals outgrow the capacity by more than luck."),
    ("hand_over", "webhook_waiting", "Messages that webhooks are still to be sent."),
    ("hand_over", "webhook_dead", "Messages given up; a replay sends them again."),
    ("hand_over", "webhook_oldest_seconds", "Age of the oldest message that waits."),
)
