"""The model that MLflow keeps: our bundle and nothing of the caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.registry.bundle import read_bundle
from leadml.registry.tracking import Registry
from tests import tracked


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with no version, called from another folder that must stay empty."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tracked.registry(tmp_path)


def test_a_version_holds_the_bundle_and_nothing_of_the_caller(registry: Registry) -> None:
    """The logged model is the bundle, a script, and MLflow's own notes: no file of the project."""
    Path("uv.lock").write_text("version = 1\n")
    Path("pyproject.toml").write_text("[project]\nname = 'secret'\nversion = '1'\n")
    made = tracked.train(registry)
    found = tracked.client(registry).get_model_version("leads", made.version)
    folder = next((registry.models_dir.parent / "mlartifacts" / "models").iterdir()) / "artifacts"
    assert {path.name for path in folder.iterdir()} - {"registered_model_meta"} == {
        "MLmodel",
        "artifacts",
        "conda.yaml",
        "leadml_model.py",
        "python_env.yaml",
        "requirements.txt",
    }
    assert read_bundle(folder / "artifacts" / "bundle").digest == made.digest
    assert found.tags["leadml.digest"] == made.digest
    assert found.run_id == made.run_id
    assert {path.name for path in Path.cwd().iterdir()} == {"uv.lock", "pyproject.toml"}
