"""Messages for receivers, written in the transaction that caused them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
import sqlalchemy as sa

from leadml.leads.vocabulary import Stage
from leadml.store import rows, tables
from leadml.store.auditing import get_note, set_note
from leadml.store.records import iso_of, new_id

__all__ = [
    "EVENTS",
    "USUAL_EVENTS",
    "announce",
    "announce_model",
    "change_of_stage",
    "is_heard",
    "message",
    "write",
]

USUAL_EVENTS: Final = (
    "lead.became_mql",
    "lead.became_sql",
    "lead.dropped",
    "lead.outcome",
    "model.promoted",
    "policy.changed",
    "capacity.exceeded",
)
"""What an endpoint is sent unless it chooses otherwise."""

EVENTS: Final = (
    *USUAL_EVENTS,
    "lead.became_cold",
    "lead.became_nurture",
    "lead.became_sal",
    "lead.became_customer",
    "lead.became_lost",
)
"""All types of messages that are written."""

_HANDED_OVER: Final = (Stage.MQL, Stage.SAL, Stage.SQL)
_MODEL: Final = "model_announced"


def change_of_stage(previous: Stage, stage: Stage) -> str:
    """The type of message for a change of stage.

    >>> change_of_stage(Stage.NURTURE, Stage.MQL), change_of_stage(Stage.MQL, Stage.NURTURE)
    ('lead.became_mql', 'lead.dropped')
    """
    if previous in _HANDED_OVER and stage in (Stage.COLD, Stage.NURTURE):
        return "lead.dropped"
    return f"lead.became_{stage}"


def message(
    kind: str, data: Mapping[str, Any], *, at_us: int, written_us: int, lead_id: str = ""
) -> dict[str, Any]:
    """A row of the outbox.

    Parameters
    ----------
    kind
        One of :data:`EVENTS`.
    data
        What the message tells, plain data.
    at_us
        When it happened.
    written_us
        The present moment.
    lead_id
        The lead it is about; "" for none.
    """
    told = {"type": kind, "timestamp": iso_of(at_us), "data": dict(data)}
    return {
        "message_id": new_id("msg"),
        "lead_id": lead_id,
        "type": kind,
        "at_us": written_us,
        "payload": orjson.dumps(
            told, default=list, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        ).decode(),
    }


def is_heard(connection: sa.Connection) -> bool:
    """Whether any endpoint is there; while none is, nobody's data are copied into messages.

    An endpoint is sent what happens once it is there.
    """
    return connection.execute(_ANY_ENDPOINT).first() is not None


def write(connection: sa.Connection, messages: list[dict[str, Any]]) -> None:
    """Write messages and have those who deliver woken once they are durable."""
    if messages:
        rows.insert(connection, "outbox", messages)
        connection.info["announced"] = True


def announce(
    connection: sa.Connection, kind: str, data: Mapping[str, Any], *, at_us: int, lead_id: str = ""
) -> None:
    """Write one message within the transaction of what it tells of; see :func:`message`."""
    if is_heard(connection):
        write(connection, [message(kind, data, at_us=at_us, written_us=at_us, lead_id=lead_id)])


def announce_model(
    connection: sa.Connection, model_version: str, data: Mapping[str, Any], *, at_us: int
) -> bool:
    """Tell of a newly served model once, however many processes notice it.

    Returns
    -------
    bool
        False if it was the last one told of.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    previous = get_note(connection, _MODEL)
    if previous == model_version:
        return False
    set_note(connection, _MODEL, model_version)
    told = {"model_version": model_version, **data}
    if previous:
        told["previous_model_version"] = previous
    announce(connection, "model.promoted", told, at_us=at_us)
    return True


_LOCK: Final = 4_951_206_736
_ANY_ENDPOINT: Final = sa.select(tables.endpoints.c.endpoint_id).limit(1)
