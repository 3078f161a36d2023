"""leadml.evaluation.checks.table."""

import numpy as np
import pandas as pd

from leadml.evaluation.checks import CheckInput
from leadml.evaluation.checks.table import read
from leadml.leads import Role


def test_kinds_are_read_alike_from_lists_arrays_and_series():
    """Numbers, texts and times are told apart in whatever they come."""
    numbers, words = ["1", "2.5", "N/A"], ["a", None, "b"]
    times = ["2024-01-01", "2024-01-02T10:00:00Z", None]
    for make in (list, lambda v: np.array(v, dtype=object), pd.Series):
        assert read(make(numbers)).kind == "number"
        assert read(make(words)).kind == "category"
        assert read(make(times)).kind == "moment"
    stamps = pd.Series(pd.to_datetime(["2024-01-01", None]))
    aware = pd.Series(pd.to_datetime(["2024-01-01T00:00:00Z", None]))
    for values in (stamps, aware, stamps.to_numpy(), stamps.to_numpy().astype("datetime64[ns]")):
        moments = read(values)
        assert moments.kind == "moment"
        assert list(moments.missing) == [False, True]
        assert moments.numbers[0] == 1704067200.0
    assert read([2018, 2019]).kind == "number"
    assert read([True, False]).kind == "category"


def test_missing_marks_of_pandas_are_missing():
    """NA and NaT among texts or times are cells without a value, not a crash."""
    words = read(pd.Series(["a", pd.NA, pd.NaT, None], dtype=object))
    assert list(words.missing) == [False, True, True, True]
    moments = read(pd.Series([pd.Timestamp("2024-01-01"), pd.NA], dtype=object))
    assert moments.kind == "moment"
    assert list(moments.missing) == [False, True]


def test_levels_are_ordered_by_frequency():
    """The most frequent text is level 0; placeholders are empty but not missing."""
    reading = read(["Select", "b", "b", None])
    assert reading.levels == ("b", "Select")
    assert list(reading.empty) == [True, False, False, True]
    assert list(reading.missing) == [False, False, False, True]
    assert reading.distinct == 2


def test_roles_decide_what_is_learned():
    """Columns with a role that does not learn, the target and set-aside ones are left out."""
    columns = {name: [1, 2] for name in ("y", "id", "a", "b", "c")}
    data = CheckInput(
        columns,
        [0, 1],
        roles={"id": Role.ID, "a": Role.ENGAGEMENT},
        target="y",
        set_aside={"c": "constant"},
    )
    assert data.names == ("a", "b")
    assert data.candidates == ("a", "b", "c")
    assert data.without(["a"]).names == ("b",)
    assert data.column_of(Role.ID) == "id"


def test_a_column_is_read_once():
    """Readings are remembered, also by a history without some columns."""
    data = CheckInput({"a": [1, 2], "b": [3, 4]}, [0, 1])
    assert data.without(["b"]).reading("a") is data.reading("a")
