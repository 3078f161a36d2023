"""Decisions of a past that was brought in later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the mark."""
    op.add_column("decisions", sa.Column("imported", sa.Boolean))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("decisions", "imported")
