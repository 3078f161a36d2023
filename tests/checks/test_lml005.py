"""leadml.evaluation.checks.lml005_later_than_scoring."""

from datetime import UTC, datetime

import numpy as np

from leadml.evaluation.checks.lml005_later_than_scoring import run
from tests.checks.planted import DAY_S, START_S, history


def stamps(seconds):
    """Seconds as ISO text, empty where unknown."""
    return [None if np.isnan(s) else datetime.fromtimestamp(s, tz=UTC).isoformat() for s in seconds]


def test_times_after_creation_block():
    """A timestamp written after creation blocks when it would be learned from; rows are named."""
    created = START_S + np.arange(500) * DAY_S / 10
    later = np.where(np.arange(500) % 4 == 0, created + 30 * DAY_S, np.nan)
    found = run(history(n=500, created_at=created, add={"closed_at": stamps(later)}))
    assert (found.status, found.severity, found.columns) == ("found", "blocks", ("closed_at",))
    assert found.rows[:3] == (1, 5, 9)
    assert len(found.rows) == 20


def test_what_leadml_left_out_is_a_tip():
    """The same column set aside by leadml is told, but blocks nothing."""
    created = START_S + np.arange(500) * DAY_S / 10
    data = history(
        n=500,
        created_at=created,
        add={"closed_at": stamps(created + 9 * DAY_S)},
        set_aside={"closed_at": "a timestamp"},
    )
    assert (run(data).status, run(data).severity) == ("found", "tip")


def test_earlier_times_pass():
    """A first visit before creation passes; without creation nothing is said."""
    created = START_S + np.arange(500) * DAY_S / 10
    data = history(n=500, created_at=created, add={"first_visit": stamps(created - DAY_S)})
    assert run(data).status == "passed"
    assert run(history(n=500)).status == "not_applicable"
