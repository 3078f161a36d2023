"""leadml.webhooks.signing, verified by the official library."""

import base64
import json
import random
import string
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from leadml.store.endpoints import new_secret
from leadml.webhooks import Message
from leadml.webhooks.shapes.generic import body_of
from leadml.webhooks.signing import signed_headers

SIGNS = string.printable + "äöüßéñçøæåþ漢字仮名한글العربيةעברית🙂🚀\u2028\u2029\u00a0\ufeff"


def verifies(secret, headers, body):
    """Whether the official library takes it."""
    try:
        Webhook(secret).verify(body, headers)
    except (WebhookVerificationError, ValueError):
        return False
    return True


def some_body(chance):
    """A random payload of any signs and size."""
    data = {
        "".join(chance.choices(string.ascii_lowercase, k=5)): chance.choice(
            [
                chance.random(),
                chance.getrandbits(60),
                None,
                "".join(chance.choices(SIGNS, k=chance.randrange(60))),
                [{"text": "".join(chance.choices(SIGNS, k=9))}],
            ]
        )
        for _ in range(chance.randrange(6))
    }
    payload = {"type": "lead.outcome", "timestamp": "2026-11-20T14:00:00Z", "data": data}
    return body_of(Message("msg_x", chance.getrandbits(40), payload))


def changed(chance, headers, body):
    """The same with one sign changed somewhere that counts."""
    name = chance.choice(["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
    if name == "body":
        raw = bytearray(body.encode())
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return headers, bytes(raw)
    if name == "webhook-signature":
        raw = bytearray(base64.b64decode(headers[name].removeprefix("v1,")))
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return headers | {name: "v1," + base64.b64encode(bytes(raw)).decode()}, body
    if name == "webhook-timestamp":
        return headers | {name: str(int(headers[name]) + chance.choice([-9, -1, 1, 60]))}, body
    at = chance.randrange(len(headers[name]))
    old = headers[name]
    return headers | {name: old[:at] + chr(ord(old[at]) ^ 1) + old[at + 1 :]}, body


def test_ten_thousand_payloads_verify_and_none_that_was_changed():
    """Whatever a message holds, the official library takes it, and nothing changed by one bit."""
    chance = random.Random(6)
    secret, taken, fooled = new_secret(), 0, 0
    for n in range(10_000):
        body = some_body(chance)
        headers = signed_headers([secret], f"msg_{n}", datetime.now(UTC), body)
        taken += verifies(secret, headers, body.encode())
        fooled += verifies(secret, *changed(chance, headers, body))
    assert (taken, fooled) == (10_000, 0)


def test_both_secrets_sign_while_one_is_rotated():
    """Receivers with the old and with the new secret verify; a third one does not."""
    new, old, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers([new, old], "msg_1", datetime.now(UTC), "{}")
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert [verifies(secret, headers, b"{}") for secret in (new, old, other)] == [True, True, False]


@pytest.mark.parametrize(("minutes", "fresh"), [(-6, False), (-4, True), (4, True), (6, False)])
def test_old_messages_are_refused_by_receivers(minutes, fresh):
    """A message caught and sent again more than five minutes later does not verify."""
    secret = new_secret()
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    assert verifies(secret, signed_headers([secret], "msg_1", at, "{}"), b"{}") is fresh


def test_any_zone_signs_the_same_moment():
    """The time of a signature is that of the moment, not of the clock on the wall."""
    from zoneinfo import ZoneInfo

    at, secret = datetime.now(UTC), new_secret()
    here = signed_headers([secret], "msg_1", at, "{}")
    there = signed_headers([secret], "msg_1", at.astimezone(ZoneInfo("Asia/Tokyo")), "{}")
    assert here == there


def test_secrets_hold_256_bits():
    """A secret is whsec_ and the base64 of 32 random bytes."""
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(base64.b64decode(text.removeprefix("whsec_"))) == 32 for text in made)


def test_the_body_is_one_line_of_json_with_the_place_in_the_order():
    """What is signed is what is sent: compact JSON with sequence and the fields asked for."""
    message = Message(
        "msg_1",
        7,
        {"type": "lead.dropped", "timestamp": "2026-11-20T14:00:00Z", "data": {"lead_id": "L"}},
        "L",
        {"company": "Müller", "salary": 1},
    )
    assert json.loads(body_of(message, ["company", "nothing"])) == {
        "type": "lead.dropped",
        "timestamp": "2026-11-20T14:00:00Z",
        "data": {"lead_id": "L", "sequence": 7, "lead": {"company": "Müller"}},
    }
    assert "\n" not in body_of(message)
