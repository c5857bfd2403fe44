"""Which history entries have still to be told to the operator, and how often that was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Forward. What happened before is not told any more."""
    op.add_column("history", sa.Column("delivery_due", sa.BigInteger))
    op.add_column("history", sa.Column("delivery_tries", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_history_delivery_due", "history", ["delivery_due"])
