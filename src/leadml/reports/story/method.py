"""Method, limits, every measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.estimates import estimate, sigmoid
from leadml.reports.story.parts import Section, Table

__all__ = ["method", "metric_rows"]

Fact = Mapping[str, Any]


def method(facts: Fact) -> Section:
    """How it is made, what it does not know, where it came from, all its figures."""
    model, size = facts["model"], facts.get("size") or {}
    proof = facts.get("proof") or {}
    lines = []
    if size.get("columns"):
        trees = size.get("trees") or 0
        lines.append(
            "The model is a scorecard: a table of points for each of "
            f"{words.count(size['columns'])} columns "
            f"and {words.count(size.get('pairs') or 0)} pairs of columns "
            f"({words.count(size.get('cells') or 0)} cells)"
            + (
                f", compiled from {words.count(trees)} small trees and a linear part"
                if trees
                else ""
            )
            + ". The points of a lead add up to the log-odds of its chance, so the reasons are "
            "the model itself, not an approximation of it."
        )
    if proof:
        lines.append(
            f"Proven on {words.count(proof.get('rows'))} rows: tables and trees differ by at most "
            f"{words.tiny(float(proof.get('max_difference') or 0.0))}"
            + (
                f"; contributions add up to within {words.tiny(float(proof['additivity']))}."
                if proof.get("additivity") is not None
                else "."
            )
        )
    lines.append(
        "It knows only what was recorded. It says what goes together with conversion, not what "
        "causes it; columns that move together share their effect. Not for decisions about "
        "credit, employment or housing."
    )
    version = model.get("version")
    pairs = [
        ("Model", f"{model.get('name')}@{version}" if version else str(model.get("name"))),
        ("MLflow run", model.get("run_id")),
        ("Trained", words.day(model.get("created_at"))),
        ("Data digest", facts["data"].get("digest")),
        ("Rule of the verdict", facts["verdict"].get("rule")),
        ("Seed", model.get("seed")),
        (
            "Time to train",
            f"{float(model['seconds']):.0f}{words.THIN}s"
            if model.get("seconds") is not None
            else None,
        ),
        (
            "Typical lead",
            f"{words.chance(sigmoid(float(facts['base_log_odds'])))} chance"
            if facts.get("base_log_odds") is not None
            else None,
        ),
        ("leadml", model.get("leadml_version")),
    ]
    metrics = _metric_table(facts)
    return Section(
        "Method, limits",
        "method",
        {
            "lines": lines,
            "notes": [str(n) for n in facts.get("notes") or ()],
            "pairs": [(k, str(v)) for k, v in pairs if v not in (None, "")],
            "metrics": metrics,
        },
    )


_MEASURES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "lift_top_decile": "Lift, best tenth",
    "top_fifth_share": "Conversions in the top fifth",
    "predicted_rate": "Conversion rate, predicted",
    "base_rate": "Conversion rate, happened",
}

_SHARES = {"top_fifth_share", "predicted_rate", "base_rate"}

_COUNTS = {"n", "n_conversions"}


def metric_rows(facts: Fact) -> list[tuple[str, str, str, str]]:
    """Name, value, 95 % interval, protocol of every measured figure."""
    rows = []
    for name, found in (facts.get("metrics") or {}).items():
        part = estimate(facts, str(name))
        if part is None or name in _COUNTS:
            continue
        if name in _SHARES:
            value, interval = (
                words.chance(part["value"]),
                words.chance_range(part["low"], part["high"]),
            )
        else:
            places = 4 if name in ("brier", "ece") else 3
            value = words.digits(part["value"], places)
            interval = words.range_of(part["low"], part["high"], places)
        named = _MEASURES.get(str(name), str(name).replace("_", " "))
        rows.append((named, value, interval, str(found.get("protocol") or "")))
    return rows


def _metric_table(facts: Fact) -> Table | None:
    rows = metric_rows(facts)
    if not rows:
        return None
    return Table(
        head=("Measure", "Value", "95 % interval", "Protocol"),
        rows=tuple(rows),
        text_columns=frozenset({3}),
    )
