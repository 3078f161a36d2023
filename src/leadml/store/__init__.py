"""What leadml remembers: leads, decisions, outcomes, stages, keys."""

from leadml.store.keyring import SCOPES, Key, looks_like_key
from leadml.store.lessons import TrainingTable
from leadml.store.once import Claim, Once
from leadml.store.policies import PolicyVersion
from leadml.store.records import Decision, Recorded, Report, Reporting, new_id
from leadml.store.store import Erasure, Store

__all__ = [
    "SCOPES",
    "Claim",
    "Decision",
    "Erasure",
    "Key",
    "Once",
    "PolicyVersion",
    "Recorded",
    "Report",
    "Reporting",
    "Store",
    "TrainingTable",
    "looks_like_key",
    "new_id",
]
