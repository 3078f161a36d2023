"""Figures on the pages against scikit-learn and arithmetic by hand, on bank data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from leadml.datasets.catalog import get
from leadml.datasets.read import read_table
from leadml.reports import words
from leadml.service.models import registry_of
from leadml.service.registering import register
from leadml.service.serving import Serving
from leadml.settings import Settings
from leadml.training.config import TrainConfig
from leadml.training.guess import guess
from leadml.training.train import train
from tests.http_server import serve

pytestmark = pytest.mark.slow

HTML = {"Accept": "text/html"}


@dataclass
class Bank:
    """A server with two versions learned from bank data, and what the first was tested on."""

    address: str
    y: np.ndarray[Any, Any]
    p: np.ndarray[Any, Any]

    def facts(self, path: str) -> dict[str, Any]:
        """The facts of a page."""
        found: dict[str, Any] = httpx.get(f"{self.address}{path}", timeout=60).json()
        return found


@pytest.fixture(scope="module")
def bank(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """Two trainings on half of the bank's leads, registered in a real MLflow."""
    folder = tmp_path_factory.mktemp("bank")
    (path,) = get("bank", folder, mirror)
    frame = read_table(str(path)).iloc[::4].drop(columns="duration").reset_index(drop=True)
    settings = Settings(
        models_dir=str(folder / "models"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        database_url=f"sqlite:///{folder / 'leadml.db'}",
        jobs_dir=str(folder / "jobs"),
    )
    config = TrainConfig.from_dict({}).with_options(target="y", seed=1)
    config = guess(frame, "y").fill(config)
    result = train(frame, config, jobs=2)
    registry = registry_of(settings, registering=True)
    for _ in range(2):
        register(result, config, registry)
    with serve(settings, Serving.of(settings, trial=False)) as address:
        yield Bank(address, result.tested[:, 0], result.tested[:, 1])


def test_quality_equals_scikit_learn(bank: Bank) -> None:
    """AUC, log loss, Brier score and base rate of the page are those of scikit-learn."""
    metrics = bank.facts("/model?format=json")["facts"]["metrics"]
    assert metrics["roc_auc"]["value"] == pytest.approx(roc_auc_score(bank.y, bank.p), abs=1e-9)
    assert metrics["brier"]["value"] == pytest.approx(brier_score_loss(bank.y, bank.p), abs=1e-9)
    assert metrics["log_loss"]["value"] == pytest.approx(log_loss(bank.y, bank.p), abs=1e-6)
    assert metrics["base_rate"]["value"] == pytest.approx(bank.y.mean())
    assert metrics["predicted_rate"]["value"] == pytest.approx(bank.p.mean())
    html = httpx.get(f"{bank.address}/model", headers=HTML, timeout=60).text
    assert words.digits(roc_auc_score(bank.y, bank.p)) in html


def test_lift_and_gains_by_hand(bank: Bank) -> None:
    """The top fifth and every point of the gains curve are counted again by sorting."""
    facts = bank.facts("/model?format=json")["facts"]
    order = np.argsort(-bank.p, kind="stable")
    won = bank.y[order].cumsum() / bank.y.sum()
    fifth = won[round(0.2 * len(won)) - 1]
    assert facts["metrics"]["top_fifth_share"]["value"] == pytest.approx(fifth, abs=0.01)
    for point in facts["gains"]:
        k = round(point["share_of_leads"] * len(won))
        if k:
            assert point["share_of_conversions"] == pytest.approx(won[k - 1], abs=0.015)


def test_calibration_by_hand(bank: Bank) -> None:
    """Each group of the calibration chart holds the leads between its chances, counted again."""
    for group in bank.facts("/model?format=json")["facts"]["calibration"]:
        inside = (bank.p >= group["from"] - 1e-12) & (bank.p <= group["to"] + 1e-12)
        assert group["n"] == pytest.approx(inside.sum(), abs=0.02 * len(bank.p))
        assert group["predicted"] == pytest.approx(bank.p[inside].mean(), abs=0.01)
        assert group["observed"] == pytest.approx(bank.y[inside].mean(), abs=0.03)


def test_lines_by_hand(bank: Bank) -> None:
    """Volume, precision and recall above a line are counted again on the tested leads."""
    asked = "basis=precision&mql_precision=30&sql_precision=50"
    facts = bank.facts(f"/thresholds?{asked}&format=json")
    setting = facts["preview"]["setting"]
    shown = np.array([float(f"{p:.4g}") for p in bank.p])
    for expected in setting["expected"]:
        above = shown >= expected["cutoff"]
        assert expected["precision"]["value"] == pytest.approx(bank.y[above].mean(), abs=0.005)
        assert expected["recall"]["value"] == pytest.approx(
            bank.y[above].sum() / bank.y.sum(), abs=0.005
        )
        weekly = facts["preview"]["looked_at"]["leads_per_week"]
        assert expected["volume_per_week"]["value"] == pytest.approx(
            above.mean() * weekly, rel=0.01
        )


def test_promoting_and_rolling_back_through_mlflow(bank: Bank) -> None:
    """The challenger is promoted and the champion before comes back, by a child process."""
    listed = bank.facts("/versions?format=json")
    assert listed["champion"] == "1"
    assert [v["version"] for v in listed["versions"]] == ["2", "1"]
    with httpx.Client(timeout=120, headers={**HTML, "Origin": bank.address}) as client:
        client.get(f"{bank.address}/versions")
        token = client.cookies["leadml_csrf"]
        form = {"csrf": token, "version": "2", "reason": "tried by hand"}
        made = client.post(f"{bank.address}/versions/promote", data=form)
        assert made.status_code == 303, made.text[-600:]
        assert bank.facts("/health/ready")["model_version"] == "leads@2"
        listed = bank.facts("/versions?format=json")
        assert listed["champion"] == "2"
        assert listed["rollback_to"] == "1"
        assert "tried by hand" in str(listed["versions"][0]["reason"])
        form = {"csrf": token, "reason": "the old one was better"}
        assert client.post(f"{bank.address}/versions/rollback", data=form).status_code == 303
    assert bank.facts("/health/ready")["model_version"] == "leads@1"
    run = bank.facts("/model?format=json")["run"]
    assert run["run_id"]
    assert run["command"].startswith("mlflow ui")
