"""What leads did; the value that a lead promises, to queue by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "events",
        sa.Column("event_id", _ROW, autoincrement=True, nullable=False),
        sa.Column("lead_id", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("occurred_us", sa.BigInteger, nullable=False),
        sa.Column("reported_us", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
        sa.UniqueConstraint(
            "lead_id", "event", "occurred_us", name="uq_events_lead_id_event_occurred_us"
        ),
    )
    op.create_index("ix_events_lead_id_occurred_us", "events", ["lead_id", "occurred_us"])
    op.add_column("leads", sa.Column("expected", sa.Double, nullable=False, server_default="0"))
    op.execute("UPDATE leads SET expected = COALESCE(probability, 0)")
    op.drop_index("ix_leads_stage_probability_lead_id", "leads")
    op.create_index("ix_leads_stage_expected_lead_id", "leads", ["stage", "expected", "lead_id"])
    op.create_index("ix_leads_updated_us_lead_id", "leads", ["updated_us", "lead_id"])
    op.create_index(
        "ix_leads_prefix",
        "leads",
        ["lead_id"],
        postgresql_ops={"lead_id": "text_pattern_ops"},
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_leads_prefix", "leads")
    op.drop_index("ix_leads_updated_us_lead_id", "leads")
    op.drop_index("ix_leads_stage_expected_lead_id", "leads")
    op.create_index(
        "ix_leads_stage_probability_lead_id", "leads", ["stage", "probability", "lead_id"]
    )
    op.drop_column("leads", "expected")
    op.drop_table("events")
