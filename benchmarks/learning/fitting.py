"""One fit in a process of its own, on one core, timed."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fitted", "fit"]

ROOT: Final = Path(__file__).parents[2]
THREADS: Final = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "LOKY_MAX_CPU")
LONGEST_S: Final = 3_600


@dataclass(frozen=True, eq=False)
class Fitted:
    """What one fit gave.

    Parameters
    ----------
    probability
        Of the test rows, shape (n_test,).
    cpu_s
        Seconds of processor time of fitting and predicting, imports not counted: what
        the clock would say on a core that nobody else uses.
    clock_s
        Seconds that passed meanwhile.
    """

    probability: NDArray[np.float64]
    cpu_s: float
    clock_s: float


def fit(
    recipe: str,
    X: pd.DataFrame,
    y: NDArray[np.int64],
    X_test: pd.DataFrame,
    *,
    python: str = sys.executable,
) -> Fitted:
    """Run a recipe in a process pinned to one core with one thread.

    Raises
    ------
    RuntimeError
        The recipe failed; the message ends with what it said last.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        X.to_parquet(folder / "train.parquet")
        X_test.to_parquet(folder / "test.parquet")
        np.save(folder / "outcome.npy", y)
        threads = {f"{library}_NUM_THREADS": "1" for library in THREADS[:-1]}
        threads[THREADS[-1] + "_COUNT"] = "1"
        said = subprocess.run(
            [python, "-m", "benchmarks.learning.fitting", recipe, name],
            cwd=ROOT,
            env={**os.environ, **threads, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_S,
        )
        if said.returncode:
            last = "\n".join(list(dict.fromkeys(said.stderr.strip().splitlines()))[-8:])
            raise RuntimeError(f"{recipe} failed:\n{last}")
        took = json.loads((folder / "took.json").read_text("utf-8"))
        return Fitted(np.load(folder / "probability.npy"), took["cpu_s"], took["clock_s"])


def _cpu_s() -> float:
    """Processor seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _run(recipe: str, folder: Path) -> None:
    from benchmarks.learning.recipes import RECIPES, Task

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    X = pd.read_parquet(folder / "train.parquet")
    task = Task(X, np.load(folder / "outcome.npy"), pd.read_parquet(folder / "test.parquet"))
    learn = RECIPES[recipe].learn
    importlib.import_module(RECIPES[recipe].library)
    cpu, clock = _cpu_s(), time.perf_counter()
    probability = np.asarray(learn(task), dtype=np.float64)
    took = {"cpu_s": _cpu_s() - cpu, "clock_s": time.perf_counter() - clock}
    np.save(folder / "probability.npy", probability)
    (folder / "took.json").write_text(json.dumps(took), "utf-8")


if __name__ == "__main__":
    _run(sys.argv[1], Path(sys.argv[2]))
