"""The log: allowed fields only, no message of a fault, one line per event."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from leadml.api.log import FIELDS, configure

CANARY = "maria@example.com"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The logging of the tests themselves comes back afterwards."""
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn")
    before = root.handlers, root.level, uvicorn.level
    yield
    root.handlers, root.level = before[0], before[1]
    uvicorn.setLevel(before[2])


def written(style: str, level: str = "info") -> str:
    """What three events leave in the log."""
    stream = io.StringIO()
    configure(level, style, stream)
    log = logging.getLogger("leadml.api.test")
    log.info("serving", extra={"model_version": "leads@7", "lead": CANARY, "email": CANARY})
    try:
        raise ValueError(CANARY)
    except ValueError:
        log.exception("a request failed", extra={"request_id": "req_1"})
    log.debug("not written")
    return stream.getvalue()


def test_json_lines() -> None:
    """Each event is one JSON object with its time, level, place and allowed fields."""
    first, second = map(json.loads, written("json").splitlines())
    assert first["timestamp"].endswith("Z")
    assert (first["event"], first["level"], first["model_version"]) == (
        "serving",
        "info",
        "leads@7",
    )
    assert (second["fault"], second["request_id"]) == ("ValueError", "req_1")
    assert "test_api_log.py:" in second["places"]


def test_text_lines() -> None:
    """For people the same stands in a line of words."""
    text = written("text")
    assert "level=info logger=leadml.api.test event=serving model_version=leads@7" in text
    assert 'event="a request failed" ' in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("style", ["json", "text"])
def test_nothing_personal(style: str) -> None:
    """Neither a field that is not allowed nor the message of a fault is written."""
    assert CANARY not in written(style)


def test_level() -> None:
    """Less severe events than the level are not written."""
    assert "serving" not in written("json", level="error")


def test_no_field_holds_a_lead() -> None:
    """The allowed fields are those of the server, none of a lead."""
    assert not {"lead", "lead_id", "value", "body", "email", "message"} & set(FIELDS)
