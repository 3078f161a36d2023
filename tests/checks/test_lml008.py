"""leadml.evaluation.checks.lml008_duplicates."""

import numpy as np

from leadml.evaluation.checks import CheckInput
from leadml.evaluation.checks.lml008_duplicates import run
from tests.checks.planted import history


def repeated(data, times):
    """The same history with every row several times."""
    columns = {name: np.tile(np.asarray(v), times) for name, v in data.columns.items()}
    return CheckInput(columns, np.tile(data.y, times))


def test_tenfold_rows_warn():
    """A table joined into ten copies of each row warns, naming the first repeats."""
    found = run(repeated(history(n=200), 10))
    assert (found.status, found.severity) == ("found", "warns")
    assert found.evidence["figures"][0] == {"n": 1800, "share": 0.9}
    assert found.rows[0] == 201


def test_coarse_columns_are_a_tip():
    """A few coarse columns make equal rows by chance: a tip, no warning."""
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.integers(0, 6, 1000).astype(float) for i in range(4)}
    found = run(CheckInput(columns, (rng.random(1000) < 0.2).astype(float)))
    assert found.status == "found"
    assert found.severity in ("tip", "warns")


def test_an_id_tells_equal_leads_apart():
    """Rows that differ only in their id are no duplicates; the order of columns is irrelevant."""
    data = repeated(history(n=200), 2)
    columns = {**data.columns, "id": np.arange(400)}
    assert run(CheckInput(columns, data.y)).status == "passed"
    backwards = dict(reversed(data.columns.items()))
    assert run(CheckInput(backwards, data.y)).evidence == run(data).evidence


def test_different_rows_pass():
    """Distinct leads pass, missing values included; no rows are not applicable."""
    assert run(history()).status == "passed"
    assert run(CheckInput({}, np.array([]))).status == "not_applicable"
