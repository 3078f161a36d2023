"""Receivers of messages: where they are, what they want, the secrets they verify by."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import sqlalchemy as sa

from leadml.errors import InvalidField, WebhookUnknown
from leadml.store import tables
from leadml.store.announcing import EVENTS, USUAL_EVENTS
from leadml.store.records import iso_of, moment_of_us, new_id, now, us_of

__all__ = ["Endpoint", "add", "change", "find", "listed", "new_secret", "remove", "rotate"]

_MOST_FIELDS: Final = 100
_SECRET_PATHS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver.

    Parameters
    ----------
    endpoint_id
        Names it.
    url
        Where messages go.
    kind
        The shape they take there, such as ``generic`` or ``hubspot``.
    note
        What people call it.
    events
        Types of messages that it is sent.
    lead_fields
        Attributes of the lead that it asks for.
    options
        What the kind needs, such as names of properties; nothing secret.
    secrets
        By which it verifies signatures, newest first; two while one is rotated.
    credential
        By which leadml signs in there; None where the kind needs none.
    state
        ``active`` or ``disabled``.
    state_reason
        Why it is disabled.
    paused_until, created_at, updated_at
        Aware UTC.
    """

    endpoint_id: str
    url: str
    kind: str
    note: str
    events: tuple[str, ...]
    lead_fields: tuple[str, ...]
    options: dict[str, Any]
    state: str
    created_at: datetime
    updated_at: datetime
    state_reason: str | None = None
    paused_until: datetime | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    credential: str | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain data without anything secret, absent parts left out."""
        found: dict[str, Any] = {
            "id": self.endpoint_id,
            "url": _shown(self.url, self.kind),
            "kind": self.kind,
            "note": self.note,
            "events": list(self.events),
            "lead_fields": list(self.lead_fields),
            "options": self.options,
            "state": self.state,
            "has_credential": self.credential is not None,
            "active_secrets": len(self.secrets),
            "created_at": iso_of(us_of(self.created_at)),
            "updated_at": iso_of(us_of(self.updated_at)),
        }
        if self.state_reason:
            found["state_reason"] = self.state_reason
        if self.paused_until is not None:
            found["paused_until"] = iso_of(us_of(self.paused_until))
        return found


def _shown(url: str, kind: str) -> str:
    """An address without what may be a secret in it; ``…`` stands in no address.

    >>> _shown("https://hooks.slack.com/services/T0/B0/key", "slack")
    'https://hooks.slack.com/…'
    >>> _shown("https://crm.example.com/hooks?token=abc&v=2", "generic")
    'https://crm.example.com/hooks?token=…&v=…'
    """
    parts = urlsplit(url)
    if kind == "slack" or parts.hostname in _SECRET_PATHS:
        return f"{parts.scheme}://{parts.netloc}/…"
    if not parts.query:
        return url
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    query = "&".join(f"{name}=…" if sign else "…" for name, sign, _ in pairs)
    return parts._replace(query=query).geturl()


def new_secret() -> str:
    """A secret of 256 random bits as the Standard Webhooks specification writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def add(
    connection: sa.Connection,
    *,
    url: str,
    kind: str = "generic",
    note: str = "",
    events: Iterable[str] = USUAL_EVENTS,
    lead_fields: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    credential: str | None = None,
) -> tuple[str, Endpoint]:
    """Make an endpoint; its secret is returned this once.

    Raises
    ------
    InvalidField
        An event does not exist, or a field has no name.
    """
    secret, at_us = new_secret(), us_of(now())
    row = {
        "endpoint_id": new_id("whk"),
        "url": url,
        "kind": kind,
        "note": note,
        "events": _json(checked_events(events)),
        "lead_fields": _json(_checked_fields(lead_fields)),
        "options": _json(dict(options or {})),
        "secrets": _json([{"secret": secret, "until_us": None}]),
        "credential": credential,
        "state": "active",
        "state_reason": None,
        "paused_until_us": None,
        "created_us": at_us,
        "updated_us": at_us,
    }
    connection.execute(sa.insert(tables.endpoints), row)
    return secret, _endpoint_of(row, at_us)


def listed(connection: sa.Connection) -> list[Endpoint]:
    """All endpoints, oldest first."""
    order = sa.select(tables.endpoints).order_by(
        tables.endpoints.c.created_us, tables.endpoints.c.endpoint_id
    )
    at_us = us_of(now())
    return [_endpoint_of(dict(row), at_us) for row in connection.execute(order).mappings()]


def find(connection: sa.Connection, endpoint_id: str) -> Endpoint:
    """One endpoint.

    Raises
    ------
    WebhookUnknown
        There is none of that id.
    """
    return _endpoint_of(_row(connection, endpoint_id), us_of(now()))


def change(connection: sa.Connection, endpoint_id: str, changes: Mapping[str, Any]) -> Endpoint:
    """Change what is named; an endpoint that becomes active again is paused no longer.

    Parameters
    ----------
    changes
        Any of ``url``, ``note``, ``events``, ``lead_fields``, ``options``,
        ``credential``, ``state``, ``state_reason``, ``paused_until_us``.

    Raises
    ------
    WebhookUnknown
        There is none of that id.
    InvalidField
        An event does not exist, or a field has no name.
    """
    _row(connection, endpoint_id)
    values: dict[str, Any] = dict(changes)
    if "events" in values:
        values["events"] = _json(checked_events(values["events"]))
    if "lead_fields" in values:
        values["lead_fields"] = _json(_checked_fields(values["lead_fields"]))
    if "options" in values:
        values["options"] = _json(values["options"])
    if values.get("state") == "active":
        values |= {"state_reason": None, "paused_until_us": None}
    values["updated_us"] = us_of(now())
    c = tables.endpoints.c
    connection.execute(
        sa.update(tables.endpoints).where(c.endpoint_id == endpoint_id).values(**values)
    )
    return find(connection, endpoint_id)


def rotate(
    connection: sa.Connection, endpoint_id: str, overlap_s: float = 86_400.0
) -> tuple[str, Endpoint]:
    """Make the next secret; until the overlap ends messages are signed by both.

    Returns the new secret, this once, and the endpoint.
    """
    kept = orjson.loads(_row(connection, endpoint_id)["secrets"])
    at_us, secret = us_of(now()), new_secret()
    until_us = at_us + int(overlap_s * 1_000_000)
    newest = kept[0] | {"until_us": until_us}
    row = [{"secret": secret, "until_us": None}] + ([newest] if overlap_s > 0 else [])
    c = tables.endpoints.c
    connection.execute(
        sa.update(tables.endpoints)
        .where(c.endpoint_id == endpoint_id)
        .values(secrets=_json(row), updated_us=at_us)
    )
    return secret, find(connection, endpoint_id)


def remove(connection: sa.Connection, endpoint_id: str) -> int:
    """Delete an endpoint with all its deliveries; returns how many of them were waiting."""
    _row(connection, endpoint_id)
    d = tables.deliveries.c
    waiting = connection.execute(
        sa.select(sa.func.count()).where(d.endpoint_id == endpoint_id, d.state == "waiting")
    ).scalar_one()
    connection.execute(sa.delete(tables.deliveries).where(d.endpoint_id == endpoint_id))
    c = tables.endpoints.c
    connection.execute(sa.delete(tables.endpoints).where(c.endpoint_id == endpoint_id))
    return int(waiting)


def checked_events(events: Iterable[str]) -> list[str]:
    """Types of messages in the order of :data:`EVENTS`, each once.

    Raises
    ------
    InvalidField
        None is named, or one that does not exist.
    """
    chosen = set(events)
    if not chosen or not chosen <= set(EVENTS):
        raise InvalidField(
            f"events must be of: {', '.join(EVENTS)}",
            column="events",
            pointer="/events",
            fix="leave events out to be sent the usual ones",
        )
    return [event for event in EVENTS if event in chosen]


def _checked_fields(names: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(names))
    if len(chosen) > _MOST_FIELDS or not all(0 < len(name) <= 255 for name in chosen):
        raise InvalidField(
            f"lead_fields must be up to {_MOST_FIELDS} names of fields",
            column="lead_fields",
            pointer="/lead_fields",
        )
    return chosen


def _row(connection: sa.Connection, endpoint_id: str) -> dict[str, Any]:
    chosen = sa.select(tables.endpoints).where(tables.endpoints.c.endpoint_id == endpoint_id)
    row = connection.execute(chosen).mappings().first()
    if row is None:
        raise WebhookUnknown("there is no webhook of this id", fix="list them first")
    return dict(row)


def _endpoint_of(row: Mapping[str, Any], at_us: int) -> Endpoint:
    paused = row["paused_until_us"]
    return Endpoint(
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        kind=row["kind"],
        note=row["note"],
        events=tuple(orjson.loads(row["events"])),
        lead_fields=tuple(orjson.loads(row["lead_fields"])),
        options=orjson.loads(row["options"]),
        state=row["state"],
        state_reason=row["state_reason"],
        paused_until=None if paused is None or paused <= at_us else moment_of_us(paused),
        created_at=moment_of_us(row["created_us"]),
        updated_at=moment_of_us(row["updated_us"]),
        secrets=tuple(
            one["secret"]
            for one in orjson.loads(row["secrets"])
            if one["until_us"] is None or one["until_us"] > at_us
        ),
        credential=row["credential"],
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
