"""Figures and parameters under the names that MLflow shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["figures_of", "flat", "seen_in_use", "training_metrics"]

_NOT_IN_KEYS: Final = re.compile(r"[^\w\-. /]")
_KEY_LENGTH: Final = 250


def figures_of(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Each figure by name; its interval, where it has one, as ``<name>_low``, ``<name>_high``."""
    for key, figure in metrics.items():
        if isinstance(figure, Mapping):
            for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                if isinstance(figure.get(part), int | float):
                    yield key + suffix, float(figure[part])
        elif isinstance(figure, int | float) and not isinstance(figure, bool):
            yield key, float(figure)


def training_metrics(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Figures of a run: metrics with their intervals, baselines, counts."""
    yield from figures_of(facts.get("metrics", {}))
    for baseline in facts.get("baselines", ()):
        word = _NOT_IN_KEYS.sub("", str(baseline.get("name", ""))).strip().replace(" ", "_")
        for key, value in figures_of({k: v for k, v in baseline.items() if k != "name"}):
            yield f"baseline/{word}/{key}", value
    for part, keys in (
        ("data", ("n_rows", "n_leads", "n_conversions", "base_rate")),
        ("size", ("columns", "pairs", "cells", "trees")),
        ("proof", ("rows", "max_difference")),
        ("model", ("seconds",)),
    ):
        section = facts.get(part, {})
        for key, value in figures_of({key: section[key] for key in keys if key in section}):
            yield f"{part}/{key}", value


def seen_in_use(told: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Figures of a version in use: live metrics, drift per column, proposals."""
    for key, value in figures_of(told.get("metrics", {})):
        yield f"live/{key}", value
    for key in ("n_leads", "n_conversions"):
        yield f"live/{key}", float(told.get(key, 0))
    drift = told.get("drift", {})
    for part in (drift.get("probability"), *drift.get("inputs", ())):
        if part is not None:
            yield f"drift/{_NOT_IN_KEYS.sub('', str(part['name']))[:200]}", float(part["psi"])
    capacity = told.get("capacity", {})
    for key in ("proposals", "capacity_per_week"):
        if key in capacity:
            yield f"capacity/{key}", float(capacity[key])
    yield "needs_look", float(bool(told.get("needs_look")))


def flat(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Options by name as text, nested ones joined by dots."""
    for key, value in params.items():
        name = _NOT_IN_KEYS.sub("_", f"{above}{key}")[:_KEY_LENGTH]
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list | tuple | set | frozenset):
            yield name, ", ".join(str(each) for each in value)
        else:
            yield name, str(value)
