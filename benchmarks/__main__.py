"""Prints the figures of all benchmarks; ``make bench`` runs it."""

from __future__ import annotations

import argparse

from benchmarks.scoring.figures import measure


def main() -> None:
    """Measure and print one line per figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--leads", type=int, default=8_000, help="simulated leads (default 8000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds per figure (default 7)")
    chosen = parser.parse_args()
    for what, value, unit in measure(chosen.leads, chosen.rounds):
        print(f"{value:>10,.{2 if unit else 0}f} {unit:<3} {what}", flush=True)


if __name__ == "__main__":
    main()
