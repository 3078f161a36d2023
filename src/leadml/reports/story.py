"""What a report says, section by section.

Turns facts into sentences, tables, charts. Nothing is estimated here: every number
shown stands in the facts. Parts whose facts are absent are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leadml.reports import charts, words

__all__ = [
    "Cell",
    "Chart",
    "Table",
    "effect_groups",
    "effect_names",
    "metric_rows",
    "tell",
    "threshold_table",
    "verdict_of",
]

Fact = Mapping[str, Any]

EFFECTS_DRAWN = 10
LEVELS_DRAWN = 8
LEVELS_LISTED = 40
REASONS_SHOWN = 6
RANKED = 12
SET_ASIDE_NAMED = 12
ROWS_SHOWN = 20

_VERDICTS = {
    "trust": ("Trust it.", "pass"),
    "rank": ("Rank only.", "warn"),
    "provisional": ("Provisional.", "warn"),
    "no": ("Do not use.", "fail"),
}
_STAGES = {"sql": "SQL", "mql": "MQL", "nurture": "Nurture", "cold": "Cold"}
_GRADES = {"sql": "A", "mql": "B", "nurture": "C"}
_BASIS = {
    "capacity": "from what sales can work",
    "precision": "from the precision asked for",
    "value": "from value and cost",
}


@dataclass(frozen=True)
class Table:
    """Cells as text: a head, rows whose first cell names them; ``us`` rows are tinted."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""
    us: frozenset[int] = frozenset()
    text_columns: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Chart:
    """A drawing, what it found, and the numbers behind it."""

    title: str
    subtitle: str
    svg: str
    numbers: Table
    key: tuple[tuple[str, str], ...] = ()
    foot: str = ""


@dataclass(frozen=True)
class Cell:
    """A figure with its interval in small print."""

    value: str
    interval: str = ""


@dataclass
class _Section:
    title: str
    kind: str
    body: dict[str, Any] = field(default_factory=dict)


def _estimate(facts: Fact, name: str) -> dict[str, Any] | None:
    found = (facts.get("metrics") or {}).get(name)
    if isinstance(found, Mapping) and found.get("value") is not None:
        value = float(found["value"])
        if math.isfinite(value):
            return {"value": value, "low": found.get("low"), "high": found.get("high")}
    return None


def _amount(found: Any) -> dict[str, Any]:
    """An estimate of the policy, whether it carries an interval or not."""
    if isinstance(found, Mapping):
        return {"value": found.get("value"), "low": found.get("low"), "high": found.get("high")}
    if isinstance(found, Sequence) and not isinstance(found, str):
        value, low, high = (*found, None, None)[:3]
        return {"value": value, "low": low, "high": high}
    return {"value": found, "low": None, "high": None}


def _share_cell(found: Any) -> Cell:
    part = _amount(found)
    return Cell(words.chance(part["value"]), words.chance_range(part["low"], part["high"]))


def _week_cell(found: Any) -> Cell:
    part = _amount(found)
    return Cell(words.per_week(part["value"]), words.per_week_range(part["low"], part["high"]))


_NUMBER = re.compile(r"([×±<]?\s?\d[\d,.]*\d(?:\s?%)?|[×±<]?\d(?:\s?%)?)")


def emphasised(sentence: str) -> list[tuple[str, bool]]:
    """A sentence in parts; the parts that are numbers are marked."""
    parts = _NUMBER.split(sentence)
    return [(part, i % 2 == 1) for i, part in enumerate(parts) if part]


# --- the top of the page ----------------------------------------------------------


def verdict_of(facts: Fact) -> tuple[str, str, str]:
    """Word of the verdict as people read it, its sentence without that word, its rule."""
    verdict = facts["verdict"]
    word, _ = _VERDICTS.get(str(verdict["word"]), (str(verdict["word"]), ""))
    sentence = str(verdict.get("sentence", "")).strip()
    if sentence.lower().startswith(word.lower()):
        sentence = sentence[len(word) :].strip()
    return word, sentence, str(verdict.get("rule") or "")


def _verdict(facts: Fact) -> dict[str, Any]:
    word, sentence, rule = verdict_of(facts)
    _, tone = _VERDICTS.get(str(facts["verdict"]["word"]), ("", "warn"))
    why = [_tested(facts)] if _tested(facts) else []
    if rule and not rule.isidentifier():
        why.append(f"Rule: {rule}")
    return {"word": word, "tone": tone, "parts": emphasised(sentence), "why": why}


def _tested(facts: Fact) -> str:
    protocol = facts.get("protocol") or {}
    if not protocol.get("n_test"):
        return ""
    n = words.count(protocol["n_test"])
    name = str(protocol.get("name", ""))
    tail = f" ({name})" if name else ""
    if protocol.get("kind") == "forward":
        return f"Tested forward in time on {n} leads, none used in training{tail}."
    if protocol.get("kind") == "folds":
        return f"Tested on {n} leads, each by a model that had not seen it{tail}."
    return f"Tested on {n} leads held back from training{tail}."


def _tiles(facts: Fact) -> list[dict[str, str]]:
    tiles = []
    fifth = _estimate(facts, "top_fifth_share")
    if fifth:
        tiles.append(
            {
                "label": "Top fifth holds",
                "value": words.chance(fifth["value"]),
                "note": words.chance_range(fifth["low"], fifth["high"]) or "of conversions",
            }
        )
    auc = _estimate(facts, "roc_auc")
    if auc:
        interval = words.range_of(auc["low"], auc["high"])
        tiles.append(
            {
                "label": "ROC AUC",
                "value": words.digits(auc["value"]),
                "note": interval or "0.5 is a coin, 1 is perfect",
            }
        )
    ece = _estimate(facts, "ece")
    if ece:
        low, high = ece["low"], ece["high"]
        interval = ""
        if low is not None and high is not None:
            interval = f"{words.range_of(100 * low, 100 * high, 1)}, "
        tiles.append(
            {
                "label": "Points off",
                "value": words.digits(100 * ece["value"], 1),
                "note": f"{interval}chance against what happened",
            }
        )
    mql = next((e for e in _expected(facts) if e.get("stage") == "mql"), None)
    if mql:
        volume, won = _amount(mql.get("volume_per_week")), _amount(mql.get("conversions_per_week"))
        precision = _amount(mql.get("precision"))
        if won["value"] is not None and volume["value"] is not None:
            unit = _week(facts)
            tiles.append(
                {
                    "label": f"Working {words.per_week(volume['value'])} leads {unit}",
                    "value": f"{words.per_week(won['value'])} won",
                    "note": f"{words.chance(precision['value'])} of those worked",
                }
            )
    if len(tiles) < 2:
        data = facts["data"]
        tiles.insert(
            0,
            {
                "label": "Leads",
                "value": words.count(data["n_leads"]),
                "note": f"{words.count(data['n_conversions'])} converted",
            },
        )
        tiles.insert(
            1,
            {
                "label": "Base rate",
                "value": words.chance(data["base_rate"]),
                "note": "of leads converted",
            },
        )
    return tiles[:4]


def _week(facts: Fact) -> str:
    """The unit of volumes: a week, or so many leads where no time is known."""
    data = facts["data"]
    if data.get("leads_per_week_known", True):
        return "a week"
    return f"of every {words.count(data.get('leads_per_week'))}"


# --- data -------------------------------------------------------------------------


def _data(facts: Fact) -> _Section:
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
            svg=charts.svg(
                charts.labels_chart(curve, horizon_days=horizon),
                label=f"Time to conversion: {title}",
                name="labels",
            ),
            numbers=Table(
                head=("Days", "Leads converted"),
                rows=tuple(
                    (f"{float(p['day']):g}", words.chance(float(p["share"])))
                    for p in _thinned(curve, 14)
                ),
            ),
        )
    return _Section(
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


def _thinned(points: Sequence[Any], most: int) -> list[Any]:
    if len(points) <= most:
        return list(points)
    picks = sorted({round(i * (len(points) - 1) / (most - 1)) for i in range(most)})
    return [points[i] for i in picks]


# --- checks -----------------------------------------------------------------------


_GATE = {
    "passed": {"tone": "pass", "word": "Passed"},
    "failed": {"tone": "fail", "word": "Failed"},
    "not_applicable": {"tone": "note", "word": "Not applicable"},
}
_TONES = {"blocks": ("fail", "Failed"), "warns": ("warn", "Look"), "tip": ("note", "Note")}


def _checks(facts: Fact) -> _Section | None:
    found, passed, aside = [], [], []
    order = {"blocks": 0, "warns": 1, "tip": 2}
    for check in sorted(
        facts.get("checks") or (), key=lambda c: (order.get(str(c.get("severity")), 3), c["code"])
    ):
        row = {
            "code": str(check["code"]),
            "title": str(check["title"]),
            "detail": str(check.get("detail") or ""),
            "columns": [str(c) for c in check.get("columns") or ()],
            "rows": [str(r) for r in list(check.get("rows") or ())[:ROWS_SHOWN]],
            "fix": str(check.get("fix") or ""),
        }
        status = check.get("status")
        if status == "found":
            row["tone"], row["word"] = _TONES.get(str(check.get("severity")), ("note", "Note"))
            found.append(row)
        elif status == "passed":
            row["tone"], row["word"] = "pass", "Passed"
            passed.append(row)
        else:
            row["tone"] = "note"
            row["word"] = "Silenced" if status == "silenced" else "Not applicable"
            aside.append(row)
    gate = facts.get("gate") or {}
    lines = [
        {
            "name": str(line["name"]),
            "sentence": words.signed(str(line["sentence"])),
            **_GATE.get(str(line["status"]), _GATE["not_applicable"]),
        }
        for line in gate.get("lines") or ()
    ]
    if not (found or passed or aside or lines):
        return None
    return _Section(
        "Can it be trusted?",
        "checks",
        {"gate": lines, "found": found, "passed": passed, "aside": aside},
    )


# --- how good ---------------------------------------------------------------------


def _calibration_title(bins: Sequence[Fact], facts: Fact) -> str:
    """Written rule: first whether the sum is right, then what share of the groups is.

    The sum is off when the mean prediction lies outside the interval of what happened
    and differs by more than a tenth. A group is right when its interval holds its
    prediction; eight of ten must be. "Came true" is never said beside a verdict of no trust.
    """
    known = [b for b in bins if b.get("low") is not None and b.get("high") is not None]
    predicted, happened = _estimate(facts, "predicted_rate"), _estimate(facts, "base_rate")
    if predicted and happened and happened["low"] is not None:
        said, was = predicted["value"], happened["value"]
        if not happened["low"] <= said <= happened["high"] and abs(said - was) > 0.1 * was:
            return f"{'More' if was > said else 'Fewer'} leads converted than predicted"
    if not known:
        return "Predicted chances beside what happened"
    inside = sum(float(b["low"]) <= float(b["predicted"]) <= float(b["high"]) for b in known)
    if inside >= 0.8 * len(known) and facts["verdict"]["word"] == "trust":
        return "Predicted chances came true"
    return f"Predicted chances came true in {inside} of {len(known)} groups"


def _months_title(months: Sequence[Fact]) -> str:
    known = [m for m in months if m.get("low") is not None and m.get("high") is not None]
    inside = sum(float(m["low"]) <= float(m["predicted"]) <= float(m["high"]) for m in known)
    if known and inside >= 0.8 * len(known):
        return "Promises were kept, month by month"
    if known:
        return f"Promises were kept in {inside} of {len(known)} months"
    return "Predicted beside what happened, by month"


def _group_name(edges: int) -> str:
    return {10: "tenth", 5: "fifth", 4: "quarter"}.get(edges, "group")


def _good(facts: Fact) -> _Section | None:
    drawn: list[Chart] = []
    name = str(facts["model"].get("name", "this model"))
    gains = facts.get("gains") or ()
    fifth = _estimate(facts, "top_fifth_share")
    if len(gains) > 1:
        others = [b for b in facts.get("baselines") or () if b.get("gains")]
        share = fifth["value"] if fifth else None
        title = (
            f"A fifth of the work finds {words.chance(share)} of conversions"
            if share is not None
            else "Conversions found by working the best leads first"
        )
        band = any(p.get("low") is not None for p in gains)
        drawn.append(
            Chart(
                title=title,
                subtitle="Share of conversions found when the best leads are worked first"
                + (", with 95 % interval" if band else ""),
                svg=charts.svg(
                    charts.gains_chart(gains, fifth=share, others=[b["gains"] for b in others]),
                    label=f"Gains curve: {title}",
                    name="gains",
                ),
                key=(
                    ("model", name),
                    *((f"other-{min(i, 3)}", str(other["name"])) for i, other in enumerate(others)),
                    ("none", "no model"),
                ),
                numbers=Table(
                    head=("Leads worked", "Conversions found", "95 % interval", "Lift"),
                    rows=tuple(
                        (
                            words.chance(float(p["share_of_leads"])),
                            words.chance(float(p["share_of_conversions"])),
                            words.chance_range(p.get("low"), p.get("high")),
                            words.digits(p.get("lift"), 2),
                        )
                        for p in _thinned(gains, 21)
                        if float(p["share_of_leads"]) > 0
                    ),
                ),
            )
        )
    bins = facts.get("calibration") or ()
    if len(bins) > 1:
        sizes = [int(b["n"]) for b in bins]
        each = (
            words.count(sizes[0])
            if max(sizes) - min(sizes) <= 1
            else f"{words.count(min(sizes))} to {words.count(max(sizes))}"
        )
        title = _calibration_title(bins, facts)
        drawn.append(
            Chart(
                title=title,
                subtitle=f"{len(bins)} groups of {each} leads; on the line is exactly right",
                svg=charts.svg(
                    charts.calibration_chart(bins), label=f"Calibration: {title}", name="cal"
                ),
                key=(("model", "as predicted"), ("dot", "happened, 95 % interval")),
                numbers=Table(
                    head=(
                        _group_name(len(bins)).capitalize(),
                        "Leads",
                        "Predicted",
                        "Happened",
                        "95 % interval",
                    ),
                    rows=tuple(
                        (
                            str(i + 1),
                            words.count(b["n"]),
                            words.chance(float(b["predicted"])),
                            words.chance(float(b["observed"])),
                            words.chance_range(b.get("low"), b.get("high")),
                        )
                        for i, b in enumerate(bins)
                    ),
                ),
            )
        )
    bands = [b for b in facts.get("score_bands") or () if int(b["n"])]
    if len(bands) > 1:
        best = bands[-1]
        rate = int(best["n_conversions"]) / int(best["n"])
        title = f"At score {best['from']} or more, {words.chance(rate)} convert"
        drawn.append(
            Chart(
                title=title,
                subtitle="Share that converted, in %, by score",
                svg=charts.svg(
                    charts.score_bands_chart(bands, base_rate=_tested_rate(bands)),
                    label=f"Conversion by score band: {title}",
                    name="bands",
                ),
                numbers=Table(
                    head=("Score", "Leads", "Converted", "Share"),
                    rows=tuple(
                        (
                            words.band(b),
                            words.count(b["n"]),
                            words.count(b["n_conversions"]),
                            words.chance(int(b["n_conversions"]) / int(b["n"])),
                        )
                        for b in bands
                    ),
                ),
            )
        )
    months = facts.get("months") or ()
    full = [m for m in months if int(m["n"]) >= charts.MONTH_SHOWN_FROM]
    if len(full) > 1:
        title = _months_title(full)
        drawn.append(
            Chart(
                title=title,
                subtitle="Average predicted chance beside the share that converted, by month"
                + (
                    f"; months below {charts.MONTH_SHOWN_FROM} leads are not drawn"
                    if len(full) < len(months)
                    else ""
                ),
                svg=charts.svg(charts.months_chart(full), label=f"Months: {title}", name="months"),
                key=(("model", "predicted"), ("dot", "happened, 95 % interval")),
                numbers=Table(
                    head=("Month", "Leads", "Predicted", "Happened", "95 % interval"),
                    rows=tuple(
                        (
                            words.day(str(m["month"])),
                            words.count(m["n"]),
                            words.chance(float(m["predicted"])),
                            words.chance(float(m["observed"])),
                            words.chance_range(m.get("low"), m.get("high")),
                        )
                        for m in months
                    ),
                ),
            )
        )
    table = _contenders(facts)
    if not drawn and table is None:
        return None
    return _Section(
        "How good it is", "good", {"charts": drawn, "table": table, "tested": _tested(facts)}
    )


def _tested_rate(bands: Sequence[Fact]) -> float:
    return sum(int(b["n_conversions"]) for b in bands) / sum(int(b["n"]) for b in bands)


def _contenders(facts: Fact) -> Table | None:
    measures = [("roc_auc", "ROC AUC"), ("log_loss", "Log loss"), ("brier", "Brier")]
    ours = {key: _estimate(facts, key) for key, _ in measures}
    if not any(ours.values()):
        return None
    first: list[Any] = [str(facts["model"].get("name", "this model"))]
    for key, _ in measures:
        part = ours[key]
        first.append(
            Cell(words.digits(part["value"]), words.range_of(part["low"], part["high"]))
            if part
            else words.EN
        )
    rows: list[tuple[Any, ...]] = [tuple(first)]
    rows += [
        (str(other["name"]), *(words.digits(other.get(key)) for key, _ in measures))
        for other in facts.get("baselines") or ()
    ]
    n = words.count((facts.get("protocol") or {}).get("n_test"))
    return Table(
        head=("Model", *(title for _, title in measures)),
        rows=tuple(rows),
        caption=f"The same {n} test leads; small figures are 95 % intervals. "
        "AUC: more is better; log loss, Brier: less is better.",
        us=frozenset({0}),
    )


# --- thresholds -------------------------------------------------------------------


def _expected(facts: Fact) -> list[Fact]:
    policy = facts.get("policy") or {}
    return list(policy.get("expected") or ())


def threshold_table(facts: Fact) -> Table | None:
    """What each threshold promises: volume, precision, conversions, with intervals."""
    policy = facts.get("policy")
    if not policy:
        return None
    unit = _week(facts)
    expected = {str(e.get("stage")): e for e in _expected(facts)}
    known = [s for s in ("sql", "mql", "nurture") if policy.get(s) is not None]
    stages = [s for s in known if s in expected] or known
    others = "".join(
        f" {_STAGES[s]} (grade {_GRADES[s]}) starts at a chance of {words.chance(policy[s])}."
        for s in known
        if s not in stages
    )
    measures = (
        (f"Leads {unit}", "volume_per_week", _week_cell),
        ("Of these won", "precision", _share_cell),
        (f"Won {unit}", "conversions_per_week", _week_cell),
        ("Of all won", "recall", _share_cell),
    )
    rows: list[tuple[Any, ...]] = [
        ("Chance from", *(words.chance(float(policy[s])) for s in stages)),
    ]
    rows += [
        (name, *(cell(expected[s].get(key)) if s in expected else words.EN for s in stages))
        for name, key, cell in measures
        if any(s in expected for s in stages)
    ]
    basis = _BASIS.get(str(policy.get("basis")), str(policy.get("basis", "")))
    return Table(
        head=("", *(f"{_STAGES[s]}, grade {_GRADES[s]}" for s in stages)),
        rows=tuple(rows),
        caption=f"Policy {policy.get('version', '')}, {basis}. Each column counts every lead at or "
        f"above its threshold; small figures are 95 % intervals.{others}",
    )


def _cuts(facts: Fact) -> _Section | None:
    policy, table = facts.get("policy"), threshold_table(facts)
    if not policy or table is None:
        return None
    return _Section(
        "Where to cut", "cuts", {"reason": str(policy.get("reason") or ""), "table": table}
    )


# --- effects ----------------------------------------------------------------------


def effect_groups(effect: Fact, most: int = 12) -> list[dict[str, Any]]:
    """Neighbouring bins of a number joined to at most ``most`` ranges of leads.

    Returns
    -------
    list of dict
        ``from``, ``to`` (None where open), ``log_odds`` (average over the leads of the
        range), ``share``.
    """
    points = list(effect.get("points") or ())
    total = sum(float(p.get("share") or 0.0) for p in points)
    goal = total / most if len(points) > most else 0.0
    groups: list[dict[str, Any]] = []
    for p in points:
        share = float(p.get("share") or 0.0)
        middle = (float(p["log_odds_from"]) + float(p["log_odds_to"])) / 2
        last = groups[-1] if groups else None
        if last is not None and share == 0:
            last["to"] = p.get("to")
        elif last is not None and goal and last["share"] < goal:
            joint = last["share"] + share
            last["log_odds"] = (
                (last["log_odds"] * last["share"] + middle * share) / joint if joint else middle
            )
            last["share"], last["to"] = joint, p.get("to")
        else:
            groups.append(
                {"from": p.get("from"), "to": p.get("to"), "log_odds": middle, "share": share}
            )
    return groups


def _range_name(groups: Sequence[Fact], i: int, counts: bool) -> str:
    """A bin (from, to] in words; of counts as the whole numbers inside it."""
    low, high = groups[i].get("from"), groups[i].get("to")
    opens, closes = i == 0 or low is None, i == len(groups) - 1 or high is None
    if opens and closes:
        return "any"
    if counts:
        first = None
        if low is not None:
            first = math.ceil(float(low)) if i == 0 else math.floor(float(low) + 1e-9) + 1
        last = math.floor(float(high) + 1e-9) if high is not None else None
        if first is not None and last is not None and first >= last:
            return words.plain_number(last)
        if opens and last is not None:
            return f"up to {words.plain_number(last)}"
        if closes and first is not None:
            return f"{words.plain_number(first)} or more"
        if first is not None and last is not None:
            return f"{words.plain_number(first)}{words.EN}{words.plain_number(last)}"
    if opens:
        return f"up to {words.plain_number(float(high or 0.0))}"
    if closes:
        return f"over {words.plain_number(float(low or 0.0))}"
    start, end = words.plain_number(float(low or 0.0)), words.plain_number(float(high or 0.0))
    return f"{start}{words.EN}{end}"


def _named_points(effect: Fact) -> list[tuple[str, float, float]]:
    """Name, log-odds, share of each range or level."""
    if effect.get("kind") == "number":
        groups = effect_groups(effect)
        edges = [
            float(p[k]) for p in effect["points"] for k in ("from", "to") if p.get(k) is not None
        ]
        counts = charts.whole(edges)
        return [
            (_range_name(groups, i, counts), float(g["log_odds"]), float(g["share"]))
            for i, g in enumerate(groups)
        ]
    return [
        (str(p["level"]) or "(blank)", float(p["log_odds"]), float(p.get("share") or 0.0))
        for p in effect.get("points") or ()
    ]


def effect_names(effect: Fact) -> tuple[str, str]:
    """What raises and what lowers the odds most, among values of at least 1 % of leads."""
    seen = [point for point in _named_points(effect) if point[2] >= 0.01]
    if len(seen) < 2:
        return "", ""
    best, worst = max(seen, key=lambda p: p[1]), min(seen, key=lambda p: p[1])
    return f"{best[0]} ({words.odds(best[1])})", f"{worst[0]} ({words.odds(worst[1])})"


def _bar(log_odds: float, low: float, high: float) -> dict[str, Any]:
    """A bar from ×1 to the factor, in percent across, on the shared odds axis."""
    wide = high - low
    zero = 100 * (0.0 - low) / wide
    to = 100 * (min(max(log_odds, low), high) - low) / wide
    return {
        "zero": round(zero, 2),
        "x": round(min(zero, to), 2),
        "wide": round(max(abs(to - zero), 0.4), 2),
        "tone": "up" if log_odds >= 0 else "down",
    }


def _roles(facts: Fact) -> bool:
    """Whether both fit and engagement are learned from, so that naming them says something."""
    return len({str(e.get("role")) for e in facts.get("effects") or ()}) > 1


def _effects(facts: Fact) -> _Section | None:
    effects = [e for e in facts.get("effects") or () if float(e.get("importance") or 0.0) > 0]
    if not effects:
        return None
    strongest = max(float(e["importance"]) for e in effects)
    roles = _roles(facts)
    ranking = [
        {
            "name": words.name_of(e),
            "role": str(e.get("role") or ""),
            "wide": round(100 * float(e["importance"]) / strongest, 1),
            "share": words.chance(float(e["importance"])),
        }
        for e in effects[:RANKED]
    ]
    shown = effects[:EFFECTS_DRAWN]
    domain = charts.odds_domain(shown)
    low, high = math.log(domain[0]), math.log(domain[1])
    drawn = []
    for i, effect in enumerate(shown):
        missing = effect.get("missing") or {}
        empty = ""
        if missing and float(missing.get("share") or 0.0) >= 0.0005:
            empty = (
                f"Empty in {words.chance(float(missing['share']))} of leads: "
                f"{words.odds(float(missing['log_odds']))}"
            )
        panel: dict[str, Any] = {
            "name": words.name_of(effect),
            "role": str(effect.get("role") or "") if roles else "",
            "share": words.chance(float(effect["importance"])),
            "empty": empty,
            "svg": "",
            "bars": [],
            "more": 0,
            "say": "",
        }
        named = _named_points(effect)
        if effect.get("kind") == "number":
            best, worst = effect_names(effect)
            panel["say"] = f"best {best}, worst {worst}" if best else ""
            chart = charts.effect_chart(effect, domain=domain)
            if chart is not None:
                panel["svg"] = charts.svg(
                    chart,
                    label=f"Effect of {panel['name']} on the odds: {panel['say']}",
                    name=f"effect{i}",
                )
            panel["numbers"] = Table(
                head=("Value", "Leads", "Odds, on average"),
                rows=tuple((n, words.chance(share), words.odds(lo)) for n, lo, share in named),
            )
        else:
            loud = sorted(named, key=lambda point: -point[2])
            panel["bars"] = [
                {
                    "name": words.short(name),
                    "odds": words.odds(lo),
                    "share": words.chance(share),
                    **_bar(lo, low, high),
                }
                for name, lo, share in sorted(loud[:LEVELS_DRAWN], key=lambda point: -point[1])
            ]
            panel["more"] = max(0, len(named) - LEVELS_DRAWN)
            panel["numbers"] = Table(
                head=("Value", "Leads", "Odds"),
                rows=tuple(
                    (name, words.chance(share), words.odds(lo))
                    for name, lo, share in sorted(loud[:LEVELS_LISTED], key=lambda p: -p[1])
                ),
                caption=f"The {LEVELS_LISTED} most frequent values."
                if len(named) > LEVELS_LISTED
                else "",
            )
        drawn.append(panel)
    pairs = [p for p in facts.get("pairs") or () if float(p.get("importance") or 0.0) > 0][:8]
    labels = {str(e["column"]): words.name_of(e) for e in effects}
    pair_table = None
    if pairs:
        pair_table = Table(
            head=("Together", "Usual change of the odds"),
            rows=tuple(
                (
                    " and ".join(
                        labels.get(str(c), words.name_of({"column": c})) for c in p["columns"]
                    ),
                    words.odds(float(p["importance"])),
                )
                for p in pairs
            ),
            caption="Pairs of columns that matter beyond the sum of their parts, strongest first: "
            "the factor by which a pair usually changes the odds (one standard deviation).",
        )
    return _Section(
        "What drives conversion",
        "effects",
        {
            "roles": roles,
            "ranking": ranking,
            "more": max(0, len(effects) - len(ranking)),
            "panels": drawn,
            "pairs": pair_table,
        },
    )


# --- example leads ----------------------------------------------------------------


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _logit(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


_SAID = re.compile(r": odds [^:]*$")


def _said(reason: Fact) -> str:
    """The sentence of a reason without its odds, which have a column of their own."""
    field_name = str(reason["field"])
    text = _SAID.sub("", str(reason.get("text") or field_name)) or field_name
    return text[:1].upper() + text[1:]


def _spread(answers: list[Fact], most: int = 3) -> list[Fact]:
    """First, last, and one between: the strong, the middling, the weak."""
    return answers if len(answers) <= most else [answers[0], answers[1], answers[-1]]


def _examples(facts: Fact) -> _Section | None:
    found = []
    roles = _roles(facts)
    for answer in _spread(list(facts.get("examples") or ())):
        if "probability" not in answer or not answer.get("reasons"):
            continue
        start = (
            _logit(float(answer["base_probability"]))
            if "base_probability" in answer
            else float(facts["base_log_odds"])
        )
        reasons = list(answer["reasons"])
        reasons.sort(key=lambda r: -abs(float(r["log_odds"])))
        rest = sum(float(r["log_odds"]) for r in reasons[REASONS_SHOWN:])
        rest += float(answer.get("other_log_odds") or 0.0)
        n_rest = len(reasons[REASONS_SHOWN:])
        steps: list[dict[str, Any]] = [
            {
                "say": _said(r),
                "note": str(r.get("role") or "") if roles else "",
                "log_odds": float(r["log_odds"]),
            }
            for r in reasons[:REASONS_SHOWN]
        ]
        if n_rest or abs(rest) > 5e-5:
            say = f"{n_rest} smaller reasons together" if n_rest > 1 else "All else together"
            steps.append({"say": say, "note": "", "log_odds": rest})
        at, path = start, [start]
        for step in steps:
            at += step["log_odds"]
            path.append(at)
        end = _logit(float(answer["probability"]))
        low, high = min(*path, end), max(*path, end)
        pad = 0.06 * (high - low) + 0.05
        low, high = low - pad, high + pad

        def place(value: float, low: float = low, high: float = high) -> float:
            return round(100 * (value - low) / (high - low), 2)

        for i, step in enumerate(steps):
            a, b = path[i], path[i + 1]
            step.update(
                x=place(min(a, b)),
                wide=max(round(abs(place(b) - place(a)), 2), 0.5),
                was=place(a),
                now=place(b),
                tone="up" if step["log_odds"] >= 0 else "down",
                odds=words.odds(step["log_odds"]),
                after=words.chance(_sigmoid(b)),
            )
        ticks = [t for t in (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95) if low < _logit(t) < high]
        probability = float(answer["probability"])
        score = answer.get("score")
        found.append(
            {
                "lead": str(answer.get("lead_id") or "example"),
                "score": "" if score is None else str(score),
                "grade": str(answer.get("grade") or ""),
                "stage": _STAGES.get(
                    str(answer.get("proposed_stage")), str(answer.get("proposed_stage") or "")
                ),
                "stage_class": str(answer.get("proposed_stage") or "")
                if answer.get("proposed_stage") in _STAGES
                else "",
                "spoken": words.chance_spoken(probability),
                "probability": words.chance(probability),
                "total": words.odds(end - start),
                "fit": answer.get("fit_score") if roles else None,
                "engagement": answer.get("engagement_score") if roles else None,
                "base": words.chance(_sigmoid(start)),
                "start": place(start),
                "end": place(end),
                "steps": steps,
                "ticks": [(place(_logit(t)), f"{100 * t:g}{words.THIN}%") for t in ticks],
            }
        )
    if not found:
        return None
    many = {1: "One lead", 2: "Two leads", 3: "Three leads"}[len(found)]
    return _Section(f"{many}, explained", "examples", {"leads": found})


# --- method -----------------------------------------------------------------------


def _method(facts: Fact) -> _Section:
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
            f"{words.chance(_sigmoid(float(facts['base_log_odds'])))} chance"
            if facts.get("base_log_odds") is not None
            else None,
        ),
        ("leadml", model.get("leadml_version")),
    ]
    metrics = _metric_table(facts)
    return _Section(
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
        part = _estimate(facts, str(name))
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


def _present(sections: Iterable[_Section | None]) -> list[_Section]:
    return [section for section in sections if section is not None]


def tell(facts: Fact) -> dict[str, Any]:
    """Everything the page shows, as text, tables and drawings.

    Parameters
    ----------
    facts
        Facts of one training run, as plain data.

    Returns
    -------
    dict
        ``title``, ``when``, ``promise``, ``verdict``, ``tiles``, ``sections`` for the
        template.
    """
    model, labels = facts["model"], facts.get("labels") or {}
    version = model.get("version")
    horizon = labels.get("horizon_days")
    return {
        "title": f"Lead scoring model, version {version}" if version else "Lead scoring model",
        "name": str(model.get("name")),
        "when": words.day(model.get("created_at")),
        "promise": "Chance that a lead converts"
        + (f" within {horizon:g} days" if horizon else "")
        + f" ({facts['data'].get('target')} = {facts['data'].get('positive')}).",
        "verdict": _verdict(facts),
        "tiles": _tiles(facts),
        "sections": _present(
            (
                _data(facts),
                _checks(facts),
                _good(facts),
                _cuts(facts),
                _effects(facts),
                _examples(facts),
                _method(facts),
            )
        ),
    }
