"""Trainings registered: the first is champion, and nothing is ever half done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from leadml.errors import BundleError, FileUnwritable, RegistryError
from leadml.registry.champion import Champion, read_pointer
from leadml.registry.tracking import Registry
from tests import hand_made, tracked


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with no version."""
    return tracked.registry(tmp_path)


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


def test_a_damaged_bundle_is_not_logged(registry: Registry, tmp_path: Path) -> None:
    """What does not verify never becomes a run."""
    hand_made.bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "card.md").write_text("changed")
    with pytest.raises(BundleError):
        registry.log_training(tmp_path / "bundle", facts=hand_made.facts())
    assert tracked.client(registry).search_experiments(filter_string="name = 'leadml'") == []


@pytest.mark.parametrize("harm", ["full", "read-only"])
def test_a_models_folder_that_takes_nothing_logs_nothing(
    tmp_path: Path, small_disk: Path, harm: str
) -> None:
    """No room or no right for the bundle: said before a run, let alone a version, is made."""
    registry = replace(tracked.registry(tmp_path), models_dir=small_disk / "models")
    hand_made.bundle(tmp_path / "trained")
    with tracked.full(small_disk) if harm == "full" else tracked.read_only(small_disk):
        with pytest.raises(FileUnwritable, match="cannot be written") as refused:
            registry.log_training(tmp_path / "trained", facts=hand_made.facts())
        assert "LEADML_MODELS_DIR" in str(refused.value.fix)
    assert registry.versions("leads") == []
    assert tracked.client(registry).search_experiments(filter_string="name = 'leadml'") == []
    assert registry.log_training(tmp_path / "trained", facts=hand_made.facts()).version == "1"


@pytest.mark.parametrize("table", ["registered_models", "model_versions", "model_version_tags"])
def test_a_version_that_is_refused_leaves_none(registry: Registry, table: str) -> None:
    """Refused while it is made: no version, no pointer, no folder; the next training works."""
    with tracked.refusing(registry, table), pytest.raises(RegistryError, match="refuses the"):
        tracked.train(registry)
    assert registry.versions("leads") == []
    assert [path for path in registry.models_dir.rglob("*") if path.is_file()] == []
    shutil.rmtree(registry.models_dir.parent / "trained-2.0")
    assert tracked.train(registry).alias == "champion"


def test_a_version_without_alias_is_named_and_can_be_promoted(registry: Registry) -> None:
    """Refused after the version was made: it is whole, the message names it and the way on."""
    with (
        tracked.refusing(registry, "registered_model_aliases"),
        pytest.raises(
            RegistryError, match="registered version 1, but gives it no alias"
        ) as refused,
    ):
        tracked.train(registry)
    assert "leadml models promote 1" in str(refused.value.fix)
    assert read_pointer(registry.models_dir, "leads") is None
    assert registry.promote("leads", "1").previous is None
    assert Champion(registry.models_dir, "leads", registry.tracking_uri).poll()


KILLED_AT_EVERY_STEP = """
import os, sys
from pathlib import Path
import mlflow.pyfunc, mlflow.store.model_registry.sqlalchemy_store, mlflow.tracking.client
import mlflow.store.tracking.sqlalchemy_store
from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion
from tests import tracked


def train(registry, asked):
    left = asked

    def look(frame, event, _):
        nonlocal left
        if event == "call" and frame.f_code.co_filename == mlflow.tracking.client.__file__:
            left -= "leadml" in frame.f_back.f_code.co_filename
            if left < 0:
                os._exit(1)

    sys.setprofile(look)
    tracked.train(registry)


def hold(registry):
    listed = registry.versions("leads")
    for info in listed:
        assert read_bundle(registry.fetch("leads", info.version)).digest == info.digest
    champions = [info.version for info in listed if "champion" in info.aliases]
    follower = Champion(registry.models_dir, "leads", registry.tracking_uri)
    assert follower.poll() == bool(champions), follower.degraded
    assert [follower.current()[0]] == champions if champions else True
    again = tracked.train(registry, -1.5)
    assert again.version == str(len(listed) + 1)
    assert (again.alias == "champion") != bool(champions)


def forked(do, *given):
    child = os.fork()  # MLflow keeps connections, which no fork may share
    if not child:
        do(*given)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


asked = 0
while True:
    folder = Path(sys.argv[1]) / str(asked)
    folder.mkdir()
    registry = tracked.registry(folder)
    done = forked(train, registry, asked)
    assert forked(hold, registry), asked
    if done:
        break
    asked += int(sys.argv[2])
print(asked)
"""


def killed(folder: Path, every: int) -> int:
    """Kill trainings before every n-th thing they ask of MLflow; how many things one asks."""
    found = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(folder), str(every)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


def test_trainings_killed_at_any_step_leave_no_half_version(tmp_path: Path) -> None:
    """Whenever it dies: a version is whole, a champion can be served, the next training works."""
    assert killed(tmp_path, every=7) > 20


@pytest.mark.slow
def test_trainings_killed_at_every_step_leave_no_half_version(tmp_path: Path) -> None:
    """The same before each single thing that MLflow is asked."""
    assert killed(tmp_path, every=1) > 20


def test_a_relative_address_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative database is the one seen from where the registry was made."""
    monkeypatch.chdir(tmp_path)
    registry = Registry("sqlite:///mlflow.db", Path("models"))
    monkeypatch.chdir(tmp_path.parent)
    assert registry.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
