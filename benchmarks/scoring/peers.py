"""The peers that need an environment of their own: shap's TreeExplainer and an EBM."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scoring.timing import answer_rounds

__all__ = ["main"]

Ways = dict[str, Callable[[], int]]


def _rows(table: Any, n: int) -> list[Any]:
    return [np.ascontiguousarray(table[k : k + 1]) for k in range(n)]


def _each(ask: Callable[[Any], Any], rows: list[Any]) -> Callable[[], int]:
    def run() -> int:
        for row in rows:
            ask(row)
        return len(rows)

    return run


def _whole(ask: Callable[[Any], Any], table: Any) -> Callable[[], int]:
    def run() -> int:
        ask(table)
        return len(table)

    return run


def _shap(folder: Path, data: Any) -> tuple[Ways, dict[str, Any]]:
    import lightgbm
    import shap

    booster = lightgbm.Booster(model_file=folder / "model.txt", params={"num_threads": 1})
    explain = shap.TreeExplainer(booster).shap_values
    test = data["test"]
    explain(test[:2])
    return {
        "one lead, contributions": _each(explain, _rows(test, 30)),
        "batch, contributions": _whole(explain, test[:200]),
    }, {"library": f"shap {shap.__version__}"}


def _ebm(folder: Path, data: Any) -> tuple[Ways, dict[str, Any]]:
    import interpret
    from interpret.glassbox import ExplainableBoostingClassifier
    from sklearn.metrics import roc_auc_score

    places = set(data["categories"].tolist())
    kinds = ["nominal" if k in places else "continuous" for k in range(data["learn"].shape[1])]
    model = ExplainableBoostingClassifier(
        feature_types=kinds, outer_bags=2, n_jobs=1, random_state=0
    )  # bags are averaged into one table: their number costs time to learn, none to score
    model.fit(data["learn"], data["y_learn"])
    test = data["test"]
    chance = model.predict_proba(test)[:, 1]
    return {
        "one lead, score": _each(model.predict_proba, _rows(test, 50)),
        "one lead, contributions": _each(model.eval_terms, _rows(test, 50)),
        "batch, score": _whole(model.predict_proba, test),
        "batch, contributions": _whole(model.eval_terms, test),
    }, {
        "library": f"interpret {interpret.__version__}",
        "auc": float(roc_auc_score(data["y_test"], chance)),
    }


def main() -> None:
    """Prepare one of them and answer rounds: NAME FOLDER."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    data = np.load(folder / "leads.npz")
    answer_rounds(*{"shap": _shap, "ebm": _ebm}[name](folder, data))


if __name__ == "__main__":
    main()
