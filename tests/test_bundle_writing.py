"""Bundles written and copied: proven first, and sound afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import BundleError, BundleRejected
from leadml.registry.bundle import read_bundle
from leadml.registry.golden import golden_rows
from leadml.registry.writing import copy_bundle, write_bundle
from tests import hand_made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    hand_made.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_wrong_golden_rows_are_never_written(tmp_path: Path) -> None:
    """A bundle whose golden rows do not fit its scorecard is refused, leaving nothing behind."""
    golden = golden_rows(hand_made.scorecard(-2.1), hand_made.policy(), hand_made.leads(9))
    with pytest.raises(BundleRejected, match="golden rows get another answer"):
        write_bundle(
            tmp_path / "b",
            scorecard=hand_made.scorecard(),
            policy=hand_made.policy(),
            metrics=hand_made.facts(),
            golden=golden,
            card="",
        )
    assert not list(tmp_path.iterdir())


def test_a_copy_replaces_a_damaged_one(folder: Path, tmp_path: Path) -> None:
    """A verified copy takes the place of a damaged bundle; a damaged source changes nothing."""
    target = tmp_path / "models" / "1"
    copied = copy_bundle(folder, target)
    (target / "card.md").write_text("changed")
    assert copy_bundle(folder, target).digest == copied.digest
    (folder / "card.md").write_text("changed")
    with pytest.raises(BundleError):
        copy_bundle(folder, target)
    assert read_bundle(target).digest == copied.digest
    assert [path.name for path in target.parent.iterdir()] == ["1"]
