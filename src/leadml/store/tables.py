"""The tables of the memory, the same on SQLite and PostgreSQL.

Moments are whole microseconds since 1970 UTC (``_us``), exact and ordered alike on both
databases. JSON stands as text: what is read back is what was written, bit for bit.
"""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "attempts",
    "audit",
    "consents",
    "decisions",
    "deliveries",
    "endpoints",
    "events",
    "idempotency",
    "keys",
    "leads",
    "metadata",
    "notes",
    "outbox",
    "outcomes",
    "policies",
    "sessions",
    "stages",
    "tombstones",
    "users",
]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows by an INTEGER key of its own; PostgreSQL needs the 64-bit type said.
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

leads = sa.Table(
    "leads",
    metadata,
    sa.Column("lead_id", sa.Text, primary_key=True),
    sa.Column("attributes", sa.Text, nullable=False),
    sa.Column("first_seen_us", sa.BigInteger, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
    sa.Column("contact_consent", sa.Boolean),
    sa.Column("objection", sa.Boolean, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("stage_since_us", sa.BigInteger),
    sa.Column("reached", sa.Integer, nullable=False),
    sa.Column("rejected_us", sa.BigInteger),
    sa.Column("latest_event_us", sa.BigInteger),
    sa.Column("decision_id", sa.Text),
    sa.Column("decided_us", sa.BigInteger),
    sa.Column("probability", sa.Double),
    sa.Column("score", sa.Integer),
    sa.Column("proposed_stage", sa.Text),
    sa.Column("explained", sa.Text),
    sa.Column("expected", sa.Double, nullable=False, server_default="0"),
    sa.Index(None, "stage", "expected", "lead_id"),
    sa.Index(None, "updated_us", "lead_id"),
    sa.Index("ix_leads_prefix", "lead_id", postgresql_ops={"lead_id": "text_pattern_ops"}).ddl_if(
        dialect="postgresql"
    ),
)
"""``expected`` is the probability times the value that the lead promises (1 if unknown)."""


decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("lead_id", sa.Text),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),
    sa.Column("probability", sa.Double, nullable=False),
    sa.Column("log_odds", sa.Double, nullable=False),
    sa.Column("contributions", sa.Text, nullable=False),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("fit_score", sa.Integer),
    sa.Column("engagement_score", sa.Integer),
    sa.Column("grade", sa.Text, nullable=False),
    sa.Column("proposed_stage", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("contact_consent", sa.Boolean),
    sa.Column("nurture_line", sa.Double, nullable=False),
    sa.Column("mql_line", sa.Double, nullable=False),
    sa.Column("sql_line", sa.Double, nullable=False),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("policy_version", sa.Text, nullable=False),
    sa.Column("bundle_digest", sa.Text, nullable=False),
    sa.Column("imported", sa.Boolean),
    sa.Index(None, "lead_id", "at_us"),
    sa.Index(None, "at_us", "proposed_stage"),
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("outcome_id", _ROW, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("occurred_us", sa.BigInteger, nullable=False),
    sa.Column("reported_us", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("reported_by", sa.Text),
    sa.Column("details", sa.Text),
    sa.UniqueConstraint("lead_id", "outcome", "occurred_us"),
    sa.Index(None, "outcome", "occurred_us"),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("consent_id", _ROW, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("contact_consent", sa.Boolean),
    sa.Column("objection", sa.Boolean),
    sa.Column("given_by", sa.Text),
    sa.Index(None, "lead_id", "at_us"),
)

stages = sa.Table(
    "stages",
    metadata,
    sa.Column("change_id", _ROW, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("recorded_us", sa.BigInteger, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Index(None, "lead_id", "change_id"),
    sa.Index(None, "stage", "at_us", "lead_id"),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger),
    sa.Column("revoked_us", sa.BigInteger),
    sa.Column("replaces", sa.Text),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("body_digest", sa.Text, nullable=False),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("claimed_us", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Index(None, "claimed_us"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", _ROW, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("settled_us", sa.BigInteger),
    sa.Index(None, "lead_id"),
    sa.Index(None, "settled_us", "seq"),
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("lead_hash", sa.Text, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", _ROW, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Facts of the store about itself: the key of the tombstones, the head of the audit chain."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("event_id", _ROW, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("occurred_us", sa.BigInteger, nullable=False),
    sa.Column("reported_us", sa.BigInteger, nullable=False),
    sa.Column("details", sa.Text),
    sa.UniqueConstraint("lead_id", "event", "occurred_us"),
    sa.Index(None, "lead_id", "occurred_us"),
)
"""What leads did, as CRM and marketing report it."""

# --- the hand-off ------------------------------------------------------------------

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("lead_fields", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("secrets", sa.Text, nullable=False),
    sa.Column("credential", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_reason", sa.Text),
    sa.Column("paused_until_us", sa.BigInteger),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("lead_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("next_attempt_us", sa.BigInteger, nullable=False),
    sa.Column("lease", sa.Text),
    sa.Column("finished_us", sa.BigInteger),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("log", sa.Text, nullable=False),
    sa.UniqueConstraint("endpoint_id", "message_id"),
    sa.Index(None, "endpoint_id", "state", "next_attempt_us"),
    sa.Index(None, "endpoint_id", "lead_id", "seq"),
    sa.Index(None, "endpoint_id", "seq"),
    sa.Index(None, "state", "finished_us"),
    sa.Index(None, "lead_id"),
)
"""While leased, ``next_attempt_us`` is the end of the lease: a lost worker's rows come back."""

# --- people ------------------------------------------------------------------------

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("password", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
    sa.Index(None, "name"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("latest_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)
"""Failed sign-ins; a subject is a keyed hash of a name or of an address."""
