"""The tables of the vault. `migrations/` leads every older state to this one; `HEAD` names the newest."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from scalekit_mcp.accounts.model.statuses import STATUS_REASONS

HEAD = "0004"

# Instants are microseconds since 1970 in UTC: exact, comparable and the same on every database.

metadata = MetaData()


def _legal_pairs() -> str:
    parts: list[str] = []
    for status, reasons in STATUS_REASONS.items():
        named = sorted(reason.value for reason in reasons if reason is not None)
        if named:
            listed = ", ".join(f"'{reason}'" for reason in named)
            parts.append(f"(status = '{status.value}' AND reason IS NOT NULL AND reason IN ({listed}))")
        else:
            parts.append(f"(status = '{status.value}' AND reason IS NULL)")
    return " OR ".join(parts)


connected_accounts = Table(
    "connected_accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("connection_name", String(400), nullable=False),
    Column("identifier", String(100), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(40)),
    Column("who_acts", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("last_authorization_error", Text),
    Column("pending_claims", Text),
    Column("tid", String(64)),
    Column("provider_account", Text),
    Column("granted_scopes", Text, nullable=False, server_default=""),
    Column("client_id", String(200)),
    Column("login_host", String(255)),
    Column("token_expires_at", BigInteger),
    Column("key_id", String(255)),
    Column("lease_owner", String(64)),
    Column("lease_until", BigInteger),
    Column("refresh_not_before", BigInteger),
    Column("sealed_tokens", LargeBinary),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("tokens_version", BigInteger),
    Column("state_key_id", String(255)),
    Column("sealed_state", LargeBinary),
    UniqueConstraint("connection_name", "identifier", name="uq_connected_accounts_identifier"),
    CheckConstraint(_legal_pairs(), name="ck_connected_accounts_status_reason"),
    Index("ix_connected_accounts_status", "status", "connection_name", "identifier"),
    Index("ix_connected_accounts_key_id", "key_id", "id"),
    Index("ix_connected_accounts_state_key_id", "state_key_id", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column(
        "account_id",
        String(40),
        ForeignKey("connected_accounts.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("live_account_id", String(40)),
    Column("connection_name", String(400), nullable=False),
    Column("identifier", String(100), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("verification", String(16), nullable=False),
    Column("reconnect", Boolean, nullable=False),
    Column("state_used", Boolean, nullable=False),
    Column("wrong_tries", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ticket_sha256", String(64), nullable=False),
    Column("state_sha256", String(64)),
    Column("auth_request_sha256", String(64)),
    Column("sealed_secrets", LargeBinary, nullable=False),
    Column("key_id", String(255), nullable=False),
    UniqueConstraint("live_account_id", name="uq_attempts_live_account_id"),
    UniqueConstraint("ticket_sha256", name="uq_attempts_ticket_sha256"),
    UniqueConstraint("state_sha256", name="uq_attempts_state_sha256"),
    UniqueConstraint("auth_request_sha256", name="uq_attempts_auth_request_sha256"),
    Index("ix_attempts_account_id", "account_id"),
    Index("ix_attempts_expires_at", "expires_at"),
    Index("ix_attempts_key_id", "key_id", "id"),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("browser_sha256", String(64), nullable=False),
    Column("request_sha256", String(64), nullable=False),
    Column("state_sha256", String(64)),
    Column("code_sha256", String(64)),
    Column("grant_id", String(40)),
    Column("wrong_tries", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("key_id", String(255), nullable=False),
    Column("sealed_secrets", LargeBinary, nullable=False),
    UniqueConstraint("state_sha256", name="uq_sign_ins_state_sha256"),
    UniqueConstraint("code_sha256", name="uq_sign_ins_code_sha256"),
    Index("ix_sign_ins_browser_sha256", "browser_sha256", "created_at"),
    Index("ix_sign_ins_expires_at", "expires_at"),
    Index("ix_sign_ins_key_id", "key_id", "id"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("connected_accounts.id", ondelete="CASCADE"), nullable=False),
    Column("connection_name", String(400), nullable=False),
    Column("identifier", String(100), nullable=False),
    Column("client_sha256", String(64), nullable=False),
    Column("secret_sha256", String(64)),
    Column("client_name", String(400), nullable=False),
    Column("client_host", String(1000), nullable=False),
    Column("client_kind", String(16), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("ended_why", String(40)),
    Column("key_id", String(255), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_grants_account_id", "account_id", "last_used_at"),
    Index("ix_grants_ended_at", "ended_at"),
    Index("ix_grants_expires_at", "expires_at"),
    Index("ix_grants_key_id", "key_id", "id"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("grant_id", String(40), ForeignKey("grants.id", ondelete="CASCADE"), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("replaced_at", BigInteger),
    Column("retries", Integer, nullable=False),
    Column("key_id", String(255), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_refresh_tokens_grant_id", "grant_id"),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
    Index("ix_refresh_tokens_key_id", "key_id", "id"),
)
"""The id of a refresh token is its SHA-256 in hexadecimal."""

tenant_marks = Table(
    "tenant_marks",
    metadata,
    Column("connection_name", String(400), primary_key=True),
    Column("tid", String(64), primary_key=True),
    Column("code", String(64), nullable=False),
    Column("marked_at", BigInteger, nullable=False),
    Column("next_trial_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
)

record_versions = Table(
    "record_versions",
    metadata,
    Column("record_id", String(40), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The version that the row of an account or attempt must have; the mark of a deleted account stays for a while."""

history = Table(
    "history",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("account_id", String(40), nullable=False),
    Column("connection_name", String(400), nullable=False),
    Column("identifier", String(100), nullable=False),
    Column("old_status", String(16)),
    Column("new_status", String(16)),
    Column("old_reason", String(40)),
    Column("new_reason", String(40)),
    Column("cause", String(40), nullable=False),
    Column("code", String(64)),
    Column("delivery_due", BigInteger),
    Column("delivery_tries", Integer, nullable=False, server_default="0"),
    Index("ix_history_account", "connection_name", "identifier", "at"),
    Index("ix_history_at", "at"),
    Index("ix_history_delivery_due", "delivery_due"),
)

vault_keys = Table(
    "vault_keys",
    metadata,
    Column("key_id", String(255), primary_key=True),
    Column("sealed_check", LargeBinary, nullable=False),
)
