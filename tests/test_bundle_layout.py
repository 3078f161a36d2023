"""The layout of bundles: one spelling, one digest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import BundleError
from leadml.registry.bundle import read_bundle
from leadml.registry.golden import golden_rows
from leadml.registry.layout import canonical
from leadml.registry.writing import write_bundle
from tests import hand_made

json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(json_data)
def test_canonical_bytes_keep_every_bit(data: Any) -> None:
    """Plain data survives the canonical spelling, and is spelled the same again."""
    spelled = canonical(data)
    assert orjson.loads(spelled) == data
    assert canonical(orjson.loads(spelled)) == spelled


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"a": [1.0, math.nan]}, "/a/1"),
        ({"a": np.float64("inf")}, "/a"),
        ({"a": np.array([1.0, -np.inf])}, "/a/1"),
        ({1: 2}, "/"),
        ({"a": object()}, "/a"),
        ({"a": 2**70}, "64-bit"),
        ({"a": "\ud800"}, "utf"),
    ],
)
def test_what_json_cannot_say_is_refused(data: Any, where: str) -> None:
    """Neither NaN nor infinity nor foreign objects become null in silence."""
    with pytest.raises(BundleError, match=f"(?i){where}"):
        canonical(data)


def test_the_digest_outlives_time_place_and_card(tmp_path: Path) -> None:
    """The same model made later, elsewhere, with another card text has the same digest."""
    first = hand_made.bundle(tmp_path / "a")
    facts = hand_made.facts(created_at="2027-01-01T00:00:00Z")
    facts["model"].update(run_id="r2", version="9", seconds=99.0)
    facts["data"]["source"] = "elsewhere/leads.csv"
    card = hand_made.scorecard()
    second = write_bundle(
        tmp_path / "b",
        scorecard=card,
        policy=hand_made.policy(),
        metrics=facts,
        golden=golden_rows(card, hand_made.policy(), hand_made.leads(40)),
        card="# leads, trained in 2027\n",
    )
    assert first == second == read_bundle(tmp_path / "b").digest


@pytest.mark.parametrize("change", ["base", "seed", "verdict"])
def test_the_digest_tells_models_apart(tmp_path: Path, change: str) -> None:
    """Another scorecard, another seed or another finding gives another digest."""
    first = hand_made.bundle(tmp_path / "a")
    changed: dict[str, dict[str, Any]] = {
        "base": {"base": math.nextafter(-2.0, 0.0)},
        "seed": {"seed": 1},
        "verdict": {"word": "rank"},
    }
    assert hand_made.bundle(tmp_path / "b", **changed[change]) != first
