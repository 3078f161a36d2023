"""The house rules: plan, captions, documents and code say the same."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

import leadml

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "leadml"
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Dotted name of a module inside leadml; the package itself is ``leadml``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "leadml"


def caption_of(path: Path) -> str:
    """First line of the module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def tracked() -> list[Path]:
    """Files under version control that are still there."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = (ROOT / name for name in found.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_caption(path: Path) -> None:
    """Every module opens with one sentence of at most 100 characters, ended by a full stop."""
    caption = caption_of(path)
    assert caption.endswith(".")
    assert len(caption) <= 100


def test_captions_are_unique() -> None:
    """No two modules say that they have the same job."""
    captions = [caption_of(path) for path in MODULES]
    assert sorted(captions) == sorted(set(captions))


def test_changelog_names_the_version() -> None:
    """The version of the package has a chapter in the change log and in pyproject.toml."""
    assert f"## [{leadml.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{leadml.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_no_path_of_a_machine_stands_in_the_tree() -> None:
    """No tracked text file names a directory of somebody's machine."""
    machine = re.compile(r"(?<![\w./-])/(?:work|root|farm|home|Users)/\w")
    found = []
    for path in tracked():
        if path.suffix in {".gz", ".png", ".parquet", ".lock"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if machine.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found


def test_no_drawer_for_odds_and_ends() -> None:
    """No module is called utils, helpers, common, core, base, misc or manager."""
    drawers = {"utils", "util", "helpers", "common", "core", "base", "misc", "manager", "managers"}
    assert not [path for path in MODULES if drawers & set(path.with_suffix("").parts)]
