"""A bridge between BottleCRM and leadml, and the pattern for any CRM with webhooks.

The CRM sends a signed webhook when a lead is created, changed, won or lost. The bridge
checks the signature, reads the lead, has leadml score it, writes score, stage and
reasons back into the lead, and reports to leadml what became of it. It keeps nothing:
what it must know stands in the lead. An answer other than 2xx makes the CRM try again,
so whatever a retry can mend is answered with 503, and the rest with 200 and a reason.

Standard library only: copy the file wherever Python 3.11 runs.

    LEADML_URL=http://127.0.0.1:8000 LEADML_KEY=leadml_… \
    CRM_URL=http://127.0.0.1:8100 CRM_TOKEN=bcrm_pat_… CRM_SECRET=whsec_… \
    python serve/crm/bridge.py 8200
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

TOLERANCE_S: Final = 300
"""A signature older or newer than this is refused, so that none can be used again."""

ANSWER_S: Final = 4.0
"""Longest wait for one answer; the CRM itself waits 10 s for the bridge."""

OUTCOMES: Final = {
    "in process": "accepted",
    "recycled": "rejected",
    "closed": "lost",
    "converted": "opportunity",
    "deal.won": "won",
    "deal.lost": "lost",
}
"""What a status of a lead, or an event of its deal, means to leadml."""

RATINGS: Final = {"mql": "HOT", "sal": "HOT", "sql": "HOT", "customer": "HOT", "nurture": "WARM"}
"""The CRM's own three-step rating of a stage; any other stage is COLD."""

REASONS: Final = 5


class Later(Exception):
    """Nothing can be done now; the CRM should send the event again."""


class Never(Exception):
    """Nothing can be done about this event, however often it is sent."""


class Behind(Never):
    """leadml knows of a later step already, so this one changes nothing."""


@dataclass(frozen=True)
class Settings:
    """Where the two sides are, and what opens them.

    Parameters
    ----------
    leadml_url, leadml_key
        The server and a key with the scopes score, outcomes and read; the key may be
        empty while none protects the server.
    crm_url, crm_token, crm_secret
        The CRM, a personal access token for leads and deals, the webhook's secret.
    """

    leadml_url: str
    leadml_key: str
    crm_url: str
    crm_token: str
    crm_secret: str


def _fields(
    model: Mapping[str, Any], lead: Mapping[str, Any], held: Mapping[str, Any]
) -> dict[str, Any]:
    """What the model reads, by its names, from the custom fields and the lead's own."""
    values = {
        each["field"]: held.get(each["field"], lead.get(each["field"])) for each in model["fields"]
    }
    return {name: value for name, value in values.items() if value not in (None, "")}


def is_signed(secret: str, header: str, body: bytes, now: float) -> bool:
    """Whether ``t=<seconds>,v1=<hex>`` is the HMAC-SHA256 of ``<seconds>.<body>``, and fresh.

    >>> is_signed("whsec_x", "t=1,v1=00", b"{}", now=1.0)
    False
    """
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    sent_at = parts.get("t", "")
    if not sent_at.isdecimal() or abs(now - int(sent_at)) > TOLERANCE_S:
        return False
    expected = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256)
    return hmac.compare_digest(expected.hexdigest().encode(), parts.get("v1", "").encode())


def ask(
    method: str, url: str, headers: Mapping[str, str], body: Any = None
) -> tuple[int, dict[str, Any]]:
    """Send JSON, return status and JSON.

    Raises
    ------
    Later
        There was no answer, or one that asks to come back (408, 429, 5xx).
    """
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, sent, {"Content-Type": "application/json", **headers}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        said = error.read()
        if error.code in (408, 429) or error.code >= 500:
            raise Later(f"{method} {url} answered {error.code}") from None
        try:
            return error.code, dict(json.loads(said))
        except ValueError:
            return error.code, {}
    except (OSError, ValueError) as error:
        raise Later(f"{method} {url}: {error}") from None


class Bridge:
    """What is done with an event of the CRM.

    Parameters
    ----------
    settings
        Where the two sides are.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def take(self, event: Mapping[str, Any]) -> str:
        """Do what an event asks for and say it in a few words.

        Raises
        ------
        Later, Never
        """
        kind, about = event["event"], event["data"]["id"]
        if kind in ("deal.won", "deal.lost"):
            deal = self._crm("GET", f"/api/opportunities/{about}/")["opportunity_obj"]
            lead_id = deal["source_ref"]
            if not lead_id:
                raise Never("the deal names no lead: nobody converted one into it")
            self._report(lead_id, OUTCOMES[kind], event)
            return f"reported {OUTCOMES[kind]}"
        if kind not in ("lead.created", "lead.updated"):
            raise Never(f"nothing is done with {kind}")
        lead = self._crm("GET", f"/api/leads/{about}/")["lead_obj"]
        held = lead["custom_fields"] or {}
        outcome = OUTCOMES.get(lead["status"] or "")
        if outcome and held.get("leadml_reported") != lead["status"]:
            self._report(about, outcome, event, leadml_reported=lead["status"])
            return f"reported {outcome}"
        if lead["status"] in ("converted", "closed"):
            raise Never("nobody works on this lead any more")
        return self._score(lead, held)

    def _score(self, lead: Mapping[str, Any], held: Mapping[str, Any]) -> str:
        """Score a lead and write it down, unless nothing changed since: that ends the circle."""
        model = self._leadml("GET", "/v1/model")
        fields = _fields(model, lead, held)
        known = [fields, model["model_version"], model["policy_version"]]
        seen = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
        if held.get("leadml_seen") == seen:
            return "nothing new"
        asked = {"lead_id": lead["id"], "lead": fields}
        answer = self._leadml("POST", f"/v1/score?reasons={REASONS}", asked)
        change = {
            "rating": RATINGS.get(answer["stage"], "COLD"),
            "probability": round(100 * answer["probability"]),
            "custom_fields": {
                "leadml_score": answer["score"],
                "leadml_grade": answer["grade"],
                "leadml_stage": answer["stage"],
                "leadml_reasons": "\n".join(reason["text"] for reason in answer["reasons"]),
                "leadml_seen": seen,
            },
        }
        if not lead["source_ref"]:
            change["source_ref"] = lead["id"]  # a deal made of the lead inherits it
        self._crm("PATCH", f"/api/leads/{lead['id']}/", change)
        return f"wrote score {answer['score']}, stage {answer['stage']}"

    def _report(self, lead_id: str, outcome: str, event: Mapping[str, Any], **change: str) -> None:
        """Tell leadml what became of a lead, and the lead where that puts it."""
        told = {"lead_id": lead_id, "outcome": outcome, "occurred_at": event["created_at"]}
        if outcome == "rejected":
            told["reason"] = "recycled"
        try:
            answer = self._leadml("POST", "/v1/outcomes", {"outcomes": [told]}, key=event["id"])
            change["leadml_stage"] = answer["results"][0]["stage"]
        except Behind:
            change.setdefault("leadml_reported", outcome)
        self._crm("PATCH", f"/api/leads/{lead_id}/", {"custom_fields": change})

    def _crm(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        settings = self.settings
        headers = {"Authorization": f"Bearer {settings.crm_token}"}
        status, answer = ask(method, settings.crm_url + path, headers, body)
        if status == 404:
            raise Never("the CRM no longer has it")
        if status >= 400:
            raise Later(f"the CRM answered {status}: {json.dumps(answer)[:300]}")
        return answer

    def _leadml(self, method: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
        settings = self.settings
        headers = {"Idempotency-Key": key} if key else {}
        if settings.leadml_key:
            headers["X-API-Key"] = settings.leadml_key
        status, answer = ask(method, settings.leadml_url + path, headers, body)
        if status in (401, 403):
            raise Later(f"leadml refused the key: {answer.get('detail')}")
        if answer.get("code") == "request_in_flight":
            raise Later("leadml is still at it")
        if status >= 400:
            told = f"leadml answered {answer.get('code')}: {answer.get('detail')}"
            raise Behind(told) if answer.get("code") == "step_not_open" else Never(told)
        return answer


def server_of(settings: Settings, port: int) -> ThreadingHTTPServer:
    """A server for the CRM's webhook on a port of this machine; 0 takes a free one.

    Parameters
    ----------
    settings
        Where the two sides are; the webhook's secret may be set later.
    """
    bridge = Bridge(settings)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            """Check who sends, then do it."""
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, 1_000_000))
            header = self.headers.get("X-BottleCRM-Signature", "")
            if not is_signed(bridge.settings.crm_secret, header, body, time.time()):
                self._answer(401, "the signature is wrong or too old")
                return
            try:
                self._answer(200, bridge.take(json.loads(body)))
            except Never as reason:
                self._answer(200, str(reason))
            except Later as reason:
                self._answer(503, str(reason))

        def _answer(self, status: int, said: str) -> None:
            sys.stderr.write(f"bridge: {status} {said}\n")
            text = json.dumps({"said": said}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """The line above says more than the server's own."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until stopped."""
    try:
        settings = Settings(
            os.environ["LEADML_URL"],
            os.environ.get("LEADML_KEY", ""),
            os.environ["CRM_URL"],
            os.environ["CRM_TOKEN"],
            os.environ["CRM_SECRET"],
        )
    except KeyError as missing:
        sys.exit(f"set {missing.args[0]}: it is needed, see the top of this file")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8200
    with server_of(settings, port) as server:
        sys.stderr.write(f"bridge: waiting at http://127.0.0.1:{server.server_port}\n")
        server.serve_forever()


if __name__ == "__main__":
    main()
