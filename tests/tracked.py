"""A real MLflow on SQLite in a folder of its own, filled without the seconds of migration."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from leadml.registry.tracking import Registered, Registry
from tests import hand_made


def template(folder: Path) -> Path:
    """A migrated, empty MLflow database."""
    Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models").prepare()
    return folder / "mlflow.db"


def registry(template: Path, folder: Path) -> Registry:
    """A registry in ``folder`` on a copy of the template."""
    shutil.copy(template, folder / "mlflow.db")
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models")


def train(
    registry: Registry, base: float = -2.0, *, signing_key: Path | None = None, **facts: Any
) -> Registered:
    """Register the hand-made scorecard with another base, as a training would."""
    bundle = registry.models_dir.parent / f"trained{base}"
    hand_made.bundle(bundle, base=base, signing_key=signing_key, **facts)
    made = registry.log_training(
        bundle,
        facts=hand_made.facts(**facts),
        params={"seed": 0, "horizon_days": 60, "trees": {"depth": 2, "kinds": ["plain", "extra"]}},
        report="<!doctype html><title>report</title>",
        figures={"gains.png": b"\x89PNG"},
    )
    shutil.rmtree(bundle)
    return made


def client(registry: Registry) -> Any:
    """MLflow's own client at the same place, as a data scientist would use it."""
    from mlflow import MlflowClient

    return MlflowClient(registry.tracking_uri, registry.tracking_uri)
