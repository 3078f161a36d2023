"""Metrics: every count is right, labels come from closed sets, nothing of a lead is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.metrics import LAST_SCORES, MOST_PAIRS, Metrics, Tally
from leadml.scorecard import Warned
from leadml.service.serving import Serving
from leadml.settings import Settings
from tests import hand_made, held

LEADS = hand_made.leads(30)
CANARY = "maria.canary@example.com"


@pytest.fixture
def serving() -> Serving:
    """Version 7 of the hand-made model, served."""
    return held.serving("7")


@pytest.fixture
def client(serving: Serving) -> Iterator[TestClient]:
    """A client of a fresh application."""
    with TestClient(create_app(Settings(champion_poll_s=0.01), serving)) as found:
        yield found


def counts(text: str) -> dict[str, float]:
    """Samples by name and labels."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_requests_are_counted_by_route_and_status(client: TestClient) -> None:
    """Latency histograms carry the route's template and the status; others share one label."""
    for _ in range(3):
        client.post("/v1/score", json={"lead": LEADS[0]})
    client.post("/v1/score", json={"lead": {"employees": "many"}})
    client.get("/wp-login.php")
    client.get(f"/{CANARY}")
    found = counts(client.get("/metrics").text)
    name = "leadml_request_seconds_count"
    assert found[name + '{route="/v1/score",status="200"}'] == 3
    assert found[name + '{route="/v1/score",status="422"}'] == 1
    assert found[name + '{route="other",status="404"}'] == 2
    last = 'leadml_request_seconds_bucket{le="+Inf",route="/v1/score",status="200"}'
    assert found[last] == 3
    assert 0 < found['leadml_request_seconds_sum{route="/v1/score",status="200"}'] < 3
    assert found["leadml_requests_in_flight"] == 1  # the scrape itself


def test_scores_are_counted_by_stage(client: TestClient) -> None:
    """Single scores and batches count into the same stages; unreadable leads by code."""
    stages = [
        client.post("/v1/score", json={"lead": lead}).json()["proposed_stage"] for lead in LEADS
    ]
    leads = [{"lead": lead} for lead in LEADS] + [{"lead": {"employees": "x"}}, {"lead": {}}]
    client.post("/v1/scores", json={"leads": leads})
    found = counts(client.get("/metrics").text)
    for stage in set(stages):
        assert found[f'leadml_scores_total{{stage="{stage}"}}'] == 2 * stages.count(stage)
    assert found['leadml_leads_refused_total{code="invalid_field"}'] == 1
    assert found['leadml_leads_refused_total{code="unknown_field"}'] == 1


def test_warnings_are_counted_by_column(client: TestClient) -> None:
    """Unseen, missing and out-of-range are counted under their column, unknown fields without."""
    lead = {"industry": "Piracy", "employees": 1e9, CANARY: 1}
    for _ in range(2):
        client.post("/v1/score", json={"lead": lead})
    client.post("/v1/scores", json={"leads": [{"lead": lead}]})
    text = client.get("/metrics").text
    found = counts(text)
    name = "leadml_warnings_total"
    assert found[name + '{code="unseen_category",field="industry"}'] == 3
    assert found[name + '{code="out_of_range",field="employees"}'] == 3
    assert found[name + '{code="missing_field",field="pricing_page_views_30d"}'] == 3
    assert found[name + '{code="unknown_field",field=""}'] == 3
    assert "canary" not in text


def test_constant_scores_are_noticed(client: TestClient) -> None:
    """The share of the commonest score says when a broken export sends one lead for ever."""
    for lead in LEADS[:10]:
        client.post("/v1/score", json={"lead": lead})
    assert "leadml_same_score_share" not in counts(client.get("/metrics").text)
    for _ in range(90):
        client.post("/v1/score", json={"lead": LEADS[0]})
    assert counts(client.get("/metrics").text)["leadml_same_score_share"] >= 0.9


def test_what_is_served_is_told() -> None:
    """Version, digest, swaps, rejected bundles and degradation are metrics."""
    pointer = held.Held("7", held.bundle())
    serving = Serving("leads", pointer)
    serving.refresh()
    with TestClient(create_app(Settings(), serving)) as client:
        pointer.move("8", held.bundle(-1.0))
        assert serving.refresh()
        pointer.rejected["bundle_rejected"] = 2
        pointer.degraded = "version 9 is not served"
        text = client.get("/metrics").text
        found = counts(text)
    assert found["leadml_model_swaps_total"] == 1
    assert found['leadml_bundles_rejected_total{reason="bundle_rejected"}'] == 2
    assert found["leadml_degraded"] == 1
    assert 'model_version="leads@8"' in text
    assert 'model_version="leads@7"' not in text


def test_labels_are_bounded() -> None:
    """However many columns warn, the number of series has an end."""
    metrics = Metrics()
    for k in range(MOST_PAIRS + 100):
        metrics.add(Tally({}, {("unseen_category", f"c{k}"): 1}, {}, []))
    assert len(metrics.warned) <= MOST_PAIRS + 3
    assert metrics.warned["unseen_category", ""] == 100
    assert metrics.warned.total() == MOST_PAIRS + 100


def test_window_of_the_detector_is_bounded() -> None:
    """Only the last scores count."""
    metrics = Metrics()
    metrics.add(Tally({}, {}, {}, [0.5] * LAST_SCORES))
    assert metrics.same_share == 1
    metrics.add(Tally({}, {}, {}, [k / LAST_SCORES for k in range(LAST_SCORES)]))
    assert metrics.same_share == 1 / LAST_SCORES


def test_tally_counts_answers() -> None:
    """Stages, chances and warnings of each answer are counted, unknown fields without name."""
    tally = Tally({}, {}, {"invalid_field": 1}, [])
    tally.note("mql", 0.2, [])
    tally.note("mql", 0.3, [Warned("unknown_field", "shoe", ""), Warned("out_of_range", "x", "")])
    assert tally == Tally(
        {"mql": 2},
        {("unknown_field", ""): 1, ("out_of_range", "x"): 1},
        {"invalid_field": 1},
        [0.2, 0.3],
    )


def test_workers_add_up(tmp_path: Path) -> None:
    """Any worker tells the counts of all, those of one that ended included."""
    other = Metrics(tmp_path)
    other.observe("/v1/score", 200, 0.002)
    other.stages["mql"] = 4
    other.share()
    (written,) = tmp_path.glob("*.json")
    written.rename(tmp_path / "1.json")  # as if another process had written it
    mine = Metrics(tmp_path)
    mine.observe("/v1/score", 200, 0.2)
    mine.stages["mql"] = 1
    found = counts(mine.text().decode())
    assert found['leadml_scores_total{stage="mql"}'] == 5
    assert found['leadml_request_seconds_count{route="/v1/score",status="200"}'] == 2
    assert found['leadml_request_seconds_bucket{le="0.0025",route="/v1/score",status="200"}'] == 1


def test_labels_are_of_a_closed_set() -> None:
    """A request is counted under its route's pattern, one that fits no route under other."""
    with TestClient(create_app(Settings(), held.serving())) as client:
        client.get("/v1/jobs/job_0123456789abcdef")
        client.get("/v1/score")
        client.get("/wp-login.php")
        text = client.get("/metrics").text
    routes = set(re.findall(r'leadml_request_seconds_count{route="([^"]+)"', text))
    assert routes == {"/v1/jobs/{id}", "/v1/score", "other"}


def test_room_for_proposals_is_told_where_it_is_known() -> None:
    """Gauges of capacity appear once it was looked at, the worst of all workers."""
    metrics = Metrics()
    assert b"\nleadml_capacity_exceeded" not in metrics.text()
    metrics.room = {"capacity_exceeded": 1.0, "proposals_last_week": 70.0}
    text = metrics.text()
    assert b"\nleadml_capacity_exceeded 1.0" in text
    assert b"\nleadml_proposals_last_week 70.0" in text
    assert b"\nleadml_capacity_per_week" not in text
