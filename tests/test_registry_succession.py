"""Champions one after the other, and the way back."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from leadml.errors import (
    BundleError,
    BundleUnsigned,
    FileUnwritable,
    LeadmlError,
    RegistryError,
    VersionUnknown,
)
from leadml.registry.champion import read_pointer
from leadml.registry.signing import PublicKeys, create_keys
from leadml.registry.tracking import Registry
from tests import tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three versions, the first one champion."""
    return tracked.with_three(tmp_path)


def pointed(registry: Registry) -> str | None:
    """Number of the version that servers are pointed at."""
    pointer = read_pointer(registry.models_dir, "leads")
    return None if pointer is None else pointer.version


def test_promote_and_roll_back(registry: Registry) -> None:
    """Promotions move alias and pointer; each rollback goes one step further back."""
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
    assert pointed(registry) == "1"
    with pytest.raises(VersionUnknown, match="so nothing was before it"):
        registry.rollback("leads")


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    """A repeated promotion is harmless, and a rollback still finds the one before."""
    registry.promote("leads", "2")
    assert registry.promote("leads", "2").previous == "1"
    assert registry.rollback("leads").version == "1"


def test_rollback_after_the_alias_was_moved_in_mlflow(registry: Registry) -> None:
    """An alias moved by MLflow's own means is no obstacle: the last known champion returns."""
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert registry.rollback("leads").version == "1"


def test_a_champion_chosen_in_mlflow_is_one_to_go_back_to(registry: Registry) -> None:
    """An alias moved by MLflow's own means is remembered by the next promotion."""
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    registry.promote("leads", "3")
    assert registry.rollback("leads").version == "2"
    assert registry.rollback("leads").version == "1"


def test_a_damaged_bundle_is_never_promoted(tmp_path: Path) -> None:
    """Damaged here and in MLflow: refused, and alias and pointer stay."""
    registry = tracked.registry(tmp_path)
    for base in (-2.0, -1.5):
        tracked.train(registry, base)
    for card in registry.models_dir.parent.rglob("scorecard.json"):
        if card.parent.name == "2" or "mlartifacts" in card.parts:
            card.write_bytes(card.read_bytes().replace(b"0.31", b"0.32"))
    with pytest.raises(BundleError):
        registry.promote("leads", "2")
    assert registry.versions("leads")[1].aliases == ("champion",)
    assert pointed(registry) == "1"


def test_the_way_back_leads_past_deleted_versions(registry: Registry) -> None:
    """A champion that was deleted since is skipped; where all were, that is said."""
    registry.promote("leads", "2")
    registry.promote("leads", "3")
    client = tracked.client(registry)
    client.delete_model_version("leads", "2")
    assert registry.rollback("leads").version == "1"
    registry.promote("leads", "3")
    client.delete_model_version("leads", "1")
    with pytest.raises(VersionUnknown, match="was deleted"):
        registry.rollback("leads")


def test_a_deleted_champion_has_a_successor_and_a_predecessor(registry: Registry) -> None:
    """MLflow takes the alias with the version: both ways to a new champion are open."""
    registry.promote("leads", "2")
    tracked.client(registry).delete_model_version("leads", "2")
    assert registry.rollback("leads").as_dict() == {"name": "leads", "version": "1"}
    tracked.client(registry).delete_model_version("leads", "1")
    assert registry.promote("leads", "3").version == "3"


@pytest.mark.parametrize("moving", ["promote", "rollback"])
def test_a_registry_that_is_away_or_read_only_moves_nothing(
    registry: Registry, tmp_path: Path, moving: str
) -> None:
    """Refused at the alias itself: one sentence, and no reason or date of what never was."""
    registry.promote("leads", "2")
    before = [info.as_dict() for info in registry.versions("leads")]
    with (
        tracked.refusing(registry, "registered_model_aliases"),
        pytest.raises(RegistryError, match="does not move the alias") as refused,
    ):
        registry.promote("leads", "3", "why") if moving == "promote" else registry.rollback("leads")
    assert refused.value.fix
    assert [info.as_dict() for info in registry.versions("leads")] == before
    assert pointed(registry) == "2"
    (tmp_path / "mlflow.db").rename(tmp_path / "away.db")
    with pytest.raises(VersionUnknown, match="no tracking database"):
        registry.promote("leads", "3")
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("table", ["model_version_tags", "registered_model_tags"])
def test_a_promotion_cut_short_after_the_alias_is_told_and_finished_later(
    registry: Registry, table: str
) -> None:
    """The alias has moved, the reason is not kept: said so; promoting again keeps it."""
    with (
        tracked.refusing(registry, table),
        pytest.raises(RegistryError, match="made version 2 champion, but does not keep") as refused,
    ):
        registry.promote("leads", "2", "better")
    assert "leadml models promote 2" in str(refused.value.fix)
    assert pointed(registry) == "2"
    assert registry.promote("leads", "2", "better").previous == "1"
    _, champion, _ = registry.versions("leads")
    assert (champion.aliases, champion.reason) == (("champion",), "better")
    assert registry.rollback("leads").version == "1"


@pytest.mark.parametrize("harm", ["full", "read-only"])
def test_a_models_folder_that_takes_nothing_moves_nothing(
    tmp_path: Path, small_disk: Path, harm: str
) -> None:
    """No room or no right for a pointer: said before the alias moves."""
    registry = tracked.with_three(tmp_path)
    shutil.copytree(registry.models_dir, small_disk / "models")
    registry = replace(registry, models_dir=small_disk / "models")
    with tracked.full(small_disk) if harm == "full" else tracked.read_only(small_disk):
        for version in ("2", "challenger"):
            with pytest.raises(FileUnwritable, match="cannot be written"):
                registry.promote("leads", version, "why")
    assert [v.aliases for v in registry.versions("leads")] == [("challenger",), (), ("champion",)]
    assert [v.reason for v in registry.versions("leads")][:2] == ["", ""]
    assert pointed(registry) == "1"
    assert registry.promote("leads", "2").version == "2"


def test_two_promotions_at_the_same_moment_end_with_one_champion(registry: Registry) -> None:
    """Alias and pointer name the same version; whoever lost is told."""
    start = threading.Barrier(2)
    said: dict[str, str] = {}

    def promote(version: str) -> None:
        start.wait()
        try:
            said[version] = registry.promote("leads", version).version
        except LeadmlError as error:
            said[version] = error.sentence()

    for _ in range(3):
        registry.promote("leads", "1")
        threads = [threading.Thread(target=promote, args=(version,)) for version in "23"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (champion,) = [v for v in registry.versions("leads") if "champion" in v.aliases]
        assert pointed(registry) == champion.version
        assert said[champion.version] == champion.version
        lost = said["3" if champion.version == "2" else "2"]
        assert lost in "23" or lost.startswith("registry: ")
        assert registry.rollback("leads").version != champion.version


def test_an_odd_reason_is_kept_as_far_as_it_can_be_spelled(registry: Registry) -> None:
    """Bytes that are no text, a very long one, and control characters end in no traceback."""
    registry.promote("leads", "2", "\udcff\x00" + "x" * 10_000)
    assert registry.versions("leads")[1].reason.startswith("?")


def test_a_bundle_of_another_key_is_never_promoted(registry: Registry, tmp_path: Path) -> None:
    """Signed, but by nobody trusted here: refused, and alias and pointer stay."""
    ours, theirs = create_keys(tmp_path / "ours"), create_keys(tmp_path / "theirs")
    tracked.train(registry, -0.5, signing_key=theirs[0])
    strict = replace(registry, keys=PublicKeys.of(ours[1]))
    for version, why in (("4", "not trusted here"), ("2", "not signed")):
        with pytest.raises(BundleUnsigned, match=why):
            strict.promote("leads", version)
    assert strict.versions("leads")[3].aliases == ("champion",)
    assert pointed(registry) == "1"
