"""Tables of bundles that do not fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import BundleError
from leadml.registry.bundle import read_bundle
from leadml.registry.layout import canonical
from tests import hand_made
from tests.hand_made import reseal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    hand_made.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def edit(*path: Any) -> Any:
    """An edit of the scorecard: the last argument replaces what the others lead to."""
    *way, last, value = path

    def change(data: Any) -> None:
        for step in way:
            data = data[step]
        data[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("columns", 0, "missing_bin", 99),
        edit("columns", 0, "missing_bin", -1),
        edit("columns", 0, "level_bins", [0, 1, 77]),
        edit("columns", 1, "thresholds", [10.0, 9.0, 1000.0]),
        edit("columns", 1, "thresholds", [float(i) for i in range(50)]),
        edit("columns", 1, "thresholds", [[1.0], [2.0]]),
        edit("columns", 1, "share", [1.0]),
        edit("columns", 1, "level", []),
        edit("columns", 1, "level", None),
        edit("pairs", 0, "first", -1),
        edit("pairs", 0, "first", 9),
        edit("pairs", 0, "cells", [[1.0]]),
        edit("reference", "score", [1.0, 0.0]),
        edit("base", "NaN"),
        edit("base", None),
    ],
)
def test_tables_that_do_not_fit_are_refused(folder: Path, change: Any) -> None:
    """Bins out of range, unordered thresholds and other tables never reach a scorer."""
    data = json.loads((folder / "scorecard.json").read_bytes())
    change(data)
    reseal(folder, "scorecard.json", canonical(data))
    with pytest.raises(BundleError):
        read_bundle(folder)
