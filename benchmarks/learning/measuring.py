"""The figures of a recipe on a protocol: ranking, chances, lift, seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.fitting import Fitted
from leadml.evaluation.metrics import ece_of, log_losses, roc_auc_of, share_in_top

__all__ = ["TARGETS", "Result", "figures", "missed"]

Floats = NDArray[np.float64]

TARGETS: Final[dict[str, dict[str, float]]] = {
    "bank-folds": {"roc_auc": 0.801, "log_loss": 0.272},
    "bank-forward": {"roc_auc": 0.700, "log_loss": 0.705},
    "xeducation-folds": {"roc_auc": 0.8765, "log_loss": 0.424},
    "xeducation-forward": {"roc_auc": 0.900, "log_loss": 0.389},
    "coil": {"roc_auc": 0.738, "log_loss": 0.2042, "in_top": 121},
    "olist": {"roc_auc": 0.718, "log_loss": 0.259},
}
"""What ``leadml.LeadScorer`` with all defaults has to reach: AUC and conversions among the
best at least, log loss at most."""

FIT_S: Final = 30.0
LOWER_IS_BETTER: Final = {"log_loss"}


@dataclass(frozen=True)
class Result:
    """Mean figures of a recipe over the splits of a protocol.

    Parameters
    ----------
    recipe, protocol
        Their names.
    splits, of
        Splits measured, and splits the protocol has.
    roc_auc, log_loss, ece, lift_top_decile
        As in :mod:`leadml.evaluation.metrics`.
    in_top
        Conversions among the best ``Protocol.top`` test rows, or None.
    cpu_s, clock_s
        Seconds of one fit, see :class:`benchmarks.learning.fitting.Fitted`.
    date
        Day of the measurement, UTC.
    """

    recipe: str
    protocol: str
    splits: int
    of: int
    roc_auc: float
    log_loss: float
    ece: float
    lift_top_decile: float
    in_top: int | None
    cpu_s: float
    clock_s: float
    date: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data, rounded to what differs between runs on one machine."""
        return {
            name: round(value, 5) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def figures(y: NDArray[np.int64], fitted: Fitted, top: int) -> dict[str, float]:
    """Figures of one split; ``in_top`` only where ``top`` is given."""
    outcome = y.astype(np.float64)
    p = fitted.probability
    found = {
        "roc_auc": roc_auc_of(outcome, p),
        "log_loss": float(log_losses(outcome, p).mean()),
        "ece": ece_of(outcome, p),
        "lift_top_decile": share_in_top(outcome, p, 0.1) / 0.1,
        "cpu_s": fitted.cpu_s,
        "clock_s": fitted.clock_s,
    }
    if top:
        found["in_top"] = float(outcome[np.argsort(-p, kind="stable")[:top]].sum())
    return found


def mean_of(
    recipe: str, protocol: str, found: list[dict[str, float]], of: int, date: str = ""
) -> Result:
    """The mean over the splits measured, of ``of`` that there are."""
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    in_top = mean.pop("in_top", None)
    return Result(
        recipe=recipe,
        protocol=protocol,
        splits=len(found),
        of=of,
        in_top=None if in_top is None else round(in_top),
        date=date or datetime.now(tz=UTC).date().isoformat(),
        **mean,
    )


def missed(result: Result) -> list[str]:
    """What leadml's result lacks of :data:`TARGETS`, one sentence each; empty is good."""
    found = []
    for name, target in TARGETS[result.protocol].items():
        value = getattr(result, name)
        if value > target if name in LOWER_IS_BETTER else value < target:
            bound = "at most" if name in LOWER_IS_BETTER else "at least"
            found.append(f"{result.protocol}: {name} {value:.4f}, {bound} {target:g} wanted")
    if result.cpu_s > FIT_S:
        found.append(f"{result.protocol}: a fit took {result.cpu_s:.0f} s, at most 30 wanted")
    return found
