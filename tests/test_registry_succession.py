"""Champions one after the other, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import (
    BundleError,
    VersionUnknown,
)
from leadml.registry.champion import read_pointer
from leadml.registry.tracking import Registry
from tests import tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


def test_promote_and_roll_back(registry: Registry) -> None:
    """Promotions move alias and pointer; each rollback goes one step further back."""
    for base in (-2.0, -1.5, -1.0):
        tracked.train(registry, base)
    assert registry.promote("leads", "2", "better in March").previous == "1"
    assert registry.promote("leads", "challenger").version == "3"
    info = {each.version: each for each in registry.versions("leads")}
    assert info["2"].reason == "better in March"
    assert info["3"].aliases == ("champion",)
    assert registry.rollback("leads", "complaints").as_dict() == {
        "name": "leads",
        "version": "2",
        "previous": "3",
    }
    assert registry.rollback("leads").version == "1"
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "1"
    with pytest.raises(VersionUnknown, match="so nothing was before it"):
        registry.rollback("leads")


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    """A repeated promotion is harmless, and a rollback still finds the one before."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    registry.promote("leads", "2")
    assert registry.promote("leads", "2").previous == "1"
    assert registry.rollback("leads").version == "1"


def test_rollback_after_the_alias_was_moved_in_mlflow(registry: Registry) -> None:
    """An alias moved by MLflow's own means is no obstacle: the last known champion returns."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert registry.rollback("leads").version == "1"


def test_a_champion_chosen_in_mlflow_is_one_to_go_back_to(registry: Registry) -> None:
    """An alias moved by MLflow's own means is remembered by the next promotion."""
    for base in (-2.0, -1.5, -1.0):
        tracked.train(registry, base)
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    registry.promote("leads", "3")
    assert registry.rollback("leads").version == "2"
    assert registry.rollback("leads").version == "1"


def test_a_damaged_bundle_is_never_promoted(registry: Registry) -> None:
    """Damaged here and in MLflow: refused, and alias and pointer stay."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    for card in registry.models_dir.parent.rglob("scorecard.json"):
        if card.parent.name == "2" or "mlartifacts" in card.parts:
            card.write_bytes(card.read_bytes().replace(b"0.31", b"0.32"))
    with pytest.raises(BundleError):
        registry.promote("leads", "2")
    assert registry.versions("leads")[1].aliases == ("champion",)
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "1"
