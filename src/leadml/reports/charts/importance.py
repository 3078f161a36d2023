"""The strongest columns, as bars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadml.reports import words
from leadml.reports.charts.drawing import axis_of, ink, rows_of

if TYPE_CHECKING:
    import altair as alt

__all__ = ["importance_chart"]

Fact = Mapping[str, Any]


def importance_chart(effects: Sequence[Fact], *, limit: int = 15) -> alt.Chart:
    """The strongest columns by their share of the variance of the log-odds."""
    import altair as alt

    rows = [
        {
            "i": i,
            "name": words.name_of(e)[:40],
            "share": float(e["importance"]),
            "t": words.chance(float(e["importance"])),
        }
        for i, e in enumerate(effects[:limit])
    ]
    y = alt.Y(
        "i:O",
        title=None,
        axis=axis_of(
            labelExpr=f"{json.dumps([row['name'] for row in rows])}[datum.value]",
            labelLimit=220,
            grid=False,
        ),
        scale=alt.Scale(padding=0.3),
    )
    base = alt.Chart(rows_of(rows)).encode(
        x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(nice=False)), y=y
    )
    bars = base.mark_bar(color=ink("model"), cornerRadiusEnd=2)
    text = base.mark_text(align="left", dx=5, color=ink("ink-2")).encode(text="t:N")
    return alt.layer(bars, text).properties(width=360, height=max(60, 24 * len(rows)))
