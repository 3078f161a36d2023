"""Versions as a server without MLflow knows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import BundleError, PromotionRefused, VersionUnknown
from leadml.registry.champion import read_pointer
from leadml.registry.known import read_known, write_known
from leadml.service.shelf import Shelf
from leadml.settings import Settings
from tests import company


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two versions, the first one champion, nothing remembered."""
    return company.found(tmp_path, n_leads=0)


def test_bundles_and_what_the_registry_said_are_one_list(settings: Settings) -> None:
    """Local bundles and versions that lie in MLflow alone stand together, newest first."""
    told = [{"version": "5", "aliases": ["challenger"], "reason": "", "verdict": "no"}]
    write_known(settings.models_dir, "leads", told, ["1"])
    listing = Shelf(settings).listing()
    assert [v["version"] for v in listing["versions"]] == ["5", "2", "1"]
    assert [v["local"] for v in listing["versions"]] == [False, True, True]
    assert [v["champion"] for v in listing["versions"]] == [False, False, True]
    assert listing["versions"][1]["metrics"]["roc_auc"] > 0.5
    assert listing["history"] == ["1"]


def test_a_damaged_file_of_versions_counts_as_none(settings: Settings) -> None:
    """Whatever stands in versions.json, the bundles are told."""
    file = Path(settings.models_dir) / "leads" / "versions.json"
    for text in ("", "[]", '{"told_at": 1}', '{"told_at": "x", "versions": [1], "history": 3}'):
        file.write_text(text)
        assert read_known(settings.models_dir, "leads").versions == ()
    assert len(Shelf(settings).listing()["versions"]) == 2


def test_promoting_without_mlflow_moves_the_pointer(settings: Settings) -> None:
    """The pointer names the version; one that does not exist is refused."""
    shelf = Shelf(settings)
    shelf.promote("2", "newer", by="anna")
    pointed = read_pointer(settings.models_dir, "leads")
    assert pointed is not None
    assert pointed.version == "2"
    with pytest.raises(VersionUnknown):
        shelf.promote("7", "newer", by="anna")
    with pytest.raises(VersionUnknown):
        shelf.rollback("older", by="anna")


def test_a_version_that_failed_the_gate_needs_overruling(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is promoted only when people say so."""
    shelf = Shelf(settings)
    told = shelf.facts("2")
    assert told is not None
    told["metrics"]["gate"] = {"passed": False, "sentence": "Not promoted: worse."}
    with pytest.raises(PromotionRefused, match="worse"):
        shelf.promote("2", "newer", by="anna")
    shelf.promote("2", "newer", by="anna", overrule=True)


def test_a_damaged_bundle_is_told_and_never_served(settings: Settings) -> None:
    """Its state says so; promoting it is refused."""
    folder = Path(settings.models_dir) / "leads" / "2"
    (folder / "metrics.json").write_text("{}")
    shelf = Shelf(settings)
    assert "fault" in shelf.listing()["versions"][0]
    with pytest.raises(BundleError):
        shelf.promote("2", "newer", by="anna")
