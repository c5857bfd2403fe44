"""Sign-ins that apps begin, their grants, and the refresh tokens of each grant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("browser_sha256", sa.String(64), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("state_sha256", sa.String(64)),
        sa.Column("code_sha256", sa.String(64)),
        sa.Column("grant_id", sa.String(40)),
        sa.Column("wrong_tries", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("key_id", sa.String(255), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("state_sha256", name="uq_sign_ins_state_sha256"),
        sa.UniqueConstraint("code_sha256", name="uq_sign_ins_code_sha256"),
    )
    op.create_index("ix_sign_ins_browser_sha256", "sign_ins", ["browser_sha256", "created_at"])
    op.create_index("ix_sign_ins_expires_at", "sign_ins", ["expires_at"])
    op.create_index("ix_sign_ins_key_id", "sign_ins", ["key_id", "id"])
    op.create_table(
        "grants",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "account_id", sa.String(40), sa.ForeignKey("connected_accounts.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("connection_name", sa.String(400), nullable=False),
        sa.Column("identifier", sa.String(100), nullable=False),
        sa.Column("client_sha256", sa.String(64), nullable=False),
        sa.Column("secret_sha256", sa.String(64)),
        sa.Column("client_name", sa.String(400), nullable=False),
        sa.Column("client_host", sa.String(1000), nullable=False),
        sa.Column("client_kind", sa.String(16), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_why", sa.String(40)),
        sa.Column("key_id", sa.String(255), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_grants_account_id", "grants", ["account_id", "last_used_at"])
    op.create_index("ix_grants_ended_at", "grants", ["ended_at"])
    op.create_index("ix_grants_expires_at", "grants", ["expires_at"])
    op.create_index("ix_grants_key_id", "grants", ["key_id", "id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("grant_id", sa.String(40), sa.ForeignKey("grants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("replaced_at", sa.BigInteger),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(255), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_refresh_tokens_grant_id", "refresh_tokens", ["grant_id"])
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"])
    op.create_index("ix_refresh_tokens_key_id", "refresh_tokens", ["key_id", "id"])
