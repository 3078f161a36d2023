"""The models that are served: leadml's and the peers', learned from the same leads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.history import history, mapping_of
from leadml import LeadScorer
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.registry.golden import golden_rows
from leadml.registry.writing import write_bundle
from leadml.thresholds.policy import Policy

__all__ = ["BATCH", "build"]

BATCH = 1_000


def build(folder: Path, n_leads: int, seed: int = 0, *, calibrated: bool = True) -> None:
    """Learn from a simulated history; write models and the leads to ask for.

    The peers' model is what a tutorial makes: one-hot categories, then LightGBM with
    400 trees of 31 leaves in one scikit-learn pipeline, its probabilities calibrated as
    ``CalibratedClassifierCV`` does by default (leadml's are calibrated too).

    Parameters
    ----------
    folder
        Where all is written.
    n_leads, seed
        Of the simulation.
    calibrated
        Whether the peers' probabilities are.
    """
    X, y = history(n_leads, seed)
    rows = [mapping_of(row) for row in X.tail(BATCH).to_dict("records")]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "columns.json").write_text(json.dumps(list(X.columns)), encoding="utf-8")
    _leadml(folder / "models", X, y, rows)
    _peer(folder, X, y, calibrated=calibrated)


def _leadml(models: Path, X: Any, y: Any, rows: list[dict[str, Any]]) -> None:
    card = LeadScorer(random_state=0).fit(X, y).scorecard_
    policy = Policy("1", mql=0.1, sql=0.25, nurture=0.04)
    digest = write_bundle(
        models / "leads" / "1",
        scorecard=card,
        policy=policy,
        metrics={"verdict": {"word": "trust"}, "size": {"pairs": len(card.pairs)}},
        golden=golden_rows(card, policy, rows[:200]),
        card="A model of a benchmark.",
    )
    write_pointer(models, "leads", Named("1", digest))


def _peer(folder: Path, X: Any, y: Any, *, calibrated: bool) -> None:
    import joblib
    import mlflow
    from lightgbm import LGBMClassifier
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    X = X.copy()
    texts = [name for name in X.columns if X[name].dtype.kind not in "iufb"]
    numbers = [name for name in X.columns if name not in texts]
    for name in X.columns:
        kind = "object" if name in texts else "float64"
        X[name] = (
            X[name].astype(kind).where(X[name].notna(), None if name in texts else float("nan"))
        )
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, sparse_output=False
    )
    prepare = ColumnTransformer([("texts", encoder, texts), ("numbers", "passthrough", numbers)])
    learner = LGBMClassifier(
        n_estimators=400, num_leaves=31, learning_rate=0.01, n_jobs=1, verbose=-1
    )
    last = CalibratedClassifierCV(learner) if calibrated else learner
    model = Pipeline([("prepare", prepare), ("learner", last)]).fit(X, y)
    joblib.dump(model, folder / "peer.joblib")
    mlflow.sklearn.save_model(
        model,
        folder / "mlflow",
        pip_requirements=["scikit-learn", "lightgbm"],
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
        signature=mlflow.models.infer_signature(X),
    )
