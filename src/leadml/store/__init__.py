"""What leadml remembers: leads, decisions, outcomes, stages, keys."""

from leadml.store.hindsight import Followed
from leadml.store.keyring import SCOPES, Key, looks_like_key
from leadml.store.lessons import TrainingTable
from leadml.store.lives import Happened, Happening, Waiting
from leadml.store.once import Claim, Once
from leadml.store.policies import PolicyVersion
from leadml.store.records import Decision, Recorded, Report, Reporting, checked_id, new_id
from leadml.store.sessions import Session, form_token
from leadml.store.store import Erasure, Store
from leadml.store.users import ROLES, User

__all__ = [
    "ROLES",
    "SCOPES",
    "Claim",
    "Decision",
    "Erasure",
    "Followed",
    "Happened",
    "Happening",
    "Key",
    "Once",
    "PolicyVersion",
    "Recorded",
    "Report",
    "Reporting",
    "Session",
    "Store",
    "TrainingTable",
    "User",
    "Waiting",
    "checked_id",
    "form_token",
    "looks_like_key",
    "new_id",
]
