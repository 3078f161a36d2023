"""No second index of lead ids on SQLite, whose first one finds beginnings too."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Drop it there."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_leads_prefix", "leads")


def downgrade() -> None:
    """Make it again."""
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_leads_prefix", "leads", ["lead_id"])
