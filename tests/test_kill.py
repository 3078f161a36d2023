"""A training killed at any moment leaves nothing half done, and the next one works."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadml.errors import NoModel
from leadml.registry.bundle import read_bundle
from leadml.registry.champion import Champion
from leadml.registry.tracking import Registry
from tests import tracked
from tests.typist import typist

LEADS = 350
LONG_LEADS = 2_000
MOMENTS = (
    ("reading outcomes", 0.6),
    ("drawing the report", 0.4),
    ("logging the run in MLflow", 0.2),
    ("drawing the report", 0.4),
)
"""A step that has just ended, and the longest wait in seconds before the kill."""


class Killing:
    """A folder in which trainings are started and killed."""

    def __init__(self, folder: Path, leads: int) -> None:
        self.folder = folder
        said = self.run("simulate", "history", "--leads", str(leads), "--seed", "4")
        assert said.returncode == 0, said.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return typist().run(self.folder, words)

    def train(self) -> subprocess.CompletedProcess[str]:
        """Train to the end."""
        return self.run("train", "history/leads.csv", "--target", "converted", "--json")

    def kill_training(self, step: str, after_s: float) -> bool:
        """Kill a training some seconds after a step of it ended; whether it was still at work."""
        child = typist().start(self.folder, ["train", "history/leads.csv", "--target", "converted"])
        while f"\n{step}: done" not in "\n" + child.err:
            if child.poll() is not None:
                raise AssertionError(f"the training ended before '{step}': {child.err[-2000:]}")
            time.sleep(0.02)
        time.sleep(after_s)
        at_work = child.poll() is None
        child.kill()
        return at_work

    def registry(self) -> Registry:
        """The registry that the trainings wrote to."""
        return Registry(f"sqlite:///{self.folder}/mlflow.db", self.folder / "models")

    def look(self) -> int:
        """Count versions, holding each to be whole and the champion to be one of them."""
        registry = self.registry()
        versions = registry.versions("leads")
        for info in versions:
            found = read_bundle(registry.fetch("leads", info.version))
            assert info.digest == found.digest
        pointer = Champion(self.folder / "models", "leads", registry.tracking_uri)
        try:
            version, bundle = pointer.current()
        except NoModel:
            assert not any("champion" in info.aliases for info in versions)
        else:
            (champion,) = [info for info in versions if "champion" in info.aliases]
            assert champion.version == version
            assert champion.digest == bundle.digest
        finally:
            pointer.close()
        return len(versions)


def hold(folder: Path, leads: int, kills: int, seed: int) -> None:
    """Kill trainings at random moments; look after each; train once more."""
    tracked.template(folder)
    killing = Killing(folder, leads)
    rng = random.Random(seed)
    before = struck = 0
    for turn in range(kills):
        step, longest_s = MOMENTS[turn % len(MOMENTS)]
        struck += killing.kill_training(step, rng.uniform(0.0, longest_s))
        versions = killing.look()
        assert before <= versions <= before + 1
        before = versions
    assert struck > kills // 4, "the kills came too late to say anything"
    said = killing.train()
    assert said.returncode == 0, said.stderr
    assert killing.look() == before + 1


def test_a_killed_training_leaves_nothing_half_done(tmp_path: Path) -> None:
    """Kill -9 at three moments: every version is whole, the champion exists, a rerun works."""
    hold(tmp_path, LEADS, 3, seed=1)


@pytest.mark.slow
def test_fifty_killed_trainings_leave_nothing_half_done(tmp_path: Path) -> None:
    """The same at 50 moments of a longer training."""
    hold(tmp_path, LONG_LEADS, 50, seed=2)


def test_the_same_data_and_seed_give_the_same_bundle(tmp_path: Path) -> None:
    """Two processes with different hash seeds make bundles of one digest."""
    said = typist().run(tmp_path, ["simulate", "history", "--leads", "350", "--seed", "6"])
    assert said.returncode == 0, said.stderr
    words = ["train", "../history/leads.csv", "--seed", "7"]
    digests = []
    for name in ("fixed", "random"):
        folder = tmp_path / name
        folder.mkdir()
        tracked.template(folder)
        if name == "fixed":
            done = subprocess.run(
                [sys.executable, "-m", "leadml", *words],
                cwd=folder,
                env=os.environ | {"PYTHONHASHSEED": "1"},
                capture_output=True,
                text=True,
                timeout=240,
            )
        else:
            done = typist().run(folder, words)
        assert done.returncode == 0, done.stderr
        registry = Registry(f"sqlite:///{folder}/mlflow.db", folder / "models")
        (info,) = registry.versions("leads")
        digests.append(info.digest)
    assert digests[0] == digests[1]
