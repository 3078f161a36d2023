"""The Python of each recipe; AutoGluon's needs an environment of its own."""

from __future__ import annotations

import importlib.util
import sys
from typing import Final

from benchmarks.environments import folder_of, make
from benchmarks.learning.recipes import Recipe

__all__ = ["PACKAGES", "python_of"]

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
    python = folder_of(recipe.environment) / "bin" / "python"
    if not python.exists():
        if not install:
            raise RuntimeError("it needs an environment of its own; add --install to make it")
        make(recipe.environment, PACKAGES[recipe.environment])
    return str(python)
