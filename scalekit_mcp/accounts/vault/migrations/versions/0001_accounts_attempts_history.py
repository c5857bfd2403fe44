"""Accounts, attempts, tenant marks, history and the checks of the vault keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Written out, not taken from the schema module: a migration must not change with it.
_LEGAL = (
    "(status = 'PENDING' AND reason IS NOT NULL AND reason IN ('admin_approval_required', 'awaiting_confirmation', "
    "'awaiting_consent', 'consent_declined', 'never_authorized')) OR (status = 'ACTIVE' AND reason IS NULL) OR "
    "(status = 'EXPIRED' AND reason IS NOT NULL AND reason IN ('connection_changed', 'grant_expired', 'inactive', "
    "'interaction_required', 'policy_blocked', 'unknown')) OR (status = 'REVOKED' AND reason IS NOT NULL AND reason IN "
    "('account_deleted', 'account_disabled', 'app_disabled', 'disconnected', 'grant_revoked', "
    "'grant_revoked_by_admin', 'grant_revoked_by_user'))"
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "connected_accounts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("connection_name", sa.String(400), nullable=False),
        sa.Column("identifier", sa.String(100), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("who_acts", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("last_authorization_error", sa.Text),
        sa.Column("pending_claims", sa.Text),
        sa.Column("tid", sa.String(64)),
        sa.Column("provider_account", sa.Text),
        sa.Column("granted_scopes", sa.Text, nullable=False, server_default=""),
        sa.Column("client_id", sa.String(200)),
        sa.Column("login_host", sa.String(255)),
        sa.Column("token_expires_at", sa.BigInteger),
        sa.Column("key_id", sa.String(255)),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("refresh_not_before", sa.BigInteger),
        # Last, so that SQLite reads no overflow page of it where a list does not ask for it.
        sa.Column("sealed_tokens", sa.LargeBinary),
        sa.UniqueConstraint("connection_name", "identifier", name="uq_connected_accounts_identifier"),
        sa.CheckConstraint(_LEGAL, name="ck_connected_accounts_status_reason"),
    )
    op.create_index("ix_connected_accounts_status", "connected_accounts", ["status", "connection_name", "identifier"])
    op.create_index("ix_connected_accounts_key_id", "connected_accounts", ["key_id", "id"])
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "account_id", sa.String(40), sa.ForeignKey("connected_accounts.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("live_account_id", sa.String(40)),
        sa.Column("connection_name", sa.String(400), nullable=False),
        sa.Column("identifier", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        sa.Column("reconnect", sa.Boolean, nullable=False),
        sa.Column("state_used", sa.Boolean, nullable=False),
        sa.Column("wrong_tries", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("ticket_sha256", sa.String(64), nullable=False),
        sa.Column("state_sha256", sa.String(64)),
        sa.Column("auth_request_sha256", sa.String(64)),
        sa.Column("sealed_secrets", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(255), nullable=False),
        sa.UniqueConstraint("live_account_id", name="uq_attempts_live_account_id"),
        sa.UniqueConstraint("ticket_sha256", name="uq_attempts_ticket_sha256"),
        sa.UniqueConstraint("state_sha256", name="uq_attempts_state_sha256"),
        sa.UniqueConstraint("auth_request_sha256", name="uq_attempts_auth_request_sha256"),
    )
    op.create_index("ix_attempts_account_id", "attempts", ["account_id"])
    op.create_index("ix_attempts_expires_at", "attempts", ["expires_at"])
    op.create_index("ix_attempts_key_id", "attempts", ["key_id", "id"])
    op.create_table(
        "tenant_marks",
        sa.Column("connection_name", sa.String(400), primary_key=True),
        sa.Column("tid", sa.String(64), primary_key=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("marked_at", sa.BigInteger, nullable=False),
        sa.Column("next_trial_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("connection_name", sa.String(400), nullable=False),
        sa.Column("identifier", sa.String(100), nullable=False),
        sa.Column("old_status", sa.String(16)),
        sa.Column("new_status", sa.String(16)),
        sa.Column("old_reason", sa.String(40)),
        sa.Column("new_reason", sa.String(40)),
        sa.Column("cause", sa.String(40), nullable=False),
        sa.Column("code", sa.String(64)),
    )
    op.create_index("ix_history_account", "history", ["connection_name", "identifier", "at"])
    op.create_index("ix_history_at", "history", ["at"])
    op.create_table(
        "vault_keys",
        sa.Column("key_id", sa.String(255), primary_key=True),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
