"""Where to cut: the MQL and SQL lines and how they are chosen."""

from leadml.thresholds.choose import ThresholdPlan, choose_policy
from leadml.thresholds.policy import Policy, StageExpectation

__all__ = ["Policy", "StageExpectation", "ThresholdPlan", "choose_policy"]
