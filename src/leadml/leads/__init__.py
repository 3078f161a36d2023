"""The vocabulary: roles, stages, outcomes, schema."""

from leadml.leads.schema import Column, Schema
from leadml.leads.values import MISSING_WORDS, number_of, text_of
from leadml.leads.vocabulary import Availability, Kind, Outcome, Role, Stage

__all__ = [
    "MISSING_WORDS",
    "Availability",
    "Column",
    "Kind",
    "Outcome",
    "Role",
    "Schema",
    "Stage",
    "number_of",
    "text_of",
]
