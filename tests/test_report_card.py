"""The model card in Markdown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from facts_sample import facts_minimal, facts_sample

from leadml.reports import words
from leadml.reports.card import model_card
from leadml.reports.story.cuts import threshold_table


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """Complete facts of a simulated run."""
    return facts_sample()


def test_the_card_has_its_chapters_in_order(facts: dict[str, Any]) -> None:
    """Use, data, quality, groups, thresholds, effects, limits, checks, gate, method."""
    chapters = re.findall(r"^## (.*)$", model_card(facts), flags=re.MULTILINE)
    assert chapters == [
        "Intended use",
        "Data",
        "How good it is",
        "Does it hold for everyone?",
        "Thresholds",
        "What drives conversion",
        "Limits",
        "Checks",
        "The gate before it may serve",
        "Method",
    ]


def test_figures_on_the_card_are_those_of_the_facts(facts: dict[str, Any]) -> None:
    """Metrics with intervals, thresholds and effects stand as in the facts."""
    card = model_card(facts)
    for part in (facts["metrics"]["roc_auc"], facts["metrics"]["log_loss"]):
        assert words.digits(part["value"]) in card
        assert words.range_of(part["low"], part["high"]) in card
    assert words.chance(facts["policy"]["mql"]) in card
    assert "| champion | not applicable | There is no champion yet. |" in card
    for column in (*facts["groups"], *facts["segments"]):
        for level in column["levels"]:
            assert words.chance(level["observed"]) in card
    for effect in facts["effects"]:
        assert words.chance(effect["importance"]) in card


def test_tables_are_rectangular(facts: dict[str, Any]) -> None:
    """Every line of a table has as many cells as its head, whatever the cells contain."""
    nasty = {**facts["checks"][0], "detail": "a | b\n| c |\r\n\u2028 d \\| e"}
    card = model_card({**facts, "checks": [nasty]})
    wide = None
    for line in card.splitlines():
        if not line.startswith("|"):
            wide = None
            continue
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        assert wide in (None, cells), line
        wide = cells


def test_text_of_others_cannot_act(facts: dict[str, Any]) -> None:
    """Markup, links and images in names come out as text."""
    nasty = "[x](javascript:alert(1)) ![y](http://z) <script> `code` # h | **b**"
    dropped = [{"column": nasty, "reason": nasty}]
    card = model_card({**facts, "data": {**facts["data"], "dropped": dropped}})
    line = next(line for line in card.splitlines() if "Set aside" in line)
    assert "<script" not in line
    assert not re.search(r"(?<!\\)[\[\]`|*]", line)
    assert "http://" not in line


def test_what_people_overruled_stands_on_the_card(facts: dict[str, Any]) -> None:
    """Silenced checks carry their reason; edited and recalibrated versions their origin."""
    edits = [{"column": "source", "sentence": "source: no longer counts", "moved": 0.2}]
    card = model_card({**facts, "edits": edits, "recalibrated_from": "leads@3"})
    assert "Silenced because: accounts come again and again" in card
    opening = card.split("## Intended use")[0]
    assert "Edited by hand after learning, in the effect of Source." in opening
    assert "Recalibrated from leads@3" in opening


def test_one_kind_of_columns_needs_no_role(facts: dict[str, Any]) -> None:
    """Where all columns are of one kind the table of effects does not name it."""
    fit = [{**effect, "role": "fit"} for effect in facts["effects"]]
    assert "| Role |" in model_card(facts)
    assert "| Role |" not in model_card({**facts, "effects": fit})


def test_tiny_data_has_a_card() -> None:
    """What is unknown is left out; the verdict and the limits stay."""
    card = model_card(facts_minimal())
    assert "**Provisional.**" in card
    assert "## Limits" in card
    assert "## Thresholds" not in card
    assert "None" not in card


def test_the_same_facts_give_the_same_bytes(facts: dict[str, Any]) -> None:
    """The card is part of the bundle, whose digest must not wander."""
    assert model_card(facts) == model_card(facts_sample())


def test_a_default_is_not_told_as_what_sales_can_work(facts: dict[str, Any]) -> None:
    """Without a capacity the table of thresholds says where the lines come from."""
    policy = {key: value for key, value in facts["policy"].items() if key != "capacity_per_week"}
    said = caption({**facts, "policy": policy})
    assert "by default a fifth of the leads and a twentieth" in said
    assert "from what sales can work" not in said
    assert "from what sales can work" in caption(facts)


def test_an_empty_band_is_not_told(facts: dict[str, Any]) -> None:
    """Nurture is left out where it would start at the line of MQL."""
    policy = facts["policy"]
    assert "grade C" in caption(facts)
    assert "grade C" not in caption({**facts, "policy": {**policy, "nurture": policy["mql"]}})


def caption(facts: dict[str, Any]) -> str:
    """What stands under the table of thresholds."""
    table = threshold_table(facts)
    assert table is not None
    return table.caption
