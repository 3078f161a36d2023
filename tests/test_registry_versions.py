"""Versions listed and named."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import (
    ConfigError,
    RegistryError,
    VersionUnknown,
)
from leadml.registry.known import read_known
from leadml.registry.tracking import Registry
from tests import test_registry_champion, tracked

server = test_registry_champion.server


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


def test_versions_are_listed_newest_first_with_their_figures(registry: Registry) -> None:
    """A list of versions tells alias, verdict, run, digest and headline metrics."""
    assert registry.versions("leads") == []
    first = tracked.train(registry)
    tracked.train(registry, -1.5, word="rank")
    newest, oldest = registry.versions("leads")
    assert (newest.version, newest.verdict) == ("2", "rank")
    assert oldest.run_id == first.run_id
    assert oldest.digest == first.digest
    assert oldest.metrics["roc_auc"] == 0.81
    assert oldest.metrics["log_loss_high"] == 0.41
    assert oldest.as_dict()["aliases"] == ["champion"]
    assert oldest.created_at.endswith("Z")


def test_a_missing_database_has_no_versions_and_is_not_made(tmp_path: Path) -> None:
    """Listing where nothing was trained answers nothing and writes nothing."""
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "models")
    assert registry.versions("leads") == []
    assert not list(tmp_path.iterdir())


def test_foreign_versions_are_listed_and_refused(registry: Registry) -> None:
    """A version registered by somebody else's code is shown, and never promoted."""
    tracked.train(registry)
    client = tracked.client(registry)
    (registry.models_dir.parent / "foreign").mkdir()
    client.create_model_version("leads", source=str(registry.models_dir.parent / "foreign"))
    assert registry.versions("leads")[0].digest == ""
    with pytest.raises(RegistryError, match="not registered by leadml"):
        registry.promote("leads", "2")


ODD = ("9", "nobody", "", "../1", "1' OR '1'='1", "9" * 5000, "²", "٣", "-1", "1\n", "\udcff", "\0")


@pytest.mark.parametrize("version", ODD, ids=range(len(ODD)))
def test_unknown_versions_are_named_errors(registry: Registry, version: str) -> None:
    """A version or alias that is not there is refused with one sentence."""
    with pytest.raises(VersionUnknown):
        registry.promote("leads", version)
    tracked.train(registry)
    with pytest.raises(VersionUnknown):
        registry.promote("leads", version)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 64, "é", "a'b"])
def test_names_that_are_no_folder_are_refused(registry: Registry, name: str) -> None:
    """A model name is checked before it becomes a path or a query."""
    with pytest.raises(ConfigError):
        registry.versions(name)


def test_a_run_that_is_gone_hides_no_version(registry: Registry) -> None:
    """Deleted runs, and such as were removed for good, leave their versions told."""
    made = [tracked.train(registry), tracked.train(registry, -1.5)]
    tracked.client(registry).delete_run(made[0].run_id)
    assert all("experiment_id" in told for told in registry.tell("leads").versions)
    path = registry.tracking_uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM runs WHERE run_uuid = ?", (made[0].run_id,))
        database.commit()
    newest, oldest = registry.tell("leads").versions
    assert "experiment_id" in newest
    assert "experiment_id" not in oldest
    assert registry.promote("leads", "2").previous == "1"
    assert read_known(registry.models_dir, "leads").history == ("1", "2")


def listing(**version: Any) -> bytes:
    """A list of one version, as a server that lies tells it."""
    return json.dumps({"model_versions": [{"name": "leads", "version": "1", **version}]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"[]",
        b"[" * 50_000,
        b'{"registered_model": 3}',
        listing(version="abc"),
        listing(version="9" * 5000),
        listing(creation_timestamp=10**18),
    ],
    ids=range(7),
)
def test_a_server_that_is_no_mlflow_is_one_sentence(
    tmp_path: Path, server: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever answers instead of MLflow ends in an error of ours, for whoever asks."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    test_registry_champion.Lying.body = body
    registry = Registry(server, tmp_path / "models")
    with pytest.raises(RegistryError):
        registry.versions("leads")
    with pytest.raises(RegistryError):
        registry.promote("leads", "champion")
    assert not (tmp_path / "models").exists()
