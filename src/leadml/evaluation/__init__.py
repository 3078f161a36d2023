"""How good and how sure: metrics, curves, verdict, numbered checks."""

from leadml.evaluation.metrics import Metrics, PairedDifference, measure, paired_bootstrap
from leadml.evaluation.verdict import Verdict, verdict
from leadml.leads.estimate import Estimate

__all__ = [
    "Estimate",
    "Metrics",
    "PairedDifference",
    "Verdict",
    "measure",
    "paired_bootstrap",
    "verdict",
]
