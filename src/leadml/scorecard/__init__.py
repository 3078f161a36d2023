"""Tables of points: score and reasons of a lead."""

from leadml.scorecard.card import ColumnTable, PairTable, Reference, Scorecard
from leadml.scorecard.reasons import digits4, reasons_of
from leadml.scorecard.scorer import Batch, Scored, Scorer, Warned, in_order

__all__ = [
    "Batch",
    "ColumnTable",
    "PairTable",
    "Reference",
    "Scorecard",
    "Scored",
    "Scorer",
    "Warned",
    "digits4",
    "in_order",
    "reasons_of",
]
