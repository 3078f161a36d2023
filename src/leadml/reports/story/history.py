"""What a model learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.story.parts import Chart, Drawer, Section, Table, thinned

__all__ = ["history"]

Fact = Mapping[str, Any]

SET_ASIDE_NAMED = 12

_ORDERS = {"time": "by time", "rows": "as in the file", "none": "not known"}


def history(facts: Fact, drawer: Drawer) -> Section:
    """Leads, windows, outcome, columns set aside, time to conversion."""
    return Section(
        "What it learned from",
        "history",
        {
            "lines": _lines(facts),
            "windows": _windows(_spans(facts)),
            "pairs": _pairs(facts),
            "dropped": _set_aside(facts),
            "chart": _maturing(facts.get("labels") or {}, drawer),
        },
    )


def _lines(facts: Fact) -> list[str]:
    data, period = facts["data"], facts["data"].get("period")
    arrived = ""
    if period:
        start, end = words.day(period.get("from")), words.day(period.get("to"))
        arrived = f" that arrived from {start} to {end}"
    lines = [
        f"{words.count(data['n_leads'])} leads{arrived}, {words.count(data['n_conversions'])} of "
        f"them converted ({words.chance(data['base_rate'])})."
    ]
    horizon = (facts.get("labels") or {}).get("horizon_days")
    if horizon:
        lines.append(
            f"Converted means within {horizon:g} days. Leads younger than that without a "
            "conversion are unknown, not lost."
        )
    if (facts.get("protocol") or {}).get("kind") == "forward":
        lines.append(
            "The test leads came later than every lead learned from; the model that is served "
            "then learned from all of them."
        )
    elif data.get("order") == "none":
        lines.append("No time is known, so nothing can be said about how it holds up over time.")
    return lines


def _spans(facts: Fact) -> list[tuple[str, int, str]]:
    """Name, leads, fill of each window, in the order of time."""
    data, protocol = facts["data"], facts.get("protocol") or {}
    n_leads = int(data["n_leads"])
    n_train, n_test = int(protocol.get("n_train") or 0), int(protocol.get("n_test") or 0)
    between = n_leads - n_train - n_test if protocol.get("kind") == "forward" else 0
    spans = [
        ("learn", n_train, "f-rest"),
        ("outcome not known at the test", max(between, 0), "f-pale"),
        ("test", n_test, "f-model"),
    ]
    if protocol.get("kind") == "folds":
        spans = [("learn, each fold tested in turn", n_leads, "f-model")]
    n_unknown = int((facts.get("labels") or {}).get("n_unknown") or 0)
    return [span for span in (*spans, ("unknown yet", n_unknown, "hollow")) if span[1]]


def _pairs(facts: Fact) -> list[tuple[str, Any]]:
    data, labels = facts["data"], facts.get("labels") or {}
    order = str(data.get("order", ""))
    pairs = [
        ("Source", data.get("source")),
        ("Outcome", f"{data.get('target')} = {data.get('positive')}"),
        ("Rows read", words.count(data.get("n_rows"))),
        ("Order", f"by {data['order_by']}" if "order_by" in data else _ORDERS.get(order, order)),
    ]
    if data.get("leads_per_week_known") and data.get("leads_per_week"):
        pairs.append(("Leads a week", words.per_week(float(data["leads_per_week"]))))
    if labels.get("as_of"):
        pairs.append(("As of", words.day(labels["as_of"])))
    return [(key, value) for key, value in pairs if value is not None]


def _set_aside(facts: Fact) -> list[tuple[str, list[str], int]]:
    """Reason, first columns, number of further columns."""
    reasons: dict[str, list[str]] = {}
    for dropped in facts["data"].get("dropped") or ():
        reasons.setdefault(str(dropped["reason"]), []).append(str(dropped["column"]))
    return [
        (why, names[:SET_ASIDE_NAMED], max(0, len(names) - SET_ASIDE_NAMED))
        for why, names in reasons.items()
    ]


def _maturing(labels: Fact, drawer: Drawer) -> Chart | None:
    curve: Sequence[Fact] = labels.get("curve") or ()
    if len(curve) < 3:
        return None
    horizon = labels.get("horizon_days")
    last = float(curve[-1]["share"]) or 1.0
    by_half = next((p for p in curve if float(p["share"]) >= 0.5 * last), curve[-1])
    title = f"Half of the conversions seen came within {float(by_half['day']):g} days"
    within = [float(p["share"]) for p in curve if float(p["day"]) <= float(horizon or 0)]
    if horizon and within:
        part = words.chance(within[-1] / last)
        title = f"{part} of the conversions seen came within {horizon:g} days"
    return Chart(
        title=title,
        subtitle="Share of leads converted by each day of age (Kaplan and Meier)",
        svg=drawer.labels(curve, horizon_days=horizon, label=f"Time to conversion: {title}"),
        numbers=Table(
            head=("Days", "Leads converted"),
            rows=tuple(
                (f"{float(p['day']):g}", words.chance(float(p["share"])))
                for p in thinned(curve, 14)
            ),
        ),
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
