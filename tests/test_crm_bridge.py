"""serve/crm/bridge.py: what is signed, what is done, what a retry can mend."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.settings import Settings
from serve.crm import bridge
from tests import held
from tests.crms import Crm, answer
from tests.http_server import serve
from tests.receiver import Answer, Call

SECRET = "whsec_test"
LEAD = "3f1c2a54-9be1-4d34-8f70-5f0c2a9be1d3"
DEAL = "a11c2a54-9be1-4d34-8f70-5f0c2a9be1d4"


def signed(body: bytes, at: float, secret: str = SECRET) -> str:
    """The header as BottleCRM makes it (webhooks/tasks.py, sign)."""
    text = f"{int(at)}.".encode() + body
    return f"t={int(at)},v1={hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}"


class Bottle(Crm):
    """A stand-in for BottleCRM's REST API: leads, deals, and a token."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = 0
        self.patches: list[dict[str, Any]] = []
        self.records[LEAD] = {
            "id": LEAD,
            "status": "assigned",
            "source_ref": "",
            "industry": "Healthcare",
            "source": "Webinar",
            "custom_fields": {"employees": 240.0, "pricing_page_views_30d": 3.0},
        }
        self.records[DEAL] = {"id": DEAL, "source_ref": LEAD}

    def unauthorized(self) -> Answer:
        return answer(401, {"detail": "Invalid token"})

    def too_many(self) -> Answer:
        return answer(429, {"detail": "throttled"})

    def act(self, call: Call) -> Answer:
        if self.broken:
            return answer(self.broken, {"error": True})
        kind, key = call.path.strip("/").split("/")[1:]
        if key not in self.records:
            return answer(404, {"error": True})
        record = self.records[key]
        if call.method == "PATCH":
            change = dict(call.json)
            self.patches.append(dict(change))
            record["custom_fields"] |= change.pop("custom_fields", {})
            record |= change
        name = "lead_obj" if kind == "leads" else "opportunity_obj"
        return answer(200, {name: record})


@dataclass
class Both:
    """A running bridge between a running leadml and a stand-in of the CRM."""

    url: str
    crm: Bottle
    settings: bridge.Settings
    n: int = field(default=0)

    def send(self, kind: str, about: str = LEAD, **more: Any) -> tuple[int, str]:
        """Deliver an event as the CRM does; the bridge's status and words."""
        self.n += 1
        event = {
            "id": f"event-{self.n}",
            "event": kind,
            "created_at": f"2026-11-20T14:{self.n:02}:00+00:00",
            "data": {"id": about},
            **more,
        }
        body = json.dumps(event).encode()
        return self.post(body, signed(body, time.time()))

    def post(self, body: bytes, signature: str) -> tuple[int, str]:
        """Post a body under a signature."""
        request = urllib.request.Request(self.url, body, {"X-BottleCRM-Signature": signature})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)["said"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["said"]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """All three, started."""
    database = f"sqlite:///{tmp_path / 'leadml.db'}"
    with serve(Settings(database_url=database), held.serving()) as leadml, Bottle() as crm:
        settings = bridge.Settings(leadml, "", crm.url, crm.token, SECRET)
        with bridge.server_of(settings, 0) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            yield Both(f"http://127.0.0.1:{server.server_port}/bottlecrm", crm, settings)
            server.shutdown()
            thread.join(10)


@given(
    st.binary(max_size=200),
    st.integers(0, 2**33),
    st.integers(-bridge.TOLERANCE_S, bridge.TOLERANCE_S),
)
def test_what_the_crm_signs_is_accepted(body: bytes, at: int, late: int) -> None:
    """Every body signed within five minutes is accepted, with one byte more or later it is not."""
    header = signed(body, at)
    assert bridge.is_signed(SECRET, header, body, at + late)
    assert not bridge.is_signed(SECRET, header, body + b" ", at + late)
    assert not bridge.is_signed(SECRET + "x", header, body, at + late)
    assert not bridge.is_signed(SECRET, header, body, at + bridge.TOLERANCE_S + 1)
    assert not bridge.is_signed(SECRET, header.replace(f"t={at}", f"t={at + 1}"), body, at)


@given(st.text(max_size=60))
def test_no_other_header_is_accepted(header: str) -> None:
    """Whatever stands in the header instead is refused and breaks nothing."""
    assert not bridge.is_signed(SECRET, header, b"{}", 0.0)


def test_unsigned_events_do_nothing(both: Both) -> None:
    """A wrong signature is 401 and nobody is asked anything."""
    assert both.post(b"{}", "t=1,v1=00")[0] == 401
    assert not both.crm.calls


def test_a_lead_gets_its_score_once(both: Both) -> None:
    """A new lead is scored and written; the webhook of that writing changes nothing."""
    status, said = both.send("lead.created")
    assert (status, said) == (200, "wrote score 90, stage mql")
    lead = both.crm.records[LEAD]
    assert (lead["rating"], lead["probability"], lead["source_ref"]) == ("HOT", 53, LEAD)
    assert lead["custom_fields"]["leadml_score"] == 90
    assert "pricing page views" in lead["custom_fields"]["leadml_reasons"]
    assert both.send("lead.updated") == (200, "nothing new")
    assert len(both.crm.patches) == 1


def test_a_changed_lead_is_scored_anew(both: Both) -> None:
    """When what the model reads changes, so does the score."""
    both.send("lead.created")
    both.crm.records[LEAD]["custom_fields"]["pricing_page_views_30d"] = 0.0
    assert both.send("lead.updated")[1].startswith("wrote score")
    assert both.crm.records[LEAD]["custom_fields"]["leadml_score"] < 90


def test_what_sales_does_is_reported_once(both: Both) -> None:
    """In process, converted, won: each is one outcome, and its stage comes back."""
    both.send("lead.created")
    both.crm.records[LEAD]["status"] = "in process"
    assert both.send("lead.updated") == (200, "reported accepted")
    assert both.crm.records[LEAD]["custom_fields"]["leadml_stage"] == "sal"
    both.send("lead.updated")
    both.crm.records[LEAD]["status"] = "converted"
    assert both.send("lead.updated") == (200, "reported opportunity")
    assert both.send("lead.updated") == (200, "nobody works on this lead any more")
    assert both.send("deal.won", DEAL) == (200, "reported won")
    assert both.crm.records[LEAD]["custom_fields"]["leadml_stage"] == "customer"


def test_a_step_that_is_closed_ends_in_peace(both: Both) -> None:
    """A lead sent back after it was won changes nothing, and is not sent for ever."""
    both.send("lead.created")
    both.send("deal.won", DEAL)
    both.crm.records[LEAD]["status"] = "recycled"
    assert both.send("lead.updated")[0] == 200
    assert both.crm.records[LEAD]["custom_fields"]["leadml_stage"] == "customer"


@pytest.mark.parametrize("status", [429, 500, 503, 400])
def test_faults_of_the_crm_ask_for_a_retry(both: Both, status: int) -> None:
    """While the CRM refuses, the bridge says 503, so that the event comes again."""
    both.crm.broken = status
    assert both.send("lead.created")[0] == 503
    both.crm.broken = 0
    assert both.send("lead.created")[0] == 200


def test_leadml_out_of_reach_asks_for_a_retry(both: Both) -> None:
    """Without leadml the event waits in the CRM."""
    gone = bridge.Settings("http://127.0.0.1:9", "", both.crm.url, both.crm.token, SECRET)
    event = {"event": "lead.created", "id": "1", "created_at": "", "data": {"id": LEAD}}
    with pytest.raises(bridge.Later, match=r"127\.0\.0\.1:9"):
        bridge.Bridge(gone).take(event)


@pytest.mark.parametrize(
    ("kind", "about"), [("invoice.paid", LEAD), ("lead.updated", "gone"), ("deal.won", "gone")]
)
def test_what_no_retry_can_mend_is_taken(both: Both, kind: str, about: str) -> None:
    """Other events and records that are gone are answered with 200 and a reason."""
    status, said = both.send(kind, about)
    assert status == 200
    assert "nothing is done" in said or "no longer" in said


def test_a_deal_of_nobody_is_not_reported(both: Both) -> None:
    """A deal that was not made of a lead has no outcome to report."""
    both.crm.records[DEAL]["source_ref"] = ""
    assert both.send("deal.lost", DEAL) == (
        200,
        "the deal names no lead: nobody converted one into it",
    )
