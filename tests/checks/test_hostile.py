"""All numbered checks on tables that nobody would wish for."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.evaluation.checks import CHECKS, CheckInput, run_checks
from leadml.leads import Role

CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["Select", "2024-01-01", "1/2/2024", "=A1", "a@b.org", "inf", "nan", "\x00"]),
)


@st.composite
def tables(draw):
    """Small tables of anything, with whatever else is known."""
    n = draw(st.integers(0, 12))
    rows = st.lists(CELL, min_size=n, max_size=n)
    columns = draw(st.dictionaries(st.text(max_size=8), rows, max_size=4))
    y = draw(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=n, max_size=n))
    seconds = st.lists(st.floats(-1e12, 1e12) | st.just(np.nan), min_size=n, max_size=n)
    known = {}
    for name in ("created_at", "outcome_at", "order"):
        if draw(st.booleans()):
            known[name] = np.array(draw(seconds), dtype=float)
    if draw(st.booleans()):
        known["horizon_days"], known["n_immature"] = 30, draw(st.integers(0, n))
    if columns and draw(st.booleans()):
        known["roles"] = {draw(st.sampled_from(sorted(columns))): Role.ID}
    if n and draw(st.booleans()):
        known["tested_rows"] = np.arange(n)
        known["tested_probability"] = np.linspace(0, 1, n)
        known["learned_rows"] = np.arange(n // 2)
    if draw(st.booleans()):
        known["incoming"] = draw(st.dictionaries(st.text(max_size=8), rows, max_size=2))
    return CheckInput(columns, np.array(y, dtype=float), **known)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_any_table_gets_its_findings(data):
    """Whatever the table holds, every check answers with plain data."""
    findings = run_checks(data)
    assert len(findings) == len(CHECKS)
    json.dumps([finding.as_dict() for finding in findings], allow_nan=False)
    assert all(finding.detail.endswith((".", "!")) for finding in findings)


@pytest.mark.parametrize(("columns", "rows"), [(2000, 300), (3, 100_000)])
def test_large_tables_take_seconds(columns, rows):
    """Two thousand columns, or a hundred thousand different texts, are checked in seconds."""
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.2).astype(float)
    table = {f"c{i}": rng.normal(size=rows) for i in range(columns)}
    table["text"] = np.array([f"word {i} " * 5 for i in rng.permutation(rows)], dtype=object)
    started = time.perf_counter()
    found = {f.code: f for f in run_checks(CheckInput(table, y, order=np.arange(float(rows))))}
    assert time.perf_counter() - started < 20
    assert "text" in found["LML010"].columns
    assert not found["LML001"].blocks
