"""Indexes by which pages count weeks and proposals."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    op.drop_index("ix_decisions_at_us", "decisions")
    op.create_index("ix_decisions_at_us_proposed_stage", "decisions", ["at_us", "proposed_stage"])
    op.create_index("ix_stages_stage_at_us_lead_id", "stages", ["stage", "at_us", "lead_id"])


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_stages_stage_at_us_lead_id", "stages")
    op.drop_index("ix_decisions_at_us_proposed_stage", "decisions")
    op.create_index("ix_decisions_at_us", "decisions", ["at_us"])
