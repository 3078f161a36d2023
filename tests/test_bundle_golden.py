"""Golden rows: no real leads, and the proof of every bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leadml.errors import BundleRejected
from leadml.registry.bundle import read_bundle
from leadml.registry.golden import golden_rows
from leadml.registry.layout import canonical
from tests import hand_made
from tests.hand_made import reseal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    hand_made.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_golden_rows_are_no_real_leads() -> None:
    """Fields are mixed between leads, and what the model does not read stays out."""
    leads = [
        {"lead_id": f"L{i}", "industry": "Retail", "employees": i, "pricing_page_views_30d": i}
        for i in range(64)
    ]
    rows = [row["lead"] for row in golden_rows(hand_made.scorecard(), hand_made.policy(), leads)]
    assert len(rows) == 34
    assert rows[0] == {}
    assert all(
        row.keys() == {"industry", "employees", "pricing_page_views_30d"} for row in rows[2:]
    )
    assert all(row["employees"] != row["pricing_page_views_30d"] for row in rows[2:])


def test_golden_rows_take_what_frames_hold() -> None:
    """Numpy numbers, missing marks and times are written as a caller would send them."""
    leads = [
        {
            "industry": None,
            "employees": np.int64(7),
            "source": float("nan"),
            "pricing_page_views_30d": np.datetime64("NaT"),
        }
    ]
    rows = golden_rows(hand_made.scorecard(), hand_made.policy(), leads)
    assert rows[-1]["lead"] == {"employees": 7}


def test_a_bundle_without_golden_rows_is_refused(folder: Path) -> None:
    """Nothing proves a bundle without golden rows."""
    reseal(folder, "golden.json", b"[]\n")
    with pytest.raises(BundleRejected, match="no golden rows"):
        read_bundle(folder)


def test_other_answers_are_rejected(folder: Path) -> None:
    """A bundle sealed again around a changed scorecard fails on its golden rows."""
    data = json.loads((folder / "scorecard.json").read_bytes())
    data["columns"][0]["level"][1] += 1e-6
    reseal(folder, "scorecard.json", canonical(data))
    with pytest.raises(BundleRejected, match="log_odds is"):
        read_bundle(folder)
