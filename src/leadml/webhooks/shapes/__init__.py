"""Forms of messages, one module for each kind of receiver."""

from __future__ import annotations

import importlib
from typing import Final, cast

from leadml.errors import InvalidField
from leadml.webhooks.parcel import Shape

__all__ = ["KINDS", "shape_of"]

KINDS: Final = ("generic", "hubspot", "salesforce", "salesforce_event", "dynamics", "slack")
"""Kinds of receivers."""


def shape_of(kind: str) -> Shape:
    """The form that a kind of receiver takes.

    Raises
    ------
    InvalidField
        There is no such kind.
    """
    if kind not in KINDS:
        raise InvalidField(
            f"kind must be one of: {', '.join(KINDS)}", column="kind", pointer="/kind"
        )
    return cast("Shape", importlib.import_module(f"leadml.webhooks.shapes.{kind}"))
