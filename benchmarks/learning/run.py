"""Runs recipes over protocols and prints their figures; ``make bench-learning`` runs it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.learning.environments import python_of
from benchmarks.learning.fitting import fit
from benchmarks.learning.measuring import Result, figures, mean_of, missed
from benchmarks.learning.protocols import PROTOCOLS, Protocol, load
from benchmarks.learning.recipes import RECIPES
from benchmarks.learning.results import keep, write_table

__all__ = ["main", "measure"]

SLOW = ("ebm", "flaml", "autogluon")
HEADER = f"{'protocol':<20}{'recipe':<38}{'AUC':>7}{'log loss':>10}{'ECE':>7}{'lift':>6}{'top':>5}"


def measure(recipe: str, protocol: Protocol, most_splits: int, python: str) -> Result:
    """The mean figures of a recipe over the first ``most_splits`` splits of a protocol."""
    found = []
    for split in range(min(most_splits, len(protocol.splits))):
        X, y, X_test, y_test = protocol.parts(split)
        _say(f"  {protocol.name}: {recipe}, split {split + 1} of {len(protocol.splits)} …")
        found.append(figures(y_test, fit(recipe, X, y, X_test, python=python), protocol.top))
    _say("")
    return mean_of(recipe, protocol.name, found, len(protocol.splits))


def _say(text: str) -> None:
    """Progress on the error stream, one line that overwrites itself where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _line(result: Result) -> str:
    title = RECIPES[result.recipe].title
    if result.splits < result.of:
        title += f" ({result.splits}/{result.of})"
    in_top = "" if result.in_top is None else str(result.in_top)
    return (
        f"{result.protocol:<20}{title:<38}{result.roc_auc:>7.4f}{result.log_loss:>10.4f}"
        f"{result.ece:>7.3f}{result.lift_top_decile:>6.2f}{in_top:>5}"
        f"{result.cpu_s:>8.1f}{result.clock_s:>8.1f}"
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning.run",
        description="Learn from public lead data by leadml and its peers, each fit in a process "
        "of its own on one core; print AUC, log loss, calibration error, lift in the top decile, "
        "conversions among the best 800 (COIL), and seconds of a fit.",
    )
    usual = [name for name in RECIPES if name not in SLOW]
    parser.add_argument(
        "--only",
        default=",".join(usual),
        help=f"recipes, by comma, or 'all' (default without the slow ones: {','.join(usual)}; "
        f"slow: {','.join(SLOW)})",
    )
    parser.add_argument("--protocols", default="all", help=f"of {','.join(PROTOCOLS)}, or 'all'")
    parser.add_argument("--splits", type=int, default=99, help="at most so many folds each")
    parser.add_argument("--write", action="store_true", help="keep the figures in the README")
    parser.add_argument(
        "--install", action="store_true", help="make the environment that AutoGluon needs (1 GB)"
    )
    chosen = parser.parse_args(arguments)
    chosen.only = _names(parser, chosen.only, list(RECIPES))
    chosen.protocols = _names(parser, chosen.protocols, list(PROTOCOLS))
    return chosen


def _names(parser: argparse.ArgumentParser, text: str, known: list[str]) -> list[str]:
    names = known if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            parser.error(f"there is no '{name}'; choose from {', '.join(known)}, or 'all'")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a line per result; 1 where leadml misses a target or a recipe failed."""
    chosen = _parse(arguments)
    faults: list[str] = []
    pythons = {}
    for name in chosen.only:
        try:
            pythons[name] = python_of(RECIPES[name], install=chosen.install)
        except RuntimeError as error:
            faults.append(f"{name}: {error}")
    print(f"{HEADER}{'cpu s':>8}{'clock s':>8}", flush=True)
    for protocol in load(chosen.protocols):
        for name, python in pythons.items():
            try:
                result = measure(name, protocol, chosen.splits, python)
            except RuntimeError as error:
                faults.append(f"{protocol.name}: {error}")
                continue
            print(_line(result), flush=True)
            if chosen.write:
                keep(result)
            if name == "leadml" and result.splits == result.of:
                faults += missed(result)
    if chosen.write:
        write_table()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
