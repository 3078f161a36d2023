"""How good a model is on leads it had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadml.reports import words
from leadml.reports.charts.months import MONTH_SHOWN_FROM
from leadml.reports.story.estimates import estimate, tested
from leadml.reports.story.parts import Cell, Chart, Drawer, Section, Table, thinned

__all__ = ["quality"]

Fact = Mapping[str, Any]


def quality(facts: Fact, drawer: Drawer) -> Section | None:
    """Charts of ranking, calibration, months, then rivals; None where nothing was tested."""
    charts = (
        _gains(facts, drawer),
        _calibration(facts, drawer),
        _bands(facts, drawer),
        _months(facts, drawer),
    )
    drawn = [chart for chart in charts if chart is not None]
    table = _contenders(facts)
    if not drawn and table is None:
        return None
    return Section(
        "How good it is", "quality", {"charts": drawn, "table": table, "tested": tested(facts)}
    )


def _ranks(points: Sequence[Fact]) -> bool:
    """Whether a gains curve leaves the diagonal: a constant answer is drawn as "no model"."""
    return any(
        abs(float(p["share_of_conversions"]) - float(p["share_of_leads"])) > 1e-9 for p in points
    )


def _gains(facts: Fact, drawer: Drawer) -> Chart | None:
    gains = facts.get("gains") or ()
    if len(gains) < 2:
        return None
    others = [
        (str(b["name"]), b["gains"])
        for b in facts.get("baselines") or ()
        if b.get("gains") and _ranks(b["gains"])
    ]
    fifth = estimate(facts, "top_fifth_share")
    share = fifth["value"] if fifth else None
    title = (
        f"A fifth of the work finds {words.chance(share)} of conversions"
        if share is not None
        else "Conversions found by working the best leads first"
    )
    band = any(p.get("low") is not None for p in gains)
    return Chart(
        title=title,
        subtitle="Share of conversions found when the best leads are worked first"
        + (", with 95 % interval" if band else ""),
        svg=drawer.gains(
            gains,
            fifth=share,
            others=[points for _, points in others],
            label=f"Gains curve: {title}",
        ),
        key=(
            ("model", str(facts["model"].get("name", "this model"))),
            *((f"other-{min(i, 3)}", name) for i, (name, _) in enumerate(others)),
            ("none", "no model"),
        ),
        numbers=_gains_table(gains, others),
    )


def _gains_table(gains: Sequence[Fact], others: Sequence[tuple[str, Sequence[Fact]]]) -> Table:
    """The points of the curve, with those of others beside them where they were told."""
    found = [
        (name, {float(p["share_of_leads"]): float(p["share_of_conversions"]) for p in points})
        for name, points in others
    ]
    rows = []
    for p in thinned(gains, 21):
        at = float(p["share_of_leads"])
        if at <= 0:
            continue
        rows.append(
            (
                words.chance(at),
                words.chance(float(p["share_of_conversions"])),
                words.chance_range(p.get("low"), p.get("high")),
                words.digits(p.get("lift"), 2),
                *(words.chance(told[at]) if at in told else words.EN for _, told in found),
            )
        )
    return Table(
        head=(
            "Leads worked",
            "Conversions found",
            "95 % interval",
            "Lift",
            *(f"Found by {name}" for name, _ in found),
        ),
        rows=tuple(rows),
    )


def _calibration(facts: Fact, drawer: Drawer) -> Chart | None:
    bins = facts.get("calibration") or ()
    if len(bins) < 2:
        return None
    sizes = [int(b["n"]) for b in bins]
    each = (
        words.count(sizes[0])
        if max(sizes) - min(sizes) <= 1
        else f"{words.count(min(sizes))} to {words.count(max(sizes))}"
    )
    title = _calibration_title(bins, facts)
    return Chart(
        title=title,
        subtitle=f"{len(bins)} groups of {each} leads; on the line is exactly right",
        svg=drawer.calibration(bins, label=f"Calibration: {title}"),
        key=(("model", "as predicted"), ("dot", "happened, 95 % interval")),
        numbers=_promises(
            _group_name(len(bins)).capitalize(), [(str(i + 1), b) for i, b in enumerate(bins)]
        ),
    )


def _promises(first: str, groups: Sequence[tuple[str, Fact]]) -> Table:
    """Predicted beside happened, one group of leads a row."""
    return Table(
        head=(first, "Leads", "Predicted", "Happened", "95 % interval"),
        rows=tuple(
            (
                name,
                words.count(group["n"]),
                words.chance(float(group["predicted"])),
                words.chance(float(group["observed"])),
                words.chance_range(group.get("low"), group.get("high")),
            )
            for name, group in groups
        ),
    )


def _bands(facts: Fact, drawer: Drawer) -> Chart | None:
    bands = [b for b in facts.get("score_bands") or () if int(b["n"])]
    if len(bands) < 2:
        return None
    best = bands[-1]
    rate = int(best["n_conversions"]) / int(best["n"])
    title = f"At score {best['from']} or more, {words.chance(rate)} convert"
    return Chart(
        title=title,
        subtitle="Share that converted, in %, by score",
        svg=drawer.bands(
            bands, base_rate=_tested_rate(bands), label=f"Conversion by score band: {title}"
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


def _months(facts: Fact, drawer: Drawer) -> Chart | None:
    months = facts.get("months") or ()
    full = [m for m in months if int(m["n"]) >= MONTH_SHOWN_FROM]
    if len(full) < 2:
        return None
    title = _months_title(full)
    left_out = f"; months below {MONTH_SHOWN_FROM} leads are not drawn"
    return Chart(
        title=title,
        subtitle="Average predicted chance beside the share that converted, by month"
        + (left_out if len(full) < len(months) else ""),
        svg=drawer.months(full, label=f"Months: {title}"),
        key=(("model", "predicted"), ("dot", "happened, 95 % interval")),
        numbers=_promises("Month", [(words.day(str(m["month"])), m) for m in months]),
    )


def _calibration_title(bins: Sequence[Fact], facts: Fact) -> str:
    """Written rule: first whether the sum is right, then what share of the groups is.

    The sum is off when the mean prediction lies outside the interval of what happened
    and differs by more than a tenth. A group is right when its interval holds its
    prediction; eight of ten must be. "Came true" is never said beside a verdict of no trust.
    """
    known = [b for b in bins if b.get("low") is not None and b.get("high") is not None]
    predicted, happened = estimate(facts, "predicted_rate"), estimate(facts, "base_rate")
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


def _tested_rate(bands: Sequence[Fact]) -> float:
    return sum(int(b["n_conversions"]) for b in bands) / sum(int(b["n"]) for b in bands)


def _contenders(facts: Fact) -> Table | None:
    measures = [("roc_auc", "ROC AUC"), ("log_loss", "Log loss"), ("brier", "Brier")]
    ours = {key: estimate(facts, key) for key, _ in measures}
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
