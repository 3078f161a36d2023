"""Stand-ins for CRMs: they keep records, enforce the documented limits and are read back."""

from __future__ import annotations

import json
import re
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from receiver import Answer, Call, Receiver


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """A JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json", **named}, content)


class Crm(ABC):
    """What all of them have: records, a token, a limit of calls in a while."""

    token = "crm-token-1"
    limit, window_s = 1_000, 10.0

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.times: deque[float] = deque()
        self.receiver = Receiver(self.behave)
        self.url = self.receiver.url

    @property
    def calls(self) -> list[Call]:
        return self.receiver.calls

    def behave(self, call: Call) -> Answer:
        now = time.monotonic()
        while self.times and self.times[0] < now - self.window_s:
            self.times.popleft()
        if self.is_public(call):
            return self.act(call)
        if not self.is_known(call):
            return self.unauthorized()
        if len(self.times) >= self.limit:
            return self.too_many()
        self.times.append(now)
        return self.act(call)

    def is_public(self, call: Call) -> bool:
        return False

    def is_known(self, call: Call) -> bool:
        return call.headers.get("authorization") == f"Bearer {self.token}"

    @abstractmethod
    def act(self, call: Call) -> Answer:
        """Answer a call that came with the right token, within the limit."""

    @abstractmethod
    def unauthorized(self) -> Answer:
        """Answer a call without the right token."""

    @abstractmethod
    def too_many(self) -> Answer:
        """Answer a call above the limit."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.close()


class HubSpot(Crm):
    """Contacts with known properties; batches of at most 100 different contacts."""

    properties = ("email", "leadml_score", "leadml_probability", "leadml_stage", "leadml_reasons")

    def unauthorized(self) -> Answer:
        return answer(401, {"status": "error", "category": "INVALID_AUTHENTICATION"})

    def too_many(self) -> Answer:
        body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
        return answer(429, body)

    def act(self, call: Call) -> Answer:
        if (call.method, call.path) != ("POST", "/crm/v3/objects/contacts/batch/update"):
            return answer(404, {"status": "error", "category": "OBJECT_NOT_FOUND"})
        inputs = call.json["inputs"]
        refusal = self.refusal(inputs)
        if refusal:
            body = {"status": "error", "category": "VALIDATION_ERROR", "message": refusal}
            return answer(400, body)
        done, missing = [], []
        for one in inputs:
            contact = self.found(one)
            if contact is None:
                missing.append(one["id"])
                continue
            self.records[contact] |= one["properties"]
            done.append({"id": contact, "properties": one["properties"], "archived": False})
        told = {
            "status": "COMPLETE",
            "results": done,
            "startedAt": "2026-11-20T14:00:00Z",
            "completedAt": "2026-11-20T14:00:01Z",
        }
        if not missing:
            return answer(200, told)
        errors = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some CONTACT objects, they may be deleted",
                "context": {"ids": missing},
                "links": {},
                "errors": [],
            }
        ]
        return answer(207, told | {"numErrors": 1, "errors": errors})

    def refusal(self, inputs: list[Any]) -> str:
        if len(inputs) > 100:
            return "at most 100 inputs"
        if len({one["id"] for one in inputs}) != len(inputs):
            return "duplicate ids"
        for one in inputs:
            for name, value in one["properties"].items():
                if name not in self.properties:
                    return f"Property {name} does not exist"
                if not isinstance(value, str) or "\x00" in value:
                    return f"{name} is no text"
        return ""

    def found(self, one: Any) -> str | None:
        named = one.get("idProperty")
        if named is None:
            return one["id"] if one["id"] in self.records else None
        matching = [key for key, kept in self.records.items() if kept.get(named) == one["id"]]
        return matching[0] if matching else None


class Salesforce(Crm):
    """Leads with known fields, platform events, and tokens that end."""

    fields = ("leadml_Score__c", "leadml_Probability__c", "leadml_Stage__c", "leadml_Reasons__c")
    event_fields = (
        *("Event__c", "Lead_Id__c", "Stage__c", "Score__c", "Probability__c", "Reasons__c"),
        *("Message_Id__c", "Sequence__c", "Occurred_At__c"),
    )
    application = ("consumer", "hush")

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.n_tokens = 0

    def is_public(self, call: Call) -> bool:
        return call.path == "/services/oauth2/token"

    def unauthorized(self) -> Answer:
        return answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}])

    def too_many(self) -> Answer:
        return answer(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "exceeded"}])

    def act(self, call: Call) -> Answer:
        if call.path == "/services/oauth2/token":
            form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
            if (form["client_id"], form["client_secret"]) != self.application:
                return answer(400, {"error": "invalid_client"})
            self.n_tokens += 1
            self.token = f"session-{self.n_tokens}"
            return answer(200, {"access_token": self.token, "token_type": "Bearer"})
        event = re.fullmatch(r"/services/data/v59\.0/sobjects/leadml_Lead__e/?", call.path)
        if event and call.method == "POST":
            if not set(call.json) <= set(self.event_fields):
                return answer(400, [{"errorCode": "INVALID_FIELD", "message": "no such column"}])
            self.events.append(call.json)
            return answer(201, {"id": f"e00{len(self.events)}", "success": True, "errors": []})
        lead = re.fullmatch(r"/services/data/v59\.0/sobjects/Lead/(.+)", call.path)
        if lead is None or call.method != "PATCH":
            return answer(404, [{"errorCode": "NOT_FOUND", "message": "no such resource"}])
        key = lead[1]
        if key.startswith("Ref__c/"):
            wanted = unquote(key.removeprefix("Ref__c/"))
            matching = [k for k, kept in self.records.items() if kept.get("Ref__c") == wanted]
            key = matching[0] if matching else ""
        if key not in self.records:
            return answer(404, [{"errorCode": "ENTITY_IS_DELETED", "message": "gone"}])
        if not set(call.json) <= set(self.fields):
            return answer(400, [{"errorCode": "INVALID_FIELD", "message": "no such column"}])
        self.records[key] |= call.json
        return Answer(204, {}, b"")


class Dynamics(Crm):
    """Predictive scores by entity, as Dataverse keeps them."""

    application = ("app", "hush", "contoso")

    def __init__(self) -> None:
        super().__init__()
        self.columns = {
            "msdyn_score": range(101),
            "msdyn_grade": range(4),
            "msdyn_scoretrend": range(4),
        }
        self.token = "never"

    def is_public(self, call: Call) -> bool:
        return call.path.endswith("/oauth2/v2.0/token")

    def unauthorized(self) -> Answer:
        return answer(401, {"error": {"code": "0x80072560", "message": "unauthorized"}})

    def too_many(self) -> Answer:
        return answer(429, {"error": {"code": "0x80072322"}}, retry_after="3")

    def act(self, call: Call) -> Answer:
        if self.is_public(call):
            form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
            sent = (form["client_id"], form["client_secret"], call.path.split("/")[1])
            if sent != self.application or form["scope"] != f"{self.url}/.default":
                return answer(401, {"error": "invalid_client"})
            self.token = "bearer-of-dynamics"
            return answer(200, {"access_token": self.token, "expires_in": 3599})
        parts = urlsplit(call.path)
        key = re.fullmatch(
            r"/api/data/v9\.2/msdyn_predictivescores"
            r"\(msdyn_entityid='((?:[^']|'')+)',msdyn_entitytype='(lead|opportunity)'\)",
            unquote(parts.path),
        )
        if key is None:
            return answer(404, {"error": {"code": "0x8006088a", "message": "no such resource"}})
        name = f"{key[2]}:{key[1].replace(chr(39) * 2, chr(39))}"
        if call.method == "GET":
            if name not in self.records:
                return answer(404, {"error": {"code": "0x80040217"}})
            return answer(200, self.records[name])
        if call.method != "PATCH" or not all(
            value in self.columns.get(column, ()) for column, value in call.json.items()
        ):
            return answer(400, {"error": {"code": "0x80048d19", "message": "invalid"}})
        self.records[name] = self.records.get(name, {}) | call.json
        return Answer(204, {}, b"")


class Slack(Crm):
    """A channel behind a secret URL, one message a second."""

    limit, window_s = 1, 1.0

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.url += "/services/T0/B0/secret"

    def is_known(self, call: Call) -> bool:
        return call.path == "/services/T0/B0/secret"

    def unauthorized(self) -> Answer:
        return Answer(403, {}, b"invalid_token")

    def too_many(self) -> Answer:
        return Answer(429, {"retry-after": "1"}, b"rate_limited")

    def act(self, call: Call) -> Answer:
        if not call.json.get("text") or len(call.json["blocks"][0]["text"]["text"]) > 3000:
            return Answer(400, {}, b"invalid_blocks")
        self.messages.append(call.json["blocks"][0]["text"]["text"])
        return Answer(200, {}, b"ok")
