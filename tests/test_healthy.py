"""Healthy histories are left in peace: nothing refused, hardly a false warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leadml.datasets.catalog import get
from leadml.datasets.simulate import simulate, write_history
from leadml.service import Leadml
from leadml.settings import Settings
from tests.evil.corpus import history, text_of_table

TRUE_OF_SMALL = {"LML014"}
"""Fewer than 100 conversions: a fact about the table, no false alarm."""


def check(path: Path, **options: Any) -> dict[str, Any]:
    """What `leadml check` says of a table."""
    return Leadml(Settings(tracking_uri="sqlite:///nowhere.db")).learning.check(str(path), options)


def warnings_of(found: dict[str, Any], true: set[str]) -> list[str]:
    """Codes of warnings and blocks that are not known to be true of the table."""
    return [
        one["code"]
        for one in found["checks"]
        if one["status"] == "found" and one["severity"] != "tip" and one["code"] not in true
    ]


@pytest.mark.parametrize("seed", range(8))
def test_simulated_histories_are_not_refused(seed: int, tmp_path: Path) -> None:
    """Histories of a simulated CRM, from 600 to 2,700 leads, get at most one false warning."""
    write_history(simulate(600 + 300 * seed, seed=100 + seed), tmp_path)
    found = check(tmp_path / "leads.csv", target="converted")
    assert not found["blocked"]
    assert len(warnings_of(found, TRUE_OF_SMALL)) <= 1, warnings_of(found, TRUE_OF_SMALL)


@pytest.mark.parametrize("seed", range(8))
def test_plain_tables_are_not_refused(seed: int, tmp_path: Path) -> None:
    """Small tables, with times or without, in any usual dialect, get no false warning."""
    path = tmp_path / "leads.csv"
    dated = seed % 2 == 0
    text = text_of_table(history(150 + 250 * seed, seed, dated=dated), ",;\t|"[seed % 4])
    path.write_text(text, ("utf-8", "utf-8-sig", "utf-16")[seed % 3])
    times = {"created_at": "created", "outcome_at": "won_at"} if dated else {}
    found = check(path, target="won", **times)
    assert not found["blocked"]
    assert warnings_of(found, TRUE_OF_SMALL) == []


REAL: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    # the macro columns of a crisis: conversions rose from 6 to 31 % while they moved
    "bank": (
        "bank_additional_full.csv.gz",
        {"target": "y", "positive": "yes", "drop": ["duration", "campaign"], "order_by": "rows"},
        {"LML004", "LML016", "LML019"},
    ),
    "bank without order": (
        "bank_additional_full.csv.gz",
        {"target": "y", "positive": "yes", "drop": ["duration", "campaign"]},
        set(),
    ),
    "xeducation": (
        "xeducation_leads.csv.gz",
        {
            "target": "Converted",
            "drop": [
                "Prospect ID", "Tags", "Lead Quality", "Lead Profile", "Last Activity",
                "Last Notable Activity", "Asymmetrique Activity Index",
                "Asymmetrique Profile Index", "Asymmetrique Activity Score",
                "Asymmetrique Profile Score",
                # filled by sales while they work a lead; its emptiness tells the outcome
                "What is your current occupation",
                "What matters most to you in choosing a course",
            ],
        },
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_histories_are_not_refused(name: str, mirror: Path) -> None:
    """Real lead data, rid of what is known only afterwards, gets at most one false warning."""
    file, options, true = REAL[name]
    found = check(mirror / file, **options)
    assert not found["blocked"], [c for c in found["checks"] if c["severity"] == "blocks"][:2]
    false = warnings_of(found, TRUE_OF_SMALL | true)
    assert len(false) <= 1, false


def test_coil_is_not_refused(mirror: Path, tmp_path: Path) -> None:
    """COIL 2000, 85 columns of neighbourhoods and policies, gets at most one false warning."""
    train, _ = get("coil2000", into=tmp_path, mirror=mirror)
    found = check(train, target="caravan")
    assert not found["blocked"]
    assert len(warnings_of(found, TRUE_OF_SMALL)) <= 1


def test_olist_is_not_refused(mirror: Path, tmp_path: Path) -> None:
    """Olist, leads and outcomes in two tables, gets at most one false warning."""
    leads, outcomes = get("olist", into=tmp_path, mirror=mirror)
    found = check(leads, outcomes=str(outcomes), horizon_days=60)
    assert not found["blocked"]
    # true of it: one deal was closed before first contact, and a rate that rose
    assert len(warnings_of(found, {"LML006", "LML013", "LML016"})) <= 1
