"""The server's log: one line per event, allowed fields only."""

from __future__ import annotations

import logging
import traceback
from pathlib import PurePath
from typing import Any, Final, TextIO

import structlog

__all__ = ["FIELDS", "configure", "places_of"]

FIELDS: Final = (
    "code",
    "delay_s",
    "fault",
    "meant",
    "model_version",
    "places",
    "reason",
    "request_id",
    "setting",
)
"""What an event may carry beside its sentence; anything else is dropped.

None of them ever holds a value of a lead. A new one is a decision, not an accident.
"""

_PLACES_SHOWN: Final = 8
_TALKATIVE: Final = (
    *("httpcore", "httpx", "hubspot", "simple_salesforce", "slack_sdk", "urllib3"),
    "alembic",
)
"""Clients that would write addresses, keys and answers of other systems; alembic's set-up."""


def configure(level: str, style: str, stream: TextIO) -> None:
    """Write all log events of the process to ``stream``.

    Tracebacks are replaced by the kind and the places of the fault: messages of
    exceptions may quote what a lead said.

    Parameters
    ----------
    level
        Least severe level written: ``debug``, ``info``, ``warning``, ``error``.
    style
        ``text`` for people, ``json`` for collectors: one object per line.
    stream
        Where to.
    """
    rendered: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "logger", "event"], drop_missing=True
        )
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=FIELDS),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                _fault_without_message,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                rendered,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel("WARNING" if level == "info" else level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel("WARNING")


def _fault_without_message(
    logger: Any, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    thrown = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if thrown:
        kind, error, _ = thrown
        event["fault"] = kind.__name__
        event["places"] = places_of(error)
    return event


def places_of(error: BaseException) -> str:
    """Where in the code a fault came through, innermost last, without any message."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES_SHOWN:]
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames)
