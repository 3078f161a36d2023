"""What the record of a lead in a CRM is told, under the names that the CRM uses."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from typing import Any, Final

from leadml.errors import ExtraMissing
from leadml.webhooks.parcel import Message, Receiver, invalid_option

__all__ = ["check_options", "fields_of", "record_id", "require_client", "told_of"]

TOLD: Final = (
    "score",
    "probability",
    "grade",
    "stage",
    "previous_stage",
    "reasons",
    "event",
    "outcome",
    "model_version",
    "policy_version",
    "occurred_at",
    "lead_id",
    "message_id",
    "sequence",
)
"""What can be told."""

_LONGEST: Final = 4_000


def told_of(message: Message) -> dict[str, Any]:
    """Everything a message says of a lead, flat; what it does not say is absent."""
    data = message.data
    found: dict[str, Any] = {
        "event": message.type,
        "occurred_at": message.payload["timestamp"],
        "message_id": message.message_id,
        "sequence": message.sequence,
    }
    for name in TOLD:
        if name in data and name not in found and name != "reasons":
            found[name] = data[name]
    reasons = [str(reason["text"]) for reason in data.get("reasons", ())]
    if reasons:
        found["reasons"] = "\n".join(reasons)[:_LONGEST]
    return found


def fields_of(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """What a message tells, under the CRM's names; what has no name there is left out."""
    return {names[key]: value for key, value in told_of(message).items() if key in names}


def record_id(message: Message, receiver: Receiver) -> str | None:
    """The CRM's id of a lead: its ``lead_id``, or the attribute named by ``id_field``."""
    named = receiver.options.get("id_field")
    found = message.attributes.get(str(named)) if named else message.lead_id
    return None if found in (None, "") else str(found)


def check_options(receiver: Receiver, known: Mapping[str, str]) -> None:
    """Refuse options that a kind does not know, and names that cannot be told.

    Parameters
    ----------
    known
        Option → pattern of its value; ``fields`` is checked here.

    Raises
    ------
    InvalidField
        An option is unknown or has another form.
    """
    for name, value in receiver.options.items():
        if name == "fields":
            _check_fields(value)
        elif name not in known:
            raise invalid_option(name, f"options of this kind are: {', '.join((*known, 'fields'))}")
        elif not isinstance(value, str) or not re.fullmatch(known[name], value):
            raise invalid_option(name, f"the option {name} has a form that cannot be used")


def _check_fields(value: Any) -> None:
    if not isinstance(value, dict) or not value:
        raise invalid_option("fields", "fields maps what is told to names in the CRM")
    for told, name in value.items():
        if told not in TOLD:
            raise invalid_option("fields", f"what can be told is: {', '.join(TOLD)}")
        if not isinstance(name, str) or not name.isascii() or not name.replace("_", "").isalnum():
            raise invalid_option("fields", "a name in the CRM is letters, digits and underscores")


def require_client(module: str) -> None:
    """Refuse a kind whose client is not installed.

    Raises
    ------
    ExtraMissing
        The optional part ``leadml[crm]`` is not there.
    """
    if importlib.util.find_spec(module) is None:
        raise ExtraMissing(
            f"this kind of webhook needs the library {module}", fix="pip install 'leadml[crm]'"
        )
