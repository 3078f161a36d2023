"""The servers beside leadml: ceilings that do nothing, and what people build."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

__all__ = ["Many", "One", "main"]


class One(BaseModel):
    """A lead, as a tutorial would declare it."""

    lead: dict[str, Any]


class Many(BaseModel):
    """Leads."""

    leads: list[One]


def _nothing_fastapi() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/score")
    async def score() -> dict[str, str]:
        return {"status": "nothing done"}

    return app


def _nothing_starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def score(request: Request) -> JSONResponse:
        return JSONResponse({"status": "nothing done"})

    return Starlette(routes=[Route("/score", score, methods=["POST"])])


def _tutorial(folder: Path) -> Any:
    """A pydantic body, a pandas frame, ``predict_proba``; SHAP values on demand."""
    import joblib
    import pandas as pd
    from fastapi import FastAPI

    model = joblib.load(folder / "peer.joblib")
    columns = json.loads((folder / "columns.json").read_text("utf-8"))
    prepare, learner = model.named_steps["prepare"], model.named_steps["learner"]
    kinds = _kinds(model)
    names = prepare.get_feature_names_out()
    explain = _explainer(learner)

    app = FastAPI()

    def frame(leads: list[dict[str, Any]]) -> pd.DataFrame:
        return pd.DataFrame(leads).reindex(columns=columns).astype(kinds)

    @app.post("/score")
    def score(body: One) -> dict[str, float]:
        return {"probability": float(model.predict_proba(frame([body.lead]))[0, 1])}

    @app.post("/explain")
    def reasons(body: One) -> dict[str, Any]:
        table = frame([body.lead])
        values = explain(prepare.transform(table))[0]
        strongest = sorted(range(len(names)), key=lambda k: -abs(values[k]))[:5]
        return {
            "probability": float(model.predict_proba(table)[0, 1]),
            "reasons": [{"field": names[k], "value": float(values[k])} for k in strongest],
        }

    @app.post("/scores")
    def scores(body: Many) -> dict[str, list[float]]:
        table = frame([one.lead for one in body.leads])
        return {"probabilities": model.predict_proba(table)[:, 1].tolist()}

    return app


def _kinds(model: Any) -> dict[str, str]:
    """Types of the columns, without which a frame of one lead fails where it has no value."""
    (_, _, texts), (_, _, numbers), *_ = model.named_steps["prepare"].transformers_
    return {**dict.fromkeys(texts, "object"), **dict.fromkeys(numbers, "float64")}


def _explainer(learner: Any) -> Any:
    """What tutorials explain: the trees, of the first model where several were calibrated."""
    import shap

    calibrated = getattr(learner, "calibrated_classifiers_", None)
    explainer = shap.TreeExplainer(calibrated[0].estimator if calibrated else learner)

    def explain(rows: Any) -> Any:
        values = explainer.shap_values(rows)
        return values[1] if isinstance(values, list) else values

    return explain


def _bento(folder: Path) -> Any:
    import bentoml
    import joblib
    import pandas as pd

    @bentoml.service(workers=1)
    class Leads:
        def __init__(self) -> None:
            self.model = joblib.load(folder / "peer.joblib")
            self.columns = json.loads((folder / "columns.json").read_text("utf-8"))
            self.kinds = _kinds(self.model)

        @bentoml.api
        def score(self, leads: list[dict[str, Any]]) -> list[float]:
            table = pd.DataFrame(leads).reindex(columns=self.columns).astype(self.kinds)
            found: list[float] = self.model.predict_proba(table)[:, 1].tolist()
            return found

    return Leads.to_asgi()


def main() -> None:
    """Serve one of them: NAME PORT FOLDER."""
    import uvicorn

    name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    made = {
        "fastapi": _nothing_fastapi,
        "starlette": _nothing_starlette,
        "tutorial": lambda: _tutorial(folder),
        "bentoml": lambda: _bento(folder),
    }[name]()
    uvicorn.run(made, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
