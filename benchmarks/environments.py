"""Environments of peers that cannot or need not share leadml's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

__all__ = ["PEERS", "folder_of", "make", "peer_python"]

FOLDER: Final = Path(__file__).parent

# models are learned with leadml's own libraries and read by the peer's
_SHARED: Final = ("lightgbm", "pandas", "scikit-learn")

PEERS: Final = {
    "shap": ("shap", "interpret-core", "joblib", "fastapi", "uvicorn[standard]"),
    "bentoml": ("bentoml", "joblib"),
}
"""What the environments of the speed comparisons hold beside :data:`_SHARED`."""


def folder_of(name: str) -> Path:
    """Where an environment is."""
    return FOLDER / f".venv-{name}"


def peer_python(name: str) -> str:
    """Path of the Python of one of :data:`PEERS`, its environment made if it is not there.

    Raises
    ------
    RuntimeError
        It cannot be made; says why.
    """
    python = folder_of(name) / "bin" / "python"
    if not python.exists():
        print(f"installing {name} into {folder_of(name).name}", flush=True)
        make(name, [*PEERS[name], *(f"{shared}=={version(shared)}" for shared in _SHARED)])
    return str(python)


def make(name: str, packages: Sequence[str]) -> None:
    """Make an environment.

    Raises
    ------
    RuntimeError
        It cannot be made; what was made of it is removed.
    """
    folder = folder_of(name)
    uv = shutil.which("uv") or str(FOLDER.parent / ".tools" / "bin" / "uv")
    commands = (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages],
    )
    for command in commands:
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise RuntimeError(f"its environment could not be made ({error})") from error
