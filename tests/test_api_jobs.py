"""Jobs: files in, answers out, to the digits of the other routes, through stops and faults."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from http_server import serve
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.jobs import PIECE, JobOptions, JobRoutes, job_options_of
from leadml.api.query import parameters_of
from leadml.errors import InvalidParameter, JobUnknown, Overloaded, StorageFull
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.service.jobs import ATTEMPTS, Jobs, write_json
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import hand_made

LEADS = hand_made.leads(300)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Places of a server that serves the hand-made model."""
    digest = hand_made.bundle(tmp_path / "models" / "leads" / "7")
    write_pointer(tmp_path / "models", "leads", Named("7", digest))
    return Settings(
        models_dir=str(tmp_path / "models"),
        jobs_dir=str(tmp_path / "jobs"),
        tracking_uri="",
        max_job_bytes=1_000_000,
        max_jobs=3,
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of an application that works on jobs."""
    with TestClient(create_app(settings)) as found:
        yield found


def as_csv(leads: list[dict[str, Any]]) -> bytes:
    """A file of leads, with ids."""
    text = io.StringIO()
    names = ["lead_id", *hand_made.schema().names]
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(leads)
    return text.getvalue().encode()


def finished(client: TestClient, job_id: str) -> dict[str, Any]:
    """The job's state once it has an end."""
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if found["state"] in ("done", "failed"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_file_is_scored_to_the_digits_of_the_other_routes(client: TestClient) -> None:
    """Every row has the figures and sentences that POST /v1/scores gives for it."""
    response = client.post("/v1/jobs?reasons=2", content=as_csv(LEADS))
    assert response.status_code == 202
    job = response.json()
    assert job["state"] == "queued"
    assert response.headers["location"] == f"/v1/jobs/{job['job_id']}"
    done = finished(client, job["job_id"])
    assert (done["state"], done["rows"], done["rows_done"]) == ("done", 300, 300)
    assert (done["n_row_errors"], done["model_version"]) == (0, "leads@7")
    result = client.get(f"/v1/jobs/{job['job_id']}/result")
    rows = list(csv.DictReader(io.StringIO(result.text)))
    leads = [{"lead_id": f"L{k}", "lead": lead} for k, lead in enumerate(LEADS)]
    expected = client.post("/v1/scores?reasons=2", json={"leads": leads}).json()["results"]
    assert len(rows) == len(expected)
    for row, answer in zip(rows, expected, strict=True):
        assert row["lead_id"] == answer["lead_id"]
        assert float(row["probability"]) == answer["probability"]
        for name in ("score", "fit_score", "engagement_score"):
            assert int(row[name]) == answer[name]
        for name in ("grade", "stage", "proposed_stage", "model_version", "policy_version"):
            assert row[name] == answer[name]
        assert [row["reason_1"], row["reason_2"]] == [r["text"] for r in answer["reasons"]]
        assert row["error"] == ""


def test_parquet_comes_and_goes(client: TestClient, tmp_path: Path) -> None:
    """A Parquet file is taken, and given back if asked for."""
    pd.DataFrame(LEADS).to_parquet(tmp_path / "in.parquet")
    body = (tmp_path / "in.parquet").read_bytes()
    job = client.post("/v1/jobs?format=parquet", content=body).json()
    assert finished(client, job["job_id"])["state"] == "done"
    found = pd.read_parquet(io.BytesIO(client.get(f"/v1/jobs/{job['job_id']}/result").content))
    expected = client.post("/v1/scores", json={"leads": [{"lead": lead} for lead in LEADS]})
    figures = [answer["probability"] for answer in expected.json()["results"]]
    assert found["probability"].tolist() == figures
    assert found["lead_id"].tolist() == [lead["lead_id"] for lead in LEADS]


def test_bad_rows_are_named_and_spoil_no_other(client: TestClient) -> None:
    """Rows that cannot be read are counted, the first twenty named; the others are answered."""
    leads = [{**lead, "employees": "many"} if k % 10 == 3 else lead for k, lead in enumerate(LEADS)]
    job = client.post("/v1/jobs", content=as_csv(leads)).json()
    done = finished(client, job["job_id"])
    assert done["n_row_errors"] == 30
    assert [error["row"] for error in done["row_errors"]] == list(range(4, 204, 10))
    assert done["row_errors"][0]["code"] == "invalid_field"
    assert done["row_errors"][0]["field"] == "employees"
    result = client.get(f"/v1/jobs/{job['job_id']}/result").text
    rows = list(csv.DictReader(io.StringIO(result)))
    assert [k for k, row in enumerate(rows) if row["error"]] == list(range(3, 300, 10))
    assert rows[3]["probability"] == rows[3]["score"] == rows[3]["grade"] == ""
    assert all(row["score"] for k, row in enumerate(rows) if k % 10 != 3)


def test_table_that_cannot_be_scored_fails_with_its_code(client: TestClient) -> None:
    """A renamed column, or no table at all, ends the job with code and fix, and no result."""
    for body, code in (
        (as_csv(LEADS).replace(b"employees", b"staff", 1), "column_missing"),
        (b"\x00\x01\x02 no table", "file_unreadable"),
        (b"lead_id,industry\n", "table_empty"),
    ):
        job = client.post("/v1/jobs", content=body).json()
        done = finished(client, job["job_id"])
        assert (done["state"], done["error"]["code"]) == ("failed", code)
        assert done["error"]["fix"]
        response = client.get(f"/v1/jobs/{job['job_id']}/result")
        assert (response.status_code, response.json()["code"]) == (409, "job_not_done")
    body = as_csv(LEADS).replace(b"employees", b"staff", 1)
    job = client.post("/v1/jobs?allow_missing=true", content=body).json()
    assert finished(client, job["job_id"])["state"] == "done"


def test_uploads_are_limited_and_leave_nothing(client: TestClient, settings: Settings) -> None:
    """Empty, too large (declared or not) and over-many files are refused; no folder is left."""
    assert client.post("/v1/jobs", content=b"").json()["code"] == "invalid_body"
    big = b"x" * 1_000_001
    assert client.post("/v1/jobs", content=big).status_code == 413
    assert client.post("/v1/jobs", content=iter([big[:600_000], big])).status_code == 413
    packed = {"content-encoding": "gzip"}
    assert client.post("/v1/jobs", content=b"x", headers=packed).status_code == 415
    assert not [p for p in Path(settings.jobs_dir).iterdir() if "job_" in p.name]
    jobs = Jobs(settings)
    for _ in range(3):
        upload = jobs.upload()
        upload.write(b"x")
        upload.finish({"reasons": 1, "result_format": "csv", "allow_missing": False})
    with pytest.raises(Overloaded):
        jobs.upload()


@pytest.mark.parametrize("job_id", ["job_0123456789abcdef", "x", "..", "job_../../../../etc"])
def test_unknown_jobs(client: TestClient, job_id: str) -> None:
    """An id that is none is 404, whatever it tries to name."""
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/result"):
        assert client.get(path).status_code == 404
    with pytest.raises(JobUnknown):
        Jobs(Settings()).state("../job_0123456789abcdef")


@pytest.mark.parametrize(
    "query", [b"reasons=51", b"reasons=all", b"format=xlsx", b"allow_missing=1", b"a=1", b"\xff"]
)
def test_odd_options_are_refused(query: bytes) -> None:
    """Another parameter or value is refused, not ignored."""
    with pytest.raises(InvalidParameter):
        job_options_of(parameters_of(query, JobOptions._fields))
    assert job_options_of({}) == JobOptions()


def test_jobs_survive_a_restart(settings: Settings) -> None:
    """A job whose server stopped, or whose process was killed, is done after the next start."""
    body = as_csv(LEADS)
    with TestClient(create_app(settings.model_copy(update={"max_jobs": 0}))) as client:
        assert client.post("/v1/jobs", content=body).status_code == 404  # switched off
    jobs = Jobs(settings)
    upload = jobs.upload()
    upload.write(body)
    job_id = upload.finish({"reasons": 1, "result_format": "csv", "allow_missing": False})
    jobs.step()  # starts the child …
    assert jobs._child is not None
    jobs._child[1].kill()  # … which dies at once
    jobs.close()
    with TestClient(create_app(settings)) as client:
        assert finished(client, job_id)["state"] == "done"
        assert client.get(f"/v1/jobs/{job_id}/result").text.count("\n") == 301
    with TestClient(create_app(settings)) as client:  # the end survives too
        assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "done"
    assert not (Path(settings.jobs_dir) / job_id / "input").exists()


def test_job_that_always_dies_is_given_up(settings: Settings) -> None:
    """After so many deaths without a word a job has failed, and the next one has its turn."""
    jobs = Jobs(settings)
    upload = jobs.upload()
    upload.write(b"x")
    job_id = upload.finish({"reasons": 1, "result_format": "csv", "allow_missing": False})
    for _ in range(ATTEMPTS):
        jobs.step()
        assert jobs._child is not None
        jobs._child[1].kill()
        jobs._child[1].wait()
    jobs.step()
    found = jobs.state(job_id)
    assert (found["state"], found["error"]["code"]) == ("failed", "internal")
    assert jobs.open() == []
    jobs.close()


def test_one_process_at_a_time_works(settings: Settings) -> None:
    """Of several servers of one folder one works; when it ends another takes over."""
    first, second = Jobs(settings), Jobs(settings)
    first.upload().abandon()
    first.step()
    upload = second.upload()
    upload.write(as_csv(LEADS))
    upload.finish({"reasons": 1, "result_format": "csv", "allow_missing": False})
    second.step()
    assert second._child is None
    first.close()
    second.step()
    assert second._child is not None
    second.close()


def test_old_jobs_are_removed(settings: Settings) -> None:
    """A finished job goes with its files after its days; one that waits stays."""
    jobs = Jobs(settings.model_copy(update={"job_days": 1e-9}))
    ids = []
    for _ in range(2):
        upload = jobs.upload()
        upload.write(b"x")
        ids.append(upload.finish({"reasons": 1, "result_format": "csv", "allow_missing": False}))
    write_json(Path(settings.jobs_dir) / ids[0] / "end", {"state": "done"})
    time.sleep(0.01)
    jobs._forget_old()
    with pytest.raises(JobUnknown):
        jobs.state(ids[0])
    assert jobs.state(ids[1])["state"] == "queued"


def test_large_file_passes_in_pieces(settings: Settings) -> None:
    """A large upload is written piece by piece and comes out whole, over a real connection."""
    import httpx

    settings = settings.model_copy(update={"max_job_bytes": 50_000_000, "max_jobs": 1})
    rows = as_csv(LEADS).split(b"\n", 1)
    body = rows[0] + b"\n" + rows[1] * 300
    assert len(body) > 2 * PIECE
    serving = Serving.of(settings)
    with serve(settings, serving) as address, httpx.Client(base_url=address, timeout=60) as client:
        job = client.post("/v1/jobs?reasons=0", content=body).json()
        assert job["bytes"] == len(body)
        deadline = time.monotonic() + 60
        while client.get(f"/v1/jobs/{job['job_id']}").json()["state"] != "done":
            assert time.monotonic() < deadline
            assert client.post("/v1/score", json={"lead": LEADS[0]}).status_code == 200
            time.sleep(0.05)
        result = client.get(f"/v1/jobs/{job['job_id']}/result").content
    assert result.count(b"\n") == 300 * 300 + 1


def test_full_disk_is_said(settings: Settings) -> None:
    """A full disk is 503 storage_full, not a fault."""
    routes = JobRoutes(settings, Jobs(settings))

    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageFull):
        asyncio.run(routes._on_disk(full))


def test_progress_is_plain_json(settings: Settings, tmp_path: Path) -> None:
    """What is written is read back whole, and a file half written is never seen."""
    write_json(tmp_path / "progress", {"rows": 3})
    assert json.loads((tmp_path / "progress").read_text()) == {"rows": 3}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["progress"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be told which process to end")
def test_job_is_what_ends_where_memory_runs_out() -> None:
    """The process of a job offers itself to the kernel, and leaves the processor to others."""
    said = (
        "import os, pathlib, leadml.service.scoring_job as job; job._come_last();"
        "print(pathlib.Path('/proc/self/oom_score_adj').read_text().strip(), os.nice(0))"
    )
    before = os.nice(0)
    told = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1000", str(min(19, before + 5))]
