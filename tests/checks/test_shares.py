"""Evidence for small charts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.evaluation.checks.shares import NOT_GIVEN, course_of, shares_by
from leadml.evaluation.checks.table import CheckInput, read
from leadml.leads.estimate import wilson

DAY_S = 86_400.0


def test_rates_are_told_for_frequent_levels_with_their_intervals():
    """Levels of fewer than twenty leads stand together; missing has a point of its own."""
    values = ["web"] * 50 + ["fair"] * 30 + [f"x{k}" for k in range(10)] + [None] * 10
    so = np.array([1.0] * 10 + [0.0] * 90)
    found = shares_by(read(values), so, "converted", "source")
    assert [point["name"] for point in found["points"]] == ["web", "fair", "10 others", NOT_GIVEN]
    web = found["points"][0]
    low, high = wilson(10, 50)
    assert web == {
        "name": "web",
        "n": 50,
        "rate": 0.2,
        "low": round(low, 4),
        "high": round(high, 4),
    }
    assert found["base"] == 0.1


def test_where_no_outcome_is_known_nothing_is_told():
    """Rows whose outcome is not known yet make no point and no share."""
    found = shares_by(read(["a", "b"] * 50), np.full(100, np.nan), "converted", "source")
    assert (found["base"], found["points"]) == (0.0, [])


def test_numbers_are_told_in_fifths():
    """Ranges ascend and hold about as many leads each."""
    found = shares_by(read(list(range(100))), np.arange(100) >= 80, "converted", "age")
    assert [point["n"] for point in found["points"]] == [20, 20, 20, 20, 20]
    assert found["points"][0]["name"] == "up to 19"
    assert found["points"][-1]["rate"] == 1.0


def test_the_course_is_told_by_month_where_creation_is_known():
    """Months have names; without times the tenths of the order have."""
    created = 1_735_689_600.0 + np.arange(120) * DAY_S  # from 2025-01-01
    y = (np.arange(120) % 4 == 0).astype(float)
    by_month = course_of(CheckInput(columns={}, y=y, created_at=created))
    assert [point["name"] for point in by_month] == ["2025-01", "2025-02", "2025-03", "2025-04"]
    assert sum(point["n"] for point in by_month) == 120
    tenths = course_of(CheckInput(columns={}, y=y, order=np.arange(120.0)))
    assert tenths[0]["name"] == "oldest tenth"
    assert [point["n"] for point in tenths] == [12] * 10
    assert course_of(CheckInput(columns={}, y=y)) == []


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-3, 30), st.floats(allow_nan=False), st.text(max_size=2)),
        min_size=1,
        max_size=80,
    )
)
def test_every_lead_is_counted_once(values):
    """Whatever a column holds, its points part the leads."""
    so = (np.arange(len(values)) % 2).astype(float)
    found = shares_by(read(values), so, "converted", "any")
    assert sum(point["n"] for point in found["points"]) == len(values)
    assert sum(p["n"] * p["rate"] for p in found["points"]) == pytest.approx(so.sum(), abs=0.05)
