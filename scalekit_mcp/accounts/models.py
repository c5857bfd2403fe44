"""The words of this room: connected account, token set, attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scalekit_mcp.errors import WhoActs


class AccountStatus(StrEnum):
    """Whether calls may be made with an account."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class Reason(StrEnum):
    """Why an account is not ACTIVE. A closed list."""

    NEVER_AUTHORIZED = "never_authorized"
    AWAITING_CONSENT = "awaiting_consent"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    ADMIN_APPROVAL_REQUIRED = "admin_approval_required"
    CONSENT_DECLINED = "consent_declined"

    INACTIVE = "inactive"
    INTERACTION_REQUIRED = "interaction_required"
    POLICY_BLOCKED = "policy_blocked"
    GRANT_EXPIRED = "grant_expired"
    CONNECTION_CHANGED = "connection_changed"
    UNKNOWN = "unknown"

    GRANT_REVOKED = "grant_revoked"
    GRANT_REVOKED_BY_USER = "grant_revoked_by_user"
    GRANT_REVOKED_BY_ADMIN = "grant_revoked_by_admin"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_DELETED = "account_deleted"
    APP_DISABLED = "app_disabled"
    DISCONNECTED = "disconnected"


class UserVerification(StrEnum):
    """How the person who consents is held against the person who asked."""

    OFF = "off"
    CONFIRM = "confirm"
    URL = "url"


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Who signed in at the provider. The key is (`tid`, `oid`); the rest is for display and changes hands."""

    tid: str
    oid: str
    preferred_username: str | None = None
    mail: str | None = None
    user_principal_name: str | None = None
    display_name: str | None = None
    personal: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the account for good."""
        return (self.tid, self.oid)

    @property
    def mailbox(self) -> str | None:
        """The address to name to a person."""
        return self.mail or self.preferred_username or self.user_principal_name


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a token endpoint gave. `expires_at` is an aware datetime in UTC. Tokens never show in a `repr`."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    granted_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """The record of one identifier on one connection; holds no token.

    `version` grows by one with every change and is what compare-and-swap compares.
    """

    id: str
    connection_name: str
    identifier: str
    status: AccountStatus
    reason: Reason | None
    who_acts: WhoActs
    created_at: datetime
    updated_at: datetime
    version: int = 0
    provider_account: ProviderAccount | None = None
    granted_scopes: tuple[str, ...] = ()
    client_id: str | None = None
    login_host: str | None = None
    token_expires_at: datetime | None = None
    last_used_at: datetime | None = None
    last_authorization_error: str | None = None
    pending_claims: str | None = None
