"""leadml.service.importing: what tables of a past say, row by row."""

import pandas as pd

from leadml.errors import ImpossibleValue
from leadml.leads import Outcome
from leadml.service.importing import reports_of
from leadml.store import Report


def test_rows_that_cannot_be_used_are_named_and_none_is_lost():
    """A row without id, date or known word is told by its number; one without a word waits."""
    told = pd.DataFrame(
        {
            "lead": ["L1", "L2", None, "L4", "L5", "L6"],
            "on": ["2026-03-01", "soon", "2026-03-02", None, "2026-03-03", "2026-03-04"],
            "what": ["won", "lost", "won", None, "Won!", "lost"],
        }
    )
    found = list(reports_of(told, key="lead", outcome_at="on"))
    kept = [(one.lead_id, one.outcome) for one in found if isinstance(one, Report)]
    assert kept == [("L1", Outcome.WON), ("L6", Outcome.LOST)]
    refused = [one for one in found if isinstance(one, ImpossibleValue)]
    assert [(one.rows, one.column) for one in refused] == [
        ((2,), "on"),
        ((3,), "lead"),
        ((5,), "what"),
    ]


def test_a_table_without_words_holds_what_was_won():
    """Each row of a list of deals is a lead that was won."""
    deals = pd.DataFrame({"lead": ["L1", "L2"], "on": ["2026-03-01", "2026-03-02"]})
    found = list(reports_of(deals, key="lead", outcome_at="on"))
    assert [one.outcome for one in found if isinstance(one, Report)] == [Outcome.WON] * 2
