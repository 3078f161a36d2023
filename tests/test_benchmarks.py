"""The benchmarks run and print what they say they print."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from http_server import serve

from benchmarks.history import history
from benchmarks.scoring import run as scoring
from benchmarks.serving.load import ask, request_of
from benchmarks.serving.run import NEEDED, ratios
from leadml.settings import Settings
from tests import held


def test_the_scoring_benchmark_prints_its_figures() -> None:
    """On a small history every line is a number above 0, its unit and what was measured."""
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--leads", "1200", "--rounds", "1"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode == 0, said.stderr
    figures = [
        re.fullmatch(r" *([\d,.]+) (s|µs|) +(\w.*)", line) for line in said.stdout.splitlines()
    ]
    assert len(figures) == 8
    assert all(found and float(found[1].replace(",", "")) > 0 for found in figures)


def test_the_compared_leads_have_the_promised_columns() -> None:
    """Speed is compared on 25 columns, 13 of them categories, with an outcome for every row."""
    X, y = history(400)
    assert X.shape == (len(y), 25)
    assert sum(X[name].dtype.kind not in "iufb" for name in X.columns) == 13
    assert set(y.tolist()) == {0, 1}


def test_shortfalls_of_scoring_are_named() -> None:
    """Ratios divide a peer's time by leadml's; what is slower or larger than needed is said."""
    both = scoring.BOTH
    seconds = {
        ("leadml", both): 20e-6,
        ("lightgbm", both): 1.9e-3,
        ("lightgbm", scoring.ONE): 60e-6,
    }
    found = scoring.ratios(seconds)
    assert found == pytest.approx({"pred_contrib / leadml": 95, "Booster.predict / leadml": 3})
    figures = {"one lead, µs": 20.0, "1 M leads, leads/s": 4e5, "1 M leads, extra MB": 501.0}
    assert scoring.shortfalls(found, figures) == [
        "pred_contrib / leadml is 95, needed 100",
        "1 M leads, extra MB is 501, needed at most 500",
    ]
    assert scoring.shortfalls({}, {"1 M leads, leads/s": 299_999.0}) != []


def test_ratios_of_servers_are_those_needed() -> None:
    """Each ratio divides leadml with reasons by the peer it names; what was not run has none."""
    rates = {
        ("leadml", "score with reasons"): 6000.0,
        ("leadml", "batch with reasons"): 50_000.0,
        ("fastapi", "nothing"): 8000.0,
        ("mlflow", "score"): 40.0,
        ("mlflow", "batch"): 10_000.0,
        ("tutorial", "score with reasons"): 20.0,
        ("tutorial", "batch"): 12_500.0,
    }
    assert list(ratios(rates)) == list(NEEDED)
    assert list(ratios(rates).values()) == [150.0, 300.0, 0.75, 4.0]
    del rates["mlflow", "score"]
    assert len(ratios(rates)) == 3


def test_asking_side_counts_and_refuses_errors() -> None:
    """Answers are counted with their times; an answer other than 200 ends the measurement."""
    with serve(Settings(), held.serving()) as address:
        port = int(address.rpartition(":")[2])
        lead = json.dumps({"lead": {"industry": "Software"}}).encode()
        seen = ask(port, [request_of("/v1/score", lead)], 0.3, 3)
        assert seen.per_s > 50
        assert 0 < seen.median_ms <= seen.p99_ms
        with pytest.raises(RuntimeError, match="invalid_body"):
            ask(port, [request_of("/v1/score", b"{")], 0.1, 1)
