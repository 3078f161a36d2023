"""The sections of a report in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leadml.reports import words
from leadml.reports.story.cuts import cuts
from leadml.reports.story.drivers import drivers
from leadml.reports.story.everyone import everyone
from leadml.reports.story.examples import examples
from leadml.reports.story.history import history
from leadml.reports.story.method import method
from leadml.reports.story.opening import origin, tiles, verdict
from leadml.reports.story.parts import Drawer, Section
from leadml.reports.story.quality import quality
from leadml.reports.story.trust import trust

__all__ = ["tell"]

Fact = Mapping[str, Any]


def _present(sections: Iterable[Section | None]) -> list[Section]:
    return [section for section in sections if section is not None]


def tell(facts: Fact, drawer: Drawer) -> dict[str, Any]:
    """Everything the page shows, as text, tables and drawings.

    Parameters
    ----------
    facts
        Facts of one training run, as plain data.
    drawer
        Who draws the charts.

    Returns
    -------
    dict
        ``title``, ``when``, ``promise``, ``origin``, ``verdict``, ``tiles``, ``sections`` for the
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
        "origin": origin(facts),
        "verdict": verdict(facts),
        "tiles": tiles(facts),
        "sections": _present(
            (
                history(facts, drawer),
                trust(facts),
                quality(facts, drawer),
                everyone(facts),
                cuts(facts),
                drivers(facts, drawer),
                examples(facts),
                method(facts),
            )
        ),
    }
