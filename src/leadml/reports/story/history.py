"""What a model learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.drawing import svg
from leadml.reports.charts.labels import labels_chart
from leadml.reports.story.parts import Chart, Section, Table, thinned

__all__ = ["history"]

Fact = Mapping[str, Any]

SET_ASIDE_NAMED = 12


def history(facts: Fact) -> Section:
    """Leads, windows, outcome, columns set aside, time to conversion."""
    data, labels = facts["data"], facts.get("labels") or {}
    protocol = facts.get("protocol") or {}
    period = data.get("period") or {}
    lines = [
        f"{words.count(data['n_leads'])} leads"
        + (
            f" that arrived from {words.day(period.get('from'))} to {words.day(period.get('to'))}"
            if period
            else ""
        )
        + f", {words.count(data['n_conversions'])} of them converted "
        f"({words.chance(data['base_rate'])})."
    ]
    horizon = labels.get("horizon_days")
    if horizon:
        lines.append(
            f"Converted means within {horizon:g} days. Leads younger than that without a "
            "conversion are unknown, not lost."
        )
    if protocol.get("kind") == "forward":
        lines.append(
            "The test leads came later than every lead learned from; the model that is served "
            "then learned from all of them."
        )
    elif data.get("order") == "none":
        lines.append("No time is known, so nothing can be said about how it holds up over time.")
    n_train, n_test = int(protocol.get("n_train") or 0), int(protocol.get("n_test") or 0)
    between = int(data["n_leads"]) - n_train - n_test if protocol.get("kind") == "forward" else 0
    spans: list[tuple[str, int, str]] = [
        ("learn", n_train, "f-rest"),
        ("outcome not known at the test", max(between, 0), "f-pale"),
        ("test", n_test, "f-model"),
        ("unknown yet", int(labels.get("n_unknown") or 0), "hollow"),
    ]
    if protocol.get("kind") == "folds":
        learned = ("learn, each fold tested in turn", int(data["n_leads"]), "f-model")
        spans = [learned, spans[-1]]
    windows = _windows([span for span in spans if span[1]])
    pairs = [
        ("Source", data.get("source")),
        ("Outcome", f"{data.get('target')} = {data.get('positive')}"),
        ("Rows read", words.count(data.get("n_rows"))),
        (
            "Order",
            {"time": "by time", "rows": "as in the file", "none": "not known"}.get(
                str(data.get("order")), str(data.get("order", ""))
            ),
        ),
    ]
    if data.get("leads_per_week_known") and data.get("leads_per_week"):
        pairs.append(("Leads a week", words.per_week(float(data["leads_per_week"]))))
    if labels.get("as_of"):
        pairs.append(("As of", words.day(labels["as_of"])))
    reasons: dict[str, list[str]] = {}
    for d in data.get("dropped") or ():
        reasons.setdefault(str(d["reason"]), []).append(str(d["column"]))
    dropped = [
        (why, names[:SET_ASIDE_NAMED], max(0, len(names) - SET_ASIDE_NAMED))
        for why, names in reasons.items()
    ]
    curve: Sequence[Fact] = labels.get("curve") or ()
    chart = None
    if len(curve) > 2:
        last = float(curve[-1]["share"]) or 1.0
        by_half = next((p for p in curve if float(p["share"]) >= 0.5 * last), curve[-1])
        title = f"Half of the conversions seen came within {float(by_half['day']):g} days"
        if horizon:
            within = [float(p["share"]) for p in curve if float(p["day"]) <= float(horizon)]
            if within:
                part = words.chance(within[-1] / last)
                title = f"{part} of the conversions seen came within {horizon:g} days"
        chart = Chart(
            title=title,
            subtitle="Share of leads converted by each day of age (Kaplan and Meier)",
            svg=svg(
                labels_chart(curve, horizon_days=horizon),
                label=f"Time to conversion: {title}",
                name="labels",
            ),
            numbers=Table(
                head=("Days", "Leads converted"),
                rows=tuple(
                    (f"{float(p['day']):g}", words.chance(float(p["share"])))
                    for p in thinned(curve, 14)
                ),
            ),
        )
    return Section(
        "What it learned from",
        "data",
        {"lines": lines, "windows": windows, "pairs": pairs, "dropped": dropped, "chart": chart},
    )


def _windows(spans: Sequence[tuple[str, int, str]]) -> list[dict[str, Any]]:
    """Windows of leads side by side, in percent; none thinner than 2 %."""
    total = sum(n for _, n, _ in spans) or 1
    wides = [max(100 * n / total, 2.0) for _, n, _ in spans]
    scale = 100 / sum(wides) if wides else 1.0
    found: list[dict[str, Any]] = []
    at = 0.0
    for (name, n, fill), wide in zip(spans, wides, strict=True):
        found.append(
            {
                "name": name,
                "n": words.count(n),
                "fill": fill,
                "at": round(at * scale, 2),
                "wide": round(max(wide * scale - 0.4, 0.5), 2),
            }
        )
        at += wide
    return found
