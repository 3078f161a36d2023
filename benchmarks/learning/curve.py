"""The learning curve: how many conversions a lead score needs, and what it says of itself.

From the bank's leads of the first split of the 5-fold protocol, samples with a given
number of conversions (and other leads at the set's base rate) are learned from; the
leads of the other side test every sample.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.protocols import PROTOCOLS, Protocol
from leadml import LeadScorer
from leadml.evaluation import measure, verdict
from leadml.evaluation.metrics import log_losses

__all__ = ["MEASURED", "Point", "point"]

MEASURED: Final = {15: 0.738, 40: 0.769, 100: 0.784, 300: 0.789, 1_000: 0.798, 3_000: 0.807}
"""AUC of the blend of full-depth trees that the curve is compared with, by conversions."""

CLOSE: Final = 0.005
DRAWS: Final = {10: 3, 15: 20, 40: 12, 100: 8, 300: 5, 1_000: 3, 3_000: 2}


@dataclass(frozen=True)
class Point:
    """Mean figures of the samples of one size.

    Parameters
    ----------
    conversions, draws
        Conversions in a sample, and how many samples.
    roc_auc, roc_auc_error
        Mean over the samples, and its standard error (0 for one sample).
    log_loss, base_rate_log_loss
        Mean, and that of giving every lead the sample's share of conversions.
    verdicts
        How often each word of :mod:`leadml.evaluation.verdict` was said.
    """

    conversions: int
    draws: int
    roc_auc: float
    roc_auc_error: float
    log_loss: float
    base_rate_log_loss: float
    verdicts: dict[str, int]


def sample(y: NDArray[np.int64], conversions: int, seed: int) -> NDArray[np.intp]:
    """Positions of a sample with so many conversions at the base rate of ``y``, in order."""
    random = np.random.default_rng(seed)
    won, lost = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    others = round(conversions * len(lost) / len(won))
    chosen = [random.choice(won, conversions, False), random.choice(lost, others, False)]
    return np.sort(np.concatenate(chosen))


def point(
    protocol: Protocol,
    conversions: int,
    draws: int,
    progress: Callable[[int], None] = lambda draw: None,
) -> Point:
    """Learn from ``draws`` samples with so many conversions, test each on the same leads."""
    X, y, X_test, y_test = protocol.parts(0)
    happened = y_test.astype(np.float64)
    aucs, losses, base, words = [], [], [], Counter[str]()
    for draw in range(draws):
        rows = sample(y, conversions, draw)
        model = LeadScorer(prove=False).fit(X.iloc[rows], y[rows])
        chance = model.predict_proba(X_test)[:, 1]
        flat = float(log_losses(happened, np.full(len(chance), y[rows].mean())).mean())
        metrics = measure(happened, chance, "leads held out")
        baseline: dict[str, Any] = {"name": "base rate", "log_loss": flat}
        aucs.append(metrics.roc_auc.value)
        losses.append(metrics.log_loss.value)
        base.append(flat)
        words[verdict(metrics, conversions, [baseline]).word] += 1
        progress(draw + 1)
    return Point(
        conversions=conversions,
        draws=draws,
        roc_auc=float(np.mean(aucs)),
        roc_auc_error=float(np.std(aucs, ddof=1) / np.sqrt(draws)) if draws > 1 else 0.0,
        log_loss=float(np.mean(losses)),
        base_rate_log_loss=float(np.mean(base)),
        verdicts=dict(words),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per size; 1 where the AUC falls short of the measured one by over .005."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning.curve")
    sizes = ",".join(str(size) for size in DRAWS)
    parser.add_argument("--conversions", default=sizes, help=f"by comma (default {sizes})")
    parser.add_argument("--draws", type=int, help="samples of each size (default: fewer if large)")
    chosen = parser.parse_args(arguments)
    protocol = PROTOCOLS["bank-folds"]()
    short = 0
    print(
        "conversions  draws  AUC (compared with)        log loss (base rate)  verdicts", flush=True
    )
    for size in (int(text) for text in chosen.conversions.split(",")):
        found = point(
            protocol,
            size,
            chosen.draws or DRAWS.get(size, 3),
            lambda draw, size=size: _progress(size, draw),  # type: ignore[misc]
        )
        compared = f"({MEASURED[size]:.3f})" if size in MEASURED else ""
        verdicts = ", ".join(f"{word} {count}" for word, count in found.verdicts.items())
        print(
            f"{size:>11,}{found.draws:>7}  {found.roc_auc:.4f} ± {found.roc_auc_error:.4f} "
            f"{compared:<9} {found.log_loss:>10.4f} ({found.base_rate_log_loss:.4f})"
            f"    {verdicts}",
            flush=True,
        )
        short += found.roc_auc < MEASURED.get(size, 0.0) - CLOSE
    return 1 if short else 0


def _progress(size: int, draw: int) -> None:
    print(f"  {size} conversions: sample {draw}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
