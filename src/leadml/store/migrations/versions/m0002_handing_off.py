"""Receivers of messages, one row per message to deliver to each, reasons of the latest score."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them."""
    op.add_column("leads", sa.Column("explained", sa.Text))
    op.create_table(
        "endpoints",
        sa.Column("endpoint_id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_endpoints"),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.Text, nullable=False),
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
        sa.PrimaryKeyConstraint("delivery_id", name="pk_deliveries"),
        sa.UniqueConstraint(
            "endpoint_id", "message_id", name="uq_deliveries_endpoint_id_message_id"
        ),
    )
    for columns in (
        ["endpoint_id", "state", "next_attempt_us"],
        ["endpoint_id", "lead_id", "seq"],
        ["endpoint_id", "seq"],
        ["state", "finished_us"],
        ["lead_id"],
    ):
        op.create_index(f"ix_deliveries_{'_'.join(columns)}", "deliveries", columns)


def downgrade() -> None:
    """Take them back."""
    op.drop_table("deliveries")
    op.drop_table("endpoints")
    op.drop_column("leads", "explained")
