"""MLflow connected to: whole databases, named failures, no chatter."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from leadml.errors import (
    ConfigError,
    DriverMissing,
    LeadmlError,
    RegistryError,
)
from leadml.registry.connecting import prepare
from leadml.registry.tracking import Registry
from tests import tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


def test_a_fresh_database_appears_whole(tmp_path: Path) -> None:
    """Until it is migrated the database has another name; two makers do no harm."""
    said: list[str] = []
    address = f"sqlite:///{tmp_path}/deep/mlflow.db"
    threads = [threading.Thread(target=prepare, args=(address, said.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        path = tmp_path / "deep" / "mlflow.db"
        if path.exists():
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                connection.execute("SELECT count(*) FROM registered_model_aliases").fetchone()
        time.sleep(0.02)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["mlflow.db"]
    assert said[0] == "preparing the MLflow database (once)"


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_a_file_that_is_no_database_is_a_named_error(tmp_path: Path, content: bytes) -> None:
    """A damaged database is refused in one sentence; an empty file is filled as MLflow does."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    registry = Registry(f"sqlite:///{path}", tmp_path / "models")
    if content:
        with pytest.raises(RegistryError, match="does not list"):
            registry.versions("leads")
    else:
        assert registry.versions("leads") == []


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("sqlite://", ConfigError),
        ("sqlite:///:memory:", ConfigError),
        ("postgresql+nosuchdriver://u:geheim@127.0.0.1:1/x", LeadmlError),
        ("postgresql://u:geheim@127.0.0.1:1/x", LeadmlError),
        ("http://u:geheim@127.0.0.1:1", RegistryError),
        ("nonsense://x", RegistryError),
    ],
)
def test_unusable_addresses_are_named_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, error: type[LeadmlError]
) -> None:
    """An address where no MLflow is gives one sentence without its password."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as refused:
        start = time.monotonic()
        Registry(uri, tmp_path / "models").versions("leads")
    assert time.monotonic() - start < 30
    assert isinstance(refused.value, RegistryError | ConfigError | DriverMissing)
    assert "geheim" not in refused.value.sentence()


def test_a_database_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    """A folder in the database's place is refused in one sentence, without long retries."""
    (tmp_path / "mlflow.db").mkdir()
    start = time.monotonic()
    with pytest.raises(RegistryError, match="unable to open"):
        Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "models").versions("leads")
    assert time.monotonic() - start < 30


def test_mlflow_stays_quiet_and_its_loggers_keep_their_levels(
    registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of MLflow's chatter reaches the terminal, and its settings come back."""
    logging.getLogger("alembic").setLevel(logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracked.train(registry)
    assert logging.getLogger("alembic").level == logging.INFO
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_read_only_database_is_one_sentence(
    tmp_path: Path, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Versions are listed all the same; what would write is refused without a traceback."""
    source = tracked.with_three(tmp_path)
    shutil.copy(tmp_path / "mlflow.db", small_disk)
    registry = replace(source, tracking_uri=f"sqlite:///{small_disk / 'mlflow.db'}")
    with tracked.read_only(small_disk):
        assert len(registry.versions("leads")) == 3
        with pytest.raises(RegistryError, match="readonly database") as refused:
            registry.promote("leads", "2")
    assert refused.value.fix
    assert capfd.readouterr() == ("", "")
