"""The pyfunc: plain MLflow loads a version and gives the digits of every other surface."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadml.errors import BundleError, ColumnMissing, InvalidValue
from leadml.registry.bundle import read_bundle
from leadml.registry.pyfunc import OUTPUT, FrameScorer
from leadml.registry.tracking import Registry
from leadml.scorecard import Scorer, digits4
from tests import hand_made, tracked


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A champion in a real MLflow."""
    folder = tmp_path_factory.mktemp("pyfunc")
    registry = Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models")
    tracked.train(registry)
    return registry


@pytest.fixture(scope="module")
def model(registry: Registry) -> Any:
    """What ``mlflow.pyfunc.load_model`` gives a data scientist."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(registry.tracking_uri)
    mlflow.set_registry_uri(registry.tracking_uri)
    yield mlflow.pyfunc.load_model("models:/leads@champion")
    mlflow.set_tracking_uri(before)
    mlflow.set_registry_uri(before)


def expected(leads: list[dict[str, Any]]) -> pd.DataFrame:
    """Answers lead by lead, as the API forms them."""
    scorer, policy = Scorer(hand_made.scorecard()), hand_made.policy()
    rows = []
    for lead in leads:
        scored = scorer.one(lead)
        stage = str(policy.stage_of(scored.probability))
        rows.append(
            {
                "probability": digits4(scored.probability),
                "log_odds": round(scored.log_odds, 4),
                "score": scorer.score_of(scored.log_odds),
                "grade": policy.grade_of(scored.probability),
                "proposed_stage": stage,
                "stage": "mql" if stage == "sql" else stage,
            }
        )
    return pd.DataFrame(rows)


def test_a_thousand_leads_get_the_same_digits(model: Any) -> None:
    """A frame through MLflow and the leads one by one give identical answers."""
    leads = hand_made.leads(1000, seed=4)
    pd.testing.assert_frame_equal(
        model.predict(pd.DataFrame(leads)), expected(leads), check_exact=True
    )


@pytest.mark.parametrize("form", ["string", "category", "object", "shuffled", "lists"])
def test_the_form_of_a_frame_changes_nothing(model: Any, form: str) -> None:
    """Column types, column order, index and lists of leads are all read alike."""
    leads = [{k: v for k, v in x.items() if k != "lead_id"} for x in hand_made.leads(50, seed=5)]
    frame: Any = pd.DataFrame(leads)
    if form == "shuffled":
        frame = frame[list(frame.columns[::-1])].set_index(np.arange(100, 150))
    elif form == "lists":
        frame = leads
    else:
        frame = frame.astype({"industry": form, "source": form})
        frame["pricing_page_views_30d"] = frame["pricing_page_views_30d"].astype("float32")
    found = model.predict(frame)
    if form == "shuffled":
        assert list(found.index) == list(range(100, 150))
        found = found.reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected(leads), check_exact=True)


def test_absent_columns_count_as_missing(model: Any, registry: Registry) -> None:
    """A frame with one column of the model is scored; one with none is refused."""
    found = model.predict(pd.DataFrame({"industry": ["Retail", None]}))
    pd.testing.assert_frame_equal(found, expected([{"industry": "Retail"}, {}]), check_exact=True)
    with pytest.raises(ColumnMissing, match="no column of this table"):
        FrameScorer(read_bundle(registry.models_dir / "leads" / "1")).predict(
            pd.DataFrame({"x": [1]})
        )


def test_text_where_a_number_belongs_is_refused(model: Any) -> None:
    """The row and the column are named, as everywhere else."""
    with pytest.raises(InvalidValue) as refused:
        model.predict(pd.DataFrame({"employees": ["12", "many"]}))
    assert refused.value.column == "employees"
    assert refused.value.rows == (2,)


def test_an_empty_frame_has_an_empty_answer(model: Any) -> None:
    """No rows in, no rows out, with all columns."""
    found = model.predict(pd.DataFrame({"industry": pd.Series([], dtype=object)}))
    assert found.shape == (0, len(OUTPUT))
    assert list(found.columns) == list(OUTPUT)


def test_the_signature_names_all_columns(model: Any) -> None:
    """MLflow's pages show what goes in and comes out; every input is optional."""
    signature = model.metadata.signature
    assert signature.inputs.input_names() == sorted(hand_made.schema().sources)
    assert signature.inputs.required_input_names() == []
    assert signature.outputs.input_names() == list(OUTPUT)


def test_nothing_is_pickled(registry: Registry) -> None:
    """The logged model is text throughout: no pickle, no compiled code."""
    folder = registry.models_dir.parent / "mlartifacts" / "models"
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"  # Python's, made by loading
    ]
    assert {path.suffix for path in files} <= {"", ".json", ".md", ".py", ".txt", ".yaml"}
    for path in files:
        path.read_text("utf-8")


def test_a_damaged_model_is_not_loaded(registry: Registry, tmp_path: Path) -> None:
    """MLflow's loader verifies the bundle too."""
    import mlflow

    source = next((registry.models_dir.parent / "mlartifacts" / "models").iterdir()) / "artifacts"
    shutil.copytree(source, tmp_path / "model")
    scorecard = tmp_path / "model" / "artifacts" / "bundle" / "scorecard.json"
    scorecard.write_bytes(scorecard.read_bytes().replace(b"0.31", b"0.32"))
    with pytest.raises(BundleError):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_a_stranger_loads_it_with_plain_mlflow(registry: Registry, tmp_path: Path) -> None:
    """Four lines in another process and folder, nothing of leadml imported by hand."""
    code = (
        "import mlflow, pandas as pd\n"
        "model = mlflow.pyfunc.load_model('models:/leads@champion')\n"
        "print(model.predict(pd.DataFrame({'industry': ['Retail']}))['probability'][0])\n"
    )
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": registry.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) == expected([{"industry": "Retail"}])["probability"][0]
    assert "WARNING" not in found.stderr
    assert "leadml" not in found.stderr


def test_blanks_around_column_names_mean_nothing(registry: Registry) -> None:
    """A table with blanks in its header gets the answers of one without, as files do."""
    frames = FrameScorer(read_bundle(registry.fetch("leads", "1")))
    leads = pd.DataFrame(hand_made.leads())
    sloppy = leads.rename(columns=lambda name: f"  {name} ")
    pd.testing.assert_frame_equal(frames.predict(sloppy), frames.predict(leads))
