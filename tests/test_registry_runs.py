"""Runs: a training with all it found, marked as failed where it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leadml.errors import (
    RegistryError,
)
from leadml.registry.champion import read_pointer
from leadml.registry.tracking import Registry
from tests import hand_made, tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


def test_a_training_is_one_run_with_all_it_found(registry: Registry) -> None:
    """Parameters, metrics with intervals, verdict, data digest, report, card and figure."""
    made = tracked.train(registry)
    client = tracked.client(registry)
    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "seed": "0",
        "horizon_days": "60",
        "trees.depth": "2",
        "trees.kinds": "plain, extra",
    }
    metrics = run.data.metrics
    assert (metrics["roc_auc"], metrics["roc_auc_low"], metrics["roc_auc_high"]) == (
        0.81,
        0.74,
        0.88,
    )
    assert metrics["data/n_conversions"] == 80
    assert run.data.tags["leadml.verdict"] == "trust"
    assert run.data.tags["leadml.data_digest"] == "ab" * 32
    assert run.data.tags["mlflow.note.content"] == "Trust the probability."
    assert run.inputs.dataset_inputs[0].dataset.digest == ("ab" * 32)[:36]
    files = {file.path for file in client.list_artifacts(made.run_id)}
    assert files == {"card.md", "report.html", "figures"}
    assert [f.path for f in client.list_artifacts(made.run_id, "figures")] == ["figures/gains.png"]


def test_a_long_description_fits(registry: Registry) -> None:
    """Parameters of any length and kind are logged, cut where MLflow has a limit."""
    hand_made.bundle(registry.models_dir.parent / "b")
    odd: dict[str, Any] = {"a (b)": "x" * 9000, "n": None, "e": {}, "l": [], "ü": {"z": {1, 2}}}
    made = registry.log_training(
        registry.models_dir.parent / "b", facts=hand_made.facts(), params=odd
    )
    params = tracked.client(registry).get_run(made.run_id).data.params
    assert len(params["a _b_"]) == 500
    assert params["n"] == "None"


def test_a_failed_training_registers_nothing(registry: Registry, tmp_path: Path) -> None:
    """Where artefacts cannot be written, the run is marked failed and no version appears."""
    (tmp_path / "mlartifacts").write_text("a file where a folder belongs")
    with pytest.raises(RegistryError, match="refuses the training"):
        tracked.train(registry)
    client = tracked.client(registry)
    experiment = client.get_experiment_by_name("leadml")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]
    assert registry.versions("leads") == []
    assert read_pointer(registry.models_dir, "leads") is None
