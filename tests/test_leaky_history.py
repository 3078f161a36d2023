"""X Education as it was exported: what sales wrote down while working a lead is among it."""

from dataclasses import replace

import pandas as pd
import pytest

from leadml.training.config import TrainConfig
from leadml.training.train import train

ASKED = "sales fill it while they work a lead; known here"


def judged(mirror, n: int, folds: int):
    """Verdicts on the newest rows: with every column, without what blocks, and overruled."""
    leads = pd.read_csv(mirror / "xeducation_leads.csv.gz").sort_values("Lead Number")
    leads = leads.tail(n).reset_index(drop=True)
    config = TrainConfig(target="Converted", order_by="Lead Number", folds=folds)
    first = train(leads, config)
    blocking = [found for found in first.facts["checks"] if _blocks(found)]
    columns = {name for found in blocking for name in found["columns"]}
    codes = {found["code"]: ASKED for found in blocking}
    overruled = train(leads, replace(config, silence={**codes, "LML020": ASKED}))
    dropped = train(leads, replace(config, drop=(*columns, "Last Activity", "Lead Profile")))
    return first, dropped, overruled, columns


def _blocks(found):
    return found["severity"] == "blocks" and found["status"] == "found"


@pytest.mark.parametrize(
    ("n", "folds"), [(1_400, 2), pytest.param(9_240, 5, marks=pytest.mark.slow)]
)
def test_every_column_ends_as_do_not_use_until_dropped_or_overruled(mirror, n, folds):
    """The verdict says so, the gate refuses; dropping or a reason opens the way."""
    first, dropped, overruled, columns = judged(mirror, n, folds)
    assert columns >= {"Tags", "Lead Quality"}
    assert first.facts["verdict"]["sentence"].startswith("Do not use.")
    assert first.facts["verdict"]["rule"] == "blocked"
    assert {"verdict", "checks"} <= set(first.facts["gate"]["failed"])
    for other in (dropped, overruled):
        assert other.facts["verdict"]["word"] != "no", other.facts["verdict"]
        assert "checks" not in other.facts["gate"]["failed"]
    silenced = [c for c in overruled.facts["checks"] if c["status"] == "silenced"]
    assert {c["reason"] for c in silenced} == {ASKED}
    auc = [run.facts["metrics"]["roc_auc"]["value"] for run in (first, dropped)]
    assert auc[0] > 0.96 > auc[1]
