"""The first tables: leads, decisions, outcomes, stages, keys, outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "leads",
        sa.Column("lead_id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("lead_id", name="pk_leads"),
    )
    op.create_index(
        "ix_leads_stage_probability_lead_id", "leads", ["stage", "probability", "lead_id"]
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_lead_id_at_us", "decisions", ["lead_id", "at_us"])
    op.create_index("ix_decisions_at_us", "decisions", ["at_us"])
    op.create_table(
        "outcomes",
        sa.Column("outcome_id", _ROW, autoincrement=True, nullable=False),
        sa.Column("lead_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("occurred_us", sa.BigInteger, nullable=False),
        sa.Column("reported_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("reported_by", sa.Text),
        sa.Column("details", sa.Text),
        sa.UniqueConstraint(
            "lead_id", "outcome", "occurred_us", name="uq_outcomes_lead_id_outcome_occurred_us"
        ),
        sa.PrimaryKeyConstraint("outcome_id", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_outcome_occurred_us", "outcomes", ["outcome", "occurred_us"])
    op.create_table(
        "consents",
        sa.Column("consent_id", _ROW, autoincrement=True, nullable=False),
        sa.Column("lead_id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("contact_consent", sa.Boolean),
        sa.Column("objection", sa.Boolean),
        sa.Column("given_by", sa.Text),
        sa.PrimaryKeyConstraint("consent_id", name="pk_consents"),
    )
    op.create_index("ix_consents_lead_id_at_us", "consents", ["lead_id", "at_us"])
    op.create_table(
        "stages",
        sa.Column("change_id", _ROW, autoincrement=True, nullable=False),
        sa.Column("lead_id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("recorded_us", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_stages"),
    )
    op.create_index("ix_stages_lead_id_change_id", "stages", ["lead_id", "change_id"])
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
    )
    op.create_table(
        "keys",
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
        sa.Column("replaces", sa.Text),
        sa.PrimaryKeyConstraint("prefix", name="pk_keys"),
    )
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("body_digest", sa.Text, nullable=False),
        sa.Column("claim", sa.Text, nullable=False),
        sa.Column("claimed_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.Text),
        sa.PrimaryKeyConstraint("caller", "route", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_claimed_us", "idempotency", ["claimed_us"])
    op.create_table(
        "outbox",
        sa.Column("seq", _ROW, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
        sa.Column("lead_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("settled_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
    )
    op.create_index("ix_outbox_lead_id", "outbox", ["lead_id"])
    op.create_index("ix_outbox_settled_us_seq", "outbox", ["settled_us", "seq"])
    op.create_table(
        "tombstones",
        sa.Column("lead_hash", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("lead_hash", name="pk_tombstones"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", _ROW, autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_table(
        "notes",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notes"),
    )


def downgrade() -> None:
    """Drop them, and all that was remembered."""
    for name in (
        "notes",
        "audit",
        "tombstones",
        "outbox",
        "idempotency",
        "keys",
        "policies",
        "stages",
        "consents",
        "outcomes",
        "decisions",
        "leads",
    ):
        op.drop_table(name)
