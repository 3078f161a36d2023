"""A real MLflow on SQLite in a folder of its own, filled without the seconds of migration."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
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


@cache
def _trained(*bases: float) -> tempfile.TemporaryDirectory[str]:
    """Versions with these bases, the first one champion; made once in a run of the tests."""
    folder = tempfile.TemporaryDirectory()
    made = registry(Path(folder.name))
    for base in bases:
        train(made, base)
    return folder


_PLACES = (
    ("experiments", "artifact_location"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("runs", "artifact_uri"),
)
"""Where MLflow's database names the folder of artefacts."""


def with_two(folder: Path) -> Registry:
    """A registry in ``folder`` with two versions, the first one champion."""
    source = Path(_trained(-2.0, -1.5).name)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        for table, column in _PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(source), str(folder))
            )
    return Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models")


def with_three(folder: Path) -> Registry:
    """A registry in ``folder`` with three versions, the first one champion.

    Their artefacts are shared with other tests: read them, never change them.
    """
    source = Path(_trained(-2.0, -1.5, -1.0).name)
    shutil.copy(source / "mlflow.db", folder / "mlflow.db")
    shutil.copytree(source / "models", folder / "models")
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


@contextmanager
def refusing(registry: Registry, table: str) -> Iterator[None]:
    """Have the database refuse whatever is written to one of MLflow's tables."""
    path = registry.tracking_uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        for what in ("INSERT", "UPDATE", "DELETE"):
            database.execute(
                f"CREATE TRIGGER no_{what} BEFORE {what} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END"
            )
        database.commit()
    try:
        yield
    finally:
        with closing(sqlite3.connect(path)) as database:
            for what in ("INSERT", "UPDATE", "DELETE"):
                database.execute(f"DROP TRIGGER no_{what}")
            database.commit()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """A small disk without room for another byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """A small disk that takes nothing, not even from root."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
