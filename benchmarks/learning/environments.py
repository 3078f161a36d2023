"""The Python of each recipe; AutoGluon's needs an environment of its own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.learning.recipes import Recipe

__all__ = ["PACKAGES", "python_of"]

FOLDER: Final = Path(__file__).parents[1]
PACKAGES: Final = {
    "autogluon": (
        "autogluon.tabular[catboost,lightgbm,xgboost]==1.4.0",
        "pyarrow",
        "typing-extensions",  # imported by AutoGluon, declared only by its torch extras
    ),
}
"""What an environment holds; AutoGluon wants an older pandas than leadml is locked to."""


def python_of(recipe: Recipe, *, install: bool = False) -> str:
    """Path of the Python that can run a recipe.

    Parameters
    ----------
    recipe
        One of :data:`benchmarks.learning.recipes.RECIPES`.
    install
        Make the recipe's own environment if it is not there.

    Raises
    ------
    RuntimeError
        Its library is not installed; says what to do.
    """
    if recipe.environment == "project":
        if importlib.util.find_spec(recipe.library.split(".")[0]) is None:
            raise RuntimeError("its library is not installed; run it by make bench-learning")
        return sys.executable
    python = FOLDER / f".venv-{recipe.environment}" / "bin" / "python"
    if not python.exists():
        if not install:
            raise RuntimeError("it needs an environment of its own; add --install to make it")
        _make(python.parents[1], PACKAGES[recipe.environment])
    return str(python)


def _make(folder: Path, packages: tuple[str, ...]) -> None:
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
