"""Trainings registered: the first is champion, and nothing is ever half done."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadml.errors import BundleError
from leadml.registry.bundle import read_bundle
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


def test_killed_trainings_leave_no_half_version(registry: Registry) -> None:
    """Kill -9 at random moments: every version is whole, and another training still works."""
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


def test_a_relative_address_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative database is the one seen from where the registry was made."""
    monkeypatch.chdir(tmp_path)
    registry = Registry("sqlite:///mlflow.db", Path("models"))
    monkeypatch.chdir(tmp_path.parent)
    assert registry.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
