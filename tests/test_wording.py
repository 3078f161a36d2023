"""Reasons of many leads at once: the same digits, words and order as of one."""

from __future__ import annotations

import math
from typing import Any

import hand_made
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadml.scorecard import reasons_of
from leadml.scorecard.wording import KEPT, Wording

SCHEMA = hand_made.schema()
# next to what rounding could get wrong: ties of the fourth digit, of tenths and of hundredths
TIES = [
    *(k / 1e4 + 0.00005 for k in (0, 1, 12344, -7, -8)),
    *(math.log(r) for r in (0.095, 0.95, 1.05, 0.995, 1.005, 2.25, 2.35, 99.95, 99.85, 0.15)),
    *(math.log(r) for r in (0.094, 9999.995, 12345.675, 1e-5)),
    0.0,
    -0.0,
]
points = st.one_of(
    st.sampled_from(TIES),
    st.sampled_from(TIES).map(lambda x: math.nextafter(x, 1)),
    st.sampled_from(TIES).map(lambda x: math.nextafter(x, -1)),
    st.floats(-30, 30),
    st.integers(-300, 300).map(lambda k: k / 100),
)
texts = st.one_of(st.none(), st.sampled_from(["Software", "Mining", "x" * 300]), st.text())
numbers = st.one_of(st.just(math.nan), st.sampled_from([3.0, -0.0, 0.5, 1e15, 1e300]), st.floats())
rows = st.tuples(st.tuples(points, points, points, points), texts, numbers, texts, numbers)


def as_read(value: Any) -> Any:
    """NaN is how an array says missing."""
    return None if value != value else value


@settings(max_examples=400, deadline=None)
@given(st.lists(rows, max_size=8), st.sampled_from([0, 1, 3, 5, None]))
@example([((0.95, -0.95, 0.95, -0.95), "Software", 1.0, None, math.nan)], 2)
def test_many_are_as_one(leads: list[Any], limit: int | None) -> None:
    """Whatever the contributions, ties of digits and of order included, nothing differs."""
    contributions = np.array([lead[0] for lead in leads], dtype=np.float64).reshape(-1, 4)
    readings = []
    for k in (1, 2, 3, 4):
        column = np.empty(len(leads), dtype=np.float64 if k in (2, 4) else object)
        column[:] = [lead[k] for lead in leads]
        readings.append(column)
    wording = Wording(SCHEMA)
    reasons, others = wording.many(contributions, readings, limit)
    for lead, found, other in zip(leads, reasons, others, strict=True):
        values = [as_read(value) for value in lead[1:]]
        expected = reasons_of(SCHEMA, list(lead[0]), values, limit)
        assert repr((found, other)) == repr(expected)  # repr tells 0.0 from -0.0
        assert repr(wording.one(list(lead[0]), values, limit)) == repr(expected)


def test_what_is_kept_is_bounded() -> None:
    """Neither many values nor long ones fill the memory of a server."""
    wording = Wording(SCHEMA)
    n = 3 * KEPT
    names = np.array([f"company {k}" for k in range(n)], dtype=object)
    names[0] = "x" * 100_000
    counts = np.arange(n, dtype=np.float64)
    contributions = np.ones((n, 4))
    for _ in range(2):
        wording.many(contributions, [names, counts, names, counts], None)
    assert [len(kept) for kept in wording._kept] == [KEPT] * 4
    assert names[0] not in wording._kept[0]


def test_order_of_equal_strength_is_that_of_the_columns() -> None:
    """Equal contributions, of either sign, stand in the order of the schema."""
    contributions = np.array([[0.5, -0.5, 0.7, 0.5]])
    readings = [np.array(["a"], dtype=object), np.ones(1)] * 2
    ((found,), (other,)) = Wording(SCHEMA).many(contributions, readings, 3)
    names = SCHEMA.names
    assert [reason["field"] for reason in found] == [names[2], names[0], names[1]]
    assert other == pytest.approx(0.5)
