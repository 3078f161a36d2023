"""Scores the same leads by leadml and its peers in turn and prints how they compare."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.environments import peer_python
from benchmarks.history import mapping_of
from benchmarks.scoring.models import LEAVES, TREES, Held, build
from benchmarks.scoring.timing import per_lead, pin
from leadml.evaluation.metrics import roc_auc_of
from leadml.scorecard import Scorecard, Scorer
from leadml.scorecard.reasons import digits4

__all__ = ["LIMITS", "RATIOS", "main", "ratios", "shortfalls"]

ROOT = Path(__file__).parents[2]
ONE, BOTH = "one lead, score", "one lead, contributions"
MANY, MANY_BOTH = "batch, score", "batch, contributions"

RATIOS = {
    "pred_contrib / leadml": (("lightgbm", BOTH), 100.0),
    "Booster.predict / leadml": (("lightgbm", ONE), 1.0),
    "TreeExplainer / leadml": (("shap", BOTH), 0.0),
    "EBM / leadml": (("ebm", BOTH), 0.0),
}
"""Time of a peer for one lead over leadml's for score and contributions, and what is needed."""

LIMITS = {
    "one lead, µs": (25.0, "at most"),
    "1 M leads, leads/s": (300_000.0, "at least"),
    "1 M leads, extra MB": (500.0, "at most"),
}

Ways = dict[tuple[str, str], Callable[[], float]]


class Peer(NamedTuple):
    """A process that runs what it is told and says how long it took."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    def ask(self, way: str) -> float:
        """Seconds per lead of one run."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(way + "\n")
        self.process.stdin.flush()
        found: float = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def _peer(name: str, environment: str, folder: Path) -> Iterator[Peer]:
    process = subprocess.Popen(
        [peer_python(environment), "-m", "benchmarks.scoring.peers", name, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / f"{name}.log").open("w", encoding="utf-8"),
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            log = (folder / f"{name}.log").read_text("utf-8", "replace").strip().splitlines()
            raise RuntimeError(log[-1] if log else "it says nothing")
        yield Peer(process, json.loads(said))
    finally:
        process.kill()
        process.wait()


def _own(card: Scorecard, booster: Any, held: Held) -> dict[tuple[str, str], Callable[[], int]]:
    """What runs in this process: leadml and LightGBM."""
    scorer = Scorer(card)
    rows = [mapping_of(row) for row in held.X.head(1_000).to_dict("records")]
    codes = [held.codes[k : k + 1].copy() for k in range(len(rows))]
    many = 20_000
    frame = held.X.iloc[[k % len(held.X) for k in range(many)]].reset_index(drop=True)
    table = held.codes[[k % len(held.codes) for k in range(many)]]

    def one() -> int:
        for row in rows:
            found = scorer.one(row)
            digits4(found.probability)
            scorer.score_of(found.log_odds)
        return len(rows)

    def predict() -> int:
        for row in codes:
            booster.predict(row, num_threads=1)
        return len(codes)

    def contributions() -> int:
        for row in codes[:60]:
            booster.predict(row, num_threads=1, pred_contrib=True)
        return 60

    return {
        ("leadml", BOTH): one,
        ("lightgbm", ONE): predict,
        ("lightgbm", BOTH): contributions,
        ("leadml", MANY_BOTH): lambda: len(scorer.frame(frame)),
        ("lightgbm", MANY): lambda: len(booster.predict(table, num_threads=1)),
        ("lightgbm", MANY_BOTH): lambda: len(
            booster.predict(table[:300], num_threads=1, pred_contrib=True)
        ),
    }


def ratios(seconds: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Peers' time for one lead over leadml's for score and contributions, where measured."""
    mine = seconds["leadml", BOTH]
    return {name: seconds[way] / mine for name, (way, _) in RATIOS.items() if way in seconds}


def shortfalls(found: Mapping[str, float], figures: Mapping[str, float]) -> list[str]:
    """What is not reached, in words."""
    short = [
        f"{name} is {ratio:.3g}, needed {RATIOS[name][1]:g}"
        for name, ratio in found.items()
        if ratio < RATIOS[name][1]
    ]
    for name, value in figures.items():
        limit, side = LIMITS[name]
        if value > limit if side == "at most" else value < limit:
            short.append(f"{name} is {value:,.0f}, needed {side} {limit:,.0f}")
    return short


def main() -> int:
    """Measure, print the table and the ratios; 1 when one falls short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring.run", description=__doc__)
    parser.add_argument("--leads", type=int, default=12_000, help="simulated leads (12000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, alternating (7)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the frame (1 million)")
    parser.add_argument("--own", action="store_true", help="only what needs no other environment")
    chosen = parser.parse_args()
    core = pin()
    with tempfile.TemporaryDirectory(prefix="leadml-bench-") as place, ExitStack() as stack:
        folder = Path(place)
        print("learning from the same leads …", flush=True)
        card, booster, held = build(folder, chosen.leads)
        (folder / "scorecard.json").write_text(json.dumps(card.as_dict()), encoding="utf-8")
        print(
            f"{len(card.columns)} columns, {len(card.pairs)} pairs; LightGBM {TREES} trees of up to"
            f" {LEAVES} leaves; one thread"
            + ("" if core is None else f", all on core {core}; processor time"),
            flush=True,
        )
        auc = {
            "leadml": roc_auc_of(held.y, Scorer(card).frame(held.X).probability),
            "lightgbm": roc_auc_of(held.y, booster.predict(held.codes, num_threads=1)),
        }
        ways: Ways = {
            way: lambda run=run: per_lead(run)  # type: ignore[misc]
            for way, run in _own(card, booster, held).items()
        }
        missing = {}
        for name in () if chosen.own else ("shap", "ebm"):
            try:
                peer = stack.enter_context(_peer(name, "shap", folder))
            except (RuntimeError, OSError) as error:
                missing[name] = str(error)
                continue
            if "auc" in peer.facts:
                auc[name] = peer.facts["auc"]
            for way in peer.facts["ways"]:
                ways[name, way] = lambda peer=peer, way=way: peer.ask(way)  # type: ignore[misc]
        seconds = _measure(ways, chosen.rounds)
        figures = {"one lead, µs": seconds["leadml", BOTH] * 1e6} | _million(folder, chosen.rows)
    return _tell(seconds, auc, missing, figures)


def _measure(ways: Ways, rounds: int) -> dict[tuple[str, str], float]:
    seen: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            taken = run()
            if number:  # the first round warms up
                seen[way].append(taken)
    return {way: statistics.median(taken) for way, taken in seen.items()}


def _million(folder: Path, rows: int) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring.million", str(folder), str(rows), "3"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(said.stdout)
    return {"1 M leads, leads/s": found["per_s"], "1 M leads, extra MB": found["extra_mb"]}


def _tell(
    seconds: Mapping[tuple[str, str], float],
    auc: Mapping[str, float],
    missing: Mapping[str, str],
    figures: Mapping[str, float],
) -> int:
    print("\n| way | ROC AUC | one lead: score | with contributions | in a batch: score | with |")
    print("|---|---|---|---|---|---|")
    for name in dict.fromkeys(name for name, _ in seconds):
        cells = [
            f"{seconds[name, what] * 1e6:,.2f} µs" if (name, what) in seconds else "–"
            for what in (ONE, BOTH, MANY, MANY_BOTH)
        ]
        known = f"{auc[name]:.4f}" if name in auc else "–"
        print(f"| {name} | {known} | {' | '.join(cells)} |")
    for name, why in missing.items():
        print(f"missing: {name}, which could not be run: {why}")
    print("; ".join(f"{name} {value:,.1f}" for name, value in figures.items()))
    found = ratios(seconds)
    for line in shortfalls(found, figures):
        print(f"falls short: {line}")
    print("; ".join(f"{name} {ratio:.3g}" for name, ratio in found.items()))
    return 1 if shortfalls(found, figures) else 0


if __name__ == "__main__":
    sys.exit(main())
