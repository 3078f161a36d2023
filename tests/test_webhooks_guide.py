"""docs/webhooks.md: its receiver works, its tables are those of the code."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from told import told

from leadml.store.announcing import EVENTS, USUAL_EVENTS
from leadml.store.endpoints import new_secret
from leadml.webhooks import KINDS, shape_of
from leadml.webhooks.records import TOLD
from leadml.webhooks.shapes.generic import body_of
from leadml.webhooks.signing import signed_headers

GUIDE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text("utf-8")


@pytest.fixture
def shown():
    """The Python receiver of the guide, with a secret of this test."""
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names = {}
    exec(block, names)
    names["SECRET"] = new_secret()
    return names


def sent(secret, message):
    """Headers and body as they reach a receiver."""
    body = body_of(message)
    headers = signed_headers([secret], message.message_id, datetime.now(UTC), body)
    return headers, body.encode()


def test_the_receiver_of_the_guide_works(shown, capsys):
    """It takes what is signed, once and in order, and refuses what was changed."""
    receive, secret = shown["receive"], shown["SECRET"]
    second = sent(secret, told("L1", 2))
    assert receive(*second) == 200
    assert receive(*second) == 200
    assert receive(*sent(secret, told("L1", 1))) == 200
    headers, body = sent(secret, told("L2", 3))
    assert receive(headers, body.replace(b"mql", b"sql")) == 401
    assert receive(*sent(new_secret(), told("L2", 4))) == 401
    assert capsys.readouterr().out == "L1 lead.became_mql\n"


def test_the_guide_names_what_there_is():
    """Every event, kind, option, field and name that the code knows stands in the guide."""
    for name in (*EVENTS, *KINDS, *TOLD):
        assert f"`{name}`" in GUIDE, name
    usual = re.findall(r"^\| `([a-z_.]+)` \| ", GUIDE.split("These are the usual")[0], re.M)
    assert usual == list(USUAL_EVENTS)
    for kind in KINDS:
        for name in getattr(shape_of(kind), "FIELDS", {}).values():
            assert f"`{name}`" in GUIDE, name
        for name in getattr(shape_of(kind), "OPTIONS", {}):
            assert f"`{name}`" in GUIDE, name
