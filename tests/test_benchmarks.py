"""The benchmarks run and print what they say they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_scoring_benchmark_prints_its_figures() -> None:
    """On a small history every line is a number above 0, its unit and what was measured."""
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--leads", "2000", "--rounds", "1"],
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
