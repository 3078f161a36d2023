"""Bundles fetched from MLflow, after a look at names and sizes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from leadml.errors import (
    BundleError,
    BundleUnsigned,
    RegistryError,
)
from leadml.registry.bundle import read_bundle
from leadml.registry.signing import PublicKeys, create_keys
from leadml.registry.tracking import Registry
from tests import tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


def test_fetch_brings_what_is_missing_or_damaged(registry: Registry) -> None:
    """A version deleted or damaged in the models folder comes back from MLflow, verified."""
    made = tracked.train(registry)
    shutil.rmtree(registry.models_dir)
    assert read_bundle(registry.fetch("leads", "champion")).digest == made.digest
    (made.bundle / "policy.json").write_bytes(b"{}")
    said: list[str] = []
    replace(registry, progress=said.append).fetch("leads", made.version)
    assert read_bundle(made.bundle).digest == made.digest
    assert any("damaged" in words for words in said)


@pytest.mark.parametrize("harm", ["extra", "absent", "link", "huge"])
def test_fetch_looks_before_it_downloads(registry: Registry, harm: str) -> None:
    """Artefacts that are no bundle are refused, and nothing lands in the models folder."""
    made = tracked.train(registry)
    shutil.rmtree(made.bundle)
    bundle = next(
        registry.models_dir.parent.glob("mlartifacts/models/*/artifacts/artifacts/bundle")
    )
    if harm == "extra":
        (bundle / "model.pkl").write_bytes(b"")
    elif harm == "absent":
        (bundle / "golden.json").unlink()
    elif harm == "link":
        (bundle / "policy.json").unlink()
        (bundle / "policy.json").symlink_to("/etc/hostname")
    else:
        with (bundle / "policy.json").open("wb") as file:
            file.truncate(5_000_000)
    with pytest.raises((BundleError, RegistryError)):
        registry.fetch("leads", made.version)
    assert not made.bundle.exists()


def test_a_signed_version_goes_through_mlflow_and_back(registry: Registry, tmp_path: Path) -> None:
    """Signed, registered, lost here and fetched again: verified each time; an unsigned one not."""
    pair = create_keys(tmp_path / "keys")
    registry = replace(registry, keys=PublicKeys.of(pair[1]))
    with pytest.raises(BundleUnsigned):
        tracked.train(registry)
    assert registry.versions("leads") == []
    shutil.rmtree(tmp_path / "trained-2.0")
    made = tracked.train(registry, signing_key=pair[0])
    shutil.rmtree(made.bundle)
    assert read_bundle(registry.fetch("leads", "1"), keys=registry.keys).digest == made.digest
    shutil.rmtree(made.bundle)
    for path in tmp_path.glob("mlartifacts/models/*/artifacts/artifacts/bundle/signature.json"):
        path.unlink()
    with pytest.raises(BundleUnsigned):
        registry.fetch("leads", "1")
    assert not made.bundle.exists()
