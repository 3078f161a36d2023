"""A real MLflow on SQLite in a folder of its own, filled without the seconds of migration."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from leadml.registry.connecting import prepare
from leadml.registry.tracking import Registered, Registry
from tests import hand_made


@cache
def _migrated() -> bytes:
    """A migrated, empty MLflow database; made once in a run of the tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        prepare(f"sqlite:///{path}", lambda _: None)
        return path.read_bytes()


def template(folder: Path) -> Path:
    """A migrated, empty MLflow database in a folder."""
    (folder / "mlflow.db").write_bytes(_migrated())
    return folder / "mlflow.db"


def registry(folder: Path) -> Registry:
    """A registry in ``folder`` with no version."""
    return Registry(f"sqlite:///{template(folder)}", folder / "models")


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
