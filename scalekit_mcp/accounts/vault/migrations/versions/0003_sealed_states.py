"""What decides about an account, an attempt or a tenant stands under the seal, beside the version written last.

The records are sealed with the vault's keys, which a migration does not have: the vault does it when it opens.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Forward."""
    op.add_column("connected_accounts", sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("connected_accounts", sa.Column("tokens_version", sa.BigInteger))
    op.add_column("connected_accounts", sa.Column("state_key_id", sa.String(255)))
    op.add_column("connected_accounts", sa.Column("sealed_state", sa.LargeBinary))
    op.create_index("ix_connected_accounts_state_key_id", "connected_accounts", ["state_key_id", "id"])
    op.add_column("tenant_marks", sa.Column("sealed", sa.LargeBinary))
    op.create_table(
        "record_versions",
        sa.Column("record_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
