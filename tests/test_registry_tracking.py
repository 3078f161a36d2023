"""Tracking: runs, versions and aliases in a real MLflow on SQLite."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import (
    BundleError,
    BundleUnsigned,
    ConfigError,
    DriverMissing,
    LeadmlError,
    RegistryError,
    VersionUnknown,
)
from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion, read_pointer
from leadml.registry.signing import PublicKeys, create_keys
from leadml.registry.tracking import Registry
from tests import hand_made, tracked


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated MLflow database."""
    return tracked.template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def registry(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with no version, called from another folder that must stay empty."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tracked.registry(template, tmp_path)


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


def test_the_first_version_is_champion_later_ones_challenge(registry: Registry) -> None:
    """The first trustworthy version is served by itself; the next waits for a decision."""
    assert tracked.train(registry).alias == "champion"
    assert tracked.train(registry, -1.5).alias == "challenger"
    aliases = {info.version: info.aliases for info in registry.versions("leads")}
    assert aliases == {"2": ("challenger",), "1": ("champion",)}
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "1"


def test_a_model_not_to_be_used_is_never_champion_by_itself(registry: Registry) -> None:
    """The verdict ``no`` leaves nothing to serve; the next good version is served."""
    assert tracked.train(registry, word="no").alias == "challenger"
    assert read_pointer(registry.models_dir, "leads") is None
    assert tracked.train(registry, -1.5).alias == "champion"


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


def test_promote_and_roll_back(registry: Registry) -> None:
    """Promotions move alias and pointer; each rollback goes one step further back."""
    for base in (-2.0, -1.5, -1.0):
        tracked.train(registry, base)
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
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "1"
    with pytest.raises(VersionUnknown, match="so nothing was before it"):
        registry.rollback("leads")


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    """A repeated promotion is harmless, and a rollback still finds the one before."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    registry.promote("leads", "2")
    assert registry.promote("leads", "2").previous == "1"
    assert registry.rollback("leads").version == "1"


def test_rollback_after_the_alias_was_moved_in_mlflow(registry: Registry) -> None:
    """An alias moved by MLflow's own means is no obstacle: the last known champion returns."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    assert registry.rollback("leads").version == "1"


def test_a_champion_chosen_in_mlflow_is_one_to_go_back_to(registry: Registry) -> None:
    """An alias moved by MLflow's own means is remembered by the next promotion."""
    for base in (-2.0, -1.5, -1.0):
        tracked.train(registry, base)
    tracked.client(registry).set_registered_model_alias("leads", "champion", "2")
    registry.promote("leads", "3")
    assert registry.rollback("leads").version == "2"
    assert registry.rollback("leads").version == "1"


@pytest.mark.parametrize("version", ["9", "nobody", "", "../1", "1' OR '1'='1"])
def test_unknown_versions_are_named_errors(registry: Registry, version: str) -> None:
    """A version or alias that is not there is refused with one sentence."""
    with pytest.raises(VersionUnknown):
        registry.promote("leads", version)
    tracked.train(registry)
    with pytest.raises(VersionUnknown):
        registry.promote("leads", version)


def test_a_damaged_bundle_is_never_promoted(registry: Registry) -> None:
    """Damaged here and in MLflow: refused, and alias and pointer stay."""
    tracked.train(registry)
    tracked.train(registry, -1.5)
    for card in registry.models_dir.parent.rglob("scorecard.json"):
        if card.parent.name == "2" or "mlartifacts" in card.parts:
            card.write_bytes(card.read_bytes().replace(b"0.31", b"0.32"))
    with pytest.raises(BundleError):
        registry.promote("leads", "2")
    assert registry.versions("leads")[1].aliases == ("champion",)
    pointer = read_pointer(registry.models_dir, "leads")
    assert pointer is not None
    assert pointer.version == "1"


def test_foreign_versions_are_listed_and_refused(registry: Registry) -> None:
    """A version registered by somebody else's code is shown, and never promoted."""
    tracked.train(registry)
    client = tracked.client(registry)
    (registry.models_dir.parent / "foreign").mkdir()
    client.create_model_version("leads", source=str(registry.models_dir.parent / "foreign"))
    assert registry.versions("leads")[0].digest == ""
    with pytest.raises(RegistryError, match="not registered by leadml"):
        registry.promote("leads", "2")


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


def test_a_damaged_bundle_is_not_logged(registry: Registry, tmp_path: Path) -> None:
    """What does not verify never becomes a run."""
    hand_made.bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "card.md").write_text("changed")
    with pytest.raises(BundleError):
        registry.log_training(tmp_path / "bundle", facts=hand_made.facts())
    assert tracked.client(registry).search_experiments(filter_string="name = 'leadml'") == []


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


def test_killed_trainings_leave_no_half_version(template: Path, tmp_path: Path) -> None:
    """Kill -9 at random moments: every version is whole, and another training still works."""
    registry = tracked.registry(template, tmp_path)
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from leadml.registry.tracking import Registry\n"
        "from tests import tracked\n"
        "import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store\n"
        "registry = Registry(sys.argv[1], Path(sys.argv[2]))\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    tracked.train(registry)\n"
    )
    rng = random.Random(5)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", code, registry.tracking_uri, str(registry.models_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.6))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for info in registry.versions("leads"):
            assert info.digest
            assert read_bundle(registry.fetch("leads", info.version)).digest == info.digest
    assert tracked.train(registry).version == str(len(registry.versions("leads")))
    champion = Champion(registry.models_dir, "leads", registry.tracking_uri)
    assert champion.poll()


# --- the database ----------------------------------------------------------------


def test_a_fresh_database_appears_whole(tmp_path: Path) -> None:
    """Until it is migrated the database has another name; two makers do no harm."""
    said: list[str] = []
    registry = Registry(
        f"sqlite:///{tmp_path}/deep/mlflow.db", tmp_path / "models", progress=said.append
    )
    threads = [threading.Thread(target=registry.prepare) for _ in range(2)]
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


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 64, "é", "a'b"])
def test_names_that_are_no_folder_are_refused(registry: Registry, name: str) -> None:
    """A model name is checked before it becomes a path or a query."""
    with pytest.raises(ConfigError):
        registry.versions(name)


def test_a_relative_address_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative database is the one seen from where the registry was made."""
    monkeypatch.chdir(tmp_path)
    registry = Registry("sqlite:///mlflow.db", Path("models"))
    monkeypatch.chdir(tmp_path.parent)
    assert registry.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"


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
