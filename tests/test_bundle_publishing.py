"""Folders put in place whole, whoever is killed at whatever moment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leadml.registry.bundle import read_bundle
from tests import hand_made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    hand_made.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_old_remains_of_killed_writers_are_swept(folder: Path) -> None:
    """What a writer killed an hour ago left behind goes; what is young stays."""
    old, young = folder.parent / ".writing-1-a", folder.parent / ".writing-2-b"
    old.mkdir()
    young.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    hand_made.bundle(folder)
    assert not old.exists()
    assert young.exists()


KILLED_AT_EVERY_LINE = """
import os, shutil, sys
from pathlib import Path
from leadml.registry import bundle, publishing
from tests import hand_made

folder = Path(sys.argv[1])
hand_made.bundle(folder / "source")


def write(lines):
    left = lines

    def trace(frame, event, _):
        nonlocal left
        left -= event == "line" and frame.f_code.co_filename == publishing.__file__
        if left < 0:
            os._exit(1)
        return trace

    sys.settrace(trace)
    publishing.publish_folder(folder / "target", files)
    os._exit(0)


files = {path.name: path.read_bytes() for path in (folder / "source").iterdir()}
lines, done = 0, False
while not done:
    child = os.fork()
    if not child:
        write(lines)
    done = os.waitpid(child, 0)[1] == 0
    if (folder / "target").exists():
        bundle.read_bundle(folder / "target")
    for left in folder.glob(".*"):
        shutil.rmtree(left)
    lines += 1
print(lines)
"""


def test_writers_killed_at_any_line_leave_no_half_bundle(tmp_path: Path) -> None:
    """A writer that dies at any of its lines leaves nothing, or a sound bundle."""
    found = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_LINE, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    assert 50 < int(found.stdout) < 5000
    read_bundle(tmp_path / "target")
