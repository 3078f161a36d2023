"""leadml.evaluation.checks: the registry, and all checks together."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadml.errors import ROWS_SHOWN, ConfigError
from leadml.evaluation.checks import CHECKS, run_checks
from leadml.leads import Role
from tests.checks.planted import DAY_S, START_S, clean_columns, history, leaky_columns

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "checks"

X_EDUCATION_AFTER = {
    "Tags", "Lead Quality", "Lead Profile", "Asymmetrique Activity Index",
    "Asymmetrique Profile Index", "Asymmetrique Activity Score", "Asymmetrique Profile Score",
    "Last Activity", "Last Notable Activity",
}  # fmt: skip
ASKED_BY_SALES = {
    "What is your current occupation",
    "What matters most to you in choosing a course",
}


def by_code(findings):
    """Findings by their code."""
    return {finding.code: finding for finding in findings}


def test_codes_run_in_a_row_with_page_and_test():
    """Codes have no gap; each check has a page with its title and a test file of its own."""
    assert list(CHECKS) == [f"LML{i:03}" for i in range(1, len(CHECKS) + 1)]
    for code, check in CHECKS.items():
        page = (ROOT / check.page).read_text(encoding="utf-8")
        assert page.startswith(f"# {code}: {check.title}\n"), code
        for part in ("## What it looks for", "## Why it matters", "## What to do"):
            assert part in page, (code, part)
        assert f"| severity | {check.severity}" in page, code
        assert (ROOT / "tests" / "checks" / f"test_{code.lower()}.py").exists()
    assert len(list(PAGES.glob("LML*.md"))) == len(CHECKS)


def test_the_index_lists_every_check():
    """docs/checks/README.md names every code, title and severity."""
    rows = re.findall(
        r"^\| \[(LML\d+)\]\(LML\d+\.md\) \| ([^|]+) \| (\w+) \|",
        (PAGES / "README.md").read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert rows == [(c.code, c.title, c.severity) for c in CHECKS.values()]


def test_every_check_answers_once_in_order_of_weight():
    """Each check gives one finding: what blocks, warns, tips, then silenced, passed, the rest."""
    y = history().y
    findings = run_checks(history(add={"became": y, "same": np.ones(y.size), "status": y}))
    assert sorted(finding.code for finding in findings) == list(CHECKS)
    rank = {"found": 0, "silenced": 1, "passed": 2, "not_applicable": 3}
    weight = {"blocks": 0, "warns": 1, "tip": 2}
    order = [
        (rank[f.status], weight[f.severity] if f.status == "found" else 0, f.code) for f in findings
    ]
    assert order == sorted(order)


def test_findings_are_plain_data_without_values_of_leads():
    """Every finding is JSON; at most 20 rows; no text of a lead is repeated."""
    rng = np.random.default_rng(0)
    canary = "canary.mustermann@example.org"
    text = np.where(rng.random(3000) < 0.5, canary, "=cmd|x!A0").astype(object)
    data = history(add={"remark": text, "became": history().y})
    told = json.dumps([finding.as_dict() for finding in run_checks(data)], allow_nan=False)
    assert "canary" not in told
    assert "cmd" not in told
    assert all(len(finding.rows) <= ROWS_SHOWN for finding in run_checks(data))


def test_the_same_history_gives_the_same_findings():
    """Two runs agree, and the order of columns decides nothing but the order of names."""
    y = history().y
    add = {**clean_columns(10, y), **leaky_columns(5, y)}
    first, second = (run_checks(history(add=add)) for _ in range(2))
    assert first == second
    backwards = run_checks(history(add=dict(reversed(add.items()))))
    assert {f.code: (f.status, set(f.columns)) for f in backwards} == {
        f.code: (f.status, set(f.columns)) for f in first
    }


def test_a_code_is_silenced_with_its_reason():
    """A silenced check no longer blocks; its reason is kept for the report."""
    y = history().y
    data = history(add={"became": y}, silence={"LML001": "we know it beforehand"})
    found = by_code(run_checks(data))["LML001"]
    assert (found.status, found.reason, found.blocks) == (
        "silenced",
        "we know it beforehand",
        False,
    )
    assert found.columns == ("became",)


def test_one_column_is_silenced_and_the_rest_still_blocks():
    """Overruling one column leaves the check awake for the others."""
    y = history().y
    flipped = np.where(np.arange(y.size) < 30, 1 - y, y)
    silence = {"LML001:became": "known before"}
    both = history(add={"became": y, "leak": flipped}, silence=silence)
    assert by_code(run_checks(both))["LML001"].columns == ("leak",)
    one = by_code(run_checks(history(add={"became": y}, silence=silence)))["LML001"]
    assert (one.status, one.reason) == ("silenced", "became: known before")


def test_silence_needs_a_known_code_and_a_reason():
    """A code that does not exist, or an empty reason, is a configuration error."""
    for silence in ({"LML999": "because"}, {"LML001": "  "}):
        with pytest.raises(ConfigError):
            run_checks(history(silence=silence))


def test_planted_leaks_are_found_among_clean_columns():
    """Of 50 leaks among 200 clean columns at least 95 % block, and at most 2 % of the clean."""
    rng = np.random.default_rng(7)
    y = (rng.random(4000) < 0.12).astype(float)
    data = history(n=4000, y=y, add={**clean_columns(200, y, 7), **leaky_columns(50, y, 7)})
    found = by_code(run_checks(data))
    named = {*found["LML001"].columns, *found["LML002"].columns}
    assert sum(name.startswith("leak_") for name in named) >= 48
    assert sum(name.startswith("clean_") for name in named) <= 4


def test_twenty_healthy_histories_raise_at_most_one_warning_each():
    """Histories without a fault never block and rarely warn."""
    for seed in range(20):
        n = 400 + 300 * seed
        created = START_S + np.arange(n) * DAY_S / 20
        plain = history(n=n, seed=seed)
        data = history(
            n=n,
            seed=seed,
            created_at=created,
            as_of=float(created.max()),
            add={"id": np.arange(n), **clean_columns(10, plain.y, seed)},
            roles={"id": Role.ID},
        )
        told = [f for f in run_checks(data) if f.status == "found"]
        assert not any(f.severity == "blocks" for f in told), told
        few = plain.y.sum() < 100
        assert sum(f.severity == "warns" for f in told) <= 1 + few, told


def table(mirror: Path, name: str, **options):
    """A public set as a frame."""
    with gzip.open(mirror / name) as file:
        return pd.read_csv(file, **options)


def test_bank_only_the_call_duration_is_a_leak(mirror):
    """On bank data ``duration`` blocks and, without it, nothing does."""
    frame = table(mirror, "bank_additional_full.csv.gz", sep=";")
    y = (frame["y"] == "yes").to_numpy(float)
    given = {"target": "y", "order": np.arange(float(len(frame)))}
    data = history(y=y, drop=["company_size", "page_views", "source", "country"],
                   add={name: frame[name] for name in frame}, **given)  # fmt: skip
    blocking = [f for f in run_checks(data) if f.blocks]
    assert [(f.code, f.columns) for f in blocking] == [("LML001", ("duration",))]
    honest = run_checks(data.without(["duration", "campaign"]))
    assert not [f.code for f in honest if f.blocks]
    found = by_code(honest)
    assert "euribor3m" in found["LML004"].columns
    assert found["LML016"].status == "found"


def test_x_education_leaks_are_found_without_a_false_alarm(mirror):
    """Tags, Lead Quality, Lead Profile and both emptiness leaks block, and no other column."""
    frame = table(mirror, "xeducation_leads.csv.gz")
    data = history(
        y=frame["Converted"].to_numpy(float),
        drop=["company_size", "page_views", "source", "country"],
        add={name: frame[name] for name in frame},
        target="Converted",
        order=frame["Lead Number"].to_numpy(float),
        roles={"Prospect ID": Role.ID, "Lead Number": Role.ID},
    )
    blocking = {name for f in run_checks(data) if f.blocks for name in f.columns}
    assert blocking == {"Tags", "Lead Quality", "Lead Profile"} | ASKED_BY_SALES
    rest = run_checks(data.without(X_EDUCATION_AFTER))
    assert {name for f in rest if f.blocks for name in f.columns} == ASKED_BY_SALES
    honest = run_checks(data.without(X_EDUCATION_AFTER | ASKED_BY_SALES))
    assert [f.code for f in honest if f.status == "found" and f.severity != "tip"] == []


def test_coil_raises_no_warning(mirror):
    """The insurance data have no fault: nothing blocks or warns."""
    frame = table(mirror, "coil2000_ticdata2000.tsv.gz", sep="\t", header=None)
    data = history(
        y=frame[85].to_numpy(float),
        drop=["company_size", "page_views", "source", "country"],
        add={f"column_{i}": frame[i] for i in range(85)},
    )
    assert [f.code for f in run_checks(data) if f.status == "found" and f.severity != "tip"] == []


def test_olist_silent_start_is_named(mirror):
    """The months before wins were recorded are found; no column of the lead blocks."""
    leads = table(mirror, "olist_marketing_qualified_leads_dataset.csv.gz")
    deals = table(mirror, "olist_closed_deals_dataset.csv.gz")
    frame = leads.merge(deals[["mql_id", "won_date"]], on="mql_id", how="left")

    def seconds(name):
        moments = pd.to_datetime(frame[name], utc=True)
        return np.array([np.nan if pd.isna(m) else m.timestamp() for m in moments])

    won = seconds("won_date")
    data = history(
        y=(~np.isnan(won)).astype(float),
        drop=["company_size", "page_views", "source", "country"],
        add={name: frame[name] for name in frame},
        created_at=seconds("first_contact_date"),
        outcome_at=won,
        roles={
            "mql_id": Role.ID,
            "first_contact_date": Role.CREATED_AT,
            "won_date": Role.OUTCOME_AT,
        },
    )
    found = by_code(run_checks(data))
    assert not [code for code, f in found.items() if f.blocks]
    assert found["LML013"].status == "found"
    assert "oldest" in found["LML013"].detail
