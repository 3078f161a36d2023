"""Where to cut: the MQL and SQL lines and how they are chosen."""

from leadml.thresholds.choose import ThresholdPlan, choose_policy, expectations_of, policy_of
from leadml.thresholds.cohort import Cohort, at_rank_of
from leadml.thresholds.curve import threshold_curve
from leadml.thresholds.policy import Policy, StageExpectation

__all__ = [
    "Cohort",
    "Policy",
    "StageExpectation",
    "ThresholdPlan",
    "at_rank_of",
    "choose_policy",
    "expectations_of",
    "policy_of",
    "threshold_curve",
]
