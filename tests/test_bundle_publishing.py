"""Files and folders put in place whole, whoever is killed at whatever moment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from leadml.errors import ConfigError, FileUnwritable
from leadml.registry.bundle import read_bundle
from leadml.registry.publishing import publish_file, publish_folder, staged_file, staged_folder
from tests import hand_made, tracked


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


@pytest.mark.parametrize("harm", [tracked.full, tracked.read_only])
def test_a_disk_that_takes_nothing_keeps_what_it_has(small_disk: Path, harm: Any) -> None:
    """Refused with a name of ours; the older file and folder stay, and nothing beside them."""
    publish_file(small_disk / "file", b"old")
    publish_folder(small_disk / "folder", {"a": b"old"})
    with harm(small_disk):
        with pytest.raises(FileUnwritable, match="small/file' cannot be written") as refused:
            publish_file(small_disk / "file", b"new" * 5000)
        assert refused.value.fix
        with pytest.raises(FileUnwritable, match="cannot be written"):
            publish_folder(small_disk / "folder", {"a": b"new" * 5000})
    assert (small_disk / "file").read_bytes() == b"old"
    assert (small_disk / "folder" / "a").read_bytes() == b"old"
    assert sorted(path.name for path in small_disk.iterdir()) == ["file", "folder"]


def test_what_is_staged_and_not_put_leaves_nothing(tmp_path: Path) -> None:
    """Whoever stages something and thinks better of it leaves the place as it was."""
    with staged_file(tmp_path / "file", b"x"), staged_folder(tmp_path, {"a": b"x"}):
        assert len(list(tmp_path.iterdir())) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file", "link"])
def test_what_is_in_the_way_is_not_replaced(tmp_path: Path, name: str) -> None:
    """A file or a link where a bundle belongs stays; that is said."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(ConfigError, match="in the way"):
        publish_folder(tmp_path / name, {"a": b"x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


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
